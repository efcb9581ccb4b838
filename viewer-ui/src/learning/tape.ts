// Reverse-mode differentiation: what is computed is noted down, and then gone through from its
// end, each part adding to the derivatives of what it was made of.

import { sigmoid, softplus, type Vector, vector } from "../machines/arrays";

/** Numbers, and the derivatives of a loss by each of them. */
export interface Variable {
  readonly x: Vector;
  readonly d: Vector;
}

export const variable = (x: Vector): Variable => ({ x, d: vector(x.length) });

export class Tape {
  private readonly parts: (() => void)[] = [];

  /** Note down how derivatives go back through something. */
  note(back: () => void): void {
    this.parts.push(back);
  }

  /** Add to the derivatives of all that was noted, from the end on. */
  back(): void {
    for (let i = this.parts.length - 1; i >= 0; i--) this.parts[i]();
  }

  /** An affine map ``y = W x + b``, W row after row; b may be missing. */
  affine(weight: Variable, bias: Variable | undefined, input: Variable): Variable {
    const columns = input.x.length;
    const rows = weight.x.length / columns;
    const y = variable(vector(rows));
    const [w, x] = [weight.x, input.x];
    for (let i = 0, at = 0; i < rows; i++) {
      let total = bias ? bias.x[i] : 0;
      for (let j = 0; j < columns; j++, at++) total += w[at] * x[j];
      y.x[i] = total;
    }
    this.note(() => {
      const [dw, dx] = [weight.d, input.d];
      for (let i = 0, at = 0; i < rows; i++) {
        const d = y.d[i];
        if (bias) bias.d[i] += d;
        if (d === 0) at += columns;
        else {
          for (let j = 0; j < columns; j++, at++) {
            dw[at] += d * x[j];
            dx[j] += d * w[at];
          }
        }
      }
    });
    return y;
  }

  add(a: Variable, b: Variable): Variable {
    const y = variable(a.x.map((x, i) => x + b.x[i]));
    this.note(() => {
      for (let i = 0; i < y.d.length; i++) {
        a.d[i] += y.d[i];
        b.d[i] += y.d[i];
      }
    });
    return y;
  }

  join(...parts: Variable[]): Variable {
    const y = variable(vector(parts.reduce((sum, { x }) => sum + x.length, 0)));
    let at = 0;
    const places = parts.map(({ x }) => {
      y.x.set(x, at);
      return (at += x.length) - x.length;
    });
    this.note(() =>
      parts.forEach(({ d }, k) => {
        for (let i = 0; i < d.length; i++) d[i] += y.d[places[k] + i];
      }),
    );
    return y;
  }

  /** Return parts of a vector; they are views of it, so that nothing has to be noted. */
  cut({ x, d }: Variable, sizes: number[]): Variable[] {
    let at = 0;
    return sizes.map((size) => {
      const from = at;
      at += size;
      return { x: x.subarray(from, at), d: d.subarray(from, at) };
    });
  }

  /** Apply a function to each number; `slope` is its derivative, from what went in and came out. */
  each(
    a: Variable,
    f: (x: number) => number,
    slope: (x: number, y: number) => number,
  ): Variable {
    const y = variable(vector(a.x.length));
    for (let i = 0; i < y.x.length; i++) y.x[i] = f(a.x[i]);
    this.note(() => {
      for (let i = 0; i < y.d.length; i++) a.d[i] += y.d[i] * slope(a.x[i], y.x[i]);
    });
    return y;
  }

  sigmoid(a: Variable): Variable {
    return this.each(a, sigmoid, (_, y) => y * (1 - y));
  }

  softplus(a: Variable): Variable {
    return this.each(a, softplus, sigmoid);
  }

  /** At least 1. */
  oneplus(a: Variable): Variable {
    return this.each(a, (x) => 1 + softplus(x), sigmoid);
  }

  /** Keep numbers between two bounds; there is no derivative beyond them. */
  clip(a: Variable, bound: number): Variable {
    return this.each(
      a,
      (x) => Math.max(-bound, Math.min(bound, x)),
      (x) => Number(Math.abs(x) <= bound),
    );
  }

  softmax(a: Variable): Variable {
    const y = variable(vector(a.x.length));
    const most = Math.max(...a.x);
    let total = 0;
    for (let i = 0; i < y.x.length; i++) total += y.x[i] = Math.exp(a.x[i] - most);
    for (let i = 0; i < y.x.length; i++) y.x[i] /= total;
    this.note(() => {
      let mean = 0;
      for (let i = 0; i < y.d.length; i++) mean += y.x[i] * y.d[i];
      for (let i = 0; i < y.d.length; i++) a.d[i] += y.x[i] * (y.d[i] - mean);
    });
    return y;
  }

  /** One step of an LSTM: the hidden state and the cells, from the four gates' inputs, packed as
   * input, forget, output, candidate. */
  lstm(gates: Variable, before: Variable): [hidden: Variable, cells: Variable] {
    const size = before.x.length;
    const [hidden, cells] = [variable(vector(size)), variable(vector(size))];
    const [inward, kept, outward, candidates, squashed] = Array.from({ length: 5 }, () =>
      vector(size),
    );
    for (let k = 0; k < size; k++) {
      inward[k] = sigmoid(gates.x[k]);
      kept[k] = sigmoid(gates.x[size + k]);
      outward[k] = sigmoid(gates.x[2 * size + k]);
      candidates[k] = Math.tanh(gates.x[3 * size + k]);
      cells.x[k] = kept[k] * before.x[k] + inward[k] * candidates[k];
      squashed[k] = Math.tanh(cells.x[k]);
      hidden.x[k] = outward[k] * squashed[k];
    }
    this.note(() => {
      for (let k = 0; k < size; k++) {
        const d = cells.d[k] + hidden.d[k] * outward[k] * (1 - squashed[k] ** 2);
        before.d[k] += d * kept[k];
        gates.d[k] += d * candidates[k] * inward[k] * (1 - inward[k]);
        gates.d[size + k] += d * before.x[k] * kept[k] * (1 - kept[k]);
        gates.d[2 * size + k] += hidden.d[k] * squashed[k] * outward[k] * (1 - outward[k]);
        gates.d[3 * size + k] += d * inward[k] * (1 - candidates[k] ** 2);
      }
    });
    return [hidden, cells];
  }

  /** Add the derivatives of the cross-entropy of logits and bits, summed; return it, in nats. */
  crossEntropy(logits: Variable, bits: ArrayLike<number>): number {
    let total = 0;
    for (let i = 0; i < logits.x.length; i++) {
      total += softplus(logits.x[i]) - bits[i] * logits.x[i];
      logits.d[i] += sigmoid(logits.x[i]) - bits[i];
    }
    return total;
  }
}

// The equations of an NTM's heads (Graves et al. 2014, section 3), as in machines/heads.ts and
// addressing.ts, each with its derivatives. A memory is a variable, row after row.

import { type Vector, vector } from "../machines/arrays";
import { type Tape, type Variable, variable } from "./tape";

const WEIGHT_FLOOR = 1e-12;

/** Eq. 2: ``r_t = sum over i of w_t(i) M_t(i)``. */
export function read(tape: Tape, memory: Variable, weighting: Variable): Variable {
  const rows = weighting.x.length;
  const columns = memory.x.length / rows;
  const found = variable(vector(columns));
  for (let i = 0, at = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++, at++) found.x[j] += weighting.x[i] * memory.x[at];
  }
  tape.note(() => {
    for (let i = 0, at = 0; i < rows; i++) {
      let d = 0;
      for (let j = 0; j < columns; j++, at++) {
        d += memory.x[at] * found.d[j];
        memory.d[at] += weighting.x[i] * found.d[j];
      }
      weighting.d[i] += d;
    }
  });
  return found;
}

/** Eq. 3 and 4: ``M_t(i) = M_t-1(i) (1 - w_t(i) e_t) + w_t(i) a_t``. */
export function write(
  tape: Tape,
  memory: Variable,
  weighting: Variable,
  erase: Variable,
  add: Variable,
): Variable {
  const [rows, columns] = [weighting.x.length, erase.x.length];
  const after = variable(vector(memory.x.length));
  for (let i = 0, at = 0; i < rows; i++) {
    const w = weighting.x[i];
    for (let j = 0; j < columns; j++, at++) {
      after.x[at] = memory.x[at] * (1 - w * erase.x[j]) + w * add.x[j];
    }
  }
  tape.note(() => {
    for (let i = 0, at = 0; i < rows; i++) {
      const w = weighting.x[i];
      let total = 0;
      for (let j = 0; j < columns; j++, at++) {
        const d = after.d[at];
        memory.d[at] += d * (1 - w * erase.x[j]);
        total += d * (add.x[j] - memory.x[at] * erase.x[j]);
        erase.d[j] -= d * memory.x[at] * w;
        add.d[j] += d * w;
      }
      weighting.d[i] += total;
    }
  });
  return after;
}

/** Eq. 5 and 6: weight rows by their cosine similarity to a key. */
export function contentWeighting(
  tape: Tape,
  memory: Variable,
  key: Variable,
  strength: Variable,
  smoothing: number,
  epsilon: number,
): Variable {
  const columns = key.x.length;
  const rows = memory.x.length / columns;
  let keySquares = smoothing;
  for (let j = 0; j < columns; j++) keySquares += key.x[j] ** 2;
  const keyNorm = Math.sqrt(keySquares);
  const [norms, similar]: Vector[] = [vector(rows), vector(rows)];
  for (let i = 0, at = 0; i < rows; i++) {
    let [squares, product] = [smoothing, 0];
    for (let j = 0; j < columns; j++, at++) {
      squares += memory.x[at] ** 2;
      product += memory.x[at] * key.x[j];
    }
    norms[i] = Math.sqrt(squares);
    similar[i] = product / (norms[i] * keyNorm + epsilon);
  }
  const scaled = variable(similar.map((x) => strength.x[0] * x));
  tape.note(() => {
    for (let i = 0, at = 0; i < rows; i++) {
      strength.d[0] += scaled.d[i] * similar[i];
      const whole = norms[i] * keyNorm + epsilon;
      const d = (scaled.d[i] * strength.x[0]) / whole;
      const ofRow = (similar[i] * keyNorm) / norms[i];
      const ofKey = (similar[i] * norms[i]) / keyNorm;
      for (let j = 0; j < columns; j++, at++) {
        memory.d[at] += d * (key.x[j] - ofRow * memory.x[at]);
        key.d[j] += d * (memory.x[at] - ofKey * key.x[j]);
      }
    }
  });
  return tape.softmax(scaled);
}

/** Eq. 7: blend the content weighting with the head's previous one. */
export function interpolate(
  tape: Tape,
  content: Variable,
  previous: Variable,
  gate: Variable,
): Variable {
  const [g, rows] = [gate.x[0], content.x.length];
  const gated = variable(content.x.map((x, i) => g * x + (1 - g) * previous.x[i]));
  tape.note(() => {
    for (let i = 0; i < rows; i++) {
      content.d[i] += g * gated.d[i];
      previous.d[i] += (1 - g) * gated.d[i];
      gate.d[0] += gated.d[i] * (content.x[i] - previous.x[i]);
    }
  });
  return gated;
}

/** Eq. 8: move a weighting, around the ends, by a convolution with a distribution over shifts. */
export function shift(tape: Tape, weighting: Variable, shifts: Variable): Variable {
  const rows = weighting.x.length;
  const center = Math.floor(shifts.x.length / 2);
  const moved = variable(vector(rows));
  const each = (f: (k: number, from: number, to: number) => void) => {
    for (let k = 0; k < shifts.x.length; k++) {
      for (let from = 0; from < rows; from++) f(k, from, (from + k - center + rows) % rows);
    }
  };
  each((k, from, to) => (moved.x[to] += shifts.x[k] * weighting.x[from]));
  tape.note(() =>
    each((k, from, to) => {
      weighting.d[from] += shifts.x[k] * moved.d[to];
      shifts.d[k] += weighting.x[from] * moved.d[to];
    }),
  );
  return moved;
}

/** Eq. 9: raise a weighting to a power of at least 1 and renormalise, in log space. */
export function sharpen(tape: Tape, weighting: Variable, sharpening: Variable): Variable {
  const rows = weighting.x.length;
  const [power, sharp] = [sharpening.x[0], variable(vector(rows))];
  const most = Math.max(...weighting.x) + WEIGHT_FLOOR;
  const logs = weighting.x.map((x) => Math.log((x + WEIGHT_FLOOR) / most));
  let total = 0;
  for (let i = 0; i < rows; i++) total += sharp.x[i] = Math.exp(power * logs[i]);
  for (let i = 0; i < rows; i++) sharp.x[i] /= total;
  tape.note(() => {
    let mean = 0;
    for (let i = 0; i < rows; i++) mean += sharp.x[i] * sharp.d[i];
    for (let i = 0; i < rows; i++) {
      const d = sharp.x[i] * (sharp.d[i] - mean);
      sharpening.d[0] += d * logs[i];
      weighting.d[i] += (d * power) / (weighting.x[i] + WEIGHT_FLOOR);
    }
  });
  return sharp;
}

// Arithmetic on vectors and matrices, in double precision; what is kept of a run is rounded to
// single precision, as the machines in Python have it.

import type { Numbers } from "../trace";

export type Vector = Float64Array;
export type Row = ArrayLike<number>;

/** Rows of numbers, one after the other. */
export interface Matrix {
  rows: number;
  columns: number;
  data: ArrayLike<number>;
}

export const vector = (length: number, fill = 0): Vector => new Float64Array(length).fill(fill);

export function oneHot(index: number, length: number): Vector {
  const made = vector(length);
  made[index] = 1;
  return made;
}

export function row({ data, columns }: Matrix, index: number): Vector {
  const made = vector(columns);
  for (let i = 0; i < columns; i++) made[i] = data[index * columns + i];
  return made;
}

export function joined(...parts: Row[]): Vector {
  const made = vector(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    made.set(part, at);
    at += part.length;
  }
  return made;
}

/** Return equal parts of a vector. */
export function split(x: Vector, parts: number): Vector[] {
  const size = x.length / parts;
  return Array.from({ length: parts }, (_, i) => x.subarray(i * size, (i + 1) * size));
}

export const map = (x: Row, f: (x: number, i: number) => number): Vector =>
  Float64Array.from(x, f);

export const sum = (x: Row): number => {
  let total = 0;
  for (let i = 0; i < x.length; i++) total += x[i];
  return total;
};

export function dot(a: Row, b: Row): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i] * b[i];
  return total;
}

export const largest = (x: Row): number => {
  let found = -Infinity;
  for (let i = 0; i < x.length; i++) if (x[i] > found) found = x[i];
  return found;
};

/** Return the index of the largest number, the first of equals. */
export function argmax(x: Row): number {
  let best = 0;
  for (let i = 1; i < x.length; i++) if (x[i] > x[best]) best = i;
  return best;
}

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
export const softplus = (x: number): number =>
  Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
export const logSigmoid = (x: number): number => -softplus(-x);

export function softmax(x: Row): Vector {
  const most = largest(x);
  const powers = map(x, (y) => Math.exp(y - most));
  const total = sum(powers);
  return powers.map((y) => y / total);
}

/** The functions that a configuration names. */
export const ACTIVATIONS: { [name: string]: (x: number) => number } = {
  linear: (x) => x,
  relu: (x) => Math.max(x, 0),
  sigmoid,
  tanh: Math.tanh,
};

/** An affine map ``y = W x + b``. */
export class Linear {
  private readonly weight: Matrix;
  private readonly bias: Numbers | null;

  constructor(weight: Matrix, bias: Numbers | null) {
    [this.weight, this.bias] = [weight, bias];
  }

  get inputs(): number {
    return this.weight.columns;
  }

  get outputs(): number {
    return this.weight.rows;
  }

  of(x: Row): Vector {
    const { rows, columns, data } = this.weight;
    if (x.length !== columns) throw new Error(`expected ${columns} numbers, not ${x.length}`);
    const y = vector(rows);
    for (let i = 0, at = 0; i < rows; i++) {
      let total = this.bias ? this.bias[i] : 0;
      for (let j = 0; j < columns; j++, at++) total += data[at] * x[j];
      y[i] = total;
    }
    return y;
  }
}

// The gates of a Neural Random-Access Machine: functions of integers, and of distributions, as
// in machines/nram/gates.py.

import { map, type Vector, vector } from "./arrays";

export interface Gate {
  arity: 0 | 1 | 2;
  /** Of its arguments and the number of values M. */
  integer(a: number, b: number, m: number): number;
  memory: "" | "read" | "write";
}

const gate = (
  arity: 0 | 1 | 2,
  integer: (a: number, b: number, m: number) => number,
  memory: Gate["memory"] = "",
): Gate => ({ arity, integer, memory });

/** The paper's fourteen gates, by name. */
export const GATES: { [name: string]: Gate } = {
  READ: gate(1, (p) => p, "read"),
  ZERO: gate(0, () => 0),
  ONE: gate(0, () => 1),
  TWO: gate(0, () => 2),
  INC: gate(1, (a, _, m) => (a + 1) % m),
  ADD: gate(2, (a, b, m) => (a + b) % m),
  SUB: gate(2, (a, b, m) => (((a - b) % m) + m) % m),
  DEC: gate(1, (a, _, m) => (a - 1 + m) % m),
  "LESS-THAN": gate(2, (a, b) => Number(a < b)),
  "LESS-OR-EQUAL-THAN": gate(2, (a, b) => Number(a <= b)),
  "EQUALITY-TEST": gate(2, (a, b) => Number(a === b)),
  MIN: gate(2, (a, b) => Math.min(a, b)),
  MAX: gate(2, (a, b) => Math.max(a, b)),
  WRITE: gate(2, () => 0, "write"),
};

/** Eq. 2: ``P(m(A, B) = c) = sum over a, b of P(A = a) P(B = b) [m(a, b) = c]``. */
export function soft({ arity, integer }: Gate, arguments_: Vector[], values: number): Vector {
  const found = vector(values);
  const [first, second] = arguments_;
  if (arity === 0) found[integer(0, 0, values)] = 1;
  for (let a = 0; arity > 0 && a < values; a++) {
    if (arity === 1) found[integer(a, 0, values)] += first[a];
    // Where it is a or b that is impossible, nothing is added.
    for (let b = 0; arity === 2 && first[a] > 0 && b < values; b++) {
      found[integer(a, b, values)] += first[a] * second[b];
    }
  }
  return found;
}

/** ``sum over i of pointer[i] memory[i]``. */
export function read(memory: Vector[], pointer: Vector): Vector {
  const found = vector(memory[0].length);
  memory.forEach((cell, i) => cell.forEach((p, value) => (found[value] += pointer[i] * p)));
  return found;
}

/** Section 3.2: ``(1 - p) 1ᵀ · M + p aᵀ``. */
export const write = (memory: Vector[], pointer: Vector, value: Vector): Vector[] =>
  memory.map((cell, i) => map(cell, (p, j) => p + pointer[i] * (value[j] - p)));

// What a run leaves, as arrays of a trace.

import { TraceError } from "../checks";
import type { Arrays, Numbers } from "../trace";
import { argmax, logSigmoid, map, type Row, type Vector } from "./arrays";
import type { Recording } from "./machine";
import type { StepOutput } from "./nram";

/** Arrays of a trace by part and name, with their types. */
export type Made = Map<string, Numbers>;

/** Arrays that are there, as `describe` asks for them. */
export class Held implements Arrays {
  private readonly made: Made;

  constructor(made: Made) {
    this.made = made;
  }

  get(name: string, type: "F32" | "I32" | "U8", shape: number[]): Numbers {
    const found = this.made.get(name);
    const count = shape.reduce((a, b) => a * b, 1);
    const Type = { F32: Float32Array, I32: Int32Array, U8: Uint8Array }[type];
    if (!found || found.length !== count || !(found instanceof Type)) {
      throw new TraceError(`The array ${name} is not as declared: ${found?.length}, ${count}.`);
    }
    return found;
  }
}

/** Keep the fields of a run, rounded to single precision. */
export function keep<Features>({ fields, initial }: Recording<Features>, made: Made): void {
  const put = (name: string, entries: Row[]) => {
    const all = new Float32Array(entries.reduce((total, entry) => total + entry.length, 0));
    let at = 0;
    for (const entry of entries) {
      all.set(entry, at);
      at += entry.length;
    }
    made.set(name, all);
  };
  for (const [name, entries] of Object.entries(fields)) put(`fields/${name}`, entries);
  for (const [name, entry] of Object.entries(initial)) put(`initial/${name}`, [entry]);
}

/** The probability of stopping after each step (section 3.3 of the NRAM paper). */
export function stopProbabilities(run: StepOutput[]): number[] {
  let reached = 0; // the logarithm of not having stopped before
  return run.map(({ stop }, t) => {
    const last = t === run.length - 1;
    const p = Math.exp(reached + (last ? 0 : logSigmoid(stop)));
    reached += logSigmoid(-stop);
    return p;
  });
}

/** Return all on the largest number, the first of equals. */
export const onBest = (row: Vector) => map(row, (_, i) => Number(i === argmax(row)));

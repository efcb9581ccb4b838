// Examples of a task: those that are in a machine's file, and inputs of a person's own.

import { record } from "../checks";

export interface Example {
  size: number | null;
  seed: number | null;
  steps: number;
  rows: number | null;
  inputs: number[] | number[][];
  targets: number[] | number[][];
  mask: number[] | number[][];
  labels: string[] | null;
  pointers: number[];
}

/** What an example of a person's own has not. */
export const NOTHING = { size: null, seed: null, rows: null, labels: null, pointers: [] };

/** Return an example as it stands in a machine's file, in which rows of bits are texts. */
export function readExample(value: unknown): Example {
  const example = record(value, "an example") as unknown as Example;
  const rows = (x: unknown) =>
    (x as (string | number | number[])[]).map((row) =>
      typeof row === "string" ? [...row].map(Number) : row,
    ) as number[] | number[][];
  return {
    ...example,
    inputs: rows(example.inputs),
    targets: rows(example.targets),
    mask: rows(example.mask),
  };
}

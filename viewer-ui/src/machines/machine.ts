// What every machine is here: one example in, step by step, and what can be observed of it.

import type { Row, Vector } from "./arrays";

/** Arrays of one step, by the names of their fields. */
export type Observed = { [name: string]: Row };

/** A machine that has steps; `Encoded` is an input's share of a step. */
export interface Cell<State, Encoded, Features> {
  initState(inputs: number[] | number[][]): State;
  encode(input: Row): Encoded;
  advance(state: State, encoded: Encoded): [State, Features];
  decode(features: Features): Vector;
  observeState(state: State): Observed;
  observeStep(state: State, encoded: Encoded): Observed;
}

/** What was observed of a run: for each field the entries of all steps, one after the other. */
export interface Recording<Features> {
  fields: { [name: string]: Row[] };
  initial: Observed;
  features: Features[];
}

/** Run a machine and keep all that can be observed of it, as traces/recording.py does. */
export function record<State, Encoded, Features>(
  cell: Cell<State, Encoded, Features>,
  inputs: number[] | number[][],
  steps: number,
): Recording<Features> {
  let state = cell.initState(inputs);
  const kept: Recording<Features> = {
    fields: {},
    initial: cell.observeState(state),
    features: [],
  };
  for (let step = 0; step < steps; step++) {
    const input = inputs[step];
    const encoded = cell.encode(typeof input === "object" ? input : []);
    const [after, features] = cell.advance(state, encoded);
    const seen = { ...cell.observeStep(state, encoded), ...cell.observeState(after) };
    for (const [name, entry] of Object.entries(seen)) (kept.fields[name] ??= []).push(entry);
    kept.features.push(features);
    state = after;
  }
  return kept;
}

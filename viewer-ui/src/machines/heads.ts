// What the heads of an NTM do in one step: read, write, address, and in which order, as in
// machines/ntm/heads.py. Heads stand read heads first, then write heads.

import { contentWeighting, harden, interpolate, sharpen, shift } from "./addressing";
import { ACTIVATIONS, map, sigmoid, softmax, softplus, type Vector, vector } from "./arrays";
import type { NTMConfig } from "./ntm";

/** What the controller tells the heads at one step. */
export interface HeadParameters {
  keys: Vector[];
  keyStrengths: Vector;
  gates: Vector;
  shifts: Vector[];
  sharpenings: Vector;
  erases: Vector[];
  adds: Vector[];
}

/** A weighting and the stages before it. */
export interface Stages {
  content: Vector;
  gated: Vector;
  shifted: Vector;
  weighting: Vector;
}

export interface Moved {
  memory: Vector[];
  weightings: Vector[];
  reads: Vector[];
}

type AddressOn = (memory: Vector[], head: number) => Vector;

/** Bring values of the controller into the ranges of the parameters. */
export function toHeadParameters(raw: Vector, config: NTMConfig): HeadParameters {
  const { memory_columns: columns, write_heads: writers, head_clip: clip } = config;
  const heads = config.read_heads + writers;
  const values = clip === null ? raw : map(raw, (x) => Math.max(-clip, Math.min(clip, x)));
  let at = 0;
  const take = (count: number) => values.subarray(at, (at += count));
  const each = (count: number, size: number, f: (x: Vector) => Vector) =>
    Array.from({ length: count }, () => f(take(size)));
  const through = (name: string) => (x: Vector) => map(x, ACTIVATIONS[name]);
  const keys = each(heads, columns, through(config.key_activation));
  const keyStrengths = map(take(heads), softplus);
  let sharpenings = map(take(heads), (x) => 1 + softplus(x));
  if (config.sharpening_factor !== 1) {
    sharpenings = map(sharpenings, (x) => Math.max(config.sharpening_factor * x, 1));
  }
  return {
    keys,
    keyStrengths,
    sharpenings,
    gates: map(take(heads), sigmoid),
    shifts: each(heads, config.shifts, softmax),
    erases: each(writers, columns, through("sigmoid")),
    adds: each(writers, columns, through(config.add_activation)),
  };
}

/** Eq. 2: ``r_t = sum over i of w_t(i) M_t(i)``. */
export function read(memory: Vector[], weighting: Vector): Vector {
  const found = vector(memory[0].length);
  memory.forEach((row, i) => row.forEach((x, j) => (found[j] += weighting[i] * x)));
  return found;
}

/** Eq. 3 and 4: all erases, then all adds. */
export function write(
  memory: Vector[],
  weightings: Vector[],
  erases: Vector[],
  adds: Vector[],
): Vector[] {
  return memory.map((row, i) =>
    map(row, (x, j) => {
      for (let h = 0; h < erases.length; h++) x *= 1 - erases[h][j] * weightings[h][i];
      let added = 0;
      for (let h = 0; h < adds.length; h++) added += adds[h][j] * weightings[h][i];
      return x + added;
    }),
  );
}

function writeWithAll(
  memory: Vector[],
  weightings: Vector[],
  { erases, adds }: HeadParameters,
  config: NTMConfig,
): Vector[] {
  if (config.write_composition === "erase-then-add")
    return write(memory, weightings, erases, adds);
  weightings.forEach((weighting, i) => {
    memory = write(memory, [weighting], [erases[i]], [adds[i]]);
  });
  return memory;
}

/** Return the weighting of a head after each of the four stages of Fig. 2. */
export function address(
  parameters: HeadParameters,
  memory: Vector[],
  previous: Vector,
  head: number,
  config: NTMConfig,
): Stages {
  const content = contentWeighting(
    memory,
    parameters.keys[head],
    parameters.keyStrengths[head],
    config.similarity_smoothing,
    config.similarity_epsilon,
  );
  const gated = interpolate(content, previous, parameters.gates[head]);
  const shifted = shift(gated, parameters.shifts[head], config.wrap);
  const sharp = sharpen(shifted, parameters.sharpenings[head], config.sharpening_smoothing);
  return { content, gated, shifted, weighting: config.hard ? harden(sharp) : sharp };
}

type Order = (
  parameters: HeadParameters,
  memory: Vector[],
  addressOn: AddressOn,
  config: NTMConfig,
) => Moved;

const numbers = (from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

const readers = (config: NTMConfig) => numbers(0, config.read_heads);
const writers = (config: NTMConfig) =>
  numbers(config.read_heads, config.read_heads + config.write_heads);

/** The orders of heads, by their names in the configuration. */
export const ORDERS: { [name: string]: Order } = {
  "write-read"(parameters, before, addressOn, config) {
    const writing = writers(config).map((head) => addressOn(before, head));
    const memory = writeWithAll(before, writing, parameters, config);
    const reading = readers(config).map((head) => addressOn(memory, head));
    const reads = reading.map((weighting) => read(memory, weighting));
    return { memory, weightings: [...reading, ...writing], reads };
  },
  "read-write"(parameters, before, addressOn, config) {
    const reading = readers(config).map((head) => addressOn(before, head));
    const writing = writers(config).map((head) => addressOn(before, head));
    const memory = writeWithAll(before, writing, parameters, config);
    const reads = reading.map((weighting) => read(before, weighting));
    return { memory, weightings: [...reading, ...writing], reads };
  },
  "address-write-read"(parameters, before, addressOn, config) {
    const reading = readers(config).map((head) => addressOn(before, head));
    const writing = writers(config).map((head) => addressOn(before, head));
    const memory = writeWithAll(before, writing, parameters, config);
    const reads = reading.map((weighting) => read(memory, weighting));
    return { memory, weightings: [...reading, ...writing], reads };
  },
  alternate(parameters, memory, addressOn, config) {
    const [reading, writing, reads]: Vector[][] = [[], [], []];
    for (let i = 0; i < Math.max(config.read_heads, config.write_heads); i++) {
      if (i < config.read_heads) {
        reading.push(addressOn(memory, i));
        reads.push(read(memory, reading[i]));
      }
      if (i < config.write_heads) {
        writing.push(addressOn(memory, config.read_heads + i));
        const { erases, adds } = parameters;
        memory = write(memory, [writing[i]], [erases[i]], [adds[i]]);
      }
    }
    return { memory, weightings: [...reading, ...writing], reads };
  },
};

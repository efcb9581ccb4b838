// Reading a trace file: a safetensors file whose metadata describe a run (docs/traces.md).
//
// Files are not trusted: sizes are checked against the bytes that are there before anything is
// allocated, and everything else against the format.

import { type CallRun, readCalls } from "./calls";
import { list, number, parse, record, text, TraceError, whole } from "./checks";

export type Numbers = Float32Array | Int32Array | Uint8Array;

const KINDS = [
  "bits",
  "logits",
  "scalar",
  "probability",
  "vector",
  "matrix",
  "weighting",
  "distribution",
  "integer",
  "pointer",
] as const;
export type Kind = (typeof KINDS)[number];

export interface Axis {
  size: number;
  labels: string[] | null;
}

/** An array with its declaration: one entry per recorded step, or, in an example, a single one. */
export interface Field {
  name: string;
  kind: Kind;
  axes: string[];
  shape: number[];
  group: string;
  over: string | null;
  description: string;
  /** Whether it is large and of little interest. */
  aside: boolean;
  /** Of weightings: for each entry of the axes but the last, "read" or "write"; or empty. */
  does: string[];
  /** How it is computed, as TeX; or empty. */
  formula: string;
  data: Numbers;
  /** Numbers per entry: the product of the shape. */
  stride: number;
  /** The entry before the first step. */
  initial: Numbers | null;
}

export type Fields = Map<string, Field>;

export interface Gate {
  name: string;
  symbol: string;
  arity: number;
  memory: string;
}

export interface Choice {
  /** Which gate's argument this chooses; null if it is a register's next value. */
  gate: number | null;
  argument: number;
  register: number;
  sources: number;
}

export interface Circuit {
  registers: number;
  gates: Gate[];
  choices: Choice[];
}

export interface Trace {
  title: string;
  machine: string;
  task: string;
  source: string;
  size: number | null;
  seed: number | null;
  length: number;
  steps: number[];
  /** For each step 0..length, the index in `steps` of the latest recorded step. */
  frames: Int32Array;
  axes: Map<string, Axis>;
  fields: Fields;
  example: Fields;
  hard: { stoppedAfter: number; fields: Fields } | null;
  circuit: Circuit | null;
  pointers: number[];
  scores: [string, number][];
  /** Those of the scores that are fractions, shown in percent. */
  shares: string[];
  error: string;
  /** Of a run of programs: its calls. */
  calls: CallRun | null;
  /** The program that was extracted from the machine, and where it is at each step. */
  program: ProgramShown | null;
}

/** An extracted program beside the run of its machine. */
export interface ProgramShown {
  title: string;
  note: string;
  states: { name: string; lines: string[] }[];
  /** For each step the number of its state; null where the program has ended. */
  at: (number | null)[];
}

/** Versions that are read: what an earlier one does not say is empty. */
const VERSIONS = ["1", "2", "3", "4"];
const LARGEST_HEADER = 1 << 25;
const LARGEST_AXIS = 1 << 20;
const TYPES = { F32: Float32Array, I32: Int32Array, U8: Uint8Array };

/** Parse a trace file; throws TraceError if it is not one. */
export function readTrace(file: Uint8Array): Trace {
  const { header, start } = readHeader(file);
  const metadata = record(header.__metadata__, "its metadata");
  const version = metadata.softmachine_trace;
  if (version === undefined) throw new TraceError("This is no trace of softmachine.");
  if (!VERSIONS.includes(String(version))) {
    const found = String(version).slice(0, 20);
    throw new TraceError(
      `This trace has version ${found}; this page reads versions ${VERSIONS.join(" and ")}.`,
    );
  }
  const described = record(parse(text(metadata.trace, "trace"), "its description"), "trace");
  const tensors = new Tensors(file, start, header);
  return describe(described, tensors);
}

export function readHeader(file: Uint8Array): {
  header: { [name: string]: unknown };
  start: number;
} {
  const foreign = "This is no trace: it does not begin like one.";
  if (file.length < 8) throw new TraceError(foreign);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const length = view.getUint32(0, true);
  if (view.getUint32(4, true) !== 0 || length > LARGEST_HEADER) throw new TraceError(foreign);
  if (8 + length > file.length) throw new TraceError("This trace is cut short, or is none.");
  let header: string;
  try {
    header = new TextDecoder("utf-8", { fatal: true }).decode(file.subarray(8, 8 + length));
  } catch {
    throw new TraceError(foreign);
  }
  return { header: record(parse(header, "its header"), "its header"), start: 8 + length };
}

/** Arrays by part and name. */
export interface Arrays {
  get(name: string, type: keyof typeof TYPES, shape: number[]): Numbers;
}

/** The arrays of a file. */
class Tensors implements Arrays {
  private readonly file: Uint8Array;
  private readonly start: number;
  private readonly header: { [name: string]: unknown };

  constructor(file: Uint8Array, start: number, header: { [name: string]: unknown }) {
    [this.file, this.start, this.header] = [file, start, header];
  }

  get(name: string, type: keyof typeof TYPES, shape: number[]): Numbers {
    if (!Object.hasOwn(this.header, name))
      throw new TraceError(`The array ${name} is missing.`);
    const entry = record(this.header[name], name);
    if (entry.dtype !== type) {
      throw new TraceError(`The array ${name} has another type than its kind, ${type}.`);
    }
    const found = list(entry.shape, name).map((x) => whole(x, name, 0, LARGEST_AXIS));
    if (found.join() !== shape.join()) {
      throw new TraceError(
        `The array ${name} has shape ${found.join(" x ")}, not ${shape.join(" x ")}.`,
      );
    }
    const [first, end] = list(entry.data_offsets, name).map((x) =>
      whole(x, name, 0, this.file.length),
    );
    const Type = TYPES[type];
    const bytes = product(shape) * Type.BYTES_PER_ELEMENT;
    if (end - first !== bytes || this.start + end > this.file.length) {
      throw new TraceError(
        `The array ${name} is not whole: the trace is damaged or cut short.`,
      );
    }
    const offset = this.file.byteOffset + this.start + first;
    const [buffer, count] = [this.file.buffer as ArrayBuffer, product(shape)];
    if (offset % Type.BYTES_PER_ELEMENT === 0) return new Type(buffer, offset, count);
    return new Type(buffer.slice(offset, offset + bytes), 0, count);
  }
}

/** Return a trace from its description and its arrays; throws TraceError if they do not fit. */
export function describe(d: { [name: string]: unknown }, tensors: Arrays): Trace {
  const length = whole(d.length, "length", 1, LARGEST_AXIS);
  const steps = list(d.steps, "steps").map((x) => whole(x, "steps", 1, length));
  if (steps.length === 0 || steps.some((step, i) => i > 0 && step <= steps[i - 1])) {
    throw new TraceError("The trace's steps are not in order.");
  }
  const axes = new Map<string, Axis>();
  for (const [name, axis] of Object.entries(record(d.axes, "axes"))) {
    axes.set(name, readAxis(record(axis, name), name));
  }
  const initial = new Set(list(d.initial, "initial").map((x) => text(x, "initial")));
  const make =
    (place: string, count: number[], withInitial = false) =>
    (value: unknown) => {
      const declared = readField(record(value, place), axes);
      const [type, { shape, name }] = [typeOf(declared.kind), declared];
      const data = tensors.get(`${place}/${name}`, type, [...count, ...shape]);
      const before =
        withInitial && initial.has(name) ? tensors.get(`initial/${name}`, type, shape) : null;
      return { ...declared, data, initial: before };
    };
  const hard = d.hard === null || d.hard === undefined ? null : record(d.hard, "hard");
  const trace: Trace = {
    title: text(d.title, "title"),
    machine: text(d.machine, "machine"),
    task: text(d.task, "task"),
    source: text(d.source, "source"),
    size: d.size === null ? null : number(d.size, "size"),
    seed: d.seed === null ? null : number(d.seed, "seed"),
    length,
    steps,
    frames: framesOf(steps, length),
    axes,
    fields: byName(list(d.fields, "fields").map(make("fields", [steps.length], true))),
    example: byName(list(d.example, "example").map(make("example", []))),
    hard: hard && {
      stoppedAfter: whole(hard.stopped_after, "stopped_after", 0, length),
      fields: byName(list(hard.fields, "hard").map(make("hard", [steps.length]))),
    },
    circuit: d.circuit === null ? null : readCircuit(record(d.circuit, "circuit")),
    pointers: list(d.pointers, "pointers").map((x) => whole(x, "pointers", 0, LARGEST_AXIS)),
    scores: Object.entries(record(d.scores, "scores")).map(([k, v]) => [
      k,
      v === null ? NaN : number(v, k), // JSON has no number that is not finite
    ]),
    error: text(d.error, "error"),
    shares: list(d.shares ?? [], "shares").map((x) => text(x, "shares")),
    calls: (d.calls ?? null) === null ? null : readCalls(record(d.calls, "calls"), length),
    program: null,
  };
  giveHardItsStart(trace);
  checkCircuit(trace);
  return trace;
}

function readAxis(value: { [name: string]: unknown }, name: string): Axis {
  const size = whole(value.size, name, 0, LARGEST_AXIS);
  const labels =
    value.labels === null ? null : list(value.labels, name).map((x) => text(x, name));
  if (labels && labels.length !== size) {
    throw new TraceError(`The axis ${name} has ${labels.length} labels for ${size} entries.`);
  }
  return { size, labels };
}

function readField(d: { [name: string]: unknown }, axes: Map<string, Axis>) {
  const name = text(d.name, "name of a field");
  const kind = KINDS.find((known) => known === d.kind);
  if (!kind)
    throw new TraceError(`The field ${name} is of a kind that this page does not know.`);
  const along = list(d.axes, name).map((x) => text(x, name));
  const shape = along.map((axis) => {
    const found = axes.get(axis);
    if (!found)
      throw new TraceError(`The field ${name} has an axis ${axis} that is not declared.`);
    return found.size;
  });
  const over = typeof d.over === "string" ? d.over : null;
  const [group, description] = [text(d.group, name), text(d.description, name)];
  const does = list(d.does ?? [], name).map((x) => text(x, name));
  const formula = text(d.formula ?? "", name);
  return {
    name,
    kind,
    axes: along,
    shape,
    group,
    over,
    description,
    aside: d.aside === true,
    does,
    formula,
    stride: product(shape),
  };
}

function readCircuit(d: { [name: string]: unknown }): Circuit {
  const gates = list(d.gates, "gates").map((value) => {
    const gate = record(value, "gates");
    return {
      name: text(gate.name, "gate"),
      symbol: text(gate.symbol, "gate"),
      arity: whole(gate.arity, "gate", 0, 2),
      memory: text(gate.memory, "gate"),
    };
  });
  const registers = whole(d.registers, "registers", 1, LARGEST_AXIS);
  const choices = list(d.choices, "choices").map((value) => {
    const chosen = record(value, "choices");
    const ofGate = (chosen.gate ?? null) !== null;
    return {
      gate: ofGate ? whole(chosen.gate, "choices", 0, gates.length - 1) : null,
      argument: ofGate ? whole(chosen.argument, "choices", 0, 1) : 0,
      register: ofGate ? 0 : whole(chosen.register, "choices", 0, registers - 1),
      sources: whole(chosen.sources, "choices", 1, registers + gates.length),
    };
  });
  return { registers, gates, choices };
}

/** Throw TraceError for a circuit that contradicts itself or the arrays. */
function checkCircuit(trace: Trace): void {
  if (!trace.circuit) return;
  const { registers, gates, choices } = trace.circuit;
  const wanted: [string, number][] = [
    ["register", registers],
    ["gate", gates.length],
    ["choice", choices.length],
    ["source", registers + gates.length],
  ];
  for (const [name, size] of wanted) {
    const axis = trace.axes.get(name);
    if (axis && axis.size !== size) {
      throw new TraceError(
        `The circuit does not fit the axis ${name} of ${axis.size} entries.`,
      );
    }
  }
  // Gates take their inputs from earlier gates, so that there are no cycles.
  for (const choice of choices) {
    if (choice.gate !== null && choice.sources > registers + choice.gate) {
      throw new TraceError("The circuit wires a gate to itself or to a later one.");
    }
  }
}

/** Return the first entry of a hard field: the argmax of the soft one. */
function giveHardItsStart(trace: Trace): void {
  for (const field of trace.hard?.fields.values() ?? []) {
    const soft = trace.fields.get(field.name);
    if (!soft?.initial || soft.kind !== "distribution" || field.kind !== "integer") continue;
    const values = soft.shape[soft.shape.length - 1];
    if (soft.stride !== field.stride * values) continue;
    const initial = new Int32Array(field.stride);
    for (let i = 0; i < field.stride; i++)
      initial[i] = argmax(soft.initial, i * values, values);
    field.initial = initial;
  }
}

function framesOf(steps: number[], length: number): Int32Array {
  const frames = new Int32Array(length + 1);
  let frame = -1;
  for (let step = 0; step <= length; step++) {
    if (steps[frame + 1] === step) frame++;
    frames[step] = frame;
  }
  return frames;
}

function typeOf(kind: Kind): keyof typeof TYPES {
  if (kind === "bits") return "U8";
  return kind === "integer" || kind === "pointer" ? "I32" : "F32";
}

function byName(fields: Field[]): Fields {
  return new Map(fields.map((field) => [field.name, field]));
}

/** Return the index of the largest of `count` numbers from `first` on, relative to it. */
export function argmax(data: Numbers, first: number, count: number): number {
  let best = 0;
  for (let i = 1; i < count; i++) if (data[first + i] > data[first + best]) best = i;
  return best;
}

function product(shape: number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/**
 * Whether the machine works on all places of the example at once, as a Neural GPU does: then the
 * example's places are not its steps.
 */
export const hasPlaces = (trace: Trace): boolean =>
  [...trace.fields.values()].some((field) => field.axes.includes("place"));

// A step in plain words: what came in, what the machine did, what it said. From the declared
// fields alone; as traces/head_moves.py tells the moves of heads.

import { entry, label, lastOf, likely, placeName, short } from "./fields";
import { letterOf } from "./machines/tasks";
import type { Moment } from "./panel";
import { argmax, type Circuit, type Field, hasPlaces } from "./trace";
import { layoutOf } from "./wiring";

const BLURRED = 0.5; // no row has more of a head's attention: it is between rows
const WRITTEN = 0.1; // of the run's largest change
const SURE = 0.5;
const MOST_CLAUSES = 6;

/** Return a sentence or two about a step; empty if the fields say nothing. */
export function sentenceOf(moment: Moment): string {
  const { trace, step, fields } = moment;
  if (trace.calls) return "";
  if (step < 1) return "Before the first step.";
  if (hasPlaces(trace)) return ofPlaces(moment);
  const all = [...fields.values()];
  const heads = all.find((f) => f.kind === "weighting" && f.does.length && !f.aside);
  const memory = all.find((f) => f.group === "memory");
  const clauses: string[] = [];
  if (trace.circuit && fields.has("choices")) clauses.push(...ofCircuit(moment, trace.circuit));
  else if (heads && memory) clauses.push(...ofHeads(moment, heads, memory));
  else for (const field of all) if (isActions(field)) clauses.push(...ofActions(moment, field));
  const told = [comesIn(moment), ...clauses.slice(0, MOST_CLAUSES), goesOut(moment)];
  return told
    .filter(Boolean)
    .map((x) => `${x.charAt(0).toUpperCase()}${x.slice(1)}.`)
    .join(" ");
}

const ordinal = (n: number): string => {
  const words = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"];
  return words[n - 1] ?? `${n}th`;
};

function stepOf(field: Field | undefined, step: number, length: number): number[] | null {
  if (field?.axes[0] !== "step") return null;
  const width = field.stride / length;
  return Array.from(field.data.subarray((step - 1) * width, step * width));
}

function comesIn({ trace, step }: Moment): string {
  const inputs = trace.example.get("inputs");
  const now = stepOf(inputs, step, trace.length);
  if (!inputs || !now) return "";
  const named = now.flatMap((x, i) => {
    const name = trace.axes.get(inputs.axes[1])?.labels?.[i];
    return x > 0 && name && !/^(bit )?\d+$/.test(name) ? [name] : [];
  });
  if (now.every((x) => x === 0)) return "nothing comes in";
  if (named.length === 1 && now.filter((x) => x > 0).length === 1) {
    const one = named[0];
    if (one.length === 1) return `the letter ${one} comes in`;
    return one === "delimiter" ? "the delimiter comes in" : `the mark “${one}” comes in`;
  }
  let number = 0;
  for (let i = 1; i <= step; i++) {
    if (stepOf(inputs, i, trace.length)!.some((x) => x !== 0)) number++;
  }
  const letter = letterOf(now.slice(0, -1));
  const spelled = letter && trace.size === null ? `, the letter ${letter},` : "";
  return `the ${ordinal(number)} vector${spelled} comes in`;
}

function goesOut({ trace, step }: Moment): string {
  const [outputs, mask] = [trace.example.get("outputs"), trace.example.get("mask")];
  const said = stepOf(outputs, step, trace.length);
  const counts = stepOf(mask, step, trace.length);
  if (!outputs || !said || !counts?.some((x) => x > 0)) return "";
  const wrong = stepOf(trace.example.get("wrong"), step, trace.length) ?? [];
  const mistakes = wrong.filter((x) => x > 0).length;
  if (outputs.kind === "probability") {
    const letter = label(
      trace,
      outputs.axes[1],
      argmax(Float32Array.from(said), 0, said.length),
    );
    return `it says ${letter}, which is ${mistakes ? "wrong" : "right"}`;
  }
  if (outputs.kind !== "logits") return "";
  const letter = trace.size === null ? letterOf(said.map((x) => Number(x > 0))) : "";
  const what = letter ? `it says ${letter}` : "it answers";
  if (!mistakes) return `${what}, and every bit is right`;
  return `${what}, with ${mistakes} wrong bit${mistakes > 1 ? "s" : ""}`;
}

// Places

function ofPlaces({ trace, step }: Moment): string {
  const told = `Step ${step} of ${trace.length}: each place looks at itself and its neighbours.`;
  return step < trace.length ? told : `${told} Its state is the answer.`;
}

// Heads

function ofHeads(moment: Moment, heads: Field, memory: Field): string[] {
  const { trace, step } = moment;
  const count = heads.does.length;
  const rows = heads.stride / count;
  const where = (at: number, head: number) => {
    const found = entry(trace, heads, at);
    if (!found) return null;
    const first = found.first + head * rows;
    const row = argmax(found.data, first, rows);
    return { row, weight: found.data[first + row] };
  };
  return heads.does.flatMap((does, head) => {
    const now = where(step, head);
    if (!now) return [];
    const name = `the ${placeName(trace, heads, head, heads.axes.slice(0, -1))} head`;
    if (now.weight < BLURRED) return [`${name} is between rows`];
    const before = where(step - 1, head);
    const moves = moved(before && before.weight >= BLURRED ? before.row : null, now.row, rows);
    if (does === "write") {
      const wrote =
        changedRow(moment, memory, step, now.row) >= WRITTEN * largest(moment, memory);
      return [`${name} ${moves}${wrote ? " and writes there" : ""}`];
    }
    const written = lastWritten(moment, memory, now.row);
    const known = written ? ` and reads what was written in step ${written}` : "";
    return [`${name} ${moves}${known}`];
  });
}

function moved(before: number | null, row: number, rows: number): string {
  if (before === null) return `is on row ${row}`;
  const by = ((row - before + rows + Math.floor(rows / 2)) % rows) - Math.floor(rows / 2);
  if (by === 0) return `stays on row ${row}`;
  if (Math.abs(by) === 1) return `moves one row ${by > 0 ? "on" : "back"}, to row ${row}`;
  return `jumps to row ${row}`;
}

function changedRow({ trace }: Moment, memory: Field, step: number, row: number): number {
  const [a, b] = [entry(trace, memory, step - 1), entry(trace, memory, step)];
  if (!a || !b) return 0;
  const columns = lastOf(memory);
  let total = 0;
  for (let i = row * columns; i < (row + 1) * columns; i++) {
    total += (b.data[b.first + i] - a.data[a.first + i]) ** 2;
  }
  return Math.sqrt(total);
}

const changes = new WeakMap<Field, number>();

/** Return the largest change of a row in a run. */
function largest(moment: Moment, memory: Field): number {
  const known = changes.get(memory);
  if (known !== undefined) return known;
  let most = 1e-9;
  const rows = memory.stride / lastOf(memory);
  for (const step of moment.trace.steps) {
    for (let row = 0; row < rows; row++) {
      const by = changedRow(moment, memory, step, row);
      if (by > most && by < Infinity) most = by;
    }
  }
  changes.set(memory, most);
  return most;
}

function lastWritten(moment: Moment, memory: Field, row: number): number | null {
  const least = WRITTEN * largest(moment, memory);
  for (let step = moment.step; step >= 1; step--) {
    if (changedRow(moment, memory, step, row) >= least) return step;
  }
  return null;
}

// Circuits

function ofCircuit(moment: Moment, circuit: Circuit): string[] {
  const { trace, fields, step } = moment;
  const choices = fields.get("choices")!;
  const [memory, registers, gates] = ["memory", "registers", "gates"].map((x) => fields.get(x));
  if (!memory || !registers || !gates) return [];
  const valueOf = (source: number): number | null =>
    source < circuit.registers
      ? (likely(trace, registers, step - 1, source)?.value ?? null)
      : (likely(trace, gates, step, source - circuit.registers)?.value ?? null);
  const layout = layoutOf(trace, circuit, choices, step);
  const told: string[] = [];
  const written = new Map<number, number | null>(); // by earlier gates of this step
  circuit.gates.forEach((gate, number) => {
    if (!gate.memory || layout.column[circuit.registers + number] === null) return;
    const inputs = circuit.choices.flatMap((choice, i) =>
      choice.gate === number ? [valueOf(likely(trace, choices, step, i)?.value ?? 0)] : [],
    );
    const [cell, value] = inputs;
    if (cell === null) return;
    if (gate.memory === "read") {
      const found = likely(trace, gates, step, number)?.value;
      told.push(`it reads cell ${cell}, which holds ${found}`);
      return;
    }
    const before = written.get(cell) ?? likely(trace, memory, step - 1, cell)?.value;
    written.set(cell, value);
    told.push(
      before === value
        ? `it writes ${value} into cell ${cell}, which holds it already`
        : `it writes ${value} into cell ${cell}`,
    );
  });
  const became = Array.from({ length: circuit.registers }, (_, i) => {
    const [a, b] = [likely(trace, registers, step - 1, i), likely(trace, registers, step, i)];
    return a && b && a.value !== b.value ? `register r${i + 1} becomes ${b.value}` : "";
  }).filter(Boolean);
  if (became.length) told.push(...became);
  const willing = fields.get("willing") ?? trace.fields.get("willing");
  const ready = willing && entry(trace, willing, step);
  if (ready && ready.data[ready.first] > SURE) told.push("it is ready to stop");
  return told;
}

// Actions: one of a few for each of several things, such as push or pop for each stack.

const isActions = (field: Field): boolean =>
  field.kind === "distribution" && field.group === "control" && field.axes.length === 2;

function ofActions({ trace, step, fields }: Moment, field: Field): string[] {
  const count = field.stride / lastOf(field);
  const value = [...fields.values()].find(
    (f) => f.kind === "scalar" && f.group === field.group && f.axes[0] === field.axes[0],
  );
  return Array.from({ length: count }, (_, i) => {
    const found = likely(trace, field, step, i);
    if (!found) return "";
    const action = label(trace, field.axes[1], found.value);
    const at = value && entry(trace, value, step);
    const pushed = at && /push|insert/.test(action) ? ` ${short(at.data[at.first + i])}` : "";
    const sure = found.probability < 0.9 ? "mostly " : "";
    return `${label(trace, field.axes[0], i)}: ${sure}${action}${pushed}`;
  }).filter(Boolean);
}

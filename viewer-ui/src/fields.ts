// Access to the fields of a trace: entries, ranges, colours, descriptions.

import { type Axis, type Field, type Fields, type Numbers, type Trace, argmax } from "./trace";
import { position, type Theme } from "./theme";

/** Return the latest entry of a field at a step: an array and an offset into it. */
export function entry(
  trace: Trace,
  field: Field,
  step: number,
): { data: Numbers; first: number } | null {
  const frame = trace.frames[step];
  if (frame >= 0) return { data: field.data, first: frame * field.stride };
  return field.initial && { data: field.initial, first: 0 };
}

/** Return the fields of the soft machine, or of the hard one. */
export function fieldsOf(trace: Trace, hard: boolean): Fields {
  return hard && trace.hard ? trace.hard.fields : trace.fields;
}

/** Return the label of an entry of an axis. */
export function label(trace: Trace, axis: string, index: number): string {
  return trace.axes.get(axis)?.labels?.[index] || `${index}`;
}

/** Return the names of an axis with a number each, in words: `row 5`. */
export function spoken(trace: Trace, axis: string, index: number): string {
  const found: Axis | undefined = trace.axes.get(axis);
  const name = found?.labels?.[index];
  return name ? name : `${axis} ${index}`;
}

interface Range {
  low: number;
  high: number;
}

const ranges = new WeakMap<Field, Range>();

/** Return the range of the finite numbers of a field, extended to include 0. */
export function rangeOf(field: Field): Range {
  const known = ranges.get(field);
  if (known) return known;
  let [low, high] = [0, 0];
  if (["bits", "logits", "probability", "weighting", "distribution"].includes(field.kind)) {
    high = 1;
  } else {
    for (const data of [field.data, field.initial ?? []]) {
      for (let i = 0; i < data.length; i++) {
        const x = data[i];
        if (x < low && x > -Infinity) low = x;
        else if (x > high && x < Infinity) high = x;
      }
    }
    if (low === high) high = 1;
  }
  const range = { low, high };
  ranges.set(field, range);
  return range;
}

/** The colour map of a field: sequential from 0, or diverging if there are negative numbers. */
export interface Colors {
  table: Uint32Array;
  /** The place of a number in the colour map, in 0..1. */
  at(x: number): number;
  low: number;
  high: number;
}

/** Return the colour map of a field. */
export function colorsOf(field: Field, theme: Theme): Colors {
  if (field.kind === "logits") {
    return { table: theme.amount, at: (x) => 1 / (1 + Math.exp(-x)), low: 0, high: 1 };
  }
  const { low, high } = rangeOf(field);
  if (low < 0) {
    const most = Math.max(-low, high);
    return { table: theme.value, at: (x) => 0.5 + x / (2 * most), low: -most, high: most };
  }
  return { table: theme.amount, at: (x) => x / high, low, high };
}

/** Return the colour of a number as a pixel of ImageData. */
export function pixel(colors: Colors, x: number, broken: number): number {
  return Number.isFinite(x) ? colors.table[position(colors.at(x))] : broken;
}

/** Return a number in few characters. */
export function short(x: number): string {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "NaN" : x > 0 ? "∞" : "−∞";
  if (Number.isInteger(x) && Math.abs(x) < 1e6) return minus(`${x}`);
  const size = Math.abs(x);
  if (size !== 0 && (size < 0.0005 || size >= 1e6)) return minus(x.toExponential(1));
  return minus(x.toFixed(size < 1 ? 3 : size < 100 ? 2 : 0));
}

/** Return a probability in few characters. */
export function percent(p: number): string {
  if (!Number.isFinite(p)) return "NaN";
  if (p > 0.9995 && p < 1.0005) return "100 %";
  return p !== 0 && p < 0.0005 ? "< 0.1 %" : `${(100 * p).toFixed(p < 0.0995 ? 1 : 0)} %`;
}

function minus(text: string): string {
  return text.replace("-", "−");
}

/** A value with its probability; certain for the hard machine. */
export interface Likely {
  value: number;
  probability: number;
}

/** Return how many values (of registers, cells, choices) a field has at each step. */
export function things(field: Field): number {
  return field.kind === "distribution" ? field.stride / lastOf(field) : field.stride;
}

/** Return the size of the last axis. */
export function lastOf(field: Field): number {
  return field.shape[field.shape.length - 1] || 1;
}

/** Return the most likely value of one register, cell or choice at a step. */
export function likely(trace: Trace, field: Field, step: number, thing: number): Likely | null {
  const at = entry(trace, field, step);
  if (!at) return null;
  if (field.kind !== "distribution") {
    return { value: at.data[at.first + thing], probability: 1 };
  }
  const values = lastOf(field);
  const value = argmax(at.data, at.first + thing * values, values);
  return { value, probability: at.data[at.first + thing * values + value] };
}

/** Return the most likely values of one register, cell or choice, the likeliest first. */
export function distribution(
  trace: Trace,
  field: Field,
  step: number,
  thing: number,
  count: number,
): Likely[] {
  const at = entry(trace, field, step);
  if (!at) return [];
  if (field.kind !== "distribution") {
    return [{ value: at.data[at.first + thing], probability: 1 }];
  }
  const values = lastOf(field);
  const first = at.first + thing * values;
  return Array.from(at.data.subarray(first, first + values), (probability, value) => ({
    value,
    probability,
  }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, count);
}

/** Return the axis that a field's values are indices into, if it has labels. */
export function valueAxis(field: Field): string | null {
  return field.kind === "distribution" ? field.axes[field.axes.length - 1] : field.over;
}

/** Return a value in words: its label, or the number. */
export function valueName(trace: Trace, field: Field, value: number): string {
  const axis = valueAxis(field);
  return axis ? label(trace, axis, value) : short(value);
}

/** Return a description of a position in an entry, such as `row 5, column 3`. */
export function placeName(
  trace: Trace,
  field: Field,
  index: number,
  axes = field.axes,
): string {
  const names: string[] = [];
  let rest = index;
  for (let i = axes.length - 1; i >= 0; i--) {
    const size = trace.axes.get(axes[i])!.size || 1;
    names.unshift(spoken(trace, axes[i], rest % size));
    rest = Math.floor(rest / size);
  }
  return names.join(", ");
}

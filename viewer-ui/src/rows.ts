// Which rows of a memory a run uses: the others need not be drawn.

import { lastOf } from "./fields";
import type { Fields, Trace } from "./trace";

/** A part of an axis that may go around its end. */
export interface Window {
  first: number;
  count: number;
  all: number;
}

const ATTENDED = 0.1; // of all attention
const MARGIN = 1;
const WORTH = 0.7; // so large a part is shown whole

const windows = new WeakMap<Fields, Map<string, Window>>();

/** Return the entries of an axis that heads attend to in a run, as one part of it. */
export function inUse(trace: Trace, fields: Fields, axis: string): Window {
  let known = windows.get(fields);
  if (!known) windows.set(fields, (known = new Map()));
  let found = known.get(axis);
  if (!found) known.set(axis, (found = find(trace, fields, axis)));
  return found;
}

function find(trace: Trace, fields: Fields, axis: string): Window {
  const all = trace.axes.get(axis)?.size ?? 0;
  const used = new Uint8Array(all);
  for (const field of fields.values()) {
    if (field.kind !== "weighting" || field.aside || field.axes.at(-1) !== axis) continue;
    const last = lastOf(field);
    for (let i = 0; i < field.data.length; i++) {
      if (field.data[i] > ATTENDED) used[i % last] = 1;
    }
  }
  const rows = [...used.keys()].filter((row) => used[row]);
  const whole = { first: 0, count: all, all };
  if (!rows.length) return whole;
  // The largest gap between rows in use, around the end, is what is left out.
  let [gap, after] = [0, 0];
  rows.forEach((row, i) => {
    const next = rows[(i + 1) % rows.length];
    const between = (next - row + all) % all || all;
    if (between > gap) [gap, after] = [between, next];
  });
  const count = Math.min(all, all - gap + 1 + 2 * MARGIN);
  if (count > WORTH * all) return whole;
  return { first: (after - MARGIN + all) % all, count, all };
}

/** Return the entry at a place of a window. */
export const rowAt = ({ first, all }: Window, place: number): number => (first + place) % all;

/** Return in words which entries a window shows. */
export function told({ first, count, all }: Window, axis: string): string {
  if (count === all) return "";
  const last = (first + count - 1) % all;
  return `${axis}s ${first} to ${last} of ${all}: those in use`;
}

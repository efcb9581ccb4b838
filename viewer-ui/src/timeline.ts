// Shared time axis: all drawings of the same width show the same steps at the same places.

import { type Drawing, type Moment, small } from "./panel";
import { textWidth } from "./pen";
import type { Theme } from "./theme";
import type { Trace } from "./trace";

export interface TimeAxis {
  left: number;
  /** The first step seen. */
  first: number;
  count: number;
  cell: number;
}

const LARGEST_CELL = 22;

/** Return the time axis of a drawing; of long traces it shows a part around the current step. */
export function timeAxis(
  trace: Pick<Trace, "length" | "circuit">,
  width: number,
  step: number,
  smallest = trace.circuit ? 19 : 2, // values are to be read
): TimeAxis {
  const left = width < 480 ? 86 : 96;
  const room = width - left - 1;
  const most = Math.max(1, Math.floor(room / smallest));
  const count = Math.min(trace.length, most);
  const centered = Math.max(1, step) - Math.floor(count / 2);
  const first = Math.max(1, Math.min(centered, trace.length - count + 1));
  return { left, first, count, cell: Math.min(LARGEST_CELL, room / count) };
}

/** Return a mark that frames the current step. */
export function markPresent(d: Drawing, axis: TimeAxis, y: number, height: number): void {
  d.marks.push({
    shape: "frame",
    at: (step) =>
      isInSight(axis, step)
        ? { x: stepToX(axis, step), y, width: Math.max(axis.cell, 1), height }
        : null,
  });
}

/** Return where a step begins in a drawing. */
export function stepToX(axis: TimeAxis, step: number): number {
  return axis.left + (step - axis.first) * axis.cell;
}

/** Return whether a step is in the part that is drawn. */
export function isInSight(axis: TimeAxis, step: number): boolean {
  return step >= Math.max(1, axis.first) && step < axis.first + axis.count;
}

/** Return a key for a part of time in some theme, under which bitmaps can be reused. */
export function timeKey({ first, count }: TimeAxis, theme: Theme): string {
  return `${first} ${count} ${theme.surface} ${theme.accent}`;
}

/** Return a key for a time axis: as long as it is the same, drawings need not be redrawn. */
export function timeStill({ trace, step, theme }: Moment, width: number): string {
  return `${width} ${timeKey(timeAxis(trace, width, step), theme)}`;
}

/** Return the width of the part that is drawn, in pixels. */
export function frameWidth(axis: TimeAxis): number {
  return axis.count * axis.cell;
}

/** Draw the numbers of steps below a drawing, or of places, which are counted from 0. */
export function drawTicks(d: Drawing, axis: TimeAxis, y: number, places = false): void {
  const room = Math.ceil(30 / axis.cell);
  const every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((n) => n >= room) ?? 5000;
  const last = axis.first + axis.count - 1;
  for (let step = axis.first; step <= last; step++) {
    const number = places ? step - 1 : step;
    if (number % every && !(step === 1 && every > 4)) continue;
    const style = { ...small(d.theme, "center"), size: 10 };
    const x = stepToX(axis, step) + axis.cell / 2;
    const inside = d.width - textWidth(`${number}`, style) / 2;
    d.pen.text(Math.min(x, inside), y, `${number}`, style);
  }
  d.pen.text(axis.left - 8, y, places ? "place" : "step", {
    ...small(d.theme, "right"),
    size: 10,
  });
}

/** The height of the row of numbers, of what lies between drawings. */
export const TICKS = 18;
export const GAP = 10;
export const EDGE = 1; // room for the upper edge's line

/** Draw a thin line around a heat map. */
export function outline(d: Drawing, x: number, y: number, width: number, height: number): void {
  d.pen.rect(x - 0.5, y - 0.5, width + 1, height + 1, { stroke: d.theme.line });
}

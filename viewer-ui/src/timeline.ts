// Drawings along time. All of one width show the same stretch of time at the same places.

import { Bitmap, pixelOf } from "./bitmap";
import {
  colorsOf, distribution, entry, label, lastOf, likely, percent, pixel, placeName, rangeOf,
  short, things, valueName,
} from "./fields";
import { type Drawing, figures, type Moment, type Panel, small, type Tip } from "./panel";
import { textWidth } from "./pen";
import { css } from "./theme";
import type { Field, Trace } from "./trace";

export interface TimeAxis {
  left: number;
  /** The first step seen. */
  first: number;
  count: number;
  cell: number;
}

const LARGEST_CELL = 22;

/** Return where steps are drawn; long traces are seen in part, around the present step. */
export function timeAxis(
  trace: Pick<Trace, "length" | "circuit">, width: number, step: number,
  smallest = trace.circuit ? 19 : 2, // values are to be read
): TimeAxis {
  const left = width < 480 ? 60 : 96;
  const room = width - left - 1;
  const most = Math.max(1, Math.floor(room / smallest));
  const count = Math.min(trace.length, most);
  const centered = Math.max(1, step) - Math.floor(count / 2);
  const first = Math.max(1, Math.min(centered, trace.length - count + 1));
  return { left, first, count, cell: Math.min(LARGEST_CELL, room / count) };
}

/** Draw what shows the present: a line to the right of what has happened. */
export function drawPresent(d: Drawing, axis: TimeAxis, y: number, height: number): void {
  const x = axis.left + (d.step - axis.first) * axis.cell;
  if (d.step < 1 || d.step >= axis.first + axis.count) return;
  d.pen.rect(x, y, Math.max(axis.cell, 1), height, { stroke: d.theme.accent, width: 1.5 });
}

function frameWidth(axis: TimeAxis): number {
  return axis.count * axis.cell;
}

/** Draw the numbers of steps below. */
export function drawTicks(d: Drawing, axis: TimeAxis, y: number): void {
  const room = Math.ceil(30 / axis.cell);
  const every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((n) => n >= room) ?? 5000;
  const last = axis.first + axis.count - 1;
  for (let step = axis.first; step <= last; step++) {
    if (step % every && !(step === 1 && every > 4)) continue;
    const x = axis.left + (step - axis.first + 0.5) * axis.cell;
    d.pen.text(x, y, `${step}`, { ...small(d.theme, "center"), size: 10 });
  }
  d.pen.text(axis.left - 8, y, "step", { ...small(d.theme, "right"), size: 10 });
}

const TICKS = 18;
const GAP = 10;
const EDGE = 1; // room for the upper edge's line

/** One strip of a heat map over time: `rows` numbers at every step. */
interface Strip {
  name: string;
  rows: number;
  rowHeight: number;
  field: Field;
  /** Which of the field's numbers the first row is; the others follow. */
  offset: number;
}

function stripsOf(trace: Trace, field: Field): Strip[] {
  const rows = field.axes.length ? lastOf(field) : 1;
  const count = Math.min(field.axes.length ? field.stride / rows : 1, 8);
  const rowHeight = rows > 64 ? Math.max(0.5, 140 / rows) : rows > 24 ? 3 : rows > 8 ? 6 : 9;
  return Array.from({ length: count }, (_, i) => ({
    name: placeName(trace, field, i, field.axes.slice(0, -1)) || field.name,
    rows,
    rowHeight,
    field,
    offset: i * rows,
  }));
}

/** A field's numbers as colours over time. */
export function stripPanel(trace: Trace, field: Field, title: string): Panel {
  const strips = stripsOf(trace, field);
  const bitmaps = strips.map(() => new Bitmap());
  const height = strips.reduce((sum, s) => sum + s.rows * s.rowHeight + GAP, 0) + TICKS - GAP + 4;
  const along = field.axes[field.axes.length - 1];
  return {
    title,
    note: field.description,
    height: () => height,
    draw(d) {
      const axis = timeAxis(d.trace, d.width, d.step);
      const colors = colorsOf(field, d.theme);
      const broken = pixelOf(d.theme.accent);
      let y = EDGE;
      strips.forEach((strip, i) => {
        const tall = strip.rows * strip.rowHeight;
        const picture = bitmaps[i].fill(axis.count, strip.rows, (column, row) => {
          const at = entry(d.trace, field, axis.first + column);
          return at ? pixel(colors, at.data[at.first + strip.offset + row], broken) : 0;
        });
        const part: [number, number, number, number] = [0, 0, axis.count, strip.rows];
        d.pen.image(picture, part, axis.left, y, frameWidth(axis), tall);
        outline(d, axis.left, y, frameWidth(axis), tall);
        d.pen.text(axis.left - 8, y + Math.min(tall / 2, 20), strip.name, small(d.theme, "right"), axis.left - 10);
        drawPresent(d, axis, y, tall);
        d.spots.push({
          x: axis.left, y, width: frameWidth(axis), height: tall,
          columns: axis.count, rows: strip.rows,
          tip: (column, row) =>
            numberTip(d, field, strip.offset + row, axis.first + column),
          place: (_, row) => ({ field, index: strip.offset + row, valued: false }),
          step: (column) => axis.first + column,
        });
        y += tall + GAP;
      });
      drawTicks(d, axis, y - GAP + TICKS / 2 + 2);
    },
    describe(moment) {
      const at = entry(moment.trace, field, moment.step);
      if (!at) return "Not kept at this step.";
      return strips
        .map((strip) => {
          let best = 0;
          for (let i = 1; i < strip.rows; i++) {
            const [x, y] = [at.data[at.first + strip.offset + i], at.data[at.first + strip.offset + best]];
            if (x > y) best = i;
          }
          const where = along ? label(moment.trace, along, best) : "";
          return `${strip.name}: largest ${short(at.data[at.first + strip.offset + best])} at ${along ?? ""} ${where}`;
        })
        .join("; ");
    },
  };
}

/** Draw a thin line around a heat map. */
export function outline(d: Drawing, x: number, y: number, width: number, height: number): void {
  d.pen.rect(x - 0.5, y - 0.5, width + 1, height + 1, { stroke: d.theme.line });
}

/** Return what is known of one number at one step. */
export function numberTip(moment: Moment, field: Field, index: number, step: number): Tip | null {
  const at = entry(moment.trace, field, step);
  if (!at) return null;
  const x = at.data[at.first + index];
  const where = placeName(moment.trace, field, index);
  const value = field.kind === "pointer" ? valueName(moment.trace, field, x) : short(x);
  const lines = [{ text: `${field.name} ${value}` }, { text: step ? `step ${step}` : "before step 1" }];
  return { title: where || field.name, lines };
}

const LINE_HEIGHT = 46;
const LEGEND = 16;
/** How the curves of several heads differ. */
const DASHES = [[], [5, 3], [1.5, 2.5], [9, 3, 2, 3]];

/** Fields of few numbers as curves over time, all in one panel. */
export function curvesPanel(title: string, note: string, fields: Field[]): Panel {
  const several = fields.find((field) => field.stride > 1);
  const top = several ? LEGEND : EDGE;
  const tall = top + fields.length * (LINE_HEIGHT + GAP) - GAP;
  return {
    title,
    note,
    height: () => tall + TICKS + 4,
    draw(d) {
      const axis = timeAxis(d.trace, d.width, d.step);
      if (several) drawLegend(d, axis, several);
      fields.forEach((field, i) => drawCurves(d, axis, field, top + i * (LINE_HEIGHT + GAP)));
      drawTicks(d, axis, tall + TICKS / 2 + 2);
    },
    describe(moment) {
      return fields
        .map((field) => {
          const at = entry(moment.trace, field, moment.step);
          const numbers = Array.from({ length: at ? field.stride : 0 }, (_, i) => {
            const name = placeName(moment.trace, field, i);
            return `${name} ${short(at!.data[at!.first + i])}`.trim();
          });
          return `${field.name}: ${numbers.join(", ")}`;
        })
        .join("; ");
    },
  };
}

function drawCurves(d: Drawing, axis: TimeAxis, field: Field, y: number): void {
  const { pen, theme } = d;
  const { low, high } = field.kind === "scalar" ? rangeOf(field) : { low: 0, high: 1 };
  const width = frameWidth(axis);
  const toY = (x: number) => y + 3 + ((high - x) / (high - low)) * (LINE_HEIGHT - 6);
  pen.rect(axis.left, y, width, LINE_HEIGHT, { stroke: theme.line });
  const name = { ...small(theme, "right") };
  pen.text(axis.left - 8, y + LINE_HEIGHT / 2, field.name.replaceAll("_", " "), name, axis.left - 10);
  pen.text(axis.left - 8, y + 6, short(high), { ...name, size: 9 });
  pen.text(axis.left - 8, y + LINE_HEIGHT - 6, short(low), { ...name, size: 9 });
  for (let i = 0; i < field.stride; i++) {
    const points: number[] = [];
    for (let column = 0; column < axis.count; column++) {
      const at = entry(d.trace, field, axis.first + column);
      const x = at ? at.data[at.first + i] : NaN;
      if (!Number.isFinite(x)) continue;
      points.push(axis.left + (column + 0.5) * axis.cell, toY(x));
    }
    const style = { stroke: theme.ink, width: 1.25, dash: DASHES[i % DASHES.length] };
    pen.clipped(axis.left, y, width, LINE_HEIGHT, () => pen.line(points, style));
  }
  markPresent(d, axis, field, toY);
  drawPresent(d, axis, y, LINE_HEIGHT);
  d.spots.push({
    x: axis.left, y, width, height: LINE_HEIGHT, columns: axis.count, rows: 1,
    tip(column) {
      const at = entry(d.trace, field, axis.first + column);
      if (!at) return null;
      const lines = Array.from({ length: field.stride }, (_, i) => ({
        text: `${placeName(d.trace, field, i)} ${short(at.data[at.first + i])}`.trim(),
      }));
      return { title: `${field.name}, step ${axis.first + column}`, lines };
    },
    place: () => ({ field, index: 0, valued: false }),
    step: (column) => axis.first + column,
  });
}

/** Mark the numbers of the present step. */
function markPresent(d: Drawing, axis: TimeAxis, field: Field, toY: (x: number) => number): void {
  const at = entry(d.trace, field, d.step);
  if (!at || d.step < axis.first || d.step >= axis.first + axis.count) return;
  const x = axis.left + (d.step - axis.first + 0.5) * axis.cell;
  for (let i = 0; i < field.stride; i++) {
    const number = at.data[at.first + i];
    if (Number.isFinite(number)) d.pen.circle(x, toY(number), 2.5, { fill: d.theme.ink });
  }
}

function drawLegend(d: Drawing, axis: TimeAxis, field: Field): void {
  let x = axis.left;
  for (let i = 0; i < Math.min(field.stride, DASHES.length); i++) {
    const name = placeName(d.trace, field, i);
    d.pen.line([x, 5, x + 22, 5], { stroke: d.theme.ink, width: 1.25, dash: DASHES[i] });
    d.pen.text(x + 28, 5, name, small(d.theme));
    x += 44 + textWidth(name, small(d.theme));
  }
}

const ROW = 19;

/** Values over time as a table: what changed is set off. */
export function tablePanel(trace: Trace, field: Field, title: string, note: string): Panel {
  const rows = Math.min(things(field), 128);
  const axes = field.kind === "distribution" ? field.axes.slice(0, -1) : field.axes;
  return {
    title,
    note,
    height: () => rows * ROW + TICKS + 4,
    draw(d) {
      const axis = timeAxis(d.trace, d.width, d.step);
      for (let row = 0; row < rows; row++) drawRow(d, axis, field, axes, row);
      const height = rows * ROW;
      outline(d, axis.left, EDGE, frameWidth(axis), height);
      drawPresent(d, axis, EDGE, height);
      drawTicks(d, axis, height + TICKS / 2 + 2);
      d.spots.push({
        x: axis.left, y: EDGE, width: frameWidth(axis), height, columns: axis.count, rows,
        tip: (column, row) => likelyTip(d, field, row, axis.first + column),
        place: (_, row) => ({ field, index: row, valued: true }),
        step: (column) => axis.first + column,
      });
    },
    describe: (moment) =>
      Array.from({ length: rows }, (_, row) => {
        const found = likely(moment.trace, field, moment.step, row);
        const name = placeName(trace, field, row, axes);
        return found ? `${name}: ${valueName(moment.trace, field, found.value)}` : `${name}: unknown`;
      }).join("; "),
  };
}

function drawRow(d: Drawing, axis: TimeAxis, field: Field, axes: string[], row: number): void {
  const { pen, theme } = d;
  const y = EDGE + row * ROW;
  const name = rowName(d.trace, axes, row);
  pen.text(axis.left - 8, y + ROW / 2, name, small(theme, "right"), axis.left - 10);
  let before = likely(d.trace, field, axis.first - 1, row)?.value;
  const lettering = figures(theme, "center");
  for (let column = 0; column < axis.count; column++) {
    const found = likely(d.trace, field, axis.first + column, row);
    if (!found) continue;
    const x = axis.left + column * axis.cell;
    const changed = found.value !== before;
    if (changed) pen.rect(x + 0.5, y + 0.5, axis.cell - 1, ROW - 1, { fill: css(theme.amount, 0.2) });
    const text = shortest(valueName(d.trace, field, found.value), axis.cell);
    pen.text(x + axis.cell / 2, y + ROW / 2, text, {
      ...lettering,
      size: textWidth(text, lettering) > axis.cell - 1 ? 9 : 11,
      fill: changed ? theme.ink : theme.muted,
      weight: changed ? 600 : 400,
      opacity: 0.25 + 0.75 * Math.max(0, Math.min(1, found.probability)),
    });
    before = found.value;
  }
}

function shortest(text: string, room: number): string {
  const letters = Math.max(1, Math.floor(room / 5.5));
  return text.length > letters ? text.slice(0, letters) : text;
}

/** Return the number and, if it has one, the label of an entry: `3 A2`. */
function rowName(trace: Trace, axes: string[], row: number): string {
  if (axes.length !== 1) return placeNameOf(trace, axes, row);
  const name = trace.axes.get(axes[0])!.labels?.[row];
  return axes[0] === "cell" ? `${name ? `${name}  ` : ""}${row}` : name || `${row}`;
}

function placeNameOf(trace: Trace, axes: string[], row: number): string {
  const field = { axes } as Field;
  return placeName(trace, field, row);
}

/** Return what is known of the value of one thing at one step: how likely each value is. */
export function likelyTip(moment: Moment, field: Field, thing: number, step: number): Tip | null {
  const most = distribution(moment.trace, field, step, thing, 6);
  if (!most.length) return null;
  const axes = field.kind === "distribution" ? field.axes.slice(0, -1) : field.axes;
  const shown = most.filter((x, i) => i === 0 || x.probability > 0.0005);
  const title = [placeName(moment.trace, field, thing, axes), step ? `after step ${step}` : "before step 1"];
  return {
    title: title.filter(Boolean).join(", "),
    lines: shown.map(({ value, probability }) => ({
      text: `${valueName(moment.trace, field, value)}  ${percent(probability)}`,
      share: probability,
    })),
  };
}

const TAPES: [string, string][] = [["inputs", "input"], ["targets", "target"], ["outputs", "output"]];

/** Inputs, targets and outputs over time; wrong bits are crossed. */
export function tapesPanel(trace: Trace): Panel | null {
  const tapes = TAPES.flatMap(([name, shown]) => {
    const field = trace.example.get(name);
    return field?.axes[0] === "step" && field.stride ? [{ field, shown, bitmap: new Bitmap() }] : [];
  });
  if (!tapes.length) return null;
  const [mask, wrong] = [trace.example.get("mask"), trace.example.get("wrong")];
  const widthOf = (field: Field) => field.stride / trace.length;
  const rowHeight = (field: Field) => (widthOf(field) > 24 ? 4 : widthOf(field) > 12 ? 7 : 9);
  const height = tapes.reduce((sum, t) => sum + widthOf(t.field) * rowHeight(t.field) + GAP, TICKS - GAP + 4);
  const scored = (step: number, channel: number) =>
    !mask || mask.data[(step - 1) * widthOf(mask) + Math.min(channel, widthOf(mask) - 1)] > 0;
  // Where no answer is known, all that the machine said is shown.
  const known = !mask || mask.data.some((x) => x > 0);
  const visible = (shown: string, step: number, channel: number) =>
    shown === "input" || scored(step, channel) || (shown === "output" && !known);
  return {
    title: "Tapes",
    note: "What the machine saw, should have said, and said; wrong bits are crossed",
    height: () => height,
    draw(d) {
      const axis = timeAxis(d.trace, d.width, d.step);
      const faint = pixelOf(d.theme.surface);
      let y = EDGE;
      for (const { field, shown, bitmap } of tapes) {
        const rows = widthOf(field);
        const tall = rows * rowHeight(field);
        const colors = colorsOf(field, d.theme);
        const broken = pixelOf(d.theme.accent);
        const picture = bitmap.fill(axis.count, rows, (column, row) => {
          const step = axis.first + column;
          if (!visible(shown, step, row)) return faint;
          return pixel(colors, field.data[(step - 1) * rows + row], broken);
        });
        d.pen.image(picture, [0, 0, axis.count, rows], axis.left, y, frameWidth(axis), tall);
        outline(d, axis.left, y, frameWidth(axis), tall);
        d.pen.text(axis.left - 8, y + tall / 2, shown, small(d.theme, "right"));
        if (shown === "output" && wrong) drawWrong(d, axis, wrong, y, rowHeight(field));
        drawPresent(d, axis, y, tall);
        d.spots.push({
          x: axis.left, y, width: frameWidth(axis), height: tall, columns: axis.count, rows,
          tip: (column, row) => tapeTip(d.trace, field, shown, axis.first + column, row, wrong),
          step: (column) => axis.first + column,
        });
        y += tall + GAP;
      }
      drawTicks(d, axis, y - GAP + TICKS / 2 + 2);
    },
    describe({ step }) {
      if (step < 1) return "Before the first step.";
      return tapes
        .map(({ field, shown }) => {
          const rows = widthOf(field);
          const numbers = Array.from(field.data.subarray((step - 1) * rows, step * rows));
          const unscored = !numbers.some((_, row) => visible(shown, step, row));
          const said = field.kind === "logits" ? numbers.map((x) => Number(x > 0)) : numbers.map(short);
          return unscored ? `${shown}: not scored` : `${shown}: ${said.join(" ")}`;
        })
        .join("; ");
    },
  };
}

function drawWrong(d: Drawing, axis: TimeAxis, wrong: Field, y: number, rowHeight: number): void {
  const rows = wrong.stride / d.trace.length;
  const size = Math.max(1, Math.min(axis.cell, rowHeight) / 2 - 1.5);
  for (let column = 0; column < axis.count; column++) {
    for (let row = 0; row < rows; row++) {
      if (!wrong.data[(axis.first + column - 1) * rows + row]) continue;
      const cx = axis.left + (column + 0.5) * axis.cell;
      const cy = y + (row + 0.5) * rowHeight;
      const box: [number, number, number, number] = [cx - axis.cell / 2, cy - rowHeight / 2, axis.cell, rowHeight];
      d.pen.rect(...box, { fill: d.theme.accent });
      const cross = { stroke: d.theme.surface, width: 1.5 };
      d.pen.line([cx - size, cy - size, cx + size, cy + size], cross);
      d.pen.line([cx - size, cy + size, cx + size, cy - size], cross);
    }
  }
}

function tapeTip(
  trace: Trace, field: Field, shown: string, step: number, row: number, wrong: Field | undefined,
): Tip {
  const rows = field.stride / trace.length;
  const x = field.data[(step - 1) * rows + row];
  const said = field.kind === "logits" ? `${Number(x > 0)}, probability of 1: ${percent(1 / (1 + Math.exp(-x)))}` : short(x);
  const lines = [{ text: `${shown} ${said}` }, { text: `step ${step}` }];
  if (shown === "output" && wrong?.data[(step - 1) * rows + row]) lines.push({ text: "wrong" });
  return { title: label(trace, field.axes[1] ?? "", row) === `${row}` ? `channel ${row}` : label(trace, field.axes[1], row), lines };
}

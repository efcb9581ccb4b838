// A matrix at one step, with fields along its rows beside it and fields along its columns below:
// for a Neural Turing Machine the memory, the weightings of the heads over its rows, and the
// vectors that they read, erase and add.

import { Bitmap, pixelOf } from "./bitmap";
import {
  type Colors,
  colorsOf,
  entry,
  label,
  lastOf,
  pixel,
  placeName,
  rangeOf,
  short,
} from "./fields";
import { type Drawing, type Moment, type Panel, small } from "./panel";
import { inUse, rowAt, told, type Window } from "./rows";
import { css, position } from "./theme";
import { outline } from "./timeline";
import { numberTip } from "./tips";
import type { Field, Trace } from "./trace";

const [NUMBERED, NAMED] = [30, 58]; // room for the rows' numbers, or names
const TOP = 18;
const BAR = 64;
const GAP = 12;
const VECTOR = 11;
const CAPTION = 19;
const TALL = 340; // a picture that leaves room for the bar
const TALLEST = 4096; // rows of pixels that a picture may have

interface Line {
  name: string;
  field: Field;
  offset: number;
}

function leftOf(trace: Trace, field: Field): number {
  if (trace.axes.get(field.axes.at(-2)!)?.labels) return NAMED;
  return Math.max(NUMBERED, 8 * field.axes.at(-2)!.length); // room for the axis's name
}

function linesOf(trace: Trace, fields: Field[]): Line[] {
  return fields.flatMap((field) => {
    const count = field.stride / lastOf(field);
    return Array.from({ length: Math.min(count, 8) }, (_, i) => ({
      name: placeName(trace, field, i, field.axes.slice(0, -1)) || field.name,
      field,
      offset: i * lastOf(field),
    }));
  });
}

/** A matrix with fields over its rows beside it and fields over its columns below it. */
export function matrixPanel(
  trace: Trace,
  field: Field,
  title: string,
  beside: Field[],
  below: Field[],
): Panel {
  const columns = lastOf(field);
  const window = inUse(
    trace,
    trace.fields.get(field.name) === field
      ? trace.fields
      : (trace.hard?.fields ?? trace.fields),
    field.axes.at(-2)!,
  );
  const rows = window.count;
  const [right, under] = [linesOf(trace, beside), linesOf(trace, below)];
  const bitmap = new Bitmap();
  const left = leftOf(trace, field);
  const rowHeight = Math.max(1, Math.min(14, TALL / rows));
  const tall = Math.min(rows * rowHeight, TALLEST);
  const shownRows = Math.min(rows, TALLEST);
  const layout = (width: number) => {
    const bar = Math.min(BAR, (width * 0.4) / Math.max(1, right.length));
    return { bar, wide: Math.max(40, width - left - right.length * (bar + GAP)) };
  };
  return {
    title,
    note: [field.description, told(window, field.axes.at(-2)!)].filter(Boolean).join(" "),
    height: () => TOP + tall + 24 + under.length * (VECTOR + CAPTION) + 4,
    draw(d) {
      const { bar, wide } = layout(d.width);
      const at = entry(d.trace, field, d.step);
      const colors = colorsOf(field, d.theme);
      const broken = pixelOf(d.theme.accent);
      const picture = bitmap.fill(columns, shownRows, (column, row) => {
        const from = rowAt(window, Math.floor((row * rows) / shownRows)) * columns;
        return at ? pixel(colors, at.data[at.first + from + column], broken) : 0;
      });
      d.pen.text(left, 6, field.axes.at(-1)!, small(d.theme));
      d.pen.image(picture, [0, 0, columns, shownRows], left, TOP, wide, tall);
      outline(d, left, TOP, wide, tall);
      drawRowNumbers(d, field, window, tall);
      drawLegend(d, colors, left, TOP + tall + 8, wide);
      d.spots.push({
        x: left,
        y: TOP,
        width: wide,
        height: tall,
        columns,
        rows,
        tip: (column, row) =>
          numberTip(d, field, rowAt(window, row) * columns + column, d.step),
        place: (column, row) => ({
          field,
          index: rowAt(window, row) * columns + column,
          valued: false,
        }),
      });
      right.forEach((line, i) => {
        drawBars(d, line, left + wide + GAP + i * (bar + GAP), bar, window, tall);
      });
      under.forEach((line, i) => {
        drawVector(d, line, TOP + tall + 24 + i * (VECTOR + CAPTION), left, wide, columns);
      });
    },
    describe(moment) {
      return [...right, ...under].map((line) => describeLine(moment, line)).join("; ");
    },
  };
}

function describeLine({ trace, step }: Moment, { field, name, offset }: Line): string {
  const at = entry(trace, field, step);
  if (!at) return `${field.name}: not kept at this step`;
  let best = 0;
  for (let i = 1; i < lastOf(field); i++) {
    if (at.data[at.first + offset + i] > at.data[at.first + offset + best]) best = i;
  }
  const where = `${field.axes.at(-1)} ${label(trace, field.axes.at(-1)!, best)}`;
  return `${field.name} ${name}: most at ${where}, ${short(at.data[at.first + offset + best])}`;
}

function drawRowNumbers(d: Drawing, field: Field, window: Window, tall: number): void {
  const left = leftOf(d.trace, field);
  const rows = window.count;
  const every = [1, 2, 4, 8, 16, 32, 64, 128, 256].find((n) => (n * tall) / rows >= 24) ?? 512;
  for (let row = 0; row < rows; row += every) {
    const y = TOP + ((row + 0.5) * tall) / rows;
    const name = label(d.trace, field.axes.at(-2)!, rowAt(window, row));
    d.pen.text(
      left - 6,
      Math.max(y, TOP + 5),
      name,
      { ...small(d.theme, "right"), size: 10 },
      left - 6,
    );
  }
  d.pen.text(left - 6, 6, field.axes.at(-2)!, small(d.theme, "right"));
}

/** Draw a weighting as one bar beside each row. */
function drawBars(
  d: Drawing,
  line: Line,
  x: number,
  width: number,
  window: Window,
  tall: number,
): void {
  const rows = window.count;
  const at = entry(d.trace, line.field, d.step);
  const { high } = rangeOf(line.field);
  d.pen.text(x, 6, line.name, small(d.theme), width + GAP);
  d.pen.line([x - 0.5, TOP, x - 0.5, TOP + tall], { stroke: d.theme.line });
  const height = tall / rows;
  for (let row = 0; at && row < rows; row++) {
    const share = at.data[at.first + line.offset + rowAt(window, row)] / high;
    if (!(share > 0.004)) continue;
    const wide = Math.max(1, Math.min(1, share) * width);
    d.pen.rect(x, TOP + row * height, wide, Math.max(1, height - (height > 3 ? 0.5 : 0)), {
      fill: d.theme.ink,
    });
  }
  d.spots.push({
    x,
    y: TOP,
    width,
    height: tall,
    columns: 1,
    rows,
    tip: (_, row) => numberTip(d, line.field, line.offset + rowAt(window, row), d.step),
    place: (_, row) => ({
      field: line.field,
      index: line.offset + rowAt(window, row),
      valued: false,
    }),
  });
}

/** Draw a vector under the columns that it belongs to. */
function drawVector(
  d: Drawing,
  line: Line,
  y: number,
  left: number,
  wide: number,
  columns: number,
): void {
  const at = entry(d.trace, line.field, d.step);
  const colors = colorsOf(line.field, d.theme);
  const several = line.field.stride > lastOf(line.field);
  const name = line.field.name.replaceAll("_", " ");
  d.pen.text(
    left,
    y + CAPTION - 8,
    several ? `${name}, ${line.name}` : name,
    small(d.theme),
    wide,
  );
  const width = wide / columns;
  for (let column = 0; at && column < columns; column++) {
    const x = at.data[at.first + line.offset + column];
    const fill = Number.isFinite(x) ? css(colors.table, colors.at(x)) : d.theme.accent;
    d.pen.rect(left + column * width, y + CAPTION, width + 0.3, VECTOR, { fill });
  }
  outline(d, left, y + CAPTION, wide, VECTOR);
  d.spots.push({
    x: left,
    y: y + CAPTION,
    width: wide,
    height: VECTOR,
    columns,
    rows: 1,
    tip: (column) => numberTip(d, line.field, line.offset + column, d.step),
    place: (column) => ({ field: line.field, index: line.offset + column, valued: false }),
  });
}

/** Draw the colour bar. */
function drawLegend(d: Drawing, colors: Colors, x: number, y: number, wide: number): void {
  const bar = Math.min(96, wide / 2);
  const from = x + wide - bar - 34;
  for (let i = 0; i < 24; i++) {
    const value = colors.low + ((i + 0.5) / 24) * (colors.high - colors.low);
    const fill = css(colors.table, position(colors.at(value)) / 255);
    d.pen.rect(from + (i * bar) / 24, y, bar / 24 + 0.3, 6, { fill });
  }
  const text = { ...small(d.theme), size: 10 };
  d.pen.text(from - 5, y + 3, short(colors.low), { ...text, align: "right" });
  d.pen.text(from + bar + 5, y + 3, short(colors.high), text);
}

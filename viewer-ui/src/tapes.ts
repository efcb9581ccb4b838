// Inputs, targets and outputs over time.

import { Bitmap, pixelOf } from "./bitmap";
import { colorsOf, label, percent, pixel, short } from "./fields";
import { type Drawing, type Panel, small, type Tip } from "./panel";
import {
  markPresent,
  drawTicks,
  EDGE,
  frameWidth,
  GAP,
  outline,
  TICKS,
  type TimeAxis,
  timeAxis,
  timeKey,
  timeStill,
} from "./timeline";
import { argmax, type Field, hasPlaces, type Trace } from "./trace";

const TAPES: [string, string][] = [
  ["inputs", "input"],
  ["targets", "target"],
  ["outputs", "output"],
];

/** A panel with inputs, targets and outputs over time; wrong bits are crossed out. */
export function tapesPanel(trace: Trace): Panel | null {
  const tapes = TAPES.flatMap(([name, shown]) => {
    const field = trace.example.get(name);
    return field?.axes[0] === "step" && field.stride
      ? [{ field, shown, bitmap: new Bitmap() }]
      : [];
  });
  if (!tapes.length) return null;
  const [mask, wrong] = [trace.example.get("mask"), trace.example.get("wrong")];
  const widthOf = (field: Field) => field.stride / trace.length;
  const rowHeight = (field: Field) => (widthOf(field) > 24 ? 4 : widthOf(field) > 12 ? 7 : 9);
  const height = tapes.reduce(
    (sum, t) => sum + widthOf(t.field) * rowHeight(t.field) + GAP,
    TICKS - GAP + 4,
  );
  const scored = (step: number, channel: number) =>
    !mask || mask.data[(step - 1) * widthOf(mask) + Math.min(channel, widthOf(mask) - 1)] > 0;
  // Without targets, all outputs are shown.
  const known = !mask || mask.data.some((x) => x > 0);
  const visible = (shown: string, step: number, channel: number) =>
    shown === "input" || scored(step, channel) || (shown === "output" && !known);
  const places = hasPlaces(trace);
  // All places at once: of each the likeliest letter.
  const spelled = (field: Field, shown: string) =>
    Array.from({ length: trace.length }, (_, at) => {
      const rows = widthOf(field);
      const letter = () => label(trace, field.axes[1], argmax(field.data, at * rows, rows));
      return visible(shown, at + 1, 0) ? letter() : "not scored";
    }).join(" ");
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
        const color = (column: number, row: number) => {
          const step = axis.first + column;
          if (!visible(shown, step, row)) return faint;
          return pixel(colors, field.data[(step - 1) * rows + row], broken);
        };
        const picture = bitmap.fill(axis.count, rows, color, timeKey(axis, d.theme));
        d.pen.image(picture, [0, 0, axis.count, rows], axis.left, y, frameWidth(axis), tall);
        outline(d, axis.left, y, frameWidth(axis), tall);
        d.pen.text(axis.left - 8, y + tall / 2, shown, small(d.theme, "right"));
        if (shown === "output" && wrong) drawWrong(d, axis, wrong, y, rowHeight(field));
        if (!places) markPresent(d, axis, y, tall);
        d.spots.push({
          x: axis.left,
          y,
          width: frameWidth(axis),
          height: tall,
          columns: axis.count,
          rows,
          tip: (column, row) =>
            tapeTip(d.trace, field, shown, axis.first + column, row, wrong, places),
          step: places ? undefined : (column) => axis.first + column,
        });
        y += tall + GAP;
      }
      drawTicks(d, axis, y - GAP + TICKS / 2 + 2, places);
    },
    still: timeStill,
    describe({ step }) {
      if (places)
        return tapes.map(({ field, shown }) => `${shown}: ${spelled(field, shown)}`).join("; ");
      if (step < 1) return "Before the first step.";
      return tapes
        .map(({ field, shown }) => {
          const rows = widthOf(field);
          const numbers = Array.from(field.data.subarray((step - 1) * rows, step * rows));
          const unscored = !numbers.some((_, row) => visible(shown, step, row));
          const said =
            field.kind === "logits" ? numbers.map((x) => Number(x > 0)) : numbers.map(short);
          return unscored ? `${shown}: not scored` : `${shown}: ${said.join(" ")}`;
        })
        .join("; ");
    },
  };
}

function drawWrong(
  d: Drawing,
  axis: TimeAxis,
  wrong: Field,
  y: number,
  rowHeight: number,
): void {
  const rows = wrong.stride / d.trace.length;
  const size = Math.max(1, Math.min(axis.cell, rowHeight) / 2 - 1.5);
  for (let column = 0; column < axis.count; column++) {
    for (let row = 0; row < rows; row++) {
      if (!wrong.data[(axis.first + column - 1) * rows + row]) continue;
      const cx = axis.left + (column + 0.5) * axis.cell;
      const cy = y + (row + 0.5) * rowHeight;
      const box: [number, number, number, number] = [
        cx - axis.cell / 2,
        cy - rowHeight / 2,
        axis.cell,
        rowHeight,
      ];
      d.pen.rect(...box, { fill: d.theme.accent });
      const cross = { stroke: d.theme.surface, width: 1.5 };
      d.pen.line([cx - size, cy - size, cx + size, cy + size], cross);
      d.pen.line([cx - size, cy + size, cx + size, cy - size], cross);
    }
  }
}

function tapeTip(
  trace: Trace,
  field: Field,
  shown: string,
  step: number,
  row: number,
  wrong: Field | undefined,
  places: boolean,
): Tip {
  const rows = field.stride / trace.length;
  const x = field.data[(step - 1) * rows + row];
  const said =
    field.kind === "logits"
      ? `${Number(x > 0)}, probability of 1: ${percent(1 / (1 + Math.exp(-x)))}`
      : short(x);
  const lines = [
    { text: `${shown} ${said}` },
    { text: places ? `place ${step - 1}` : `step ${step}` },
  ];
  if (shown === "output" && wrong?.data[(step - 1) * rows + row]) lines.push({ text: "wrong" });
  return {
    title:
      label(trace, field.axes[1] ?? "", row) === `${row}`
        ? `channel ${row}`
        : label(trace, field.axes[1], row),
    lines,
  };
}

// Line charts: a few numbers over time.

import { entry, placeName, rangeOf, short } from "./fields";
import { type Drawing, type Panel, small } from "./panel";
import { textWidth } from "./pen";
import {
  drawTicks,
  EDGE,
  frameWidth,
  GAP,
  isInSight,
  markPresent,
  stepToX,
  TICKS,
  type TimeAxis,
  timeAxis,
  timeStill,
} from "./timeline";
import type { Field } from "./trace";

const LINE_HEIGHT = 46;
const LEGEND = 16;
const DOT = 2.5;
/** Dash patterns that tell apart the curves of several heads. */
const DASHES = [[], [5, 3], [1.5, 2.5], [9, 3, 2, 3]];

/** A panel with line charts of fields with few numbers per step. */
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
    still: timeStill,
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
  pen.text(
    axis.left - 8,
    y + LINE_HEIGHT / 2,
    field.name.replaceAll("_", " "),
    name,
    axis.left - 10,
  );
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
  markNumbers(d, axis, field, toY);
  markPresent(d, axis, y, LINE_HEIGHT);
  d.spots.push({
    x: axis.left,
    y,
    width,
    height: LINE_HEIGHT,
    columns: axis.count,
    rows: 1,
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

/** Mark the values at the current step. */
function markNumbers(
  d: Drawing,
  axis: TimeAxis,
  field: Field,
  toY: (x: number) => number,
): void {
  for (let i = 0; i < field.stride; i++) {
    d.marks.push({
      shape: "dot",
      at(step) {
        const found = isInSight(axis, step) ? entry(d.trace, field, step) : null;
        const number = found ? found.data[found.first + i] : NaN;
        if (!Number.isFinite(number)) return null;
        const x = stepToX(axis, step) + axis.cell / 2;
        return { x: x - DOT, y: toY(number) - DOT, width: 2 * DOT, height: 2 * DOT };
      },
    });
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

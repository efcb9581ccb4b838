// Tables of values over time.

import { likely, placeName, things, valueName } from "./fields";
import { type Drawing, figures, type Panel, small } from "./panel";
import { textWidth } from "./pen";
import { css } from "./theme";
import {
  markPresent,
  drawTicks,
  EDGE,
  frameWidth,
  outline,
  TICKS,
  type TimeAxis,
  timeAxis,
  timeStill,
} from "./timeline";
import { likelyTip } from "./tips";
import type { Field, Trace } from "./trace";

const ROW = 19;

/** A panel with a table of values over time; changes are highlighted. */
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
      markPresent(d, axis, EDGE, height);
      drawTicks(d, axis, height + TICKS / 2 + 2);
      d.spots.push({
        x: axis.left,
        y: EDGE,
        width: frameWidth(axis),
        height,
        columns: axis.count,
        rows,
        tip: (column, row) => likelyTip(d, field, row, axis.first + column),
        place: (_, row) => ({ field, index: row, valued: true }),
        step: (column) => axis.first + column,
      });
    },
    still: timeStill,
    describe: (moment) =>
      Array.from({ length: rows }, (_, row) => {
        const found = likely(moment.trace, field, moment.step, row);
        const name = placeName(trace, field, row, axes);
        return found
          ? `${name}: ${valueName(moment.trace, field, found.value)}`
          : `${name}: unknown`;
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
    if (changed)
      pen.rect(x + 0.5, y + 0.5, axis.cell - 1, ROW - 1, { fill: css(theme.amount, 0.2) });
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

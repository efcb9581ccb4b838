// Heat maps: numbers as colours over time.

import { Bitmap, pixelOf } from "./bitmap";
import { colorsOf, entry, label, lastOf, pixel, placeName, short } from "./fields";
import { type Panel, small } from "./panel";
import { inUse, rowAt, told, type Window } from "./rows";
import {
  markPresent,
  drawTicks,
  EDGE,
  frameWidth,
  GAP,
  outline,
  TICKS,
  timeAxis,
  timeKey,
  timeStill,
} from "./timeline";
import { numberTip } from "./tips";
import type { Field, Trace } from "./trace";

/** One strip of a heat map over time: `rows` numbers at every step. */
interface Strip {
  name: string;
  rows: number;
  window: Window;
  rowHeight: number;
  field: Field;
  /** The index of the field's number in the first row; the next rows have the next ones. */
  offset: number;
}

function stripsOf(trace: Trace, field: Field): Strip[] {
  const all = field.axes.length ? lastOf(field) : 1;
  const count = Math.min(field.axes.length ? field.stride / all : 1, 8);
  const window =
    field.kind === "weighting"
      ? inUse(trace, trace.fields, field.axes.at(-1)!)
      : { first: 0, count: all, all };
  const rows = window.count;
  const rowHeight = rows > 64 ? Math.max(0.5, 140 / rows) : rows > 24 ? 3 : rows > 8 ? 6 : 9;
  return Array.from({ length: count }, (_, i) => ({
    name: placeName(trace, field, i, field.axes.slice(0, -1)) || field.name,
    rows,
    window,
    rowHeight,
    field,
    offset: i * all,
  }));
}

/** A panel with a heat map of a field over time. */
export function stripPanel(trace: Trace, field: Field, title: string): Panel {
  const strips = stripsOf(trace, field);
  const bitmaps = strips.map(() => new Bitmap());
  const height =
    strips.reduce((sum, s) => sum + s.rows * s.rowHeight + GAP, 0) + TICKS - GAP + 4;
  const along = field.axes[field.axes.length - 1];
  return {
    title,
    note: [field.description, told(strips[0].window, along ?? "")].filter(Boolean).join(" "),
    height: () => height,
    draw(d) {
      const axis = timeAxis(d.trace, d.width, d.step);
      const colors = colorsOf(field, d.theme);
      const broken = pixelOf(d.theme.accent);
      const key = timeKey(axis, d.theme);
      let y = EDGE;
      strips.forEach((strip, i) => {
        const tall = strip.rows * strip.rowHeight;
        const color = (column: number, row: number) => {
          const at = entry(d.trace, field, axis.first + column);
          return at
            ? pixel(colors, at.data[at.first + strip.offset + rowAt(strip.window, row)], broken)
            : 0;
        };
        const picture = bitmaps[i].fill(axis.count, strip.rows, color, key);
        const part: [number, number, number, number] = [0, 0, axis.count, strip.rows];
        d.pen.image(picture, part, axis.left, y, frameWidth(axis), tall);
        outline(d, axis.left, y, frameWidth(axis), tall);
        d.pen.text(
          axis.left - 8,
          y + Math.min(tall / 2, 20),
          strip.name,
          small(d.theme, "right"),
          axis.left - 10,
        );
        markPresent(d, axis, y, tall);
        d.spots.push({
          x: axis.left,
          y,
          width: frameWidth(axis),
          height: tall,
          columns: axis.count,
          rows: strip.rows,
          tip: (column, row) =>
            numberTip(d, field, strip.offset + rowAt(strip.window, row), axis.first + column),
          place: (_, row) => ({
            field,
            index: strip.offset + rowAt(strip.window, row),
            valued: false,
          }),
          step: (column) => axis.first + column,
        });
        y += tall + GAP;
      });
      drawTicks(d, axis, y - GAP + TICKS / 2 + 2);
    },
    still: timeStill,
    describe(moment) {
      const at = entry(moment.trace, field, moment.step);
      if (!at) return "Not kept at this step.";
      return strips
        .map((strip) => {
          let best = 0;
          for (let i = 1; i < strip.window.all; i++) {
            const [x, y] = [
              at.data[at.first + strip.offset + i],
              at.data[at.first + strip.offset + best],
            ];
            if (x > y) best = i;
          }
          const where = along ? label(moment.trace, along, best) : "";
          return `${strip.name}: largest ${short(at.data[at.first + strip.offset + best])} at ${along ?? ""} ${where}`;
        })
        .join("; ");
    },
  };
}

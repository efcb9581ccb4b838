// A table of the numbers of the current step, head by head.

import { colorsOf, entry, label, lastOf, placeName, rangeOf, short } from "./fields";
import { type Drawing, figures, type Panel, small } from "./panel";
import { css } from "./theme";
import { numberTip } from "./tips";
import type { Field, Trace } from "./trace";

const ROW = 26;
const LEFT = 108;

/** Fields with a number, or a few, for each entry of one axis: a column each. */
export function readoutPanel(trace: Trace, axis: string, fields: Field[]): Panel {
  const heads = Math.min(trace.axes.get(axis)!.size, 8);
  return {
    title: `Each ${axis} at this step`,
    note: "",
    height: () => 20 + fields.length * ROW,
    draw(d) {
      const room = (d.width - LEFT) / heads;
      for (let head = 0; head < heads; head++) {
        d.pen.text(LEFT + head * room, 7, label(trace, axis, head), small(d.theme), room - 6);
      }
      fields.forEach((field, i) => {
        const y = 20 + i * ROW;
        d.pen.line([0, y - 0.5, d.width, y - 0.5], { stroke: d.theme.line });
        d.pen.text(0, y + ROW / 2, field.name.replaceAll("_", " "), small(d.theme), LEFT - 8);
        for (let head = 0; head < heads; head++) {
          if (field.stride === trace.axes.get(axis)!.size)
            drawNumber(d, field, head, LEFT + head * room, y, room);
          else drawShares(d, field, head, LEFT + head * room, y, room);
        }
      });
    },
    describe(moment) {
      return fields
        .map((field) => {
          const at = entry(trace, field, moment.step);
          if (!at) return `${field.name}: not kept at this step`;
          const numbers = Array.from(
            { length: field.stride },
            (_, i) => `${placeName(trace, field, i)} ${short(at.data[at.first + i])}`,
          );
          return `${field.name}: ${numbers.join(", ")}`;
        })
        .join("; ");
    },
  };
}

function drawNumber(
  d: Drawing,
  field: Field,
  head: number,
  x: number,
  y: number,
  room: number,
): void {
  const at = entry(d.trace, field, d.step);
  if (!at) return;
  const number = at.data[at.first + head];
  const high = field.kind === "probability" ? 1 : rangeOf(field).high;
  const bar = Math.max(10, Math.min(56, room - 60));
  d.pen.rect(x, y + ROW / 2 - 2, bar, 4, { fill: d.theme.line });
  const share = Math.max(0, Math.min(1, number / high)) || 0;
  d.pen.rect(x, y + ROW / 2 - 2, bar * share, 4, { fill: d.theme.ink });
  d.pen.text(x + bar + 8, y + ROW / 2, short(number), figures(d.theme), room - bar - 8);
  d.spots.push({
    x,
    y,
    width: room - 4,
    height: ROW,
    columns: 1,
    rows: 1,
    tip: () => numberTip(d, field, head, d.step),
    place: () => ({ field, index: head, valued: false }),
  });
}

/** Draw a distribution over a few values, such as shifts, as shaded boxes. */
function drawShares(
  d: Drawing,
  field: Field,
  head: number,
  x: number,
  y: number,
  room: number,
): void {
  const at = entry(d.trace, field, d.step);
  if (!at) return;
  const count = lastOf(field);
  const colors = colorsOf(field, d.theme);
  const width = Math.min(26, (room - 8) / count);
  for (let i = 0; i < count; i++) {
    const share = at.data[at.first + head * count + i];
    const left = x + i * width;
    d.pen.rect(left, y + 5, width - 2, ROW - 10, {
      fill: css(colors.table, colors.at(share)),
      stroke: d.theme.line,
    });
    const fill = share > 0.5 ? d.theme.surface : d.theme.muted;
    const name = label(d.trace, field.axes.at(-1)!, i);
    d.pen.text(
      left + width / 2 - 1,
      y + ROW / 2,
      name,
      { ...small(d.theme, "center"), size: 10, fill },
      width,
    );
  }
  d.spots.push({
    x,
    y: y + 5,
    width: width * count,
    height: ROW - 10,
    columns: count,
    rows: 1,
    tip: (column) => numberTip(d, field, head * count + column, d.step),
    place: (column) => ({ field, index: head * count + column, valued: false }),
  });
}

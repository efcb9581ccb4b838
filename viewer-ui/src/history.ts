// The history of one position of a field over all steps.

import { entry, likely, placeName, short, valueName } from "./fields";
import { type Drawing, type Panel, type Place, small } from "./panel";
import { likelyTip, numberTip } from "./tips";
import type { Trace } from "./trace";

const HEIGHT = 76;
const LEFT = 52;
const BOTTOM = 18;

/** Return a key that identifies a position. */
export function nameOf(trace: Trace, { field, index, valued }: Place): string {
  const axes = valued && field.kind === "distribution" ? field.axes.slice(0, -1) : field.axes;
  return [field.name.replaceAll("_", " "), placeName(trace, field, index, axes)]
    .filter(Boolean)
    .join(", ");
}

/** A panel with the history of a position, all steps side by side. */
export function historyPanel(trace: Trace, place: Place): Panel {
  const { field, index, valued } = place;
  const at = (step: number): number => {
    if (valued) return likely(trace, field, step, index)?.value ?? NaN;
    const found = entry(trace, field, step);
    return found ? found.data[found.first + index] : NaN;
  };
  const said = (step: number) => (valued ? valueName(trace, field, at(step)) : short(at(step)));
  return {
    title: nameOf(trace, place),
    note: "Over all steps; press one to go there",
    height: () => HEIGHT + BOTTOM,
    draw(d) {
      const width = (d.width - LEFT) / trace.length;
      drawHistory(d, place, at, width);
      const present = LEFT + (Math.max(1, d.step) - 0.5) * width;
      d.pen.line([present, 0, present, HEIGHT], { stroke: d.theme.accent, width: 1.5 });
      const right = present > d.width - 90;
      d.pen.text(present + (right ? -6 : 6), 8, said(d.step), {
        ...small(d.theme, right ? "right" : "left"),
        fill: d.theme.accent,
        weight: 600,
      });
      d.spots.push({
        x: LEFT,
        y: 0,
        width: d.width - LEFT,
        height: HEIGHT,
        columns: trace.length,
        rows: 1,
        tip: (column) =>
          valued
            ? likelyTip(d, field, index, column + 1)
            : numberTip(d, field, index, column + 1),
        step: (column) => column + 1,
      });
    },
    describe: (moment) => `At step ${moment.step}: ${said(moment.step)}`,
  };
}

function drawHistory(
  d: Drawing,
  place: Place,
  at: (step: number) => number,
  width: number,
): void {
  const numbers = Array.from({ length: d.trace.length }, (_, i) => at(i + 1));
  let [low, high] = [0, 0];
  for (const x of numbers) {
    if (x < low && x > -Infinity) low = x;
    if (x > high && x < Infinity) high = x;
  }
  if (["probability", "weighting"].includes(place.field.kind) || low === high) high = 1;
  const toY = (x: number) => 5 + ((high - x) / (high - low)) * (HEIGHT - 10);
  d.pen.rect(LEFT, 0, d.width - LEFT, HEIGHT, { stroke: d.theme.line });
  const text = { ...small(d.theme, "right"), size: 10 };
  d.pen.text(LEFT - 6, toY(high), short(high), text);
  d.pen.text(LEFT - 6, toY(low), short(low), text);
  d.pen.text(LEFT, HEIGHT + 10, "1", { ...text, align: "left" });
  d.pen.text(d.width, HEIGHT + 10, `${d.trace.length}`, text);
  const points: number[] = [];
  numbers.forEach((x, i) => {
    if (!Number.isFinite(x)) return;
    // A value is drawn for the whole width of its step.
    points.push(LEFT + i * width, toY(x), LEFT + (i + 1) * width, toY(x));
  });
  d.pen.line(points, { stroke: d.theme.ink, width: 1.25 });
}

// Small pictures of fields that say how they are computed, each with its formula: for one head
// of a Neural Turing Machine its weighting after each stage of addressing, for a Neural
// Random-Access Machine what its equations give.

import { element, labelled, choice } from "./dom";
import { entry, label, lastOf, percent, placeName, valueName } from "./fields";
import { type Drawing, figures, type Moment, type Panel, small } from "./panel";
import { inUse, rowAt, type Window } from "./rows";
import { numberTip } from "./tips";
import { argmax, type Field, type Fields, type Trace } from "./trace";

const TALL = 40;

/** Which entry of each axis the pictures are of, such as which head. */
export class Chosen {
  private readonly of = new Map<string, number>();

  get(axis: string): number {
    return this.of.get(axis) ?? 0;
  }

  has(axis: string): boolean {
    return this.of.has(axis);
  }

  get all(): [string, number][] {
    return [...this.of];
  }

  set(axis: string, index: number): void {
    this.of.set(axis, index);
  }
}

/** Return the fields that are shown with their formulas, in the order in which they are declared. */
export function explained(fields: Fields): Field[] {
  const found = [...fields.values()].filter((f) => f.formula && f.axes.length === 2);
  // What is kept from step to step comes last: it is made of all else.
  return [...found.filter((f) => !f.initial), ...found.filter((f) => f.initial)];
}

/** Return a control for each axis of which one entry is shown; heads that write come first. */
export function choices(
  trace: Trace,
  fields: Field[],
  chosen: Chosen,
  changed: () => void,
): HTMLElement {
  const axes = [...new Set(fields.map((f) => f.axes[0]))];
  return element(
    "div",
    { class: "choices" },
    axes
      .filter((axis) => trace.axes.get(axis)!.size > 1)
      .map((axis) => {
        const names = Array.from({ length: trace.axes.get(axis)!.size }, (_, i) =>
          label(trace, axis, i),
        );
        return labelled(
          axis,
          choice(names, chosen.get(axis), (i) => {
            chosen.set(axis, i);
            changed();
          }),
        );
      }),
  );
}

/** Choose at first a head that writes. */
export function atFirst(fields: Field[], chosen: Chosen): void {
  for (const { axes, does } of fields) {
    if (does.includes("write") && !chosen.has(axes[0]))
      chosen.set(axes[0], does.indexOf("write"));
  }
}

/** A picture of one field: bars over its last axis. */
export function stagePanel(trace: Trace, field: Field, title: string, chosen: Chosen): Panel {
  const axis = field.axes[1];
  const count = lastOf(field);
  const at = () => chosen.get(field.axes[0]);
  const window = (fields: Fields): Window =>
    field.kind === "weighting" ? inUse(trace, fields, axis) : { first: 0, count, all: count };
  return {
    title,
    note: field.description,
    narrow: true,
    formula: { tex: field.formula, chosen: at },
    height: () => TALL + 20,
    draw(d) {
      drawBars(d, field, at(), window(d.fields));
    },
    describe(moment) {
      const found = most(moment, field, at());
      const name = label(trace, field.axes[0], at());
      return found
        ? `${name}: most at ${axis} ${found.name}, ${percent(found.share)}`
        : `${name}: not kept at this step`;
    },
  };
}

function most(
  moment: Moment,
  field: Field,
  at: number,
): { name: string; share: number } | null {
  const found =
    moment.step < 1 && !field.initial ? null : entry(moment.trace, field, moment.step);
  if (!found) return null;
  const first = found.first + at * lastOf(field);
  const best = argmax(found.data, first, lastOf(field));
  const name =
    field.kind === "distribution"
      ? valueName(moment.trace, field, best)
      : label(moment.trace, field.axes[1], best);
  return { name, share: found.data[first + best] };
}

function drawBars(d: Drawing, field: Field, at: number, window: Window): void {
  const { pen, theme, trace, step } = d;
  const found = step < 1 && !field.initial ? null : entry(trace, field, step);
  pen.line([0, TALL + 0.5, d.width, TALL + 0.5], { stroke: theme.line });
  if (!found) return;
  const first = found.first + at * lastOf(field);
  const room = d.width / window.count;
  for (let i = 0; i < window.count; i++) {
    const share = found.data[first + rowAt(window, i)];
    if (!(share > 0.002)) continue;
    const tall = Math.max(1, Math.min(1, share) * (TALL - 2));
    const gap = room > 4 ? 1 : 0;
    pen.rect(i * room + gap / 2, TALL - tall, Math.max(1, room - gap), tall, {
      fill: theme.ink,
    });
  }
  const best = most(d, field, at);
  if (best) {
    const said = `${field.axes[1]} ${best.name}: ${percent(best.share)}`;
    pen.text(0, TALL + 11, said, { ...figures(theme), size: 11 }, d.width);
  } else pen.text(0, TALL + 11, "", small(theme));
  d.spots.push({
    x: 0,
    y: 0,
    width: d.width,
    height: TALL,
    columns: window.count,
    rows: 1,
    tip: (column) => {
      const index = at * lastOf(field) + rowAt(window, column);
      const tip = numberTip(d, field, index, step);
      return tip && { ...tip, title: placeName(trace, field, index) };
    },
    place: (column) => ({
      field,
      index: at * lastOf(field) + rowAt(window, column),
      valued: false,
    }),
  });
}

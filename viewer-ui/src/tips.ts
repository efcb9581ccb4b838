// Tooltips of positions.

import { distribution, entry, percent, placeName, short, valueName } from "./fields";
import type { Moment, Tip } from "./panel";
import type { Field } from "./trace";

/** Return the tooltip of a number at a step. */
export function numberTip(
  moment: Moment,
  field: Field,
  index: number,
  step: number,
): Tip | null {
  const at = entry(moment.trace, field, step);
  if (!at) return null;
  const x = at.data[at.first + index];
  const where = placeName(moment.trace, field, index);
  const value = field.kind === "pointer" ? valueName(moment.trace, field, x) : short(x);
  const lines = [
    { text: `${field.name} ${value}` },
    { text: step ? `step ${step}` : "before step 1" },
  ];
  return { title: where || field.name, lines };
}

/** Return the tooltip of a distribution at a step: its most likely values. */
export function likelyTip(
  moment: Moment,
  field: Field,
  thing: number,
  step: number,
): Tip | null {
  const most = distribution(moment.trace, field, step, thing, 6);
  if (!most.length) return null;
  const axes = field.kind === "distribution" ? field.axes.slice(0, -1) : field.axes;
  const shown = most.filter((x, i) => i === 0 || x.probability > 0.0005);
  const title = [
    placeName(moment.trace, field, thing, axes),
    step ? `after step ${step}` : "before step 1",
  ];
  return {
    title: title.filter(Boolean).join(", "),
    lines: shown.map(({ value, probability }) => ({
      text: `${valueName(moment.trace, field, value)}  ${percent(probability)}`,
      share: probability,
    })),
  };
}

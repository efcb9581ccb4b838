// The program that was extracted from a machine, at the line that it is at.

import { type Drawing, type Panel, small } from "./panel";
import type { ProgramShown } from "./trace";

const LINE = 17;
const TOP = 26;

/** A panel with the states of a program: the one of this step, and its lines. */
export function programPanel({ states, at }: ProgramShown): Panel {
  const most = Math.max(1, ...states.map(({ lines }) => lines.length));
  const now = (step: number) => (step > 0 ? (at[step - 1] ?? null) : null);
  return {
    title: "Program",
    note: "What the hard machine does in this step, as code",
    narrow: true,
    height: () => TOP + most * LINE + 6,
    draw(d) {
      const state = now(d.step);
      drawNames(d, states, state);
      const said = d.step < 1 ? ["It has not begun."] : ["It has ended."];
      const lines = state === null ? said : states[state].lines;
      lines.forEach((line, i) => {
        const [code, comment] = line.split(/(?=  # )/);
        const y = TOP + (i + 0.5) * LINE;
        if (state !== null) d.pen.rect(0, y - LINE / 2, 2.5, LINE, { fill: d.theme.accent });
        const style = { size: 12, fill: d.theme.ink, font: d.theme.mono };
        d.pen.text(10, y, code, style, d.width - 10);
        const from = 10 + (code.length + 1) * 7.3;
        if (comment && from < d.width)
          d.pen.text(from, y, comment.trim(), { ...small(d.theme) }, d.width - from);
      });
      if (state !== null && !lines.length)
        d.pen.text(10, TOP + LINE / 2, "pass", { ...small(d.theme), font: d.theme.mono });
    },
    describe({ step }) {
      const state = now(step);
      if (state === null) return step < 1 ? "It has not begun." : "It has ended.";
      return `${states[state].name}: ${states[state].lines.join("; ")}`;
    },
  };
}

/** Draw the names of all states in a row, that of the present one set off. */
function drawNames(d: Drawing, states: ProgramShown["states"], now: number | null): void {
  let x = 0;
  states.forEach(({ name }, i) => {
    const style = { ...small(d.theme), font: d.theme.mono };
    const width = name.length * 7 + 12;
    if (x + width > d.width) return;
    if (i === now) d.pen.rect(x, 2, width, 17, { fill: d.theme.accent, radius: 3 });
    d.pen.text(x + 6, 11, name, i === now ? { ...style, fill: d.theme.surface } : style);
    x += width + 4;
  });
}

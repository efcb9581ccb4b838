// The program, or the automaton, that was extracted from a machine, where it is at a step.

import { type Drawing, type Panel, small } from "./panel";
import type { ProgramShown } from "./trace";

const LINE = 17;
const TOP = 26;
const FEW = 14; // lines that are shown all at once

/** A panel with the states of a program: the one of this step set off, and its lines. */
export function programPanel(program: ProgramShown): Panel {
  const { title, note, states, at } = program;
  const all = states.reduce((sum, { lines }) => sum + Math.max(1, lines.length), 0);
  const whole = all <= FEW;
  const most = whole ? all : Math.max(1, ...states.map(({ lines }) => lines.length));
  const now = (step: number) => (step > 0 ? (at[step - 1] ?? null) : null);
  const named = states.some(({ name }) => name);
  const top = named ? TOP : 4;
  const idle = (step: number) => (step < 1 ? "It has not begun." : "It has ended.");
  return {
    title,
    note,
    narrow: true,
    height: () => top + most * LINE + 6,
    draw(d) {
      const state = now(d.step);
      if (named) drawNames(d, states, state);
      if (!whole && state === null) {
        d.pen.text(10, top + LINE / 2, idle(d.step), small(d.theme), d.width - 10);
        return;
      }
      let y = top;
      states.forEach(({ lines }, i) => {
        if (!whole && i !== state) return;
        const tall = Math.max(1, lines.length) * LINE;
        if (i === state) d.pen.rect(0, y, 3, tall, { fill: d.theme.accent });
        const opacity = i === state || state === null ? 1 : 0.75;
        (lines.length ? lines : ["pass"]).forEach((line, k) =>
          drawLine(d, line, y + (k + 0.5) * LINE, i === state ? 600 : 400, opacity),
        );
        y += tall;
      });
    },
    describe({ step }) {
      const state = now(step);
      if (state === null) return idle(step);
      const { name, lines } = states[state];
      return [name, lines.join("; ")].filter(Boolean).join(": ");
    },
  };
}

/** Draw a line of code, what stands behind # paler. */
function drawLine(d: Drawing, line: string, y: number, weight: number, opacity: number): void {
  if (line.startsWith("# ")) {
    d.pen.text(10, y, line, small(d.theme), d.width - 10);
    return;
  }
  const [code, comment] = line.split(/(?=  # )/);
  const style = { size: 12, fill: d.theme.ink, font: d.theme.mono, weight, opacity };
  d.pen.text(10, y, code, style, d.width - 10);
  const from = 10 + (code.length + 1) * 7.3;
  if (comment && from < d.width)
    d.pen.text(from, y, comment.trim(), small(d.theme), d.width - from);
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

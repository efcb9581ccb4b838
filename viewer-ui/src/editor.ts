// An editor for input bits, which are toggled by clicking.

import { label } from "./fields";
import { type Drawing, type Panel, small } from "./panel";
import { css } from "./theme";
import { drawTicks, markPresent, timeAxis } from "./timeline";
import type { Input } from "./server";

const ROW = 15;
const SMALLEST = 13;

/** A panel of bits, a row for each input channel; `toggle` is called with the bit clicked. */
export function editorPanel(
  input: () => number[][],
  toggle: (step: number, channel: number) => void,
): Panel {
  const rows = () => input()[0]?.length ?? 0;
  return {
    title: "Input",
    note: "Press a bit to turn it; the machine runs again",
    height: () => rows() * ROW + 22,
    draw(d) {
      const shown = { ...d.trace, length: input().length };
      const axis = timeAxis(shown, d.width, d.step, SMALLEST);
      for (let channel = 0; channel < rows(); channel++) {
        const name = label(d.trace, "input channel", channel);
        d.pen.text(
          axis.left - 8,
          (channel + 0.5) * ROW,
          name,
          small(d.theme, "right"),
          axis.left - 10,
        );
        for (let column = 0; column < axis.count; column++)
          drawBit(d, axis, input(), column, channel);
      }
      markPresent(d, axis, 0, rows() * ROW);
      drawTicks(d, axis, rows() * ROW + 11);
      d.spots.push({
        x: axis.left,
        y: 0,
        width: axis.count * axis.cell,
        height: rows() * ROW,
        columns: axis.count,
        rows: rows(),
        tip: (column, row) => ({
          title: `step ${axis.first + column}, ${label(d.trace, "input channel", row)}`,
          lines: [{ text: `${input()[axis.first + column - 1]?.[row]}` }],
        }),
        press: (column, row) => toggle(axis.first + column, row),
      });
    },
    describe: ({ step }) => (step > 0 ? `Step ${step}: ${input()[step - 1]?.join(" ")}` : ""),
  };
}

function drawBit(
  d: Drawing,
  axis: { left: number; first: number; cell: number },
  input: number[][],
  column: number,
  channel: number,
): void {
  const x = input[axis.first + column - 1]?.[channel] ?? 0;
  const box: [number, number, number, number] = [
    axis.left + column * axis.cell + 0.5,
    channel * ROW + 0.5,
    axis.cell - 1,
    ROW - 1,
  ];
  d.pen.rect(...box, { fill: css(d.theme.amount, x), stroke: d.theme.line, radius: 2 });
}

/** Return an input as text: a line for each step, or one line of cells. */
export function toText(input: Input): string {
  if (typeof input === "string") return input;
  return input
    .map((x) => (Array.isArray(x) ? x.join(" ") : `${x}`))
    .join(Array.isArray(input[0]) ? "\n" : " ");
}

/** Parse an input from its text; throws an Error if it is malformed. */
export function fromText(text: string, kind: "bits" | "cells" | "problem"): Input {
  if (kind === "problem") return text;
  const numbers = (line: string) =>
    line
      .split(/[\s,;[\]]+/)
      .filter(Boolean)
      .map((word) => {
        const x = Number(word);
        if (!Number.isFinite(x)) throw new Error(`“${word.slice(0, 20)}” is not a number.`);
        return x;
      });
  if (kind === "cells") return numbers(text);
  return text
    .split("\n")
    .map(numbers)
    .filter((row) => row.length > 0);
}

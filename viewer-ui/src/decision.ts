// What a core sees in a step, what it decides, and how likely each choice was.

import { type CallRun, type CallStep, decided, told } from "./calls";
import { percent } from "./fields";
import { type Drawing, figures, type Panel, small } from "./panel";

const LINE = 18;
const BARS = 64;
const SPLIT = 560; // from this width on there are two columns
const SHARE = 46;

interface Choice {
  head: string;
  text: string;
  share: number;
  taken: boolean;
}

/** A panel of the step that comes next. */
export function decisionPanel(run: CallRun): Panel {
  const most = Math.max(...run.steps.map((step) => choicesOf(run, step).length)) + 1;
  const observed = run.observed.length + 1;
  return {
    title: "Next step",
    note: "What it observes, and how likely each choice is",
    height: (_, width) =>
      (2 + (width >= SPLIT ? Math.max(most, observed) : most + observed + 1)) * LINE,
    draw(d) {
      const step = run.steps[d.step];
      if (!step) {
        d.pen.text(0, LINE / 2, "The run has ended.", figures(d.theme), d.width);
        return;
      }
      const differs = run.differs === d.step + 1;
      const words = `${told(run, step.call)}  →  ${decided(run, step)}`;
      const note = differs ? "  (the program as written decides otherwise)" : "";
      d.pen.text(
        0,
        LINE / 2,
        words + note,
        {
          ...figures(d.theme),
          size: 13,
          weight: 600,
          fill: differs ? d.theme.accent : d.theme.ink,
        },
        d.width,
      );
      const tip = {
        title: words,
        lines: [{ text: "=>: the call ends, this takes its place" }],
      };
      if (words.includes("=>"))
        d.spots.push({
          x: 0,
          y: 0,
          width: d.width,
          height: LINE,
          columns: 1,
          rows: 1,
          tip: () => tip,
        });
      const wide = d.width >= SPLIT;
      const half = wide ? d.width / 2 - 12 : d.width;
      drawSeen(d, run, step, 2 * LINE, half);
      const [x, y] = wide ? [d.width / 2 + 12, 2 * LINE] : [0, (3 + observed) * LINE];
      drawChoices(d, choicesOf(run, step), x, y, half);
    },
    describe({ step: position }) {
      const step = run.steps[position];
      if (!step) return `The run has ended. ${run.ending}`;
      const seen = run.observed.map((name, i) => `${name} ${run.values[i][step.seen[i]]}`);
      const shares = choicesOf(run, step).map((x) => `${x.text} ${percent(x.share)}`);
      return [
        `${told(run, step.call)} sees ${seen.join(", ")}`,
        `decides ${decided(run, step)}`,
        shares.join(", "),
      ].join("; ");
    },
  };
}

function choicesOf(run: CallRun, step: CallStep): Choice[] {
  const tables = [run.programs, ...run.arguments];
  return [
    { head: "ends", text: "to end", share: step.end, taken: step.ends },
    ...step.likely.flatMap((choices, place) =>
      choices.map(([number, share], i) => ({
        head: place ? `argument ${place}` : "calls",
        text: place || number ? tables[place][number] : "nothing",
        share,
        taken: i === 0,
      })),
    ),
  ];
}

function drawSeen(d: Drawing, run: CallRun, step: CallStep, y: number, width: number): void {
  const right = Math.min(width - 2, 240);
  d.pen.text(0, y + LINE / 2, "observed", small(d.theme));
  run.observed.forEach((name, i) => {
    const at = y + (i + 1.5) * LINE;
    d.pen.text(0, at, name, { ...figures(d.theme), fill: d.theme.muted }, right - 70);
    d.pen.text(right, at, run.values[i][step.seen[i]], figures(d.theme, "right"), 66);
  });
}

function drawChoices(d: Drawing, choices: Choice[], x: number, y: number, width: number): void {
  const { pen, theme } = d;
  const [head, bars] = [78, x + width - BARS - SHARE];
  pen.text(x, y + LINE / 2, "decided", small(theme));
  choices.forEach(({ head: name, text, share, taken }, i) => {
    const at = y + (i + 1.5) * LINE;
    if (choices[i - 1]?.head !== name) pen.text(x, at, name, small(theme));
    const style = { ...figures(theme), fill: taken ? theme.ink : theme.muted };
    pen.text(x + head, at, text, { ...style, weight: taken ? 600 : 400 }, bars - x - head - 6);
    pen.rect(bars, at - 4, BARS, 8, { stroke: theme.line });
    pen.rect(bars, at - 4, BARS * Math.max(0, Math.min(1, share)), 8, {
      fill: taken ? theme.ink : theme.muted,
    });
    pen.text(x + width - 2, at, percent(share), figures(theme, "right"));
  });
}

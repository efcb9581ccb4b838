// The tree of calls of a run, folded and unfolded.

import { type CallRun, type Node, treeOf } from "./calls";
import { type Drawing, figures, type Moment, type Panel, small } from "./panel";
import { textWidth } from "./pen";

const LINE = 20;
const HEAD = 26;
const MOST = 22; // lines that are shown at once
const INDENT = 16;
const FEW = 40; // so many calls are all unfolded at first
const MODES = ["follow", "unfold all", "fold all"] as const;
type Mode = (typeof MODES)[number];

/** A panel of all calls; pressing one goes to the step that makes it. */
export function treePanel(run: CallRun): Panel {
  const nodes = treeOf(run);
  const lines = Math.min(MOST, nodes.length);
  let mode: Mode = nodes.length > FEW ? "follow" : "unfold all";
  let folds = new Map<Node, boolean>();
  let [scrolled, scrolledAt] = [0, -1];

  const isOpen = (node: Node, path: Set<Node>) =>
    folds.get(node) ?? (mode === "unfold all" || (mode === "follow" && path.has(node)));

  function visible(path: Set<Node>): Node[] {
    const shown: Node[] = [];
    for (let i = 0; i < nodes.length;) {
      shown.push(nodes[i]);
      i = isOpen(nodes[i], path) ? i + 1 : nodes[i].next;
    }
    return shown;
  }

  function draw(d: Drawing): void {
    const { present, made, path } = state(run, nodes, d.step);
    drawModes(d, mode, (chosen) => {
      [mode, folds] = [chosen, new Map()];
    });
    const shown = visible(path);
    // What is folded away is told by the call that it is in.
    let at = Math.max(...shown.map((node, i) => (path.has(node) || node === made ? i : 0)));
    if (scrolledAt !== d.step) [scrolled, scrolledAt] = [0, d.step];
    const most = Math.max(0, shown.length - lines);
    at = Math.max(0, Math.min(most, at - Math.floor(lines / 2) + scrolled));
    shown.slice(at, at + lines).forEach((node, i) => {
      drawNode(d, node, HEAD + i * LINE, {
        open: isOpen(node, path),
        running: path.has(node),
        present: node === present,
        made: node === made,
        fold: () => folds.set(node, !isOpen(node, path)),
      });
    });
    const scroll = (by: number) => () => (scrolled += by);
    const foot = HEAD + lines * LINE + 12;
    const below = shown.length - at - lines;
    if (at > 0) drawMore(d, 2, foot, `▲ ${at} above`, scroll(-lines + 2));
    if (below > 0) drawMore(d, 120, foot, `▼ ${below} below`, scroll(lines - 2));
  }

  return {
    title: "Calls",
    note: "Press a call to go there, ▸ to unfold it; => stands before a call that its caller ends with",
    height: () => HEAD + lines * LINE + 26,
    draw,
    describe: ({ step }: Moment) => {
      const { path } = state(run, nodes, step);
      return `Running: ${[...path]
        .reverse()
        .map((node) => node.text)
        .join(", in it ")}`;
    },
  };
}

/** Return the call that runs after some steps, the one that the next step makes, and all callers. */
function state(run: CallRun, nodes: Node[], position: number) {
  const step = run.steps[Math.min(position, run.steps.length - 1)];
  const made = nodes.find((node) => node.at === position) ?? null;
  let last = nodes[0];
  for (const node of nodes) {
    if (node.at >= position) break;
    if (!node.primitive && node.depth <= step.depth) last = node;
  }
  const path = new Set<Node>();
  for (let node: Node | null = last; node; node = node.parent) path.add(node);
  return { present: last, made, path };
}

function drawModes(d: Drawing, mode: Mode, choose: (mode: Mode) => void): void {
  let x = 2;
  for (const name of MODES) {
    const style = { ...small(d.theme), fill: name === mode ? d.theme.accent : d.theme.muted };
    d.pen.text(x, 9, name, { ...style, weight: name === mode ? 600 : 400 });
    press(d, x - 2, 0, textWidth(name, { ...style, weight: 600 }) + 6, name, () =>
      choose(name),
    );
    x += textWidth(name, { ...style, weight: 600 }) + 18;
  }
}

interface Look {
  open: boolean;
  running: boolean;
  present: boolean;
  made: boolean;
  fold(): void;
}

function drawNode(d: Drawing, node: Node, y: number, look: Look): void {
  const { pen, theme } = d;
  // Deep calls are not pushed out of sight.
  const x = Math.min(node.depth * INDENT, Math.max(0, d.width - 190)) + 2;
  const past = node.at < d.step;
  if (look.made)
    pen.rect(0.75, y + 0.75, d.width - 1.5, LINE - 1.5, {
      stroke: theme.accent,
      width: 1.5,
      radius: 3,
    });
  if (node.next > node.number + 1) {
    pen.text(x, y + LINE / 2, look.open ? "▾" : "▸", { ...figures(theme), fill: theme.muted });
    press(d, x - 2, y, 14, look.open ? "fold" : "unfold", look.fold);
  }
  const fill = look.present ? theme.accent : past ? theme.ink : theme.muted;
  const hidden = look.open ? 0 : node.next - node.number - 1;
  const text = (node.tail ? "=> " : "") + node.text + (hidden ? `  … ${hidden}` : "");
  const weight = look.running ? 600 : 400;
  pen.text(x + 15, y + LINE / 2, text, { ...figures(theme), fill, weight }, d.width - x - 18);
  d.spots.push({
    x: x + 13,
    y,
    width: Math.max(20, d.width - x - 14),
    height: LINE,
    columns: 1,
    rows: 1,
    tip: () => ({
      title: node.text,
      lines: [
        { text: node.at < 0 ? "the first call" : `called by step ${node.at + 1}` },
        ...(node.tail ? [{ text: "takes its caller's place" }] : []),
        ...(hidden ? [{ text: `${hidden} calls folded away` }] : []),
      ],
    }),
    step: () => Math.max(0, node.at),
  });
}

function drawMore(d: Drawing, x: number, y: number, text: string, act: () => void): void {
  d.pen.text(x, y, text, small(d.theme));
  press(d, x - 2, y - 10, textWidth(text, small(d.theme)) + 6, text, act);
}

function press(
  d: Drawing,
  x: number,
  y: number,
  width: number,
  says: string,
  act: () => void,
): void {
  const tip = () => ({ title: says, lines: [] });
  d.spots.push({ x, y, width, height: LINE, columns: 1, rows: 1, tip, press: act });
}

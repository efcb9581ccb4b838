// What programs act on: rows of cells with pointers, numbers also as bars.

import { type CallRun, changesAt, Pictures, type Row } from "./calls";
import { type Drawing, figures, type Panel, small } from "./panel";
import { textWidth } from "./pen";

const CELL = 26;
const BAR = 54;
const TRACK = 14;
const GAP = 16;
const NAME = 18;
const PADDING = 12;

interface Layout {
  /** Cells side by side, and their width. */
  columns: number;
  cell: number;
  /** Pointers that have a line of their own below the cells. */
  tracks: string[];
  /** The largest number, if there are bars. */
  largest: number | null;
  /** The most cells that the row ever has. */
  most: number;
  lines: number;
}

/** A panel of the environment before the step that comes next. */
export function environmentPanel(run: CallRun): Panel {
  const pictures = new Pictures(run);
  const facts = run.rows.map((name, i) => factsOf(run, pictures, name, i));
  const layouts = (width: number) => facts.map((fact) => layoutOf(fact, width));
  return {
    title: "Environment",
    note: "As the next step finds it; what the last one changed is set off",
    height: (_, width) => layouts(width).reduce((sum, x) => sum + heightOf(x) + GAP, 0),
    draw(d) {
      const rows = pictures.at(Math.min(d.step, run.steps.length));
      const before = pictures.at(Math.max(0, Math.min(d.step, run.steps.length) - 1));
      let y = 0;
      layouts(d.width).forEach((layout, i) => {
        drawRow(d, run, i, rows[i], before[i], layout, y);
        y += heightOf(layout) + GAP;
      });
    },
    describe: ({ step }) =>
      pictures
        .at(Math.min(step, run.steps.length))
        .map(({ cells, pointers }, i) => {
          const at = pointers.map(([name, cell]) => `${name} on ${cell + 1}`);
          return `${[run.rows[i], ...cells].join(" ")}. ${at.join(", ")}`;
        })
        .join("; "),
  };
}

interface Facts {
  tracks: string[];
  largest: number | null;
  most: number;
  widest: string;
}

/** Return what holds of a row all along: the drawing keeps its shape. */
function factsOf(run: CallRun, pictures: Pictures, name: string, row: number): Facts {
  const first = pictures.at(0)[row].cells;
  const isNumber = (cell: string) => /^\d{1,9}$/.test(cell);
  let bars = first.length > 1 && first.every(isNumber);
  const tracks = new Set<string>();
  let [most, widest, largest] = [1, "0", 1];
  for (let i = 0; i <= run.steps.length; i++) {
    for (const change of changesAt(run, i)) {
      if (change.row !== row) continue;
      most = Math.max(most, change.length);
      bars &&= change.length === first.length && change.cells.every(isNumber);
      for (const cell of change.cells) {
        if (cell.length > widest.length) widest = cell;
        if (bars) largest = Math.max(largest, Number(cell));
      }
      for (const [pointer] of change.pointers ?? []) if (pointer !== name) tracks.add(pointer);
    }
  }
  return { tracks: [...tracks], largest: bars ? largest : null, most, widest };
}

function layoutOf(facts: Facts, width: number): Layout {
  const text = { size: 12, fill: "", font: "monospace" };
  const wanted = Math.ceil(textWidth(facts.widest, text)) + PADDING;
  const cell = Math.min(Math.max(CELL, wanted), Math.max(CELL, width - 2));
  const columns = Math.max(1, Math.floor((width - 2) / cell));
  return { ...facts, cell, columns, lines: Math.ceil(facts.most / columns) };
}

function lineHeight(layout: Layout): number {
  const bar = layout.largest === null ? 0 : BAR;
  return bar + CELL + 6 + layout.tracks.length * TRACK;
}

function heightOf(layout: Layout): number {
  return NAME + layout.lines * lineHeight(layout);
}

function drawRow(
  d: Drawing,
  run: CallRun,
  number: number,
  row: Row,
  before: Row,
  layout: Layout,
  top: number,
): void {
  const { pen, theme } = d;
  const changes = d.step
    ? changesAt(run, Math.min(d.step, run.steps.length)).filter((x) => x.row === number)
    : [];
  const isNew = (i: number) =>
    changes.some((x) => i >= x.first && i < x.first + x.cells.length);
  const bar = layout.largest === null ? 0 : BAR;
  const place = (i: number): [number, number] => [
    1 + (i % layout.columns) * layout.cell,
    top + NAME + Math.floor(i / layout.columns) * lineHeight(layout),
  ];
  pen.text(1, top + 7, run.rows[number], small(theme));
  if (!row.cells.length) pen.text(8, top + NAME + CELL / 2, "empty", small(theme));
  const own = row.pointers.find(([name]) => name === run.rows[number])?.[1];
  row.cells.forEach((text, i) => {
    const [x, y] = place(i);
    if (bar) {
      const tall = (Number(text) / layout.largest!) * (BAR - 6);
      const fill = isNew(i) ? theme.accent : theme.muted;
      pen.rect(x + 4, y + BAR - tall - 2, layout.cell - 8, tall, { fill, opacity: 0.75 });
    }
    const stroke = isNew(i) || own === i ? theme.accent : theme.line;
    pen.rect(x + 0.5, y + bar + 0.5, layout.cell - 1, CELL - 1, {
      stroke,
      width: own === i ? 2 : 1,
    });
    pen.text(
      x + layout.cell / 2,
      y + bar + CELL / 2,
      text,
      { ...figures(theme, "center"), weight: isNew(i) ? 600 : 400 },
      layout.cell - 4,
    );
    d.spots.push({
      x,
      y,
      width: layout.cell,
      height: bar + CELL,
      columns: 1,
      rows: 1,
      tip: () => ({
        title: `${run.rows[number]}, cell ${i + 1}`,
        lines: [
          { text: text || "blank" },
          ...row.pointers.filter(([, at]) => at === i).map(([name]) => ({ text: `← ${name}` })),
        ],
      }),
    });
  });
  layout.tracks.forEach((name, track) => {
    const placeOf = ({ pointers }: Row) => pointers.find(([x]) => x === name)?.[1] ?? -1;
    const at = placeOf(row);
    const moved = at !== placeOf(before);
    // A pointer may be one past the row.
    if (at < 0 || at >= Math.max(layout.most, row.cells.length)) return;
    const [x, y] = place(at);
    const style = { ...small(theme, "center"), fill: moved ? theme.accent : theme.ink };
    const wide = textWidth(`▲ ${name}`, style) / 2;
    const middle = Math.max(wide + 1, Math.min(d.width - wide - 1, x + layout.cell / 2));
    const [below, text] = [y + bar + CELL + 3 + (track + 0.5) * TRACK, `▲ ${name}`];
    if (middle === x + layout.cell / 2) {
      // The arrow is below its cell, the name beside it.
      pen.text(middle, below, "▲", style);
      const right = middle + 2 * wide < d.width;
      pen.text(middle + (right ? 7 : -7), below, name, {
        ...style,
        align: right ? "left" : "right",
      });
    } else {
      const left = x < d.width / 2;
      pen.text(
        left ? x + layout.cell / 2 - 5 : x + layout.cell / 2 + 5,
        below,
        left ? text : `${name} ▲`,
        {
          ...style,
          align: left ? "left" : "right",
        },
      );
    }
  });
}

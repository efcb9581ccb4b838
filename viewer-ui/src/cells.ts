// A memory of cells: the value in each, its probability, and the target.

import { wrongCells } from "./events";
import { likely, percent, things } from "./fields";
import { type Drawing, figures, type Moment, type Panel, small } from "./panel";
import { css } from "./theme";
import { likelyTip } from "./tips";
import type { Field } from "./trace";

const CELL = 46;
const HEIGHT = 66;
const ARROWS = 26;
const [BOX, BOX_HEIGHT] = [14.5, 34]; // of a value, within its cell

interface Grid {
  columns: number;
  lines: number;
  lineHeight: number;
  top: number;
  width: number;
}

function gridOf(moment: Moment, field: Field, width: number): Grid {
  const cells = things(field);
  const columns = Math.max(1, Math.min(cells, Math.floor(width / CELL)));
  const top = moment.trace.pointers.length ? ARROWS : 4;
  const wide = Math.min(CELL + 14, width / columns);
  return {
    columns,
    lines: Math.ceil(cells / columns),
    lineHeight: HEIGHT + top,
    top,
    width: wide,
  };
}

/** A panel of memory cells with their most likely values. */
export function cellsPanel(name: string): Panel {
  const memory = (moment: Moment) => moment.fields.get(name)!;
  return {
    title: "Memory",
    note: "The most likely value of each cell and how likely it is; cells that count are underlined",
    height(moment, width) {
      const grid = gridOf(moment, memory(moment), width);
      return grid.lines * grid.lineHeight + 4;
    },
    draw(d) {
      const field = memory(d);
      const grid = gridOf(d, field, d.width);
      const wrong = wrongCells(d.trace, field, d.step);
      const cells = things(field);
      for (let cell = 0; cell < cells; cell++) drawCell(d, field, grid, cell, wrong[cell]);
      for (const from of d.trace.pointers) {
        const to = likely(d.trace, field, d.step, from)?.value ?? 0;
        if (to > 0 && to < cells && from < cells && to !== from) drawArrow(d, grid, from, to);
      }
      for (let line = 0; line < grid.lines; line++) {
        const first = line * grid.columns;
        const columns = Math.min(grid.columns, cells - first);
        d.spots.push({
          x: 0,
          y: line * grid.lineHeight + grid.top,
          width: columns * grid.width,
          height: HEIGHT,
          columns,
          rows: 1,
          tip(column) {
            const tip = likelyTip(d, field, first + column, d.step);
            const wanted = d.trace.example.get("targets")?.data[first + column];
            const counts = d.trace.example.get("mask")?.data[first + column];
            if (tip && counts) tip.lines.push({ text: `should be ${wanted}` });
            return tip;
          },
          place: (column) => ({ field, index: first + column, valued: true }),
        });
      }
    },
    describe(moment) {
      const field = memory(moment);
      const wrong = wrongCells(moment.trace, field, moment.step);
      return Array.from({ length: things(field) }, (_, cell) => {
        const found = likely(moment.trace, field, moment.step, cell);
        const name = moment.trace.axes.get("cell")?.labels?.[cell];
        const where = `cell ${cell}${name ? ` (${name})` : ""}`;
        const bad = wrong[cell]
          ? `, should be ${moment.trace.example.get("targets")!.data[cell]}`
          : "";
        return found
          ? `${where}: ${found.value}, ${percent(found.probability)}${bad}`
          : `${where}: unknown`;
      }).join("; ");
    },
  };
}

function corner(grid: Grid, cell: number): [number, number] {
  const line = Math.floor(cell / grid.columns);
  return [(cell % grid.columns) * grid.width, line * grid.lineHeight + grid.top];
}

function drawCell(d: Drawing, field: Field, grid: Grid, cell: number, wrong: boolean): void {
  const { pen, theme } = d;
  const [x, y] = corner(grid, cell);
  const center = x + grid.width / 2;
  const found = likely(d.trace, field, d.step, cell);
  const before = d.step > 0 ? likely(d.trace, field, d.step - 1, cell) : null;
  const written = found && before && found.value !== before.value;
  const counts = d.trace.example.get("mask")?.data[cell];
  const [left, width] = [x + 2, grid.width - 4];
  const fill = written ? css(theme.amount, 0.2) : undefined;
  pen.rect(left + 0.5, y + BOX, width - 1, BOX_HEIGHT, { stroke: theme.line, fill, radius: 3 });
  const name = d.trace.axes.get("cell")?.labels?.[cell] ?? "";
  pen.text(center, y + 6, name, { ...small(theme, "center"), size: 10.5 }, width);
  pen.text(left + 4, y + 21, `${cell}`, { ...small(theme), size: 9, opacity: 0.75 });
  if (found) {
    const certain = Math.max(0, Math.min(1, found.probability));
    pen.text(center + 2, y + 29, `${found.value}`, {
      ...figures(theme, "center"),
      size: 15,
      opacity: 0.3 + 0.7 * certain,
    });
    pen.rect(left + 6, y + 42, width - 12, 2, { fill: theme.line });
    pen.rect(left + 6, y + 42, (width - 12) * certain, 2, { fill: theme.muted });
  }
  if (!counts) return;
  pen.rect(left, y + 51, width, 2.5, { fill: theme.ink });
  if (!wrong) return;
  const should = `→ ${d.trace.example.get("targets")!.data[cell]}`;
  pen.text(center, y + 60, should, {
    ...figures(theme, "center"),
    size: 10,
    fill: theme.accent,
  });
}

/** Draw an arc from a pointer to where it points: over the cells of one line, between lines. */
function drawArrow(d: Drawing, grid: Grid, from: number, to: number): void {
  const [[x0, y0], [x1, y1]] = [corner(grid, from), corner(grid, to)];
  const [start, end] = [x0 + grid.width * 0.62, x1 + grid.width * 0.4];
  // Which side of its cell an end is at: -1 above, 1 below.
  const [leaves, arrives] = [y1 > y0 ? 1 : -1, y1 < y0 ? 1 : -1];
  const edge = (y: number, side: number) => y + (side < 0 ? BOX - 1.5 : BOX + BOX_HEIGHT);
  const [top, bottom] = [edge(y0, leaves), edge(y1, arrives)];
  const away = y0 === y1 ? Math.min(grid.top + 8, 12 + Math.abs(end - start) / 8) : 20;
  const style = { stroke: d.theme.muted, width: 1.25, opacity: 0.75 };
  d.pen.curve(
    [start, top, start, top + leaves * away, end, bottom + arrives * away, end, bottom],
    style,
  );
  const back = bottom + arrives * 5;
  d.pen.line([end - 3, back, end, bottom, end + 3, back], style);
  d.pen.circle(start, top, 1.75, { fill: d.theme.muted });
}

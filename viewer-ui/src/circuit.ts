// One step's circuit of a Neural Random-Access Machine: registers before the step on the
// left, gates in the order in which they need each other, registers after it on the right.

import { entry, likely, percent } from "./fields";
import { type Drawing, figures, type Moment, type Panel, small, type Tip } from "./panel";
import { likelyTip } from "./timeline";
import type { Choice, Circuit, Field, Fields, Trace } from "./trace";

const SHOWN = 0.05; // weaker wires are not drawn, and gates that only they reach
const ROW = 46;
const BOX = 32;
const TOP = 20;
const FOOT = 26;

interface Wire {
  source: number;
  weight: number;
}

interface Layout {
  /** Gates that are wired to something, or write, by column. */
  columns: number[][];
  unused: number[];
  wires: Wire[][];
}

/** Return where the wires of a choice come from, the strongest first. */
function wiresOf(trace: Trace, choices: Field, step: number, choice: number, circuit: Circuit): Wire[] {
  const at = entry(trace, choices, step);
  if (!at) return [];
  const { sources } = circuit.choices[choice];
  if (choices.kind !== "distribution") {
    const source = at.data[at.first + choice];
    return source >= 0 && source < sources ? [{ source, weight: 1 }] : [];
  }
  const all = circuit.registers + circuit.gates.length;
  const wires: Wire[] = [];
  for (let source = 0; source < sources; source++) {
    const weight = at.data[at.first + choice * all + source];
    if (weight >= SHOWN) wires.push({ source, weight: Math.min(1, weight) });
  }
  return wires.sort((a, b) => b.weight - a.weight);
}

const layouts = new WeakMap<Field, Map<number, Layout>>();

function layoutOf(trace: Trace, circuit: Circuit, choices: Field, step: number): Layout {
  let known = layouts.get(choices);
  if (!known) layouts.set(choices, (known = new Map()));
  const frame = trace.frames[step];
  let layout = known.get(frame);
  if (!layout) known.set(frame, (layout = arrange(trace, circuit, choices, step)));
  return layout;
}

function arrange(trace: Trace, circuit: Circuit, choices: Field, step: number): Layout {
  const { registers, gates } = circuit;
  const wires = circuit.choices.map((_, i) => wiresOf(trace, choices, step, i, circuit));
  const inputs = (gate: number) =>
    circuit.choices.flatMap((choice, i) => (taken(circuit, choice) && choice.gate === gate ? wires[i] : []));
  const live = new Set<number>();
  const need = (source: number) => {
    const gate = source - registers;
    if (gate < 0 || live.has(gate)) return;
    live.add(gate);
    for (const wire of inputs(gate)) need(wire.source);
  };
  circuit.choices.forEach((choice, i) => {
    if (choice.gate === null) for (const wire of wires[i]) need(wire.source);
  });
  gates.forEach((gate, i) => gate.memory === "write" && need(registers + i));
  const columns: number[][] = [];
  const depth = gates.map(() => 0);
  gates.forEach((_, gate) => {
    if (!live.has(gate)) return;
    for (const { source } of inputs(gate)) {
      if (source >= registers) depth[gate] = Math.max(depth[gate], depth[source - registers] + 1);
    }
    (columns[depth[gate]] ??= []).push(gate);
  });
  return { columns, unused: gates.flatMap((_, i) => (live.has(i) ? [] : [i])), wires };
}

/** Return whether a choice matters: gates of one argument do not look at the second. */
function taken(circuit: Circuit, choice: Choice): boolean {
  return choice.gate === null || choice.argument < circuit.gates[choice.gate].arity;
}

function rowsOf(trace: Trace, circuit: Circuit, choices: Field): number {
  const tallest = trace.steps.map((step) =>
    Math.max(0, ...layoutOf(trace, circuit, choices, step).columns.map((column) => column.length)),
  );
  return tallest.reduce((a, b) => Math.max(a, b), circuit.registers);
}

/** Where everything is drawn. */
interface Places {
  /** Middles of what gives values: registers before the step, then gates. */
  sources: ([number, number] | null)[];
  after: [number, number][];
  box: number;
  ends: number;
}

function placesOf(circuit: Circuit, layout: Layout, width: number, height: number): Places {
  const { registers, gates } = circuit;
  const ends = Math.min(76, width / 5);
  const spread = (i: number, count: number) => TOP + ((i + 0.5) * height) / count;
  const sources: ([number, number] | null)[] = Array.from({ length: registers + gates.length }, () => null);
  for (let i = 0; i < registers; i++) sources[i] = [ends / 2, spread(i, registers)];
  const room = (width - 2 * ends) / Math.max(1, layout.columns.length);
  const ys = sources.map((place) => place?.[1] ?? 0);
  layout.columns.forEach((column, c) => {
    const wanted = column.map((gate) => {
      const from = circuit.choices.flatMap((choice, i) =>
        choice.gate === gate && taken(circuit, choice) ? layout.wires[i].map((w) => w.source) : [],
      );
      const mean = from.reduce((sum, source) => sum + ys[source], 0) / from.length;
      return { gate, y: from.length ? mean : TOP + height };
    });
    wanted.sort((a, b) => a.y - b.y);
    const step = Math.min(ROW, height / column.length);
    let free = TOP + step / 2;
    wanted.forEach(({ gate, y }, i) => {
      const last = TOP + height - (wanted.length - 1 - i + 0.5) * step;
      const at = Math.min(Math.max(y, free), last);
      free = at + step;
      sources[registers + gate] = [ends + (c + 0.5) * room, at];
      ys[registers + gate] = at;
    });
  });
  const after = Array.from({ length: registers }, (_, i): [number, number] => [width - ends / 2, spread(i, registers)]);
  return { sources, after, box: Math.max(30, Math.min(86, room * 0.66)), ends: ends - 8 };
}

/** The circuit of the present step. */
export function circuitPanel(): Panel {
  const rows = new WeakMap<Fields, number>();
  const known = (moment: Moment) => {
    const found = rows.get(moment.fields) ?? rowsOf(moment.trace, moment.trace.circuit!, moment.fields.get("choices")!);
    rows.set(moment.fields, found);
    return found;
  };
  return {
    title: "Circuit of this step",
    note: "Wires are as strong as the machine is sure of them; point at a box or at a wire's end",
    height: (moment) => TOP + known(moment) * ROW + FOOT,
    draw(d) {
      const circuit = d.trace.circuit!;
      const height = known(d) * ROW;
      if (d.step < 1 || !entry(d.trace, d.fields.get("choices")!, d.step)) {
        d.pen.text(0, TOP + 12, "Before the first step nothing is wired.", small(d.theme));
        return;
      }
      const layout = layoutOf(d.trace, circuit, d.fields.get("choices")!, d.step);
      const places = placesOf(circuit, layout, d.width, height);
      drawWires(d, circuit, layout, places);
      drawRegisters(d, circuit, places);
      for (const column of layout.columns) for (const gate of column) drawGate(d, circuit, places, gate);
      addPorts(d, circuit, layout, places);
      const names = layout.unused.map((gate) => circuit.gates[gate].name).join(", ");
      if (names) d.pen.text(0, TOP + height + 14, `Not used: ${names}`, small(d.theme), d.width);
    },
    describe(moment) {
      const circuit = moment.trace.circuit!;
      const choices = moment.fields.get("choices")!;
      if (moment.step < 1 || !entry(moment.trace, choices, moment.step)) return "Nothing is wired.";
      return circuit.choices
        .flatMap((choice, i) => {
          const found = likely(moment.trace, choices, moment.step, i);
          if (!found || !taken(circuit, choice)) return [];
          return `${choiceName(circuit, choice)} from ${sourceName(circuit, found.value)} ${percent(found.probability)}`;
        })
        .join("; ");
    },
  };
}

function choiceName(circuit: Circuit, choice: Choice): string {
  if (choice.gate === null) return `r${choice.register + 1}`;
  const gate = circuit.gates[choice.gate];
  return gate.arity > 1 ? `${gate.name} ${"ab"[choice.argument]}` : gate.name;
}

function sourceName(circuit: Circuit, source: number): string {
  const { registers, gates } = circuit;
  return source < registers ? `r${source + 1}` : (gates[source - registers]?.name ?? "?");
}

/** Return where the wire of a choice ends. */
function endOf(circuit: Circuit, places: Places, choice: Choice): [number, number] | null {
  if (choice.gate === null) {
    const [x, y] = places.after[choice.register];
    return [x - places.ends / 2, y];
  }
  const at = places.sources[circuit.registers + choice.gate];
  if (!at) return null;
  const { arity } = circuit.gates[choice.gate];
  return [at[0] - places.box / 2, at[1] + (arity > 1 ? (choice.argument ? 8 : -8) : 0)];
}

function drawWires(d: Drawing, circuit: Circuit, layout: Layout, places: Places): void {
  circuit.choices.forEach((choice, i) => {
    const end = taken(circuit, choice) ? endOf(circuit, places, choice) : null;
    if (!end) return;
    for (const { source, weight } of layout.wires[i]) {
      const from = places.sources[source];
      if (!from) continue;
      const start = from[0] + (source < circuit.registers ? places.ends : places.box) / 2;
      const bend = Math.max(18, (end[0] - start) / 2.2);
      d.pen.curve([start, from[1], start + bend, from[1], end[0] - bend, end[1], end[0], end[1]], {
        stroke: d.theme.ink,
        width: 0.6 + 1.6 * weight,
        opacity: 0.12 + 0.63 * weight,
      });
    }
  });
}

function drawRegisters(d: Drawing, circuit: Circuit, places: Places): void {
  const registers = d.fields.get("registers");
  const text = { ...small(d.theme, "center"), size: 10 };
  d.pen.text(places.sources[0]![0], 8, "before", text);
  d.pen.text(places.after[0][0], 8, "after", text);
  for (let i = 0; i < circuit.registers; i++) {
    // The step before may not have been kept.
    const known = d.trace.frames[d.step] - d.trace.frames[d.step - 1] === 1 && follows(d.trace, d.step);
    drawBox(d, places.sources[i]!, places.ends, `r${i + 1}`, registers, i, known ? d.step - 1 : null);
    drawBox(d, places.after[i], places.ends, `r${i + 1}`, registers, i, d.step);
  }
}

function follows(trace: Trace, step: number): boolean {
  const before = trace.frames[step - 1];
  return step === 1 || (before >= 0 && trace.steps[before] === step - 1);
}

function drawGate(d: Drawing, circuit: Circuit, places: Places, gate: number): void {
  const { name, symbol, memory } = circuit.gates[gate];
  const short = places.box < 60 ? symbol : name;
  const at = places.sources[circuit.registers + gate]!;
  drawBox(d, at, places.box, short, d.fields.get("gates"), gate, memory === "write" ? null : d.step, memory !== "");
  if (memory === "write") d.pen.text(at[0], at[1] + 8, "memory", { ...small(d.theme, "center"), size: 10 });
}

/** Draw a box with a name and, if there is one, the value at a step. */
function drawBox(
  d: Drawing, [x, y]: [number, number], width: number, name: string,
  field: Field | undefined, thing: number, step: number | null, strong = false,
): void {
  const { pen, theme } = d;
  const [left, top] = [x - width / 2, y - BOX / 2];
  pen.rect(left, top, width, BOX, { fill: theme.surface, stroke: strong ? theme.ink : theme.line, radius: 4 });
  const found = field && step !== null ? likely(d.trace, field, step, thing) : null;
  pen.text(x, found ? y - 7 : y - (strong ? 7 : 0), name, { ...small(theme, "center"), size: 10, fill: theme.muted }, width - 4);
  if (found) {
    const opacity = 0.3 + 0.7 * Math.max(0, Math.min(1, found.probability));
    pen.text(x, y + 7, `${found.value}`, { ...figures(theme, "center"), opacity });
  }
  if (!field) return;
  d.spots.push({
    x: left, y: top, width, height: BOX, columns: 1, rows: 1,
    tip: () => (step === null ? { title: name, lines: [] } : likelyTip(d, field, thing, step)),
    place: () => ({ field, index: thing, valued: true }),
  });
}

/** Let the ends of wires tell where they may come from. */
function addPorts(d: Drawing, circuit: Circuit, layout: Layout, places: Places): void {
  const choices = d.fields.get("choices")!;
  circuit.choices.forEach((choice, i) => {
    const end = taken(circuit, choice) ? endOf(circuit, places, choice) : null;
    if (!end) return;
    const sure = layout.wires[i][0]?.weight ?? 0;
    d.pen.circle(end[0], end[1], 2.5, { fill: sure > 0.5 ? d.theme.ink : d.theme.surface, stroke: d.theme.ink });
    d.spots.push({
      x: end[0] - 9, y: end[1] - 7, width: 14, height: 14, columns: 1, rows: 1,
      tip: (): Tip | null => {
        const tip = likelyTip(d, choices, i, d.step);
        return tip && { ...tip, title: `${choiceName(circuit, choice)} takes` };
      },
      place: () => ({ field: choices, index: i, valued: true }),
    });
  });
}

// One step's circuit of a Neural Random-Access Machine: registers before the step on the
// left, gates in topological order, registers after the step on the right.

import { entry, likely, percent } from "./fields";
import { type Drawing, figures, type Moment, type Panel, small, type Tip } from "./panel";
import type { Stroke } from "./pen";
import { likelyTip } from "./tips";
import type { Choice, Circuit, Field, Fields, Trace } from "./trace";
import {
  COLUMN,
  ENDS,
  type Layout,
  largest,
  layoutOf,
  type Places,
  placesOf,
  taken,
  TOP,
} from "./wiring";

const BOX = 32;
const FOOT = 26;

/** A panel with the circuit of the current step. */
export function circuitPanel(): Panel {
  const sizes = new WeakMap<Fields, ReturnType<typeof largest>>();
  const size = ({ trace, fields }: Moment) => {
    const found = sizes.get(fields) ?? largest(trace, trace.circuit!, fields.get("choices")!);
    sizes.set(fields, found);
    return found;
  };
  return {
    title: "Circuit of this step",
    note: "Wires are as strong as the machine is sure of them; point at a box or at a wire's end",
    height: (moment) => TOP + size(moment).height + FOOT,
    leastWidth: (moment) => 2 * ENDS + size(moment).columns * COLUMN,
    draw(d) {
      const circuit = d.trace.circuit!;
      const { height } = size(d);
      if (d.step < 1 || !entry(d.trace, d.fields.get("choices")!, d.step)) {
        drawBefore(d, circuit, height);
        return;
      }
      const layout = layoutOf(d.trace, circuit, d.fields.get("choices")!, d.step);
      const places = placesOf(circuit, layout, d.width, height);
      drawWires(d, circuit, layout, places);
      drawRegisters(d, circuit, places);
      for (const slot of layout.columns.flat()) {
        if (!slot.passes) drawGate(d, circuit, places, slot.source - circuit.registers);
      }
      addPorts(d, circuit, layout, places);
      const names = layout.unused.map((gate) => circuit.gates[gate].name).join(", ");
      if (names)
        d.pen.text(0, TOP + height + 14, `Not used: ${names}`, small(d.theme), d.width);
    },
    describe(moment) {
      const circuit = moment.trace.circuit!;
      const choices = moment.fields.get("choices")!;
      if (moment.step < 1 || !entry(moment.trace, choices, moment.step))
        return "Nothing is wired.";
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
  // A segment shared by several wires of a source is drawn once, as strong as the strongest.
  const shared = layout.column.map(() => 0);
  circuit.choices.forEach((choice, i) => {
    if (!taken(circuit, choice)) return;
    for (const { source, weight } of layout.wires[i])
      shared[source] = Math.max(shared[source], weight);
  });
  const starts = (source: number): [number, number] => {
    const [x, y] = places.sources[source]!;
    return [x + (source < circuit.registers ? places.ends : places.box) / 2, y];
  };
  places.lanes.forEach((lanes, source) => {
    if (!lanes.size) return;
    let from = starts(source);
    for (const [middle, y] of lanes.values()) {
      const [left, right] = [middle - places.box / 2, middle + places.box / 2];
      drawWire(d, from, [left, y], shared[source]);
      d.pen.line([left, y, right, y], wireStyle(d, shared[source]));
      from = [right, y];
    }
  });
  circuit.choices.forEach((choice, i) => {
    const end = taken(circuit, choice) ? endOf(circuit, places, choice) : null;
    if (!end) return;
    const column =
      choice.gate === null
        ? layout.columns.length
        : layout.column[circuit.registers + choice.gate]!;
    for (const { source, weight } of layout.wires[i]) {
      const lane = places.lanes[source].get(column - 1);
      drawWire(d, lane ? [lane[0] + places.box / 2, lane[1]] : starts(source), end, weight);
    }
  });
}

function wireStyle(d: Drawing, weight: number): Stroke {
  return { stroke: d.theme.ink, width: 0.6 + 1.2 * weight, opacity: 0.12 + 0.6 * weight };
}

function drawWire(
  d: Drawing,
  [x0, y0]: [number, number],
  [x1, y1]: [number, number],
  weight: number,
): void {
  const bend = (x1 - x0) / 2;
  d.pen.curve([x0, y0, x0 + bend, y0, x1 - bend, y1, x1, y1], wireStyle(d, weight));
}

/** Draw the registers as they are before the first step, with nothing wired. */
function drawBefore(d: Drawing, circuit: Circuit, height: number): void {
  const nothing: Layout = { columns: [], column: [], unused: [], wires: [] };
  nothing.column = Array.from({ length: circuit.registers }, () => -1);
  const places = placesOf(circuit, nothing, d.width, height);
  for (let i = 0; i < circuit.registers; i++) {
    const registers = d.fields.get("registers");
    drawBox(d, places.sources[i]!, places.ends, `r${i + 1}`, registers, i, d.step);
  }
  const told = "Before the first step nothing is wired.";
  d.pen.text(places.ends + 24, TOP + height / 2, told, small(d.theme));
}

function drawRegisters(d: Drawing, circuit: Circuit, places: Places): void {
  const registers = d.fields.get("registers");
  const text = { ...small(d.theme, "center"), size: 10 };
  d.pen.text(places.sources[0]![0], 8, "before", text);
  d.pen.text(places.after[0][0], 8, "after", text);
  for (let i = 0; i < circuit.registers; i++) {
    // The previous step may not have been recorded.
    const known =
      d.trace.frames[d.step] - d.trace.frames[d.step - 1] === 1 && follows(d.trace, d.step);
    drawBox(
      d,
      places.sources[i]!,
      places.ends,
      `r${i + 1}`,
      registers,
      i,
      known ? d.step - 1 : null,
    );
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
  drawBox(
    d,
    at,
    places.box,
    short,
    d.fields.get("gates"),
    gate,
    memory === "write" ? null : d.step,
    memory !== "",
  );
  if (memory !== "write") return;
  const tiny = { ...small(d.theme, "center"), size: 10 };
  d.pen.text(at[0], at[1] + 8, "memory", tiny, places.box - 4);
}

/** Draw a box with a name and, if there is one, the value at a step. */
function drawBox(
  d: Drawing,
  [x, y]: [number, number],
  width: number,
  name: string,
  field: Field | undefined,
  thing: number,
  step: number | null,
  strong = false,
): void {
  const { pen, theme } = d;
  const [left, top] = [x - width / 2, y - BOX / 2];
  pen.rect(left, top, width, BOX, {
    fill: theme.surface,
    stroke: strong ? theme.ink : theme.line,
    radius: 4,
  });
  const found = field && step !== null ? likely(d.trace, field, step, thing) : null;
  pen.text(
    x,
    found ? y - 7 : y - (strong ? 7 : 0),
    name,
    { ...small(theme, "center"), size: 10, fill: theme.muted },
    width - 4,
  );
  if (found) {
    const opacity = 0.3 + 0.7 * Math.max(0, Math.min(1, found.probability));
    pen.text(x, y + 7, `${found.value}`, { ...figures(theme, "center"), opacity });
  }
  if (!field) return;
  d.spots.push({
    x: left,
    y: top,
    width,
    height: BOX,
    columns: 1,
    rows: 1,
    tip: () => (step === null ? { title: name, lines: [] } : likelyTip(d, field, thing, step)),
    place: () => ({ field, index: thing, valued: true }),
  });
}

/** Give the ends of wires tooltips with the probabilities of their sources. */
function addPorts(d: Drawing, circuit: Circuit, layout: Layout, places: Places): void {
  const choices = d.fields.get("choices")!;
  circuit.choices.forEach((choice, i) => {
    const end = taken(circuit, choice) ? endOf(circuit, places, choice) : null;
    if (!end) return;
    const sure = layout.wires[i][0]?.weight ?? 0;
    d.pen.circle(end[0], end[1], 2.5, {
      fill: sure > 0.5 ? d.theme.ink : d.theme.surface,
      stroke: d.theme.ink,
    });
    d.spots.push({
      x: end[0] - 9,
      y: end[1] - 7,
      width: 14,
      height: 14,
      columns: 1,
      rows: 1,
      tip: (): Tip | null => {
        const tip = likelyTip(d, choices, i, d.step);
        return tip && { ...tip, title: `${choiceName(circuit, choice)} takes` };
      },
      place: () => ({ field: choices, index: i, valued: true }),
    });
  });
}

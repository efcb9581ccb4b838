// Layout of one step's circuit: wires, columns, positions.

import { entry } from "./fields";
import { argmax, type Choice, type Circuit, type Field, type Trace } from "./trace";

const SHOWN = 0.05; // weaker wires are not drawn, and gates that only they reach
const ROW = 44;
const LANE = 14;
export const TOP = 20;
export const ENDS = 76;
export const COLUMN = 50; // at least, or the drawing has to be scrolled

/** A wire to a choice, from a register or a gate. */
export interface Wire {
  source: number;
  weight: number;
}

/** A gate, or a lane for a wire that passes, by the number of its source. */
export interface Slot {
  source: number;
  passes: boolean;
}

/** One step's circuit as a layered graph. */
export interface Layout {
  /** From left to right; each gate is in the first column after all of its sources. */
  columns: Slot[][];
  /** For each source its column: -1 for registers, null for unused gates. */
  column: (number | null)[];
  unused: number[];
  wires: Wire[][];
}

/** Return the wires of a choice, the strongest first. */
function wiresOf(
  trace: Trace,
  choices: Field,
  step: number,
  choice: number,
  circuit: Circuit,
): Wire[] {
  const at = entry(trace, choices, step);
  if (!at) return [];
  const { sources } = circuit.choices[choice];
  if (choices.kind !== "distribution") {
    const source = at.data[at.first + choice];
    return source >= 0 && source < sources ? [{ source, weight: 1 }] : [];
  }
  const all = circuit.registers + circuit.gates.length;
  const weights = at.data.subarray(at.first + choice * all, at.first + choice * all + sources);
  // A choice that is nearly uniform over many sources has no strong wire at all.
  const least = Math.min(SHOWN, weights[argmax(weights, 0, sources)] / 2);
  const wires: Wire[] = [];
  for (let source = 0; source < sources; source++) {
    const weight = weights[source];
    if (weight >= least) wires.push({ source, weight: Math.min(1, weight) });
  }
  return wires.sort((a, b) => b.weight - a.weight);
}

const layouts = new WeakMap<Field, Map<number, Layout>>();

/** Return a step's circuit. */
export function layoutOf(trace: Trace, circuit: Circuit, choices: Field, step: number): Layout {
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
    circuit.choices.flatMap((choice, i) =>
      taken(circuit, choice) && choice.gate === gate ? wires[i] : [],
    );
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
  const column: (number | null)[] = Array.from(
    { length: registers + gates.length },
    () => null,
  );
  column.fill(-1, 0, registers);
  gates.forEach((_, gate) => {
    if (!live.has(gate)) return;
    const before = inputs(gate).map(({ source }) => column[source] ?? -1);
    column[registers + gate] = 1 + before.reduce((a, b) => Math.max(a, b), -1);
  });
  const unused = gates.flatMap((_, i) => (live.has(i) ? [] : [i]));
  return { columns: fill(circuit, wires, column), column, unused, wires };
}

/** Return the content of each column: gates, and wires that pass to a later one. */
function fill(circuit: Circuit, wires: Wire[][], column: (number | null)[]): Slot[][] {
  const count = 1 + column.reduce<number>((a, b) => Math.max(a, b ?? -1), -1);
  const reach = column.map((at) => at ?? -1); // the last column that a source's wires pass
  circuit.choices.forEach((choice, i) => {
    if (!taken(circuit, choice)) return;
    const end = choice.gate === null ? count : column[circuit.registers + choice.gate];
    if (end === null) return;
    for (const { source } of wires[i]) reach[source] = Math.max(reach[source], end - 1);
  });
  return Array.from({ length: count }, (_, c) =>
    column.flatMap((at, source): Slot[] => {
      if (at === c) return [{ source, passes: false }];
      return at !== null && at < c && reach[source] >= c ? [{ source, passes: true }] : [];
    }),
  );
}

/** Return whether a choice matters: gates with one argument ignore the second. */
export function taken(circuit: Circuit, choice: Choice): boolean {
  return choice.gate === null || choice.argument < circuit.gates[choice.gate].arity;
}

const heightOf = (slots: Slot[]) =>
  slots.reduce((sum, slot) => sum + (slot.passes ? LANE : ROW), 0);

/** Return the most columns that any step's circuit has, and the height of the tallest. */
export function largest(
  trace: Trace,
  circuit: Circuit,
  choices: Field,
): { columns: number; height: number } {
  const all = trace.steps.map((step) => layoutOf(trace, circuit, choices, step).columns);
  return {
    columns: all.reduce((most, columns) => Math.max(most, columns.length), 0),
    height: all
      .flat()
      .map(heightOf)
      .reduce((a, b) => Math.max(a, b), circuit.registers * ROW),
  };
}

/** The coordinates of a circuit. */
export interface Places {
  /** Centres of the sources: registers before the step, then gates. */
  sources: ([number, number] | null)[];
  /** For each source the centres of the lanes in which its wires pass columns. */
  lanes: Map<number, [number, number]>[];
  after: [number, number][];
  box: number;
  ends: number;
}

export function placesOf(
  circuit: Circuit,
  layout: Layout,
  width: number,
  height: number,
): Places {
  const { registers } = circuit;
  const ends = Math.min(ENDS, width / 5);
  const spread = (i: number) => TOP + ((i + 0.5) * height) / registers;
  const sources: ([number, number] | null)[] = layout.column.map(() => null);
  for (let i = 0; i < registers; i++) sources[i] = [ends / 2, spread(i)];
  const lanes = layout.column.map(() => new Map<number, [number, number]>());
  const room = (width - 2 * ends) / Math.max(1, layout.columns.length);
  const ys = sources.map((place) => place?.[1] ?? 0); // where each source was seen last
  layout.columns.forEach((slots, c) => {
    const x = ends + (c + 0.5) * room;
    const wanted = slots.map((slot) => ({
      slot,
      y: slot.passes ? ys[slot.source] : meanHeight(circuit, layout, slot.source, ys),
    }));
    wanted.sort((a, b) => a.y - b.y);
    let [free, left] = [TOP, heightOf(slots)];
    for (const { slot, y } of wanted) {
      const tall = slot.passes ? LANE : ROW;
      const at = Math.max(free + tall / 2, Math.min(y, TOP + height - left + tall / 2));
      [free, left] = [at + tall / 2, left - tall];
      if (slot.passes) lanes[slot.source].set(c, [x, at]);
      else sources[slot.source] = [x, at];
      ys[slot.source] = at;
    }
  });
  const after = Array.from({ length: registers }, (_, i): [number, number] => [
    width - ends / 2,
    spread(i),
  ]);
  return {
    sources,
    lanes,
    after,
    box: Math.max(30, Math.min(86, room * 0.66)),
    ends: ends - 8,
  };
}

/** Return the mean height of the inputs of a gate; gates without inputs go to the bottom. */
function meanHeight(circuit: Circuit, layout: Layout, source: number, ys: number[]): number {
  const gate = source - circuit.registers;
  const from = circuit.choices.flatMap((choice, i) =>
    choice.gate === gate && taken(circuit, choice)
      ? layout.wires[i].map((wire) => ys[wire.source])
      : [],
  );
  return from.length ? from.reduce((a, b) => a + b) / from.length : Infinity;
}

// The Neural Random-Access Machine (Kurach, Andrychowicz & Sutskever 2016, arXiv 1511.06392),
// as in machines/nram/nram.py, hard.py, rows.py and controller.py.

import {
  argmax,
  joined,
  type Linear,
  map,
  oneHot,
  sigmoid,
  softmax,
  split,
  sum,
  type Vector,
  vector,
} from "./arrays";
import { type Gate, GATES, read, soft, write } from "./gates";
import type { Cell, Observed } from "./machine";
import type { Parameters } from "./parameters";

/** The names are those of NRAMConfig in Python. */
export interface NRAMConfig {
  registers: number;
  gates: string[];
  controller: { kind: "mlp" | "lstm" | "gru"; hidden: number };
  write_returns: "zero" | "value";
  logit_clip: number | null;
}

/** One choice: among the first `sources` slots, registers before gates. */
interface Choice {
  gate: number | null;
  sources: number;
}

interface NRAMState {
  controller: Vector[];
  /** Entry (i, j) is P(r_i = j). */
  registers: Vector[];
  memory: Vector[];
}

/** The integers of a machine whose every choice is its most likely one. */
export interface HardState {
  controller: Vector[];
  registers: number[];
  memory: number[];
}

/** What a hard machine did in one step. */
export interface HardStep {
  registers: number[];
  memory: number[];
  gates: number[];
  choices: number[];
  stop: boolean;
}

export interface StepOutput {
  memory: Vector[];
  /** The logit of stopping after this step. */
  stop: number;
}

export class NRAM implements Cell<NRAMState, null, StepOutput> {
  readonly config: NRAMConfig;
  private readonly gates: Gate[];
  /** The softmaxes of a step: those of each gate's arguments, then of the registers. */
  readonly choices: Choice[] = [];
  private readonly control: (state: Vector[], zeros: Vector) => [Vector[], Vector];
  private readonly output: Linear;
  private readonly stop: Linear;
  private readonly first: Vector[];

  constructor(config: NRAMConfig, parameters: Parameters) {
    this.config = config;
    this.gates = config.gates.map((name) => {
      if (!GATES[name]) throw new Error(`this page has no gate ${name}`);
      return GATES[name];
    });
    const { registers } = config;
    this.gates.forEach(({ arity }, gate) => {
      for (let i = 0; i < arity; i++) this.choices.push({ gate, sources: registers + gate });
    });
    const slots = registers + this.gates.length;
    for (let i = 0; i < registers; i++) this.choices.push({ gate: null, sources: slots });
    this.output = parameters.linear("output");
    this.stop = parameters.linear("stop");
    [this.first, this.control] = controllerOf(config, parameters);
  }

  /** All registers 0, the memory as given. */
  initState(inputs: number[]): NRAMState {
    const values = inputs.length;
    return {
      controller: this.first,
      registers: Array.from({ length: this.config.registers }, () => oneHot(0, values)),
      memory: inputs.map((value) => oneHot(value, values)),
    };
  }

  encode(): null {
    return null;
  }

  advance(state: NRAMState): [NRAMState, StepOutput] {
    const zeros = Float64Array.from(state.registers, (r) => r[0]);
    const [controller, hidden] = this.control(state.controller, zeros);
    const choices = this.logits(hidden).map(softmax);
    const { slots, memory } = this.runGates(choices, state);
    const registers = this.nextRegisters(choices, slots);
    return [
      { controller, registers, memory },
      { memory, stop: this.stop.of(hidden)[0] },
    ];
  }

  decode(): Vector {
    return vector(0);
  }

  observeState({ registers, memory }: NRAMState): Observed {
    return { memory: joined(...memory), registers: joined(...registers) };
  }

  observeStep(state: NRAMState): Observed {
    const zeros = Float64Array.from(state.registers, (r) => r[0]);
    const [, hidden] = this.control(state.controller, zeros);
    const choices = this.logits(hidden).map(softmax);
    const { slots } = this.runGates(choices, state);
    const all = slots.length;
    const entropies = choices.map((p) => -sum(map(p, (x) => (x > 0 ? x * Math.log(x) : 0))));
    return {
      choices: joined(...choices.map((p) => joined(p, vector(all - p.length)))),
      gates: joined(...slots.slice(this.config.registers)),
      willing: [sigmoid(this.stop.of(hidden)[0])],
      entropy: [sum(entropies)],
    };
  }

  /** Return the logits of each choice. */
  private logits(hidden: Vector): Vector[] {
    const { logit_clip: bound } = this.config;
    let logits = this.output.of(hidden);
    if (bound !== null) logits = map(logits, (x) => Math.max(-bound, Math.min(bound, x)));
    let at = 0;
    return this.choices.map(({ sources }) => logits.subarray(at, (at += sources)));
  }

  /** Eq. 1 and 2: run the gates one after another, on mixtures of registers and results. */
  private runGates(choices: Vector[], state: NRAMState): { slots: Vector[]; memory: Vector[] } {
    const slots = [...state.registers];
    let { memory } = state;
    const values = memory.length;
    let at = 0;
    for (const gate of this.gates) {
      const inputs = Array.from({ length: gate.arity }, () => mixture(choices[at++], slots));
      if (gate.memory === "read") slots.push(read(memory, inputs[0]));
      else if (gate.memory === "write") {
        memory = write(memory, inputs[0], inputs[1]);
        const value = this.config.write_returns === "value";
        slots.push(value ? inputs[1] : oneHot(0, values));
      } else slots.push(soft(gate, inputs, values));
    }
    return { slots, memory };
  }

  /** Eq. 3: ``r_i <- (r_1, ..., r_R, o_1, ..., o_Q) softmax(c_i)``. */
  private nextRegisters(choices: Vector[], slots: Vector[]): Vector[] {
    return choices.slice(-this.config.registers).map((choice) => {
      const r = mixture(choice, slots);
      const total = sum(r);
      return r.map((x) => x / total);
    });
  }

  // The hard form (section 3.4).

  hardState(memory: number[]): HardState {
    const registers = Array.from({ length: this.config.registers }, () => 0);
    return { controller: this.first, registers, memory: [...memory] };
  }

  /** Take one step on integers, which changes the state. */
  hardStep(state: HardState): HardStep {
    const zeros = Float64Array.from(state.registers, (r) => Number(r === 0));
    const [controller, hidden] = this.control(state.controller, zeros);
    const choices = this.logits(hidden).map(argmax);
    const known = [...state.registers];
    const { memory } = state;
    let at = 0;
    for (const gate of this.gates) {
      const inputs = Array.from({ length: gate.arity }, () => known[choices[at++]]);
      if (gate.memory === "read") known.push(memory[inputs[0]]);
      else if (gate.memory === "write") {
        memory[inputs[0]] = inputs[1];
        known.push(this.config.write_returns === "value" ? inputs[1] : 0);
      } else known.push(gate.integer(inputs[0], inputs[1], memory.length));
    }
    const registers = choices.slice(-this.config.registers).map((slot) => known[slot]);
    [state.controller, state.registers] = [controller, registers];
    const gates = known.slice(this.config.registers);
    return { registers, memory, gates, choices, stop: this.stop.of(hidden)[0] > 0 };
  }

  /** Run until the machine stops, for `steps` steps at most; return the memory it leaves. */
  runHard(memory: number[], steps: number): number[] {
    const state = this.hardState(memory);
    for (let step = 0; step < steps; step++) if (this.hardStep(state).stop) break;
    return state.memory;
  }
}

function mixture(choice: Vector, slots: Vector[]): Vector {
  const mixed = vector(slots[0].length);
  choice.forEach((share, i) => slots[i].forEach((p, value) => (mixed[value] += share * p)));
  return mixed;
}

const relu = (x: Vector) => map(x, (y) => Math.max(y, 0));

/** Return the first state of a controller and its step: two ReLU layers, or one and LSTM, GRU. */
function controllerOf(
  { controller: { kind, hidden } }: NRAMConfig,
  parameters: Parameters,
): [Vector[], (state: Vector[], zeros: Vector) => [Vector[], Vector]] {
  const first = parameters.linear("controller.first");
  if (kind === "mlp") {
    const second = parameters.linear("controller.second");
    return [[], (state, zeros) => [state, relu(second.of(relu(first.of(zeros))))]];
  }
  const below = parameters.linear("controller.below");
  const recurrent = parameters.linear("controller.recurrent");
  const start = Array.from({ length: kind === "lstm" ? 2 : 1 }, () => vector(hidden));
  return [
    start,
    (state, zeros) => {
      const outside = below.of(relu(first.of(zeros)));
      const inside = recurrent.of(state[0]);
      const parts = kind === "lstm" ? 4 : 3;
      const [a, b] = [split(outside, parts), split(inside, parts)];
      if (kind === "lstm") {
        const gate = (i: number, k: number) => a[i][k] + b[i][k];
        const cells = map(
          state[1],
          (c, k) => sigmoid(gate(1, k)) * c + sigmoid(gate(0, k)) * Math.tanh(gate(3, k)),
        );
        const next = map(cells, (c, k) => sigmoid(gate(2, k)) * Math.tanh(c));
        return [[next, cells], next];
      }
      const next = map(state[0], (h, k) => {
        const reset = sigmoid(a[0][k] + b[0][k]);
        const update = sigmoid(a[1][k] + b[1][k]);
        const candidate = Math.tanh(a[2][k] + reset * b[2][k]);
        return (1 - update) * candidate + update * h;
      });
      return [[next], next];
    },
  ];
}

// Stack-RNN and List-RNN (Joulin & Mikolov 2015, arXiv 1503.01007), as in
// machines/stack_rnn.py.

import {
  ACTIVATIONS,
  argmax,
  joined,
  type Linear,
  map,
  oneHot,
  type Row,
  softmax,
  split,
  type Vector,
  vector,
} from "./arrays";
import {
  type Controller,
  type ControllerConfig,
  controllerOf,
  type Layers,
} from "./controllers";
import type { Cell, Observed } from "./machine";
import type { Parameters } from "./parameters";

/** The names are those of StackRNNConfig in Python. */
export interface StackRNNConfig {
  controller: ControllerConfig;
  memory: "stack" | "list";
  stacks: number;
  memory_rows: number;
  memory_columns: number;
  read_rows: number;
  stay: boolean;
  push_activation: string;
  empty: number;
  output_activation: string;
  hard: boolean;
}

interface StackRNNState {
  controller: Layers;
  /** For each stack, for each column, its cells from the top. */
  memory: Vector[][];
}

interface Orders {
  actions: Vector[];
  values: Vector[];
}

export class StackRNN implements Cell<StackRNNState, Vector[], Vector> {
  private readonly config: StackRNNConfig;
  private readonly controller: Controller;
  private readonly controls: Linear;
  private readonly output: Linear;

  constructor(config: StackRNNConfig, parameters: Parameters) {
    this.config = config;
    this.controller = controllerOf(config.controller, parameters, "controller");
    this.controls = parameters.linear("controls");
    this.output = parameters.linear("output");
  }

  initState(): StackRNNState {
    const { stacks, memory_rows: rows, memory_columns: columns, empty } = this.config;
    const one = () => Array.from({ length: columns }, () => vector(rows, empty));
    return {
      controller: this.controller.initState(),
      memory: Array.from({ length: stacks }, one),
    };
  }

  encode(input: Row): Vector[] {
    return this.controller.project(input);
  }

  /** Take one step: read the tops, control, act on all stacks. */
  advance(state: StackRNNState, encoded: Vector[]): [StackRNNState, Vector] {
    const [controller, hidden] = this.control(state, encoded);
    const { actions, values } = this.instruct(hidden);
    const act = this.config.memory === "stack" ? pushOrPop : slide;
    const memory = state.memory.map((columns, stack) =>
      columns.map((cells, j) =>
        act(cells, actions[stack], values[stack][j], this.config.empty),
      ),
    );
    return [{ controller, memory }, hidden];
  }

  decode(features: Vector): Vector {
    return this.output.of(map(features, ACTIVATIONS[this.config.output_activation]));
  }

  observeState({ memory }: StackRNNState): Observed {
    const rows = memory.flatMap((columns) =>
      Array.from(columns[0], (_, row) => columns.map((cells) => cells[row])),
    );
    return { memory: joined(...rows) };
  }

  observeStep(state: StackRNNState, encoded: Vector[]): Observed {
    const [, hidden] = this.control(state, encoded);
    const { actions, values } = this.instruct(hidden);
    return { actions: joined(...actions), values: joined(...values), controller: hidden };
  }

  /** ``a_t = softmax(A h_t)``; the value that is pushed is ``sigma(D h_t)``. */
  private instruct(hidden: Vector): Orders {
    const { stacks, memory, stay, memory_columns: columns } = this.config;
    const controls = this.controls.of(hidden);
    const actions = (memory === "stack" ? 2 : 3) + Number(stay);
    const logits = split(controls.subarray(0, stacks * actions), stacks);
    const values = split(controls.subarray(stacks * actions), stacks);
    if (values[0].length !== columns) throw new Error("the controls are of another size");
    return {
      actions: logits.map((x) => (this.config.hard ? harden(softmax(x)) : softmax(x))),
      values: values.map((x) => map(x, ACTIVATIONS[this.config.push_activation])),
    };
  }

  private control(state: StackRNNState, encoded: Vector[]): [Layers, Vector] {
    const { memory_rows: rows, read_rows: k, memory } = this.config;
    const first = memory === "list" ? headRow(rows) - Math.floor((k - 1) / 2) : 0;
    const tops = state.memory.flat().map((cells) => cells.subarray(first, first + k));
    return this.controller.step(state.controller, encoded, joined(...tops));
  }
}

const harden = (actions: Vector) => oneHot(argmax(actions), actions.length);
const headRow = (rows: number) => Math.floor(rows / 2);

type Act = (cells: Vector, actions: Vector, value: number, empty: number) => Vector;

/** Eq. 4 and 5: a mixture of push, pop and, if there is a third action, nothing. */
const pushOrPop: Act = (cells, actions, value, empty) =>
  map(cells, (own, i) => {
    const pushed = i ? cells[i - 1] : value;
    const popped = i + 1 < cells.length ? cells[i + 1] : empty;
    return mixed(actions, [pushed, popped, own]);
  });

/** A mixture of insert, left, right and, if there is a fourth action, nothing. */
const slide: Act = (cells, actions, value, empty) => {
  const head = headRow(cells.length);
  return map(cells, (own, i) => {
    const right = i + 1 < cells.length ? cells[i + 1] : empty;
    const left = i ? cells[i - 1] : empty;
    const inserted = i === head ? value : i < head ? right : own;
    return mixed(actions, [inserted, left, right, own]);
  });
};

function mixed(actions: Vector, outcomes: number[]): number {
  let total = 0;
  for (let i = 0; i < actions.length; i++) total += actions[i] * outcomes[i];
  return total;
}

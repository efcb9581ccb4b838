// Controllers, as in machines/parts/layers.py and controllers.py: at each step one sees the
// input and a feedback vector, what the machine read from its memory.

import { ACTIVATIONS, joined, Linear, map, row, sigmoid, split, type Vector } from "./arrays";
import type { Parameters } from "./parameters";

const GATE_STRETCH = 0.3;
const CELL_GAIN = 5;

/** The states of all layers: hidden states, and cell states where there are such. */
export interface Layers {
  hidden: Vector[];
  cells: Vector[];
}

export interface Controller {
  readonly inputs: number;
  initState(): Layers;
  /** Return the input's share of each layer. */
  project(x: ArrayLike<number>): Vector[];
  /** Take one step; return the next state and the outputs of all layers, joined. */
  step(state: Layers, projected: Vector[], feedback: Vector): [Layers, Vector];
}

export interface ControllerConfig {
  kind: string;
  kinds: string[];
  activation: string;
}

type Layer = (state: Layers, i: number, outside: Vector, seen: Vector) => [Vector, Vector?];

/** Layers of one kind; each sees the input, the feedback and the layer below. */
class Stacked implements Controller {
  private readonly fromInput: Linear;
  private readonly layers: number;
  private readonly first: Layers;
  private readonly layer: Layer;

  constructor(fromInput: Linear, layers: number, first: Layers, layer: Layer) {
    [this.fromInput, this.layers, this.first, this.layer] = [fromInput, layers, first, layer];
  }

  get inputs(): number {
    return this.fromInput.inputs;
  }

  initState(): Layers {
    return this.first;
  }

  project(x: ArrayLike<number>): Vector[] {
    return split(this.fromInput.of(x), this.layers);
  }

  step(state: Layers, projected: Vector[], feedback: Vector): [Layers, Vector] {
    const next: Layers = { hidden: [], cells: [] };
    for (let i = 0; i < this.layers; i++) {
      const below = i ? [next.hidden[i - 1]] : [];
      const [hidden, cells] = this.layer(state, i, projected[i], joined(feedback, ...below));
      next.hidden.push(hidden);
      if (cells) next.cells.push(cells);
    }
    return [next, joined(...next.hidden)];
  }
}

/** Layers of several kinds, each a controller of one layer. */
class Mixed implements Controller {
  private readonly parts: Controller[];

  constructor(parts: Controller[]) {
    this.parts = parts;
  }

  get inputs(): number {
    return this.parts[0].inputs;
  }

  initState(): Layers {
    const states = this.parts.map((part) => part.initState());
    // Feed-forward layers have no state of their own: an empty one keeps the places.
    return {
      hidden: states.map(({ hidden }) => hidden[0] ?? new Float64Array(0)),
      cells: states.map(({ cells }) => cells[0] ?? new Float64Array(0)),
    };
  }

  project(x: ArrayLike<number>): Vector[] {
    return this.parts.map((part) => part.project(x)[0]);
  }

  step(state: Layers, projected: Vector[], feedback: Vector): [Layers, Vector] {
    const next: Layers = { hidden: [], cells: [] };
    const outputs: Vector[] = [];
    this.parts.forEach((part, i) => {
      const own = { hidden: [state.hidden[i]], cells: [state.cells[i]] };
      const seen = joined(feedback, ...outputs.slice(-1));
      const [after, output] = part.step(own, [projected[i]], seen);
      next.hidden.push(after.hidden[0]);
      next.cells.push(after.cells[0] ?? new Float64Array(0));
      outputs.push(output);
    });
    return [next, joined(...outputs)];
  }
}

export function controllerOf(
  config: ControllerConfig,
  parameters: Parameters,
  path: string,
): Controller {
  if (config.kinds.length) {
    return new Mixed(
      config.kinds.map((kind, i) =>
        ofOneKind(kind, config.activation, parameters, `${path}.parts.${i}`),
      ),
    );
  }
  return ofOneKind(config.kind, config.activation, parameters, path);
}

function ofOneKind(
  kind: string,
  activation: string,
  parameters: Parameters,
  path: string,
): Controller {
  const fromInput = parameters.linear(`${path}.from_input`);
  const recurrent = parameters.linears(`${path}.recurrent`);
  const below = parameters.linears(`${path}.from_below`);
  const layers = Math.max(recurrent.length, below.length);
  const first: Layers = { hidden: [], cells: [] };
  if (kind !== "feedforward") {
    const initial = parameters.numbers(`${path}.initial`);
    const parts = kind === "lstm" || kind === "counter" ? 2 : 1;
    const columns = initial.length / (parts * layers);
    const all = { rows: parts * layers, columns, data: initial };
    for (let i = 0; i < layers; i++) {
      first.hidden.push(row(all, i));
      if (parts > 1) first.cells.push(row(all, layers + i));
    }
  }
  const kinds: { [kind: string]: Layer } = {
    lstm: lstm(recurrent),
    counter: counter(recurrent),
    gru: gru(below, recurrent),
    rnn: elman(recurrent, ACTIVATIONS[activation]),
    feedforward: feedForward(below, ACTIVATIONS[activation]),
  };
  if (!kinds[kind]) throw new Error(`there is no controller ${kind}`);
  return new Stacked(fromInput, layers, first, kinds[kind]);
}

/** Gates are packed as input, forget, output, candidate. */
const lstm =
  (recurrent: Linear[]): Layer =>
  (state, i, outside, seen) => {
    const inside = recurrent[i].of(joined(seen, state.hidden[i]));
    const [input, forget, output, candidate] = split(
      map(outside, (x, k) => x + inside[k]),
      4,
    );
    const cells = map(
      state.cells[i],
      (c, k) => sigmoid(forget[k]) * c + sigmoid(input[k]) * Math.tanh(candidate[k]),
    );
    return [map(cells, (c, k) => sigmoid(output[k]) * Math.tanh(c)), cells];
  };

const stretched = (x: number) =>
  Math.min(1, Math.max(0, (1 + 2 * GATE_STRETCH) * sigmoid(x) - GATE_STRETCH));

/** An LSTM with hard gates, which do not see the input, and linear candidates. */
const counter =
  (recurrent: Linear[]): Layer =>
  (state, i, outside, seen) => {
    const gates = recurrent[i].of(joined(seen, state.hidden[i]));
    const [input, forget, output] = split(map(gates, stretched), 3);
    const cells = map(state.cells[i], (c, k) => forget[k] * c + input[k] * outside[k]);
    return [map(cells, (c, k) => output[k] * Math.tanh(CELL_GAIN * c)), cells];
  };

/** Gates are packed as reset, update, candidate. */
const gru =
  (below: Linear[], recurrent: Linear[]): Layer =>
  (state, i, projected, seen) => {
    const share = below[i].of(seen);
    const outside = split(
      map(projected, (x, k) => x + share[k]),
      3,
    );
    const inside = split(recurrent[i].of(state.hidden[i]), 3);
    return [
      map(state.hidden[i], (h, k) => {
        const reset = sigmoid(outside[0][k] + inside[0][k]);
        const update = sigmoid(outside[1][k] + inside[1][k]);
        const candidate = Math.tanh(outside[2][k] + reset * inside[2][k]);
        return (1 - update) * candidate + update * h;
      }),
    ];
  };

const elman =
  (recurrent: Linear[], activation: (x: number) => number): Layer =>
  (state, i, outside, seen) => {
    const inside = recurrent[i].of(joined(seen, state.hidden[i]));
    return [map(outside, (x, k) => activation(x + inside[k]))];
  };

const feedForward =
  (below: Linear[], activation: (x: number) => number): Layer =>
  (_, i, outside, seen) => {
    const inside = below[i].of(seen);
    return [map(outside, (x, k) => activation(x + inside[k]))];
  };

// The Neural Turing Machine (Graves, Wayne & Danihelka 2014, arXiv 1410.5401), as in
// machines/ntm/ntm.py and first_state.py.

import {
  type Linear,
  map,
  oneHot,
  joined,
  row,
  type Row,
  softmax,
  type Vector,
  vector,
} from "./arrays";
import {
  type Controller,
  type ControllerConfig,
  controllerOf,
  type Layers,
} from "./controllers";
import { address, type HeadParameters, ORDERS, type Stages, toHeadParameters } from "./heads";
import type { Cell, Observed } from "./machine";
import type { Parameters } from "./parameters";

/** The names are those of NTMConfig in Python. */
export interface NTMConfig {
  controller: ControllerConfig;
  memory_rows: number;
  memory_columns: number;
  read_heads: number;
  write_heads: number;
  shifts: number;
  order: string;
  write_composition: string;
  feed_reads: boolean;
  output_from: string;
  key_activation: string;
  add_activation: string;
  head_clip: number | null;
  similarity_smoothing: number;
  similarity_epsilon: number;
  sharpening_smoothing: number;
  initial_memory: string;
  initial_memory_range: [number, number];
  initial_weightings: string;
  wrap: boolean;
  sharpening_factor: number;
  hard: boolean;
}

interface NTMState {
  controller: Layers;
  /** The paper's M_t, a vector per row. */
  memory: Vector[];
  weightings: Vector[];
  reads: Vector[];
}

export class NTM implements Cell<NTMState, Vector[], Vector> {
  private readonly config: NTMConfig;
  private readonly parameters: Parameters;
  private readonly controller: Controller;
  private readonly heads: Linear;
  private readonly output: Linear;

  constructor(config: NTMConfig, parameters: Parameters) {
    [this.config, this.parameters] = [config, parameters];
    this.controller = controllerOf(config.controller, parameters, "controller");
    this.heads = parameters.linear("heads");
    this.output = parameters.linear("output");
  }

  /** Return the same machine with more memory rows; its heads do not begin on the new ones. */
  withMemoryRows(rows: number): NTM {
    return new NTM({ ...this.config, memory_rows: rows }, this.parameters);
  }

  initState(): NTMState {
    return {
      controller: this.controller.initState(),
      memory: this.firstMemory(),
      weightings: this.firstWeightings(),
      reads: this.firstReads(),
    };
  }

  encode(input: Row): Vector[] {
    return this.controller.project(input);
  }

  /** Take one step: the controller, then the heads in the configured order. */
  advance(state: NTMState, encoded: Vector[]): [NTMState, Vector] {
    const [controller, hidden] = this.control(state, encoded);
    const { memory, weightings, reads } = this.moveHeads(state, hidden, () => {});
    const features: { [name: string]: Row[] } = {
      "controller+reads": [hidden, ...reads],
      reads,
      controller: [hidden],
    };
    const next = { controller, memory, weightings, reads };
    return [next, joined(...features[this.config.output_from])];
  }

  decode(features: Vector): Vector {
    return this.output.of(features);
  }

  observeState({ memory, weightings, reads }: NTMState): Observed {
    return {
      memory: joined(...memory),
      weightings: joined(...weightings),
      reads: joined(...reads),
    };
  }

  observeStep(state: NTMState, encoded: Vector[]): Observed {
    const [, hidden] = this.control(state, encoded);
    const told = this.headParameters(hidden);
    const stages: Stages[] = [];
    this.moveHeads(state, hidden, (head, stage) => (stages[head] = stage));
    return {
      keys: joined(...told.keys),
      key_strengths: told.keyStrengths,
      gates: told.gates,
      shifts: joined(...told.shifts),
      sharpenings: told.sharpenings,
      erases: joined(...told.erases),
      adds: joined(...told.adds),
      content: joined(...stages.map(({ content }) => content)),
      gated: joined(...stages.map(({ gated }) => gated)),
      shifted: joined(...stages.map(({ shifted }) => shifted)),
      controller: hidden,
    };
  }

  private control(state: NTMState, encoded: Vector[]): [Layers, Vector] {
    const feedback = this.config.feed_reads ? joined(...state.reads) : vector(0);
    return this.controller.step(state.controller, encoded, feedback);
  }

  private headParameters(hidden: Vector): HeadParameters {
    return toHeadParameters(this.heads.of(hidden), this.config);
  }

  private moveHeads(
    state: NTMState,
    hidden: Vector,
    watch: (head: number, stages: Stages) => void,
  ) {
    const { config } = this;
    const parameters = this.headParameters(hidden);
    const addressOn = (memory: Vector[], head: number) => {
      const stages = address(parameters, memory, state.weightings[head], head, config);
      watch(head, stages);
      return stages.weighting;
    };
    return ORDERS[config.order](parameters, state.memory, addressOn, config);
  }

  private firstMemory(): Vector[] {
    const { memory_rows: rows, memory_columns: columns, initial_memory_range } = this.config;
    const name = ["initial_memory", "initial_memory.array"].find((x) => this.parameters.has(x));
    const low = initial_memory_range[0];
    if (!name) return Array.from({ length: rows }, () => vector(columns, low));
    const kept = this.parameters.matrix(name); // columns, rows
    return Array.from({ length: rows }, (_, i) =>
      Float64Array.from({ length: columns }, (_, j) => kept.data[j * kept.columns + i]),
    );
  }

  private firstWeightings(): Vector[] {
    const { memory_rows: rows, initial_weightings: kind } = this.config;
    const heads = this.config.read_heads + this.config.write_heads;
    return Array.from({ length: heads }, (_, head) => {
      if (this.parameters.has("initial_weightings")) {
        const known = row(this.parameters.matrix("initial_weightings"), head);
        return joined(softmax(known), vector(rows - known.length));
      }
      if (kind === "uniform") return vector(rows, 1 / rows);
      return kind === "zeros" ? vector(rows) : oneHot(0, rows);
    });
  }

  private firstReads(): Vector[] {
    const { read_heads: heads, memory_columns: columns } = this.config;
    const { parameters } = this;
    return Array.from({ length: heads }, (_, head) => {
      if (parameters.has("initial_reads.array"))
        return row(parameters.matrix("initial_reads.array"), head);
      if (parameters.has("initial_reads"))
        return map(row(parameters.matrix("initial_reads"), head), Math.tanh);
      return vector(columns);
    });
  }
}

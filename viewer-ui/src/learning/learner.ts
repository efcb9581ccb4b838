// Training of an NTM in the page: one example an update, forward, back, and a step of Adam. The
// machine is one with an LSTM of one layer and a head of each kind, which both look before either
// acts: softmachine/viewer/page_training.py says which.

import { oneHot, type Vector, vector } from "../machines/arrays";
import type { NTMConfig } from "../machines/ntm";
import type { Parameters } from "../machines/parameters";
import { contentWeighting, interpolate, read, sharpen, shift, write } from "./heads";
import { Tape, type Variable, variable } from "./tape";

/** How it is trained; the names are those of a recipe. */
export interface Training {
  width: number;
  smallest: number;
  largest: number;
  /** The numbers of memory rows that updates have in turn; tests have the last one. */
  memory_rows: number[];
  learning_rate: number;
  /** The learning rate falls along half a cosine, to 0 at so many updates. */
  decay_steps: number;
  clip_norm: number;
}

export interface Lesson {
  inputs: number[][];
  targets: number[][];
  /** From which step on the outputs count. */
  counted: number;
}

/** What a test found. */
export interface Tested {
  sequences: number;
  /** How many bits were wrong in a sequence, on average, and how many there were. */
  wrong: number;
  bits: number;
}

const [DECAY, SQUARED_DECAY, EPSILON] = [0.9, 0.999, 1e-8];

/** Random numbers from a seed, at least 0 and below 1: mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Draw a sequence to copy: vectors of random bits, the delimiter, and zeros for the copy. */
export function drawLesson(random: () => number, width: number, size: number): Lesson {
  const bits = Array.from({ length: size }, () =>
    Array.from({ length: width }, () => Number(random() < 0.5)),
  );
  const zeros = Array.from({ length: width }, () => 0);
  const inputs = [...bits.map((row) => [...row, 0]), [...zeros, 1]];
  inputs.push(...bits.map(() => [...zeros, 0]));
  return { inputs, targets: bits, counted: size + 1 };
}

export class Learner {
  updates = 0;
  readonly training: Training;
  private readonly config: NTMConfig;
  private readonly kept: Parameters;
  private readonly parameters: { [name: string]: Variable } = {};
  private readonly means: { [name: string]: Vector } = {};
  private readonly squares: { [name: string]: Vector } = {};
  private readonly random: () => number;

  /** Begin with some parameters; `keep` writes what they have become to a machine's. */
  constructor(
    config: NTMConfig,
    training: Training,
    first: Parameters,
    kept: Parameters,
    seed: number,
  ) {
    [this.config, this.training, this.kept] = [config, training, kept];
    this.random = randomNumbers(seed);
    for (const name of first.names) {
      const x = Float64Array.from(first.numbers(name));
      this.parameters[name] = variable(x);
      [this.means[name], this.squares[name]] = [vector(x.length), vector(x.length)];
    }
  }

  /** Make one update on a sequence drawn at random; return its loss, in nats. */
  update(): number {
    const { memory_rows: rows } = this.training;
    return this.learn(this.draw(), rows[this.updates % rows.length]);
  }

  /** Make one update on a sequence, with so many memory rows; return its loss before, in nats. */
  learn(lesson: Lesson, rows: number): number {
    const loss = this.gradients(lesson, rows);
    this.step();
    return loss;
  }

  /** Test the machine on new sequences of all sizes in turn. */
  test(sequences: number): Tested {
    let [wrong, bits] = [0, 0];
    const rows = this.training.memory_rows.at(-1)!;
    const { smallest, largest } = this.training;
    for (let i = 0; i < sequences; i++) {
      const lesson = this.draw(smallest + (i % (largest - smallest + 1)));
      const outputs = this.run(new Tape(), lesson.inputs, rows);
      lesson.targets.forEach((row, step) =>
        row.forEach((bit, k) => {
          bits += 1;
          wrong += Number(Number(outputs[lesson.counted + step].x[k] > 0) !== bit);
        }),
      );
    }
    return { sequences, wrong: wrong / sequences, bits: bits / sequences };
  }

  /** Write the parameters to the machine. */
  keep(): void {
    for (const [name, { x }] of Object.entries(this.parameters)) {
      this.kept.numbers(name).set(x);
    }
  }

  /** Work out the derivatives of the loss of an example by all parameters; return the loss. */
  gradients({ inputs, targets, counted }: Lesson, rows: number): number {
    for (const { d } of Object.values(this.parameters)) d.fill(0);
    const tape = new Tape();
    const outputs = this.run(tape, inputs, rows);
    let loss = 0;
    targets.forEach((row, i) => (loss += tape.crossEntropy(outputs[counted + i], row)));
    tape.back();
    return loss;
  }

  /** Return the derivatives by a parameter. */
  gradient(name: string): Vector {
    return this.parameters[name].d;
  }

  private draw(size?: number): Lesson {
    const { width, smallest, largest } = this.training;
    const drawn = smallest + Math.floor(this.random() * (largest - smallest + 1));
    return drawLesson(this.random, width, size ?? drawn);
  }

  /** Run the machine as machines/ntm.ts does; return the logits of all steps. */
  private run(tape: Tape, inputs: number[][], rows: number): Variable[] {
    const { config, parameters } = this;
    const affine = (name: string, x: Variable) =>
      tape.affine(parameters[`${name}.weight`], parameters[`${name}.bias`], x);
    const { memory_columns: columns, shifts, head_clip: clip } = config;
    const first = parameters["controller.initial"];
    const size = first.x.length / 2;
    let [hidden, cells] = tape.cut(first, [size, size]);
    let memory = variable(vector(rows * columns, config.initial_memory_range[0]));
    let [reading, writing] = [variable(oneHot(0, rows)), variable(oneHot(0, rows))];
    let seen = variable(vector(columns));
    return inputs.map((input) => {
      const outside = affine("controller.from_input", variable(Float64Array.from(input)));
      const inside = affine("controller.recurrent.0", tape.join(seen, hidden));
      [hidden, cells] = tape.lstm(tape.add(outside, inside), cells);
      const raw = affine("heads", hidden);
      const told = clip === null ? raw : tape.clip(raw, clip);
      const each = [columns, 1, 1, 1, shifts].flatMap((x) => [x, x]);
      const parts = tape.cut(told, [...each, columns, columns]);
      const addressed = (head: number, before: Variable): Variable => {
        const [key, strength, power, gate, moves] = [0, 1, 2, 3, 4].map(
          (i) => parts[2 * i + head],
        );
        const content = contentWeighting(
          tape,
          memory,
          key,
          tape.softplus(strength),
          config.similarity_smoothing,
          config.similarity_epsilon,
        );
        const gated = interpolate(tape, content, before, tape.sigmoid(gate));
        const shifted = shift(tape, gated, tape.softmax(moves));
        return sharpen(tape, shifted, tape.oneplus(power));
      };
      [reading, writing] = [addressed(0, reading), addressed(1, writing)];
      seen = read(tape, memory, reading);
      const [erase, add] = parts.slice(-2);
      memory = write(tape, memory, writing, tape.sigmoid(erase), add);
      return affine("output", tape.join(hidden, seen));
    });
  }

  /** One step of Adam (Kingma & Ba 2015), against gradients no longer than `clip_norm`. */
  private step(): void {
    const { learning_rate: most, decay_steps: end, clip_norm: longest } = this.training;
    let squares = 0;
    for (const { d } of Object.values(this.parameters)) for (const x of d) squares += x * x;
    const scale = Math.min(1, longest / Math.sqrt(squares));
    const rate = (most * (1 + Math.cos((Math.PI * Math.min(this.updates, end)) / end))) / 2;
    this.updates += 1;
    const first = 1 - DECAY ** this.updates;
    const second = 1 - SQUARED_DECAY ** this.updates;
    for (const [name, { x, d }] of Object.entries(this.parameters)) {
      const [m, v] = [this.means[name], this.squares[name]];
      for (let i = 0; i < x.length; i++) {
        const g = scale * d[i];
        m[i] = DECAY * m[i] + (1 - DECAY) * g;
        v[i] = SQUARED_DECAY * v[i] + (1 - SQUARED_DECAY) * g * g;
        x[i] -= (rate * m[i]) / first / (Math.sqrt(v[i] / second) + EPSILON);
      }
    }
  }
}

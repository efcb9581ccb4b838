// A machine that the page runs by itself: its file (softmachine/viewer/live_file.py), examples
// of it and inputs of a person's own, and the traces of its runs.

import { list, number, parse, record, text, TraceError } from "../checks";
import { Learner, type Training } from "../learning/learner";
import type { Input, Machine, Request } from "../server";
import { describe, type ProgramShown, type Trace } from "../trace";
import { argmax, softmax, sum, vector, type Vector } from "./arrays";
import { type Example, NOTHING, readExample } from "./examples";
import { Held, keep, type Made, onBest, stopProbabilities } from "./keeping";
import { type Cell, record as recordRun } from "./machine";
import { NRAM, type NRAMConfig } from "./nram";
import { NTM, type NTMConfig } from "./ntm";
import { Automaton } from "./automaton";
import { Parameters } from "./parameters";
import { shownAutomaton, shownProgram } from "./shown";
import { Program, type StepRule, stepsOf } from "./program";
import { StackRNN, type StackRNNConfig } from "./stack_rnn";
import {
  givenTask,
  MEMORIES,
  type MemoryTask,
  nextLetters,
  SEQUENCES,
  type SequenceTask,
} from "./tasks";

const VERSION = "1";
const MOST_STEPS = 2000;
const MOST_CELLS = 64;

type Json = { [name: string]: unknown };

export class LocalMachine {
  readonly described: Machine;
  readonly parameters: Parameters;
  readonly program: Program | null;
  readonly automaton: Automaton | null;
  /** The parameters that the file has; training changes `parameters`. */
  private readonly first: Parameters;
  private readonly told: Json;
  private readonly header: Json;
  private readonly examples: Example[];
  private readonly lines: string[][];
  private readonly memoryTask: MemoryTask | null;
  private readonly sequenceTask: SequenceTask | null;

  constructor(id: number, file: Uint8Array) {
    const { parameters, metadata } = Parameters.read(file);
    const said = record(metadata, "its metadata");
    if (said.softmachine_machine !== VERSION) {
      throw new TraceError("This is no machine that this page can run.");
    }
    this.parameters = parameters;
    const told = (this.told = record(
      parse(text(said.machine, "machine"), "machine"),
      "machine",
    ));
    this.header = record(told.header, "header");
    this.examples = list(told.examples, "examples").map(readExample);
    const program = told.program === null ? null : record(told.program, "program");
    this.program = program && new Program(program.data);
    this.automaton = told.automaton ? new Automaton(told.automaton) : null;
    this.lines = program ? (program.lines as string[][]) : [];
    const task = text(record(told.task, "task").kind_of, "task");
    const given = told.given ? record(told.given, "given") : null;
    this.memoryTask =
      MEMORIES[task] ??
      (given && givenTask(given.growth as number[], number(given.cells, "given")));
    this.sequenceTask = SEQUENCES[task] ?? null;
    const sizes = list(told.sizes, "sizes").map((x) => number(x, "sizes"));
    this.described = {
      id,
      name: text(told.name, "name"),
      machine: text(this.header.machine, "machine"),
      task: text(this.header.task, "task"),
      smallest: sizes[0],
      largest: sizes[sizes.length - 1],
      size: number(told.size, "size"),
      sizes,
      seeds: 1 + Math.max(...this.examples.map(({ seed }) => seed ?? 0)),
      input: told.input === "cells" ? "cells" : "bits",
      letters: this.isLetters ? this.labels("input channel").join("") : undefined,
      form: this.memoryTask?.form ?? this.sequenceTask?.form,
      typed: this.memoryTask?.typed,
      about: text(told.about, "about"),
      checkpoints: [{ id: "best", label: "best" }],
      training: told.training ? (told.training as Training) : undefined,
    };
    this.first = parameters.copy();
  }

  /** Return what trains the machine from its first parameters on, on sequences of a seed. */
  learner(seed: number): Learner {
    const { training } = this.described;
    if (!training) throw new Error("This page does not train this machine.");
    const config = this.told.config as NTMConfig;
    return new Learner(config, training, this.first, this.parameters, seed);
  }

  /** Run the machine and return the trace; throws an Error for an input that it cannot take. */
  run({ size, seed, input }: Pick<Request, "size" | "seed" | "input">): Trace {
    return this.trace(input === null ? this.drawn(size, seed) : this.own(input));
  }

  /** Return the memory that the hard machine leaves, and what the program makes of it. */
  runHard(memory: number[], steps: number): number[] {
    return this.nram().runHard(memory, steps);
  }

  /** Return the number of steps for a memory. */
  steps(memory: number[]): number {
    return stepsOf(this.told.steps as StepRule, memory);
  }

  private drawn(size: number, seed: number): Example {
    const found = this.examples.find((x) => x.size === size && x.seed === seed);
    return found ?? this.examples.find((x) => x.size === size) ?? this.examples[0];
  }

  private own(input: Input): Example {
    return this.described.input === "cells" ? this.ownMemory(input) : this.ownSteps(input);
  }

  private ownMemory(input: Input): Example {
    const task = this.memoryTask;
    if (typeof input === "string" || input.some((x) => typeof x !== "number")) {
      throw new Error("A memory is a list of whole numbers.");
    }
    const typed = input as number[];
    if (!typed.length || typed.some((x) => !Number.isInteger(x) || x < 0)) {
      throw new Error("A memory is a list of whole numbers from 0 on.");
    }
    const memory = task?.layOut ? task.layOut(typed) : typed;
    if (memory.length > MOST_CELLS) {
      throw new Error(`This takes ${memory.length} cells; this page runs up to ${MOST_CELLS}.`);
    }
    return this.withMemory(memory, typed);
  }

  /** Return the example of a whole memory, and of the list that it was made of. */
  withMemory(memory: number[], typed = memory): Example {
    const task = this.memoryTask;
    if (memory.length < 3 || memory.some((x) => x >= memory.length)) {
      throw new Error(
        `Cells hold numbers below how many there are; there are ${memory.length}.`,
      );
    }
    const labels = task?.labels(memory) ?? null;
    const solved = task?.solve(memory) ?? null;
    const [targets, mask] = [[...memory], memory.map(() => 0)];
    solved?.[1].forEach((value, i) => {
      [targets[solved[0] + i], mask[solved[0] + i]] = [value, 1];
    });
    const pointers = (labels ?? []).flatMap((label, cell) =>
      task?.addresses?.includes(label) ? [cell] : [],
    );
    const rule = this.told.steps as StepRule;
    const counted = this.told.given && rule.of === "length" ? typed : memory;
    const steps = Math.max(1, this.steps(counted));
    return { ...NOTHING, steps, inputs: memory, targets, mask, labels, pointers };
  }

  private ownSteps(input: Input): Example {
    const width = this.labels("input channel").length;
    const inputs = typeof input === "string" ? this.spelled(input) : (input as number[][]);
    if (!inputs.length || inputs.length > MOST_STEPS) {
      throw new Error(`An input has 1 to ${MOST_STEPS} steps, not ${inputs.length}.`);
    }
    const short = inputs.findIndex((row) => !Array.isArray(row) || row.length !== width);
    if (short >= 0) throw new Error(`Step ${short + 1} needs ${width} numbers, one a channel.`);
    const outputs = this.labels("output channel").length;
    const unknown = inputs.map(() => (this.isLetters ? 0 : Array.from(vector(outputs))));
    const { language } = this.told.task as { language?: string };
    const letters = this.labels("input channel");
    const stream = inputs.map((row) => letters[argmax(row)]).join("");
    const known = this.isLetters
      ? nextLetters(language ?? "", stream)
      : this.sequenceTask?.answer(inputs, outputs);
    const answer = known ?? {
      targets: unknown as number[][],
      mask: unknown as number[][],
    };
    return {
      ...NOTHING,
      steps: inputs.length,
      rows: this.rowsFor(inputs.length),
      inputs,
      ...answer,
    };
  }

  private spelled(word: string): number[][] {
    const letters = this.labels("input channel");
    if (!this.isLetters) {
      if (!this.sequenceTask) throw new Error("This machine takes numbers, a line a step.");
      return this.sequenceTask.spell(word, letters.length);
    }
    return [...word].map((letter) => {
      if (!letters.includes(letter)) throw new Error(`Letters are ${letters.join(" ")}.`);
      return letters.map((known) => Number(known === letter));
    });
  }

  /** Return how many memory rows a machine needs for so many steps; null: as many as it has. */
  private rowsFor(steps: number): number | null {
    const room = this.told.room as [number, number][];
    return room.length && steps > room[0][0] - 1
      ? (room.find(([most]) => most >= steps) ?? room[room.length - 1])[1]
      : null;
  }

  private get isLetters(): boolean {
    const outputs = (this.header.example as Json[]).find(({ name }) => name === "outputs");
    return outputs?.kind === "probability";
  }

  private labels(axis: string): string[] {
    const found = record(this.header.axes, "axes")[axis] as
      { size: number; labels: string[] | null } | undefined;
    if (!found) return [];
    return found.labels ?? Array.from({ length: found.size }, (_, i) => `${i}`);
  }

  private nram(): NRAM {
    return new NRAM(this.told.config as NRAMConfig, this.parameters);
  }

  private trace(example: Example): Trace {
    const sizes: { [axis: string]: number } = { step: example.steps };
    const made: Made = new Map();
    const changes: Json = {};
    if (this.told.kind === "nram") this.runNRAM(example, sizes, made, changes);
    else this.runSteps(example, sizes, made, changes);
    const known = record(this.header.axes, "axes");
    const axes: Json = {};
    for (const [name, axis] of Object.entries(known)) {
      const size = sizes[name] ?? (axis as { size: number }).size;
      axes[name] = { ...(axis as Json), size, ...(name in sizes ? { labels: null } : {}) };
    }
    if (axes.cell) axes.cell = { size: sizes.cell, labels: example.labels };
    const has = (part: string) => (field: unknown) =>
      made.has(`${part}/${(field as Json).name}`);
    const { name } = this.described;
    const d = {
      ...this.header,
      title:
        example.size === null
          ? `${name}, own input`
          : `${name}, size ${example.size}, seed ${example.seed}`,
      source: name,
      size: example.size,
      seed: example.seed,
      length: example.steps,
      steps: Array.from({ length: example.steps }, (_, i) => i + 1),
      fields: list(this.header.fields, "fields").filter(has("fields")),
      example: list(this.header.example, "example").filter(has("example")),
      pointers: example.pointers,
      axes,
      ...changes,
    };
    const trace = describe(d, new Held(made));
    return { ...trace, program: this.shown(example, trace.length) };
  }

  private shown({ inputs }: Example, length: number): ProgramShown | null {
    if (this.automaton) {
      const letters = this.labels("input channel");
      const word = (inputs as number[][]).map((row) => letters[argmax(row)]);
      return shownAutomaton(this.automaton, word);
    }
    return this.program && shownProgram(this.program, this.lines, inputs as number[], length);
  }

  private runSteps(
    example: Example,
    sizes: { [axis: string]: number },
    made: Made,
    changes: Json,
  ): void {
    const inputs = example.inputs as number[][];
    const cell = this.cellFor(example.rows);
    const run = recordRun(cell, inputs, example.steps);
    keep(run, made);
    const rows = (this.told.config as { memory_rows: number }).memory_rows;
    sizes.row = this.told.kind === "ntm" && example.rows ? example.rows : rows;
    const outputs = run.features.map((features) => cell.decode(features));
    const letters = this.isLetters;
    const width = outputs[0].length;
    const wanted = letters
      ? (example.targets as number[]).map((x) => outputs[0].map((_, i) => Number(i === x)))
      : (example.targets as number[][]);
    const mask = letters
      ? (example.mask as number[]).map((x) => Array.from({ length: width }, () => x))
      : (example.mask as number[][]);
    const said = outputs.map((row) => (letters ? onBest(row) : row.map((x) => Number(x > 0))));
    const at = (f: (step: number, i: number) => number): Uint8Array =>
      Uint8Array.from({ length: width * outputs.length }, (_, k) =>
        f(Math.floor(k / width), k % width),
      );
    const wrong = at((step, i) =>
      Number(mask[step][i] > 0 && said[step][i] !== wanted[step][i]),
    );
    const flat = inputs.flat();
    const bits = flat.every((x) => x === 0 || x === 1);
    made.set("example/inputs", bits ? Uint8Array.from(flat) : Float32Array.from(flat));
    made.set(
      "example/targets",
      at((step, i) => Number(mask[step][i] > 0 && wanted[step][i] > 0)),
    );
    made.set(
      "example/mask",
      at((step, i) => Number(mask[step][i] > 0)),
    );
    const shown = outputs.map((row) => (letters ? softmax(row) : row));
    made.set("example/outputs", Float32Array.from(shown.flatMap((row) => Array.from(row))));
    made.set("example/wrong", wrong);
    changes.example = (this.header.example as Json[]).map((field) =>
      field.name === "inputs" ? { ...field, kind: bits ? "bits" : "matrix" } : field,
    );
    // A wrong letter is wrong in two places: where it is, and where it should be.
    const count = sum(wrong) / (letters ? 2 : 1);
    const counted = mask.some((row) => row.some((x) => x > 0));
    changes.scores = counted
      ? { [text(this.header.error, "error")]: count, perfect: Number(count === 0) }
      : {};
    changes.shares = counted ? ["perfect"] : [];
  }

  private cellFor(rows: number | null): Cell<unknown, unknown, Vector> {
    if (this.told.kind === "stack-rnn") {
      return new StackRNN(this.told.config as StackRNNConfig, this.parameters) as Cell<
        unknown,
        unknown,
        Vector
      >;
    }
    const ntm = new NTM(this.told.config as NTMConfig, this.parameters);
    return (rows ? ntm.withMemoryRows(rows) : ntm) as Cell<unknown, unknown, Vector>;
  }

  private runNRAM(
    example: Example,
    sizes: { [axis: string]: number },
    made: Made,
    changes: Json,
  ): void {
    const machine = this.nram();
    const inputs = example.inputs as number[];
    const run = recordRun(machine, inputs, example.steps);
    keep(run, made);
    sizes.cell = sizes.value = inputs.length;
    const stops = stopProbabilities(run.features);
    const answer = inputs.map((_, cell) => {
      const average = vector(inputs.length);
      run.features.forEach(({ memory }, t) =>
        memory[cell].forEach((p, value) => (average[value] += stops[t] * p)),
      );
      return argmax(average);
    });
    const [targets, mask] = [example.targets as number[], example.mask as number[]];
    const wrong = answer.map((x, i) => Number(mask[i] > 0 && x !== targets[i]));
    made.set("example/inputs", Int32Array.from(inputs));
    made.set("example/targets", Int32Array.from(targets));
    made.set(
      "example/mask",
      Uint8Array.from(mask, (x) => Number(x > 0)),
    );
    made.set("example/answer", Int32Array.from(answer));
    made.set("example/wrong", Uint8Array.from(wrong));
    made.set("example/stop", Float32Array.from(stops));
    const scored = sum(mask.map((x) => Number(x > 0)));
    changes.scores = scored
      ? { wrong_cells: sum(wrong) / scored, perfect: Number(sum(wrong) === 0) }
      : {};
    changes.shares = scored ? ["wrong_cells", "perfect"] : [];
    changes.hard = this.runOnIntegers(machine, example, made);
  }

  /** Run the machine whose every choice is its most likely one; return the header's `hard`. */
  private runOnIntegers(machine: NRAM, { inputs, steps }: Example, made: Made): Json {
    const state = machine.hardState(inputs as number[]);
    const seen: { [name: string]: number[] }[] = [];
    let stopped = steps;
    for (let step = 1; step <= steps; step++) {
      const { registers, memory, gates, choices, stop } = machine.hardStep(state);
      seen.push({ memory: [...memory], registers, gates, choices });
      if (!stop) continue;
      stopped = step;
      break;
    }
    // Steps after the machine has stopped repeat the last one.
    while (seen.length < steps) seen.push(seen[seen.length - 1]);
    for (const name of ["memory", "registers", "gates", "choices"]) {
      made.set(`hard/${name}`, Int32Array.from(seen.flatMap((entry) => entry[name])));
    }
    return { ...record(this.header.hard, "hard"), stopped_after: stopped };
  }
}

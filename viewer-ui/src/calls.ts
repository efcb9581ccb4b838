// A run of programs, as a trace tells it (docs/traces.md), and its tree of calls.

import { list, number, record, text, TraceError, whole } from "./checks";

type Json = { [name: string]: unknown };

/** What changes in a row of the picture: `cells` from `first` on; pointers, if they change. */
export interface Change {
  row: number;
  length: number;
  first: number;
  cells: string[];
  pointers: [string, number][] | null;
}

export interface CallStep {
  depth: number;
  /** The program that runs and its arguments, by their numbers. */
  call: number[];
  seen: number[];
  ends: boolean;
  calls: number[];
  end: number;
  /** The most likely programs, then values of each argument: numbers and probabilities. */
  likely: [number, number][][];
  changes: Change[];
}

export interface CallRun {
  kind: string;
  problem: string;
  programs: string[];
  primitives: boolean[];
  arguments: string[][];
  observed: string[];
  values: string[][];
  rows: string[];
  steps: CallStep[];
  after: Change[];
  right: boolean;
  differs: number | null;
  ending: string;
}

const MOST = 1 << 20;

/** Read the run of a trace of some steps; throws TraceError if it contradicts itself. */
export function readCalls(d: Json, length: number): CallRun {
  const texts = (value: unknown, what: string) => list(value, what).map((x) => text(x, what));
  const tables = (value: unknown, what: string) => list(value, what).map((x) => texts(x, what));
  const run: CallRun = {
    kind: text(d.kind, "kind"),
    problem: text(d.problem, "problem"),
    programs: texts(d.programs, "programs"),
    primitives: list(d.primitives, "primitives").map((x) => x === true),
    arguments: tables(d.arguments, "arguments"),
    observed: texts(d.observed, "observed"),
    values: tables(d.values, "values"),
    rows: texts(d.rows, "rows"),
    steps: [],
    after: [],
    right: d.right === true,
    differs: (d.differs ?? null) === null ? null : whole(d.differs, "differs", 1, length),
    ending: text(d.ending, "ending"),
  };
  const steps = list(d.steps, "steps of calls");
  if (steps.length !== length || run.values.length !== run.observed.length) {
    throw new TraceError("This trace is damaged: its calls do not fit its steps.");
  }
  const lengths = run.rows.map(() => 0);
  let deepest = 0;
  for (const step of steps) {
    run.steps.push(readStep(record(step, "step"), run, deepest, lengths));
    deepest = run.steps[run.steps.length - 1].depth + 1;
  }
  run.after = readChanges(d.after, lengths);
  return run;
}

function readStep(d: Json, run: CallRun, deepest: number, lengths: number[]): CallStep {
  const sizes = [run.programs.length, ...run.arguments.map((place) => place.length)];
  const numbers = (value: unknown, tables: number[], what: string) =>
    list(value, what).map((x, i) => whole(x, what, 0, (tables[i] ?? 0) - 1));
  const call = (value: unknown) => {
    const made = numbers(value, sizes, "call");
    if (!made.length) throw new TraceError("This trace is damaged: a call is of no program.");
    return made;
  };
  const seen = numbers(
    d.seen,
    run.values.map((values) => values.length),
    "seen",
  );
  if (seen.length !== run.observed.length) {
    throw new TraceError("This trace is damaged: not all that was observed is there.");
  }
  return {
    depth: whole(d.depth, "depth", 0, deepest),
    call: call(d.call),
    seen,
    ends: d.ends === true,
    calls: call(d.calls),
    end: number(d.end, "end"),
    likely: list(d.likely, "likely").map((choices, place) =>
      list(choices, "likely").map((pair): [number, number] => {
        const [choice, share] = list(pair, "likely");
        const chosen = whole(choice, "likely", 0, (sizes[place] ?? 0) - 1);
        return [chosen, number(share, "likely")];
      }),
    ),
    changes: readChanges(d.changes, lengths),
  };
}

function readChanges(value: unknown, lengths: number[]): Change[] {
  return list(value, "changes").map((given) => {
    const d = record(given, "changes");
    const row = whole(d.row, "row", 0, lengths.length - 1);
    const first = whole(d.first, "first", 0, lengths[row]);
    const cells = list(d.cells, "cells").map((x) => text(x, "cells"));
    const length = whole(d.length, "length", first + cells.length, MOST);
    if (length > lengths[row] && first + cells.length < length) {
      throw new TraceError("This trace is damaged: a row lacks cells.");
    }
    lengths[row] = length;
    const pointers =
      (d.pointers ?? null) === null ? null : Object.entries(record(d.pointers, "pointers"));
    return {
      row,
      length,
      first,
      cells,
      pointers:
        pointers?.map(([name, at]) => [name, whole(at, "pointers", -MOST, MOST)]) ?? null,
    };
  });
}

/** Return a call in words, such as MOVE HERE LEFT. */
export function told(run: CallRun, [program, ...values]: number[]): string {
  return [run.programs[program], ...values.map((x, i) => run.arguments[i][x])].join(" ");
}

/** Return what a step decides in words; `=>` if the call ends with it. */
export function decided(run: CallRun, step: CallStep): string {
  if (!step.calls[0]) return step.ends ? "stop" : "nothing";
  return (step.ends ? "=> " : "") + told(run, step.calls);
}

/** Return what a step changes in the picture; `position` steps have been done. */
export function changesAt(run: CallRun, position: number): Change[] {
  return position < run.steps.length ? run.steps[position].changes : run.after;
}

/** A call in the tree: of a program, or of a primitive. */
export interface Node {
  number: number;
  text: string;
  depth: number;
  parent: Node | null;
  primitive: boolean;
  /** Whether it took the place of its caller. */
  tail: boolean;
  /** The number of steps done when it is called; -1 for the first. */
  at: number;
  /** The number of the first node that is not below it. */
  next: number;
}

/** Return all calls, each before those below it. */
export function treeOf(run: CallRun): Node[] {
  const nodes: Node[] = [];
  const stack: Node[] = [];
  const add = (call: number[], depth: number, at: number, tail: boolean) => {
    stack.length = Math.min(stack.length, depth);
    const made: Node = {
      number: nodes.length,
      text: told(run, call),
      depth,
      parent: stack[depth - 1] ?? null,
      primitive: run.primitives[call[0]],
      tail,
      at,
      next: nodes.length + 1,
    };
    for (let above = made.parent; above; above = above.parent) above.next = made.next;
    nodes.push(made);
    stack[depth] = made;
  };
  if (run.steps.length) add(run.steps[0].call, 0, -1, false);
  run.steps.forEach((step, i) => {
    if (!step.calls[0]) return;
    // A primitive is below its caller; what is a call's end takes its caller's place.
    const tail = step.ends && !run.primitives[step.calls[0]];
    add(step.calls, tail ? step.depth : step.depth + 1, i, tail);
  });
  return nodes;
}

export interface Row {
  cells: string[];
  pointers: [string, number][];
}

const EVERY = 128; // steps between pictures that are kept whole

/** The pictures of a run. */
export class Pictures {
  private readonly kept: Row[][] = [];
  private readonly run: CallRun;

  constructor(run: CallRun) {
    this.run = run;
    let rows: Row[] = run.rows.map(() => ({ cells: [], pointers: [] }));
    for (let i = 0; i <= run.steps.length; i++) {
      rows = follow(rows, changesAt(run, i));
      if (i % EVERY === 0) this.kept.push(rows);
    }
  }

  /** Return the rows after some steps. */
  at(position: number): Row[] {
    const from = Math.floor(position / EVERY);
    let rows = this.kept[from];
    for (let i = from * EVERY + 1; i <= position; i++) {
      rows = follow(rows, changesAt(this.run, i));
    }
    return rows;
  }
}

function follow(rows: Row[], changes: Change[]): Row[] {
  if (!changes.length) return rows;
  const made = [...rows];
  for (const { row, length, first, cells, pointers } of changes) {
    const old = made[row].cells;
    const changed = [
      ...old.slice(0, first),
      ...cells,
      ...old.slice(first + cells.length),
    ].slice(0, length);
    made[row] = { cells: changed, pointers: pointers ?? made[row].pointers };
  }
  return made;
}

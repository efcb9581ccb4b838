// Extracted programs: an interpreter of the JSON that programs/languages/json.py writes. A
// program is states, each one step of the machine: stores and updates that happen at once.

import { list, number, record, text, TraceError } from "../checks";

interface Value {
  constant: number;
  terms: [number, Atom][];
}

type Atom =
  { variable: string } | { cell: Value; after: number } | { gate: string; arguments: Value[] };

interface Branch {
  if_zero: Value;
  then: Successor;
  else: Successor;
}

type Successor = Branch | string | null;

interface State {
  name: string;
  stores: { address: Value; value: Value }[];
  updates: [string, Value][];
  next: Successor;
}

/** The number of machine steps as a formula of the initial memory; see tasks/steps.py. */
export interface StepRule {
  of: string;
  factor: number;
  offset: number;
  place: number;
  divisor: number;
  /** 2 for loops in loops; 1 where it is left out. */
  power?: number;
}

/** A run of a program. */
export interface ProgramRun {
  memory: number[];
  /** The number of the state of each step. */
  states: number[];
}

export function stepsOf(rule: StepRule, memory: ArrayLike<number>): number {
  let quantity = 0;
  if (rule.of === "cell") quantity = memory[rule.place] ?? 0;
  else if (rule.of === "array") {
    let end = rule.place;
    while (end < memory.length && memory[end] !== 0) end++;
    quantity = Math.max(0, end - rule.place);
  } else if (rule.of === "length") {
    quantity = Math.floor(Math.max(memory.length - rule.place, 0) / rule.divisor);
  }
  return Math.max(rule.factor * quantity + rule.offset, 0) ** (rule.power ?? 1);
}

export class Program {
  private readonly states: State[];
  private readonly first: [string, number][];
  private readonly rule: StepRule;
  private readonly counts: boolean;
  private readonly unbounded: boolean;
  private readonly places: Map<string, number>;

  constructor(value: unknown) {
    const program = record(value, "the program");
    if (program.schema !== 2) throw new TraceError("This page reads programs of schema 2.");
    this.states = list(program.states, "states").map(readState);
    this.places = new Map(this.states.map(({ name }, i) => [name, i]));
    const variables = Object.entries(record(program.variables, "variables"));
    this.first = variables.map(([name, x]) => [
      name,
      number(record(x, name).offset, "the first value"),
    ]);
    this.rule = record(program.steps, "steps") as unknown as StepRule;
    [this.counts, this.unbounded] = [program.counts_steps === true, program.unbounded === true];
  }

  get names(): string[] {
    return this.states.map(({ name }) => name);
  }

  /** Run on a memory; throws an Error unless it has 3 cells or more, each 0 to n - 1. */
  run(given: readonly number[]): ProgramRun {
    const n = given.length;
    const fits = (x: number) => Number.isInteger(x) && x >= 0 && (this.unbounded || x < n);
    if (n < (this.unbounded ? 1 : 3) || !given.every(fits)) {
      throw new Error("expected at least 3 cells, each 0 to n - 1");
    }
    const memory = new Map(given.map((x, i) => [i, x]));
    const variables = new Map(this.first.map(([name, x]) => [name, this.wrap(x, n)]));
    const states: number[] = [];
    const most = this.counts ? this.steps(given, memory) : Infinity;
    let at: number | null = this.states.length ? 0 : null;
    while (at !== null && states.length < most) {
      states.push(at);
      at = this.step(this.states[at], memory, variables, n);
    }
    return { memory: given.map((_, i) => memory.get(i)!), states };
  }

  private steps(given: readonly number[], memory: Map<number, number>): number {
    if (!this.unbounded || this.rule.of !== "array") return stepsOf(this.rule, given);
    let end = this.rule.place; // behind the list there are zeros
    while (memory.get(end)) end++;
    return stepsOf({ ...this.rule, of: "cell", place: 0 }, [end - this.rule.place]);
  }

  private step(
    state: State,
    memory: Map<number, number>,
    variables: Map<string, number>,
    n: number,
  ): number | null {
    // What each store overwrote: loads see the memory after some of the stores.
    const overwritten: [number, number][] = [];
    const load = (address: number, after: number): number => {
      for (let i = after; i < overwritten.length; i++) {
        if (overwritten[i][0] === address) return overwritten[i][1];
      }
      return memory.get(address) ?? 0;
    };
    const value = ({ constant, terms }: Value): number => {
      let total = constant;
      for (const [factor, atom] of terms) total += factor * atomOf(atom);
      return this.wrap(total, n);
    };
    const atomOf = (atom: Atom): number => {
      if ("variable" in atom) return variables.get(atom.variable) ?? 0;
      if ("cell" in atom) return load(value(atom.cell), atom.after);
      return this.gate(atom.gate, atom.arguments.map(value));
    };
    for (const store of state.stores) {
      const [address, content] = [value(store.address), value(store.value)];
      overwritten.push([address, memory.get(address) ?? 0]);
      memory.set(address, content);
    }
    for (const [name, x] of state.updates.map(([name, x]) => [name, value(x)] as const)) {
      variables.set(name, x);
    }
    overwritten.length = 0; // what is tested is the memory after the step
    let next = state.next;
    while (next !== null && typeof next === "object") {
      next = value(next.if_zero) === 0 ? next.then : next.else;
    }
    return next === null ? null : this.places.get(next)!;
  }

  private wrap(x: number, n: number): number {
    return this.unbounded ? x : ((x % n) + n) % n;
  }

  private gate(name: string, [a, b]: number[]): number {
    // Where numbers are unbounded, those below 0 count as larger than all others.
    const less = a < 0 === b < 0 ? a < b : b < 0;
    const gates: { [name: string]: number } = {
      MIN: less ? a : b,
      MAX: less ? b : a,
      "LESS-THAN": Number(less),
      "LESS-OR-EQUAL-THAN": Number(less || a === b),
      "EQUALITY-TEST": Number(a === b),
    };
    if (!(name in gates)) throw new Error(`this page has no gate ${name}`);
    return gates[name];
  }
}

function readState(value: unknown): State {
  const state = record(value, "a state");
  const updates = Object.entries(record(state.updates, "updates"));
  return {
    name: text(state.name, "a state's name"),
    stores: list(state.stores, "stores") as State["stores"],
    updates: updates.map(([name, x]) => [name, record(x, name).value as Value]),
    next: state.next as Successor,
  };
}

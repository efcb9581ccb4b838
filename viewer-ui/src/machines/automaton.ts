// Automata with stacks, as in programs/automata/automaton.py: rules of what to do with which
// letter, given what lies on top.

import { list, number, record } from "../checks";

const EMPTY = "·"; // what is seen where a stack has no more cells
const ANY = "any"; // what a rule says of a cell that makes no difference

interface Rule {
  letter: string;
  tops: string[][];
  moves: { action: string; symbol: string }[];
  predicts: string | null;
}

export class Automaton {
  private readonly rules: Rule[];
  private readonly stacks: string[];
  private readonly depth: number;

  constructor(value: unknown) {
    const automaton = record(value, "the automaton");
    this.rules = list(automaton.rules, "rules") as Rule[];
    this.stacks = list(automaton.stacks, "stacks") as string[];
    this.depth = number(automaton.depth, "depth");
  }

  /** Return each rule in words. */
  get lines(): string[] {
    return this.rules.map(({ letter, tops, moves, predicts }) => {
      const seen = tops.flatMap((symbols, i) =>
        symbols.every((x) => x === ANY) ? [] : [`${symbols.join(" ")} on ${this.stacks[i]}`],
      );
      const done = moves.map(({ action, symbol }, i) =>
        `${this.stacks[i]}: ${action} ${symbol}`.trim(),
      );
      const when = [letter, ...seen].join(", ");
      return `${when} → ${done.join(", ")}; next ${predicts ?? "open"}`;
    });
  }

  /** Return the number of the rule of each letter; null from where on there is none. */
  run(letters: Iterable<string>): (number | null)[] {
    const stacks: string[][] = this.stacks.map(() => []);
    let stuck = false;
    return Array.from(letters, (letter) => {
      const tops = stacks.map((stack) =>
        Array.from({ length: this.depth }, (_, i) => stack[stack.length - 1 - i] ?? EMPTY),
      );
      const holds = (rule: Rule) =>
        rule.letter === letter &&
        rule.tops.every((mine, s) => mine.every((x, i) => x === ANY || x === tops[s][i]));
      const found = stuck ? -1 : this.rules.findIndex(holds);
      stuck = found < 0;
      if (stuck) return null;
      this.rules[found].moves.forEach(({ action, symbol }, i) => {
        if (action === "push") stacks[i].push(symbol);
        else if (action === "pop") stacks[i].pop();
      });
      return found;
    });
  }

  /** Return what follows each letter; null where that is open, or there is no rule. */
  predict(letters: Iterable<string>): (string | null)[] {
    return this.run(letters).map((rule) => (rule === null ? null : this.rules[rule].predicts));
  }
}

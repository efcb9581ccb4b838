// What is shown of a program or an automaton beside a run of the machine that it was taken from.

import type { ProgramShown } from "../trace";
import type { Automaton } from "./automaton";
import type { Program } from "./program";

export function shownAutomaton(automaton: Automaton, word: string[]): ProgramShown {
  return {
    title: "Automaton",
    note: "What the hard machine does with its stacks, as rules",
    states: automaton.lines.map((line) => ({ name: "", lines: [line] })),
    at: automaton.run(word),
  };
}

/** Show a program, with its lines by states, on a memory, for so many steps. */
export function shownProgram(
  program: Program,
  lines: string[][],
  memory: number[],
  length: number,
): ProgramShown {
  const { states } = program.run(memory);
  return {
    title: "Program",
    note: "What the hard machine does in this step, as code",
    states: program.names.map((name, i) => ({ name, lines: lines[i] ?? [] })),
    at: Array.from({ length }, (_, i) => states[i] ?? null),
  };
}

// Steps worth jumping to: where the memory changes, where an answer is wrong.

import { type CallRun, changesAt } from "./calls";
import { entry, likely } from "./fields";
import { type Field, type Trace } from "./trace";

export interface Events {
  writes: number[];
  errors: number[];
}

/** A change counts as a write if it is at least this fraction of the largest one in the trace:
 * a soft machine writes a little at every step. */
const NOTABLE = 0.1;
/** The memory after a step counts as the answer if the machine stops there with at least this
 * probability. */
const MAY_STOP = 0.01;

/** Return after how many steps of a run cells have changed; before which it goes wrong, if it does. */
export function eventsOfCalls(run: CallRun): Events {
  const { length } = run.steps;
  const places = Array.from({ length }, (_, i) => i + 1);
  const wrote = places.filter((at) => changesAt(run, at).some((x) => x.cells.length > 0));
  const errors = run.differs === null ? [] : [run.differs - 1];
  return { writes: wrote, errors: run.right ? errors : [...errors, length] };
}

/** Return the recorded steps at which the memory was written. */
export function writes(trace: Trace, memory: Field | undefined): number[] {
  if (!memory) return [];
  const changes = trace.steps.map((step, i) => {
    return change(trace, memory, i ? trace.steps[i - 1] : 0, step);
  });
  const least = NOTABLE * changes.reduce((a, b) => Math.max(a, b), 0);
  return trace.steps.filter((_, i) => changes[i] > 0 && changes[i] >= least);
}

function change(trace: Trace, memory: Field, before: number, after: number): number {
  const [a, b] = [entry(trace, memory, before), entry(trace, memory, after)];
  if (!a || !b) return 0;
  let largest = 0;
  for (let i = 0; i < memory.stride; i++) {
    const difference = Math.abs(b.data[b.first + i] - a.data[a.first + i]);
    if (difference > largest && difference < Infinity) largest = difference;
  }
  // For integers the size of a difference has no meaning.
  return memory.kind === "integer" ? Math.min(1, largest) : largest;
}

/** Return the steps at which an output is wrong, or at which a wrong memory may be the answer. */
export function errors(trace: Trace, hard: boolean): number[] {
  const wrong = trace.example.get("wrong");
  if (wrong?.axes[0] === "step") return wrongSteps(trace, wrong);
  return wrongMemories(trace, hard);
}

function wrongSteps(trace: Trace, wrong: Field): number[] {
  const width = wrong.stride / trace.length;
  const found: number[] = [];
  for (let step = 1; step <= trace.length; step++) {
    if (wrong.data.subarray((step - 1) * width, step * width).some((x) => x > 0))
      found.push(step);
  }
  return found;
}

function wrongMemories(trace: Trace, hard: boolean): number[] {
  const memory = (hard ? trace.hard?.fields : trace.fields)?.get("memory");
  const [targets, mask] = [trace.example.get("targets"), trace.example.get("mask")];
  const stop = trace.example.get("stop");
  if (!memory || !targets || !mask || !stop) return [];
  return trace.steps.filter((step) => {
    const answers = hard ? step === trace.hard!.stoppedAfter : stop.data[step - 1] >= MAY_STOP;
    return answers && wrongCells(trace, memory, step).some((x) => x);
  });
}

/** Return for each cell whether it is scored and differs from its target. */
export function wrongCells(trace: Trace, memory: Field, step: number): boolean[] {
  const [targets, mask] = [trace.example.get("targets"), trace.example.get("mask")];
  const cells = targets?.stride ?? 0;
  return Array.from({ length: cells }, (_, cell) => {
    if (!mask?.data[cell]) return false;
    return likely(trace, memory, step, cell)?.value !== targets!.data[cell];
  });
}

/** Return the next of some steps after a given one, or the previous one; steps ascend. */
export function nextOf(steps: number[], from: number, direction: 1 | -1): number | null {
  const found = direction > 0 ? steps.find((s) => s > from) : steps.findLast((s) => s < from);
  return found ?? null;
}

// The machines of the page, run by itself.

import type { Learner } from "../learning/learner";
import type { Machine, Request, Runner } from "../server";
import type { Trace } from "../trace";
import type { LocalMachine } from "./local";

export class LocalRunner implements Runner {
  readonly machines: LocalMachine[];

  constructor(machines: LocalMachine[]) {
    this.machines = machines;
  }

  async run(machine: Machine, request: Request, signal: AbortSignal): Promise<Trace> {
    signal.throwIfAborted();
    return this.machines[machine.id].run(request);
  }

  learner(machine: Machine, seed: number): Learner {
    return this.machines[machine.id].learner(seed);
  }
}

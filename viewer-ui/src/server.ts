// The server of `softmachine view`, which runs machines (docs/traces.md, "Live API").

import type { Learner, Training } from "./learning/learner";
import { fileSource, type Source } from "./sources";
import { readTrace, type Trace } from "./trace";

export interface Machine {
  id: number;
  name: string;
  machine: string;
  task: string;
  smallest: number;
  largest: number;
  size: number;
  input: "bits" | "cells" | "problem";
  /** Of a machine that runs programs: kinds of problems, and how a person writes one. */
  kinds?: { id: string; form: string }[];
  checkpoints: { id: string; label: string }[];
  /** Of a machine that the page runs by itself: sizes that there are examples of, how many of
   * each, its letters if it takes such, and how a person writes an input. */
  sizes?: number[];
  seeds?: number;
  letters?: string;
  form?: string;
  /** What a person would have typed for a memory. */
  typed?(memory: number[]): number[];
  about?: string;
  /** How the page trains it, if it does. */
  training?: Training;
}

/** What runs machines: a server, or the page itself. */
export interface Runner {
  run(machine: Machine, request: Request, signal: AbortSignal): Promise<Trace>;
  /** Return what trains a machine that has `training`. */
  learner?(machine: Machine, seed: number): Learner;
}

/** Cells, rows of bits, or a problem as a person writes it. */
export type Input = number[] | number[][] | string;

export interface Request {
  size: number;
  seed: number;
  checkpoint: string;
  /** The user's own input instead of a drawn example. */
  input: Input | null;
  kind: string | null;
}

export class Server implements Runner {
  private readonly token: string;

  constructor(token: string) {
    this.token = token;
  }

  async machines(): Promise<{ machines: Machine[]; traces: Source[] }> {
    const answer = await (await this.ask("/api/machines")).json();
    const traces = answer.traces.map((trace: { id: number; name: string }) =>
      fileSource("served", trace.name, async () =>
        this.bytes(await this.ask(`/api/traces/${trace.id}`)),
      ),
    );
    return { machines: answer.machines, traces };
  }

  /** Run a machine and return the trace; throws the server's error message if it fails. */
  async run(machine: Machine, request: Request, signal: AbortSignal): Promise<Trace> {
    const path = `/api/machines/${machine.id}/trace?`;
    const { size, seed, checkpoint, input, kind } = request;
    const said = new URLSearchParams({ checkpoint });
    if (kind !== null) said.set("kind", kind);
    if (input !== null) {
      const body = JSON.stringify({ inputs: input });
      const headers = { "Content-Type": "application/json" };
      return readTrace(
        await this.bytes(
          await this.ask(path + said, { method: "POST", body, headers, signal }),
        ),
      );
    }
    said.set("size", `${size}`);
    said.set("seed", `${seed}`);
    return readTrace(await this.bytes(await this.ask(path + said, { signal })));
  }

  private async ask(path: string, more: RequestInit = {}): Promise<Response> {
    const headers = { ...more.headers, "X-Softmachine-Token": this.token };
    const answer = await fetch(path, { ...more, headers });
    if (answer.ok) return answer;
    const said = await answer.json().catch(() => null);
    throw new Error(
      typeof said?.error === "string" ? said.error : `The server answered ${answer.status}.`,
    );
  }

  private async bytes(answer: Response): Promise<Uint8Array> {
    return new Uint8Array(await answer.arrayBuffer());
  }
}

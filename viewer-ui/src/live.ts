// Controls for running a machine of the server, on a drawn example or an own input.

import type { RunAddress } from "./address";
import { choice, element, labelled } from "./dom";
import { editorPanel, fromText, toText } from "./editor";
import { Practice } from "./learning/practice";
import { Host, type Listener, type Moment } from "./panel";
import type { Input, Machine, Runner } from "./server";
import type { Trace } from "./trace";

/** What the page does with a new run: plays it, stays at its step, or goes to the last one. */
export type Then = "plays" | "stays" | "ends";

const PATIENCE = 150; // ms to wait for more edits before the machine runs

export class Live {
  readonly root = element("section", { class: "live", "aria-label": "Run the machine" });
  private readonly runner: Runner;
  private readonly machines: Machine[];
  private readonly ran: (trace: Trace, then: Then) => void;
  private readonly status = element("p", { class: "status", role: "status" });
  private readonly cancel = element("button", { type: "button", hidden: true }, ["Cancel"], {
    click: () => this.stop(),
  });
  private readonly fields = element("div", { class: "controls" });
  private readonly text = element("textarea", {
    spellcheck: "false",
    "aria-label": "Input as text",
  });
  private readonly grid: Host;
  private machine: Machine;
  private size: number;
  private seed = 0;
  private checkpoint = 0;
  private kind = 0;
  private input: Input = [];
  private rows: number[][] = [];
  private edited = false;
  private timer = 0;
  private running: AbortController | null = null;
  /** The training of machines that the page trains, by their numbers. */
  private readonly practices = new Map<number, Practice>();
  private readonly say = element("input", { type: "text", spellcheck: "false" });

  constructor(
    runner: Runner,
    machines: Machine[],
    ran: (trace: Trace, then: Then) => void,
    listener: Listener,
  ) {
    [this.runner, this.machines, this.ran] = [runner, machines, ran];
    this.machine = machines[0];
    this.size = this.machine.size;
    this.grid = new Host(
      editorPanel(
        () => this.rows,
        (step, row) => this.turn(step, row),
      ),
      listener,
    );
    this.choose(0);
  }

  /** What is run, for the address. */
  get state(): RunAddress {
    const { input, edited } = this;
    const word = edited && typeof input === "string" ? input : null;
    return {
      machine: this.machines.indexOf(this.machine),
      size: this.size,
      seed: this.seed,
      word,
      numbers: edited && typeof input !== "string" ? input : null,
    };
  }

  /** Return whether that is what is run already. */
  runs(said: RunAddress): boolean {
    const { state } = this;
    const asked = { ...said, size: said.size ?? state.size };
    return JSON.stringify(asked) === JSON.stringify(state);
  }

  /** Choose what an address says; what is not there is as it is at first. */
  take(said: RunAddress): void {
    this.choose(this.machines[said.machine] ? said.machine : 0);
    const { sizes, smallest, largest } = this.machine;
    const fits = (x: number) => (sizes ? sizes.includes(x) : x >= smallest && x <= largest);
    if (said.size !== null && fits(said.size)) this.size = said.size;
    this.seed = said.seed;
    const own = said.word ?? said.numbers;
    if (own !== null) {
      this.edit(own);
      this.write(own);
    }
    this.build();
  }

  /** Run the machine with the current settings, cancelling a run in progress. */
  async run(then: Then = "plays"): Promise<void> {
    clearTimeout(this.timer);
    const before = this.running;
    before?.abort();
    const running = (this.running = new AbortController());
    if (then === "plays") {
      this.status.textContent = before ? "Cancelled the run before. Running …" : "Running …";
      this.cancel.hidden = false;
    }
    const checkpoint = this.machine.checkpoints[this.checkpoint].id;
    const request = {
      size: this.size,
      seed: this.seed,
      checkpoint,
      input: this.edited ? this.input : null,
      kind: this.machine.kinds?.[this.kind].id ?? null,
    };
    try {
      const trace = await this.runner.run(this.machine, request, running.signal);
      if (running !== this.running) return;
      this.status.textContent = "";
      if (!this.edited || typeof this.input === "string") this.edits(trace);
      this.ran(trace, then);
    } catch (error) {
      if (!running.signal.aborted) this.status.textContent = (error as Error).message;
    } finally {
      if (running === this.running) this.rest();
    }
  }

  /** Cancel the run in progress. */
  private stop(): void {
    this.running?.abort();
    this.rest();
    this.status.textContent = "Cancelled.";
  }

  private rest(): void {
    this.running = null;
    this.cancel.hidden = true;
  }

  show(moment: Moment): void {
    if (this.machine.input === "bits") this.grid.show(moment, true);
  }

  fit(): void {
    this.grid.fit();
    this.grid.redraw();
  }

  /** Return the training of a machine that the page trains. */
  private get practice(): Practice | null {
    const { machine, runner } = this;
    const { training, id } = machine;
    if (!training || !runner.learner) return null;
    const found =
      this.practices.get(id) ??
      new Practice(
        (seed) => runner.learner!(machine, seed),
        training.decay_steps,
        (begins) => void this.run(begins ? "ends" : "stays"),
      );
    this.practices.set(id, found);
    return found;
  }

  private choose(index: number): void {
    for (const practice of this.practices.values()) practice.pause();
    this.machine = this.machines[index];
    this.size = this.machine.size;
    this.checkpoint = this.machine.checkpoints.length - 1;
    this.kind = 0;
    this.edited = false;
    // Of letters exactly one bit is 1: those are typed.
    this.grid.figure.hidden = this.machine.input !== "bits" || !!this.machine.letters;
    this.build();
  }

  private build(): void {
    const { machine } = this;
    const number = (value: number, least: number, most: number, set: (x: number) => void) => {
      const made = element("input", {
        type: "number",
        value,
        min: least,
        max: most,
        step: 1,
        required: true,
      });
      made.addEventListener("change", () => {
        if (!made.reportValidity()) return;
        set(Number(made.value));
        this.fresh();
      });
      return made;
    };
    const most = (machine.seeds ?? 2 ** 31) - 1;
    const seed = number(this.seed, 0, most, (x) => (this.seed = x));
    const another = element("button", { type: "button" }, ["Another example"], {
      click: () => {
        this.seed = this.seed >= most ? 0 : this.seed + 1;
        seed.value = `${this.seed}`;
        this.fresh();
      },
    });
    const names = this.machines.map((m) => m.name);
    const labels = machine.checkpoints.map((c) => c.label);
    this.fields.replaceChildren(
      ...(names.length > 1
        ? [
            labelled(
              "machine",
              choice(names, this.machines.indexOf(machine), (i) => {
                this.choose(i);
                void this.run();
              }),
            ),
          ]
        : []),
      ...((machine.kinds?.length ?? 0) > 1
        ? [
            labelled(
              "problem",
              choice(
                machine.kinds!.map((kind) => kind.id),
                this.kind,
                (i) => {
                  this.kind = i;
                  this.build();
                  this.fresh();
                },
              ),
            ),
          ]
        : []),
      labelled(
        "size",
        machine.sizes
          ? choice(machine.sizes.map(String), machine.sizes.indexOf(this.size), (i) => {
              this.size = machine.sizes![i];
              this.fresh();
            })
          : number(this.size, machine.smallest, machine.largest, (x) => (this.size = x)),
      ),
      labelled("seed", seed),
      ...(labels.length > 1
        ? [
            labelled(
              "checkpoint",
              choice(labels, this.checkpoint, (i) => {
                this.checkpoint = i;
                void this.run();
              }),
            ),
          ]
        : []),
      another,
    );
    const run = element("button", { type: "button", class: "primary" }, ["Run this input"], {
      click: () => this.runText(),
    });
    const bits = machine.input === "bits";
    this.say.onkeydown = (event) => {
      if (event.key === "Enter") this.runText();
    };
    const form = machine.kinds?.[this.kind].form ?? machine.form;
    const spelled = machine.letters && `letters: ${[...machine.letters].join(" ")}`;
    const own = form ?? spelled ?? "the memory, a number a cell";
    const named = `your own: ${own}`;
    this.text.rows = 8;
    this.text.title = "A line for each step";
    this.say.title = form ? `Write ${form}` : "The memory, one number a cell";
    const rows = element("details", {}, [
      element("summary", {}, ["Input as text"]),
      element("div", { class: "typed" }, [this.text, this.oneLine ? null : run]),
    ]);
    this.text.onkeydown = null;
    this.root.replaceChildren(
      element("h2", { class: "unseen" }, ["Run the machine"]),
      element("p", { class: "about" }, [machine.about ?? ""]),
      this.practice?.root ?? "",
      this.oneLine ? element("div", { class: "typed" }, [labelled(named, this.say), run]) : "",
      this.fields,
      this.grid.figure,
      bits && !this.oneLine ? rows : "",
      element("div", { class: "running" }, [this.status, this.cancel]),
    );
  }

  /** Go back to drawn examples from the user's own input. */
  private fresh(): void {
    this.edited = false;
    void this.run();
  }

  /** Start editing the input of the example shown. */
  private edits(trace: Trace): void {
    if (trace.calls) this.say.value = this.input = trace.calls.problem;
    const field = trace.example.get("inputs");
    if (!field) return;
    const numbers = Array.from(field.data);
    const width = field.axes.length > 1 ? field.shape[1] : 0;
    const kept = this.edited; // a word stays as it was typed, its bits can be pressed
    const shown = width
      ? Array.from({ length: field.shape[0] }, (_, i) =>
          numbers.slice(i * width, (i + 1) * width),
        )
      : numbers;
    this.rows = width ? (shown as number[][]) : [];
    if (kept) return;
    this.input = shown;
    const { typed } = this.machine;
    this.write(typed && !width ? typed(numbers) : shown);
  }

  private write(input: Input): void {
    if (typeof input === "string") this.say.value = input;
    else this.text.value = toText(input);
    if (this.oneLine && typeof input !== "string") {
      const cells = this.machine.input === "cells";
      this.say.value = cells ? toText(input) : "";
    }
  }

  /** Whether what a person writes is one line: cells, letters, a word, a problem. */
  private get oneLine(): boolean {
    const { input, letters, form } = this.machine;
    return input !== "bits" || letters !== undefined || form !== undefined;
  }

  private turn(step: number, channel: number): void {
    const rows = this.rows.map((row) => [...row]);
    if (!rows[step - 1]) return;
    rows[step - 1][channel] = rows[step - 1][channel] > 0.5 ? 0 : 1;
    this.rows = rows;
    this.edit(rows);
    this.write(rows);
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.run(), PATIENCE);
  }

  private runText(): void {
    try {
      const { input, kinds } = this.machine;
      const text = this.oneLine ? this.say.value : this.text.value;
      const spelled = this.oneLine && input === "bits";
      this.edit(spelled ? text : fromText(text, kinds ? "problem" : input));
      void this.run();
    } catch (error) {
      this.status.textContent = (error as Error).message;
    }
  }

  private edit(input: Input): void {
    this.input = input;
    this.edited = true;
    this.grid.redraw();
  }
}

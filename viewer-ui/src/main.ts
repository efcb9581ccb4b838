// The page: the list of traces, those that are shown, and the current step.

import { type Address, readAddress, writeAddress } from "./address";
import { TraceError } from "./checks";
import { button, choice, element, labelled } from "./dom";
import { type Events, nextOf } from "./events";
import { savePanel } from "./export";
import { Live, type Then } from "./live";
import { Keys } from "./keys";
import type { Listener } from "./panel";
import { Player } from "./player";
import { Popup } from "./popup";
import { LocalRunner } from "./machines/runner";
import { Saving } from "./saving";
import { type Machine, type Runner, Server } from "./server";
import { embedded, embeddedMachines, fromFile, type Source, traceSource } from "./sources";
import "./style.css";
import { currentTheme } from "./theme";
import { startTour } from "./tour";
import type { Trace } from "./trace";
import { Transport } from "./transport";
import { nothingYet, View } from "./view";

const SECONDS = 15; // that a run takes when it plays by itself
/** Whether a person wants things to stay as they are. */
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

class Page {
  private sources: Source[] = [];
  private views: View[] = [];
  private address: Address = readAddress(location.hash);
  private theme = currentTheme();
  private live: Live | null = null;
  private events: Events | null = null;
  private drawing = 0;
  private opening = 0;
  private begins = true; // whether what is shown next plays from its start
  /** Whether the machines are in the page, which runs them in no time. */
  private embedded = false;
  private readonly player = new Player(() => this.changed());
  private readonly transport = new Transport(this.player, {
    setHard: (hard) => this.setHard(hard),
    jump: (kind, direction) => this.jump(kind, direction),
  });
  private readonly picks = element("div", { class: "picks" });
  private readonly message = element("p", { class: "message", role: "alert", hidden: true });
  private readonly stage = element("main", { class: "stage" });
  private readonly beside = element("aside", { class: "beside", hidden: true });
  private readonly keys = new Keys();
  private readonly tour = button("Tour", "A tour of the page", () => {
    this.player.pause();
    startTour();
  });
  private readonly saving = new Saving(() => ({
    views: this.views,
    hard: this.address.hard,
    theme: this.theme,
    player: this.player,
    draw: () => this.draw(),
    say: (text) => this.say(text),
  }));
  private readonly popup = new Popup();
  private readonly file = element("input", {
    type: "file",
    hidden: true,
    multiple: true,
    "aria-label": "Trace files",
  });
  private readonly listener: Omit<Listener, "select"> = {
    point: (tip, x, y) => this.popup.point(tip, x, y),
    go: (step) => this.player.go(step),
    fold: () => this.changed(),
    save: (host) => savePanel(host, this.player.step, this.theme),
  };

  async start(): Promise<void> {
    this.build();
    this.listen();
    this.sources = embedded();
    const token = document.querySelector<HTMLMetaElement>(
      'meta[name="softmachine-live"]',
    )?.content;
    if (token) await this.connect(new Server(token));
    else await this.runEmbedded();
    if (this.sources.length) await this.open();
    else if (!this.live) this.empty();
  }

  private build(): void {
    this.file.addEventListener("change", () => {
      const files = Array.from(this.file.files ?? []);
      this.file.value = ""; // so that the same file, written anew, can be opened again
      void this.add(files);
    });
    document.body.append(
      element("header", { class: "top" }, [
        element("h1", {}, ["softmachine"]),
        this.picks,
        element("div", { class: "actions" }, [
          button("Open …", "Open trace files", () => this.file.click()),
          ...this.saving.buttons,
          this.tour,
          button("?", "Keys (?)", () => this.keys.toggle()),
        ]),
        this.file,
      ]),
      this.message,
      element("div", { class: "work" }, [this.beside, this.stage]),
      this.transport.root,
      this.keys.root,
      this.popup.root,
    );
  }

  private listen(): void {
    document.addEventListener("keydown", (event) => this.key(event));
    this.popup.listen();
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      void this.add(Array.from(event.dataTransfer?.files ?? []));
    });
    window.addEventListener("hashchange", () => {
      this.address = readAddress(location.hash);
      const { run } = this.address;
      if (this.live && run && !this.live.runs(run)) {
        this.live.take(run);
        void this.live.run();
      } else if (this.sources.length) void this.open();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.theme = currentTheme();
      this.changed();
    });
    // The layout above the bar needs the height of the bar.
    new ResizeObserver(() => {
      document.documentElement.style.setProperty(
        "--dock",
        `${this.transport.root.offsetHeight}px`,
      );
    }).observe(this.transport.root);
    window.addEventListener("resize", () => {
      this.live?.fit();
      this.changed();
    });
  }

  /** Offer the machines and traces of a server. */
  private async connect(server: Server): Promise<void> {
    try {
      const { machines, traces } = await server.machines();
      this.sources.push(...traces);
      await this.offer(server, machines);
    } catch (error) {
      this.say((error as Error).message);
    }
  }

  /** Offer the machines that are in the page. */
  private async runEmbedded(): Promise<void> {
    try {
      const machines = embeddedMachines();
      this.embedded = machines.length > 0;
      const all = machines.map(({ described }) => described);
      await this.offer(new LocalRunner(machines), all);
      Object.assign(window, { softmachine: machines }); // for tests, and for who wants to look
    } catch (error) {
      this.say((error as Error).message);
    }
  }

  private async offer(runner: Runner, machines: Machine[]): Promise<void> {
    if (!machines.length) return;
    this.live = new Live(runner, machines, (trace, then) => void this.ran(trace, then), {
      ...this.listener,
      select: () => {},
    });
    this.beside.append(this.live.root);
    this.beside.hidden = false;
    if (this.address.run) this.live.take(this.address.run);
    if (!this.sources.length) await this.live.run();
  }

  /** Show the trace of a live run, in place of that of the previous run. */
  private async ran(trace: Trace, then: Then): Promise<void> {
    const source = traceSource("live", trace);
    const at = this.sources.findIndex(({ kind }) => kind === "live");
    if (at < 0) this.sources.push(source);
    else this.sources[at] = source;
    const index = at < 0 ? this.sources.length - 1 : at;
    if (this.address.compared !== index) this.address.trace = index;
    if (this.views.length) {
      Object.assign(this.address, this.panels());
      this.begins = this.embedded && then === "plays";
      if (then === "ends") this.address.step = trace.length;
    }
    await this.open();
  }

  private async add(files: File[]): Promise<void> {
    const added: Source[] = [];
    for (const file of files) {
      const source = fromFile(file);
      try {
        await source.open();
        added.push(source);
      } catch (error) {
        this.say(`${file.name}: ${(error as Error).message}`);
      }
    }
    if (!added.length) return;
    this.sources.push(...added);
    this.address = { ...this.address, trace: this.sources.length - added.length, step: null };
    if (files.length > 1 && added.length > 1) this.address.compared = this.sources.length - 1;
    await this.open();
  }

  /** Keep the live trace, so that later runs can be compared with it. */
  private async keep(): Promise<void> {
    const { trace } = this.views[0];
    this.sources.push(traceSource("kept", trace));
    this.address.compared = this.sources.length - 1;
    await this.open();
  }

  /** Show the traces that the address names. */
  private async open(): Promise<void> {
    const turn = ++this.opening;
    const { address, sources } = this;
    if (!sources[address.trace]) address.trace = 0;
    if (address.compared !== null && !sources[address.compared]) address.compared = null;
    const wanted = [address.trace, ...(address.compared === null ? [] : [address.compared])];
    try {
      const traces = await Promise.all(wanted.map((i) => sources[i].open()));
      if (turn === this.opening) this.show(traces);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.say(
        error instanceof TraceError
          ? error.message
          : `This trace cannot be opened: ${error.message}`,
      );
      this.pick();
      if (!this.views.length) this.empty();
    }
  }

  private show(traces: Trace[]): void {
    this.message.hidden = true;
    this.events = null;
    for (const view of this.views) view.remove();
    const { without, of } = this.address;
    this.views = traces.map((trace) => new View(trace, this.listener, without));
    for (const view of this.views) for (const [axis, at] of of) view.chosen.set(axis, at);
    this.stage.replaceChildren(...this.views.map((view) => view.root));
    this.stage.classList.toggle("compared", traces.length > 1);
    document.title = `${traces[0].title} · softmachine`;
    this.transport.root.hidden = this.tour.hidden = false;
    this.pick();
    // The step in the address counts once; from then on the player has the current step.
    const begins = this.begins && this.address.step === null && !STILL.matches;
    this.begins = false;
    if (begins) this.player.step = 0;
    else this.player.step = this.address.step ?? this.player.step;
    this.address.step = null;
    this.player.setRange(
      Math.min(...this.views.map((view) => view.firstStep)),
      Math.max(...traces.map((trace) => trace.length)),
    );
    if (begins) {
      this.player.start(SECONDS);
      this.transport.showSpeed();
    }
  }

  private pick(): void {
    const names = this.sources.map((source) => source.name);
    const { trace, compared } = this.address;
    const others = ["nothing", ...names];
    const show = (change: Partial<Address>) => {
      this.address = { ...this.address, ...change };
      void this.open();
    };
    const compare = choice(others, compared === null ? 0 : compared + 1, (i) =>
      show({ compared: i ? i - 1 : null }),
    );
    const live = this.views[0] && this.sources[trace]?.kind === "live";
    this.picks.replaceChildren(
      ...(names.length > 1
        ? [
            labelled(
              "trace",
              choice(names, trace, (i) => show({ trace: i })),
            ),
            labelled("compare with", compare),
          ]
        : []),
      ...(live
        ? [
            button(
              "Keep to compare",
              "Keep this trace beside the next ones",
              () => void this.keep(),
            ),
          ]
        : []),
    );
  }

  private empty(): void {
    this.transport.root.hidden = this.tour.hidden = true;
    this.stage.replaceChildren(nothingYet());
  }

  private setHard(hard: boolean): void {
    this.address.hard = hard;
    this.events = null;
    this.changed();
  }

  /** Draw at the next animation frame, once for any number of changes. */
  private changed(): void {
    this.drawing ||= requestAnimationFrame(() => {
      this.drawing = 0;
      this.draw();
    });
  }

  private draw(): void {
    if (!this.views.length) return;
    const { step, playing } = this.player;
    const { hard } = this.address;
    for (const view of this.views) view.show({ step, hard, playing, theme: this.theme });
    const first = this.views[0];
    const both = this.views.some((view) => view.trace.hard);
    this.transport.show(this.jumps(), both ? hard : null, this.theme);
    this.live?.show({
      trace: first.trace,
      fields: first.trace.fields,
      hard: false,
      theme: this.theme,
      step: Math.min(step, first.trace.length),
    });
    document.documentElement.dataset.step = `${step}`;
    if (!playing) writeAddress({ ...this.address, ...this.panels(), step });
  }

  /** What the address says of the run and the panels. */
  private panels(): Pick<Address, "run" | "without" | "of"> {
    const [{ folded, chosen }] = this.views;
    return { run: this.live?.state ?? null, without: folded, of: chosen.all };
  }

  /** Return the steps of all views that one can jump to. */
  private jumps(): Events {
    const found = this.views.map((view) => view.events(this.address.hard));
    const all = (kind: keyof Events) =>
      [...new Set(found.flatMap((events) => events[kind]))].sort((a, b) => a - b);
    return (this.events ??= { writes: all("writes"), errors: all("errors") });
  }

  /** Go to the next or the previous step with an event of a kind. */
  private jump(kind: keyof Events, direction: 1 | -1): void {
    const step = nextOf(this.jumps()[kind], this.player.step, direction);
    if (step !== null) this.player.go(step);
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.views.length) return;
    const at = event.target as HTMLElement;
    if (document.body.classList.contains("driver-active") || this.keys.root.open) return;
    if (at.closest("select, textarea, input:not([type=range])")) return;
    const { player } = this;
    const actions: { [key: string]: () => void } = {
      ArrowLeft: () => player.go(player.step - 1),
      ArrowRight: () => player.go(player.step + 1),
      Home: () => player.go(player.first),
      End: () => player.go(player.last),
      "?": () => this.keys.toggle(),
      w: () => this.jump("writes", 1),
      W: () => this.jump("writes", -1),
      e: () => this.jump("errors", 1),
      E: () => this.jump("errors", -1),
      Escape: () => this.views.forEach((view) => view.select(null)),
    };
    // On a focused button the space bar presses that.
    if (!at.closest("button, summary")) actions[" "] = () => player.toggle();
    const act = actions[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  private say(text: string): void {
    this.message.textContent = text;
    this.message.hidden = false;
  }
}

void new Page().start();

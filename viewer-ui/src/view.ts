// One trace on the page: its heading and its panels.

import type { CallRun } from "./calls";
import { element } from "./dom";
import { errors, type Events, eventsOfCalls, writes } from "./events";
import { fieldsOf, percent, short } from "./fields";
import { withTerms } from "./glossary";
import { historyPanel } from "./history";
import { Host, type Listener, type Moment, type Place } from "./panel";
import { panelsOf } from "./panels";
import { atFirst, choices, Chosen, explained } from "./stages";
import type { Theme } from "./theme";
import type { Field, Trace } from "./trace";
import { sentenceOf } from "./words";

/** The state of the page that all views share. */
export interface Shown {
  step: number;
  hard: boolean;
  playing: boolean;
  theme: Theme;
}

/** Return what stands on a page without a trace. */
export function nothingYet(): HTMLElement {
  return element("div", { class: "empty" }, [
    element("h2", {}, ["Drop a trace here"]),
    element("p", {}, ["or open one. Make one with"]),
    element("code", {}, ["softmachine trace zoo:ntm-copy --out copy.trace"]),
  ]);
}

/** Return what a run was given, and how it ended. */
function ending(calls: CallRun): HTMLElement[] {
  return [
    element("p", { class: "facts problem" }, [`${calls.kind}: ${calls.problem || "nothing"}`]),
    element("p", { class: calls.right ? "ending" : "ending bad" }, [calls.ending]),
  ];
}

export class View {
  readonly trace: Trace;
  readonly root: HTMLElement;
  private readonly listener: Listener;
  private readonly histories = element("div", { class: "history" });
  private readonly panels = element("div", { class: "panels" });
  private readonly sentence = element("p", { class: "sentence", role: "status" });
  readonly chosen = new Chosen();
  private hosts: Host[] = [];
  private history: Host | null = null;
  private place: Place | null = null;
  private hard: boolean | null = null;
  private shown: Shown | null = null;
  private readonly jumps = new Map<boolean, Events>();
  private readonly resizing: ResizeObserver;

  private chosenAt: boolean | null = null;
  private without: Set<string>;

  /** `without`: titles of panels whose pictures are hidden at first. */
  constructor(trace: Trace, listener: Omit<Listener, "select">, without: string[] = []) {
    [this.trace, this.without] = [trace, new Set(without)];
    this.listener = { ...listener, select: (place) => this.select(place) };
    this.root = element("article", { class: "view", "aria-label": trace.title }, [
      this.heading(),
      this.sentence,
      this.panels,
      this.histories,
    ]);
    this.resizing = new ResizeObserver(() => this.fit());
    this.resizing.observe(this.root);
  }

  /** The first step: 0 if the trace has the state before step 1, else 1. */
  get firstStep(): number {
    if (this.trace.calls) return 0;
    return [...this.trace.fields.values()].some((field) => field.initial) ? 0 : 1;
  }

  /** Return the steps to jump to, of the soft or of the hard run. */
  events(wanted: boolean): Events {
    const hard = wanted && this.trace.hard !== null;
    let found = this.jumps.get(hard);
    if (!found) {
      const memory = [...fieldsOf(this.trace, hard).values()].find((f) => f.group === "memory");
      found = this.trace.calls
        ? eventsOfCalls(this.trace.calls)
        : { writes: writes(this.trace, memory), errors: errors(this.trace, hard) };
      this.jumps.set(hard, found);
    }
    return found;
  }

  show(shown: Shown): void {
    const hard = shown.hard && this.trace.hard !== null;
    if (hard !== this.hard) this.build(hard);
    this.shown = shown;
    const moment = this.moment(shown);
    for (const host of this.hosts) host.show(moment, !shown.playing);
    const said = sentenceOf(moment);
    if (this.sentence.textContent !== said) {
      this.sentence.setAttribute("aria-live", shown.playing ? "off" : "polite");
      this.sentence.replaceChildren(...withTerms(said));
    }
    this.sentence.hidden = !said;
    this.history?.show(moment, !shown.playing);
  }

  /** All visible panels, from top to bottom. */
  get visible(): Host[] {
    return this.hosts.filter((host) => host.figure.offsetParent !== null);
  }

  remove(): void {
    this.resizing.disconnect();
    for (const host of [...this.hosts, this.history]) host?.remove();
    this.root.remove();
  }

  select(place: Place | null): void {
    this.place = place;
    this.history?.remove();
    this.history = place && new Host(historyPanel(this.trace, place), this.listener);
    this.histories.replaceChildren();
    if (!this.history) return;
    const close = element(
      "button",
      { type: "button", class: "close", "aria-label": "Close the history" },
      ["×"],
      {
        click: () => this.select(null),
      },
    );
    this.histories.append(this.history.figure, close);
    if (this.shown) this.history.show(this.moment(this.shown), true);
  }

  private moment(shown: Shown): Moment {
    const { trace, hard } = this;
    const step = Math.max(this.firstStep, Math.min(shown.step, trace.length));
    return { trace, hard: !!hard, fields: fieldsOf(trace, !!hard), step, theme: shown.theme };
  }

  private heading(): HTMLElement {
    const { trace } = this;
    const { calls } = trace;
    const facts = [
      trace.machine,
      trace.task,
      trace.size === null ? "own input" : `size ${trace.size}`,
      ...(trace.seed === null ? [] : [`seed ${trace.seed}`]),
      `${trace.length} steps`,
      ...(trace.steps.length < trace.length ? [`${trace.steps.length} kept`] : []),
    ];
    const shares = new Set(trace.shares);
    const scores = trace.scores.map(([name, score]) =>
      element("span", { class: name === trace.error && score > 0 ? "bad" : "" }, [
        ...withTerms(name.replaceAll("_", " ")),
        `: ${shares.has(name) ? percent(score) : short(score)}`,
      ]),
    );
    return element("header", {}, [
      element("h2", {}, [trace.title || trace.source || "Trace"]),
      element("p", { class: "facts" }, [
        ...facts.map((fact) => element("span", {}, withTerms(fact))),
        ...scores,
      ]),
      ...(calls ? ending(calls) : []),
    ]);
  }

  private build(hard: boolean): void {
    this.hard = hard;
    const explainedFields = explained(fieldsOf(this.trace, hard));
    if (this.chosenAt === null) atFirst(explainedFields, this.chosen);
    this.chosenAt = hard;
    const { top, side, main, stages, more } = panelsOf(this.trace, hard, this.chosen);
    const make = (panels: typeof side) => panels.map((panel) => new Host(panel, this.listener));
    if (this.hosts.length) this.without = new Set(this.folded);
    const [above, aside, along, steps, folded] = [top, side, main, stages, more].map(make);
    for (const host of this.hosts) host.remove();
    this.hosts = [...above, ...aside, ...along, ...steps, ...folded];
    const figures = (hosts: Host[]) => hosts.map((host) => host.figure);
    const rest = element(
      "details",
      { class: "more" },
      [element("summary", {}, [`${folded.length} more`]), ...figures(folded)],
      { toggle: () => this.fit() },
    );
    this.panels.classList.toggle("two", aside.length > 0);
    // Of a circuit memory, circuit and program come first, of a tape what came in and out.
    const lead = this.trace.circuit ? (this.trace.program ? 3 : 2) : 1;
    this.panels.replaceChildren(
      ...(above.length ? [element("div", { class: "above" }, figures(above))] : []),
      ...(aside.length ? [element("div", { class: "side" }, figures(aside))] : []),
      element("div", { class: "main" }, [
        ...figures(along.slice(0, lead)),
        steps.length ? this.explanation(explainedFields, figures(steps)) : null,
        ...figures(along.slice(lead)),
        folded.length ? rest : null,
      ]),
    );
    for (const host of this.hosts) if (this.without.has(host.panel.title)) host.folded = true;
    const kept = this.place && fieldsOf(this.trace, hard).get(this.place.field.name);
    if (this.place) this.select(kept ? { ...this.place, field: kept } : null);
  }

  /** The pictures of equations, under a heading, and which head or gate they are of. */
  private explanation(fields: Field[], figures: HTMLElement[]): HTMLElement {
    const picks = choices(this.trace, fields, this.chosen, () => {
      for (const host of this.hosts) host.redraw();
      if (this.shown) this.show(this.shown);
      this.listener.fold?.();
    });
    return element("section", { class: "stages", "aria-label": "How it is computed" }, [
      element("header", {}, [element("h3", {}, ["How it is computed"]), picks]),
      element("div", { class: "equations" }, figures),
    ]);
  }

  /** The titles of panels whose pictures are hidden. */
  get folded(): string[] {
    return this.hosts.filter((host) => host.folded).map((host) => host.panel.title);
  }

  private fit(): void {
    for (const host of [...this.hosts, this.history]) {
      host?.fit();
      host?.redraw();
    }
  }
}

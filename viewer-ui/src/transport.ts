// The bar at the bottom: play, step, seek, jump.

import { choice, element, labelled } from "./dom";
import { meaning } from "./glossary";
import { type Events, nextOf } from "./events";
import { svgElement } from "./pen";
import { type Player, SPEEDS } from "./player";
import type { Theme } from "./theme";

/** What the page does for the bar. */
export interface Wishes {
  setHard(hard: boolean): void;
  jump(kind: keyof Events, direction: 1 | -1): void;
}

const ICONS: { [name: string]: string } = {
  play: "M5 3l9 5-9 5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  back: "M11 3L4.5 8l6.5 5z",
  step: "M5 3l6.5 5L5 13z",
  start: "M3 3h2v10H3zM13 3L6 8l7 5z",
  end: "M11 3h2v10h-2zM3 3l7 5-7 5z",
};

export function icon(name: string): SVGElement {
  const svg = svgElement("svg", {
    viewBox: "0 0 16 16",
    width: 16,
    height: 16,
    "aria-hidden": "true",
  });
  svg.append(svgElement("path", { d: ICONS[name], fill: "currentColor" }));
  return svg;
}

export class Transport {
  readonly root: HTMLElement;
  private readonly player: Player;
  private readonly wishes: Wishes;
  private readonly range = element("input", { type: "range", step: 1, "aria-label": "Step" });
  private readonly marks = element("canvas", { "aria-hidden": "true" });
  private readonly count = element("output", { class: "count", "aria-live": "polite" });
  private readonly playButton: HTMLButtonElement;
  private readonly jumpers: {
    button: HTMLButtonElement;
    kind: keyof Events;
    direction: 1 | -1;
  }[] = [];
  private readonly toggle = element("div", {
    class: "segments",
    role: "group",
    "aria-label": "Machine",
  });
  private readonly speeds: HTMLSelectElement;
  private events: Events = { writes: [], errors: [] };
  private hard: boolean | null = null;
  private theme: Theme | null = null;
  private playing = false;

  constructor(player: Player, wishes: Wishes) {
    [this.player, this.wishes] = [player, wishes];
    const press = (name: string, says: string, act: () => void) =>
      element(
        "button",
        { type: "button", class: "icon", title: says, "aria-label": says },
        [icon(name)],
        { click: act },
      );
    this.playButton = press("play", "Play (space)", () => player.toggle());
    this.range.addEventListener("input", () => player.go(Number(this.range.value)));
    this.speeds = choice(
      SPEEDS.map((speed) => `${speed} / s`),
      SPEEDS.indexOf(player.speed),
      (i) => (player.speed = SPEEDS[i]),
    );
    for (const [index, text] of ["soft", "hard"].entries()) {
      this.toggle.append(
        element(
          "button",
          { type: "button", "aria-pressed": false, title: meaning(text) ?? "" },
          [text],
          {
            click: () => wishes.setHard(index === 1),
          },
        ),
      );
    }
    this.root = element("footer", { class: "transport" }, [
      element("div", { class: "buttons" }, [
        press("start", "To the start (Home)", () => player.go(player.first)),
        press("back", "Back (←)", () => player.go(player.step - 1)),
        this.playButton,
        press("step", "Step (→)", () => player.go(player.step + 1)),
        press("end", "To the end (End)", () => player.go(player.last)),
      ]),
      element("div", { class: "scrub" }, [this.range, this.marks]),
      this.count,
      element("div", { class: "jumps" }, [
        this.jumper("writes", "write", "w"),
        this.jumper("errors", "error", "e"),
      ]),
      this.toggle,
      labelled("speed", this.speeds),
    ]);
  }

  /** Show the speed that the player has. */
  showSpeed(): void {
    this.speeds.selectedIndex = SPEEDS.indexOf(this.player.speed);
  }

  show(events: Events, hard: boolean | null, theme: Theme): void {
    const { player } = this;
    // During playback only the step changes.
    const same = events === this.events && hard === this.hard && theme === this.theme;
    const onlyStep = same && player.playing && this.playing;
    [this.events, this.hard, this.theme] = [events, hard, theme];
    this.playing = player.playing;
    if (!onlyStep) [this.range.min, this.range.max] = [`${player.first}`, `${player.last}`];
    this.range.value = `${player.step}`;
    this.count.textContent = `${player.step} / ${player.last}`;
    if (onlyStep) return;
    this.range.setAttribute("aria-valuetext", `step ${player.step} of ${player.last}`);
    this.count.setAttribute("aria-live", player.playing ? "off" : "polite");
    const name = player.playing ? "pause" : "play";
    if (this.playButton.dataset.icon !== name) {
      this.playButton.dataset.icon = name;
      this.playButton.replaceChildren(icon(name));
      const says = player.playing ? "Pause (space)" : "Play (space)";
      this.playButton.title = says;
      this.playButton.setAttribute("aria-label", says);
    }
    for (const { button, kind, direction } of this.jumpers) {
      button.disabled = nextOf(events[kind], player.step, direction) === null;
    }
    this.toggle.hidden = hard === null;
    [...this.toggle.children].forEach((one, i) =>
      one.setAttribute("aria-pressed", `${hard === (i === 1)}`),
    );
    this.drawMarks(theme);
  }

  private jumper(kind: keyof Events, one: string, key: string): HTMLElement {
    const make = (direction: 1 | -1) => {
      const says = direction > 0 ? `Next ${one} (${key})` : `Previous ${one} (Shift ${key})`;
      const made = element(
        "button",
        { type: "button", class: "icon", title: says, "aria-label": says },
        [icon(direction > 0 ? "step" : "back")],
        { click: () => this.wishes.jump(kind, direction) },
      );
      this.jumpers.push({ button: made, kind, direction });
      return made;
    };
    return element("span", { class: `jump ${kind}` }, [make(-1), one, make(1)]);
  }

  private drawMarks(theme: Theme): void {
    const { first, last } = this.player;
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [this.marks.clientWidth, this.marks.clientHeight];
    const key = [
      first,
      last,
      width,
      scale,
      theme.accent,
      this.events.writes.join(),
      this.events.errors.join(),
    ].join("|");
    if (this.marks.dataset.key === key || !width) return;
    this.marks.dataset.key = key;
    [this.marks.width, this.marks.height] = [width * scale, height * scale];
    const context = this.marks.getContext("2d")!;
    context.scale(scale, scale);
    const THUMB = 14;
    const x = (step: number) =>
      THUMB / 2 + ((width - THUMB) * (step - first)) / Math.max(1, last - first);
    context.fillStyle = theme.muted;
    for (const step of this.events.writes) context.fillRect(x(step) - 0.5, 0, 1, 4);
    context.fillStyle = theme.accent;
    for (const step of this.events.errors) context.fillRect(x(step) - 1, 5, 2, 5);
  }
}

// The buttons that save what the page shows: as SVG, as PNG, as a slide, and the run as a film.

import { button } from "./dom";
import { headingOf, save, saveFilm, toFilm } from "./export";
import type { Player } from "./player";
import type { Theme } from "./theme";
import type { View } from "./view";

const MOST_FRAMES = 240; // of a film, which takes as long to record as to see

/** What is on the page. */
export interface Shown {
  views: View[];
  hard: boolean;
  theme: Theme;
  player: Player;
  /** Draw the step that the player is at, now. */
  draw(): void;
  /** Tell a person why something cannot be done. */
  say(text: string): void;
}

export class Saving {
  private readonly shown: () => Shown;
  private readonly filming = button("Film", "Save the whole run as a WebM film", () => {
    void this.film();
  });
  readonly buttons = [
    button("SVG", "Save the view as SVG", () => this.save("svg")),
    button("PNG", "Save the view as PNG", () => this.save("png")),
    button("Slide", "Save the view as a picture of 1920 by 1080", () => this.save("slide")),
    this.filming,
  ];

  constructor(shown: () => Shown) {
    this.shown = shown;
  }

  private save(kind: "svg" | "png" | "slide"): void {
    const { views, hard, theme, player } = this.shown();
    if (views.length) void save(kind, views, hard, player.step, player.last, theme);
  }

  /** Record all steps, as they play, and offer the film. */
  private async film(): Promise<void> {
    const { views, hard, theme, player, draw, say } = this.shown();
    if (!views.length || this.filming.disabled) return;
    player.pause();
    const [{ step }, count] = [player, player.last - player.first + 1];
    const each = Math.ceil(count / MOST_FRAMES);
    const steps = Array.from({ length: Math.ceil(count / each) }, (_, i) =>
      Math.min(player.first + (i + 1) * each - 1, player.last),
    );
    this.filming.disabled = true;
    const show = (at: number) => {
      player.step = at;
      draw();
      return headingOf(views, hard, at, player.last);
    };
    try {
      saveFilm(views, await toFilm(views, steps, show, theme));
    } catch {
      say("This browser cannot record films."); // no MediaRecorder, no WebM, or no single frames
    } finally {
      this.filming.disabled = false;
      player.go(step);
    }
  }
}

// Training a machine in the page while one watches: its loss, its tests, and the run that is
// shown, made anew with every test.

import { button, element } from "../dom";
import type { Learner } from "./learner";

const SLICE = 30; // ms of training before the page may do something else
const EACH = 500; // updates from test to test
const MEAN = 100; // updates whose mean loss is a point of the curve
const [FEW, MANY] = [40, 200]; // sequences of a test, and of one that decides
const [WIDTH, HEIGHT, LEFT, BELOW] = [240, 96, 24, 16];
const SVG = "http://www.w3.org/2000/svg";

const counted = (x: number): string => x.toLocaleString("en");

export class Practice {
  readonly root: HTMLElement;
  private readonly create: (seed: number) => Learner;
  private readonly shown: (begins: boolean) => void;
  private readonly most: number;
  private readonly status = element("p", { class: "told", role: "status" });
  private readonly curve = document.createElementNS(SVG, "svg");
  private readonly line = document.createElementNS(SVG, "polyline");
  private readonly press = button("Train", "Train the machine", () => this.toggle());
  private learner: Learner;
  private seed = 1;
  private losses: number[] = [];
  private lately = 0;
  private tested = "";
  private seconds = 0;
  private timer = 0;

  /**
   * Show nothing yet.
   *
   * `create` makes a learner that begins anew, from a seed; `shown` is called whenever the
   * machine has other parameters, with whether training begins; after `most` updates it ends.
   */
  constructor(
    create: (seed: number) => Learner,
    most: number,
    shown: (begins: boolean) => void,
  ) {
    [this.create, this.most, this.shown] = [create, most, shown];
    this.learner = create(this.seed);
    this.draw();
    this.root = element("section", { class: "practice", "aria-label": "Train the machine" }, [
      element("div", { class: "running" }, [
        this.press,
        button("Begin anew", "Begin anew with other sequences", () => this.again()),
      ]),
      this.curve,
      this.status,
    ]);
    this.tell();
  }

  get trains(): boolean {
    return this.timer !== 0;
  }

  pause(): void {
    clearTimeout(this.timer);
    this.timer = 0;
    this.press.textContent = "Train";
  }

  private toggle(): void {
    if (this.trains) this.pause();
    else if (this.learner.updates < this.most) {
      this.press.textContent = "Pause";
      this.shown(true);
      this.wait();
    }
    this.tell();
  }

  private again(): void {
    this.pause();
    this.learner = this.create((this.seed += 1));
    [this.losses, this.lately, this.seconds, this.tested] = [[], 0, 0, ""];
    this.learner.keep();
    this.shown(true);
    this.tell();
  }

  private wait(): void {
    this.timer = window.setTimeout(() => this.train());
  }

  /** Train for a short while. */
  private train(): void {
    const begun = performance.now();
    let solved = false;
    let { updates } = this.learner;
    while (performance.now() - begun < SLICE && !solved && updates < this.most) {
      this.lately += this.learner.update() / MEAN;
      ({ updates } = this.learner);
      if (updates % MEAN === 0) {
        this.losses.push(this.lately);
        this.lately = 0;
      }
      if (updates % EACH === 0) solved = this.test();
    }
    this.seconds += (performance.now() - begun) / 1000;
    if (solved || updates >= this.most) this.pause();
    else this.wait();
    this.tell();
  }

  /** Test the machine, and show it; return whether it makes no mistake. */
  private test(): boolean {
    let found = this.learner.test(FEW);
    if (found.wrong === 0) found = this.learner.test(MANY);
    const { smallest, largest } = this.learner.training;
    const wrong = found.wrong === 0 ? "None" : found.wrong.toPrecision(2);
    this.tested =
      `${wrong} of ${found.bits.toFixed(0)} bits wrong in the last test, of ` +
      `${found.sequences} sequences of ${smallest} to ${largest} vectors.`;
    this.learner.keep();
    this.shown(false);
    return found.wrong === 0;
  }

  private tell(): void {
    const { updates } = this.learner;
    const speed = this.seconds > 1 ? `, ${Math.round(updates / this.seconds)} a second` : "";
    const begun = updates ? `${counted(updates)} sequences${speed}.` : "Not trained yet.";
    this.status.textContent = `${begun} ${this.tested}`;
    this.drawCurve();
  }

  /** Draw what does not change: a frame, and what the height means. */
  private draw(): void {
    const text = (x: number, y: number, said: string, anchor: string) => {
      const made = document.createElementNS(SVG, "text");
      made.setAttribute("text-anchor", anchor);
      made.setAttribute("x", `${x}`);
      made.setAttribute("y", `${y}`);
      made.textContent = said;
      return made;
    };
    const frame = document.createElementNS(SVG, "path");
    frame.setAttribute("d", `M${LEFT} 4V${HEIGHT - BELOW}H${WIDTH}`);
    this.curve.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.curve.setAttribute("role", "img");
    this.curve.append(
      frame,
      this.line,
      text(LEFT - 4, 12, "1", "end"),
      text(LEFT - 4, HEIGHT - BELOW, "0", "end"),
      text(WIDTH, HEIGHT - 3, "loss, bits for a bit; 1 is guessing", "end"),
    );
  }

  private drawCurve(): void {
    const { smallest, largest, width } = this.learner.training;
    const bits = (width * (smallest + largest)) / 2;
    const points = Math.max(this.losses.length, EACH / MEAN);
    const height = HEIGHT - BELOW - 8;
    const shares = this.losses.map((loss) => loss / Math.LN2 / bits);
    const places = shares.map((share, i) => {
      const x = LEFT + ((i + 1) / points) * (WIDTH - LEFT);
      return `${x.toFixed(1)},${(8 + height * (1 - Math.min(1, share))).toFixed(1)}`;
    });
    this.line.setAttribute("points", places.join(" "));
    const last = shares.at(-1);
    const said = last === undefined ? "nothing yet" : `now ${last.toFixed(2)}`;
    this.curve.setAttribute("aria-label", `Loss in bits for a bit, 1 is guessing: ${said}`);
  }
}

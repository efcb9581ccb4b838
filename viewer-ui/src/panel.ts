// A panel draws one moment of a trace. Its host gives it a canvas on the page, and makes the
// drawing respond to the pointer and the keyboard.

import { element } from "./dom";
import { Formula } from "./formula";
import { withTerms } from "./glossary";
import { CanvasPen, type Lettering, type Pen } from "./pen";
import type { Theme } from "./theme";
import type { Field, Fields, Trace } from "./trace";

/** What a panel is asked to draw. */
export interface Moment {
  trace: Trace;
  /** The fields of the soft or of the hard run. */
  fields: Fields;
  hard: boolean;
  step: number;
  theme: Theme;
}

/** A place whose history can be shown. */
export interface Place {
  field: Field;
  index: number;
  /** Whether the index is that of a distribution, not of a single number. */
  valued: boolean;
}

export interface Tip {
  title: string;
  /** Lines of text, or of a bar with its length in 0..1. */
  lines: { text: string; share?: number }[];
}

/** A grid of positions in a drawing that have tooltips and can be selected. */
export interface Spot {
  x: number;
  y: number;
  width: number;
  height: number;
  columns: number;
  rows: number;
  tip(column: number, row: number): Tip | null;
  place?(column: number, row: number): Place | null;
  /** In a drawing along time, the step that a click goes to. */
  step?(column: number): number;
  /** A further action of a click. */
  press?(column: number, row: number): void;
}

/** A mark for the current step in a drawing along time. */
export interface Mark {
  /** A frame, or a dot in the middle of the box. */
  shape: "frame" | "dot";
  /** Return its box at a step; null if that is out of sight. */
  at(step: number): Box | null;
}

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Drawing extends Moment {
  pen: Pen;
  width: number;
  spots: Spot[];
  marks: Mark[];
}

export interface Panel {
  title: string;
  /** A line that describes what the panel shows. */
  note: string;
  /** Whether the panel may be put beside another one. */
  narrow?: boolean;
  /** How what is shown is computed: TeX, and which entry of the first axis it is of. */
  formula?: { tex: string; chosen: () => number };
  /** Return the least width of the drawing; in a narrower place it scrolls. */
  leastWidth?(moment: Moment): number;
  /** Return the height that the drawing needs at a width. */
  height(moment: Moment, width: number): number;
  draw(drawing: Drawing): void;
  /** Return a key of everything drawn except marks: if it stays the same, only these move. */
  still?(moment: Moment, width: number): string;
  /** Return a description of what is drawn, for screen readers. */
  describe(moment: Moment): string;
}

/** What the page does when a host reports an event. */
export interface Listener {
  point(tip: Tip | null, x: number, y: number): void;
  select(place: Place): void;
  go(step: number): void;
  /** A panel was opened or closed. */
  fold?(): void;
  /** Save a panel as SVG. */
  save?(host: Host): void;
}

interface Cursor {
  spot: number;
  column: number;
  row: number;
}

const clamp = (x: number, low: number, high: number) => Math.max(low, Math.min(high, x));

/** A panel on the page. */
export class Host {
  readonly panel: Panel;
  readonly figure: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  private readonly listener: Listener;
  private moment: Moment | null = null;
  private spots: Spot[] = [];
  private marks: Mark[] = [];
  private still: string | null = null;
  private readonly marked = element("div", { class: "marks", "aria-hidden": "true" });
  private cursor: Cursor | null = null;
  private seen = true; // until the observer says otherwise
  private readonly seeing: IntersectionObserver;
  private readonly formula: Formula | null;
  private width = 0;
  private height = 0;

  constructor(panel: Panel, listener: Listener) {
    this.panel = panel;
    this.listener = listener;
    this.canvas = element("canvas", { tabindex: 0, role: "img" });
    this.formula = panel.formula ? new Formula(panel.formula.tex) : null;
    const kind = panel.narrow ? "panel narrow" : "panel";
    this.figure = element("figure", { class: kind, "data-panel": panel.title }, [
      element("figcaption", {}, [
        this.heading(),
        element("span", {}, withTerms(panel.note)),
        this.saving(),
      ]),
      this.formula && this.formula.root,
      element("div", { class: "scrolled" }, [this.canvas, this.marked]),
    ]);
    this.seeing = new IntersectionObserver(
      (changes) => {
        this.seen = changes[changes.length - 1].isIntersecting;
        if (this.seen) this.redraw();
      },
      { rootMargin: "40px" },
    );
    this.seeing.observe(this.canvas);
    this.listen();
  }

  /** Whether the panel's picture is hidden, its heading left. */
  get folded(): boolean {
    return this.figure.classList.contains("folded");
  }

  set folded(folded: boolean) {
    this.figure.classList.toggle("folded", folded);
    this.figure.querySelector("h3 button")!.setAttribute("aria-expanded", `${!folded}`);
    this.fit();
    if (!folded) this.redraw();
  }

  private heading(): HTMLElement {
    const press = () => {
      this.folded = !this.folded;
      this.listener.fold?.();
    };
    const name = element("button", { type: "button", "aria-expanded": "true" }, [
      this.panel.title,
    ]);
    name.addEventListener("click", press);
    return element("h3", {}, [name]);
  }

  private saving(): HTMLElement | null {
    if (!this.listener.save) return null;
    const says = `Save ${this.panel.title} as SVG`;
    return element(
      "button",
      { type: "button", class: "save", title: says, "aria-label": says },
      ["SVG"],
      { click: () => this.listener.save?.(this) },
    );
  }

  /** Stop observing whether the panel is visible. */
  remove(): void {
    this.seeing.disconnect();
  }

  /** Draw a moment; describe it in words as well, except while playing. */
  show(moment: Moment, inWords: boolean): void {
    this.moment = moment;
    if (this.seen && this.still !== null && this.still === this.stillness()) this.placeMarks();
    else if (this.seen) this.redraw();
    this.formula?.show(moment, this.panel.formula!.chosen());
    if (inWords) this.describe();
  }

  /** Measure the available space again. */
  fit(): void {
    this.width = 0;
  }

  redraw(): void {
    if (!this.moment) return;
    if (!this.width) this.width = this.canvas.parentElement!.clientWidth;
    if (!this.width) return; // folded away
    const least = this.panel.leastWidth?.(this.moment) ?? 0;
    if (least > this.width) this.width = least;
    const height = this.panel.height(this.moment, this.width);
    const scale = window.devicePixelRatio || 1;
    const [pixels, lines] = [Math.round(this.width * scale), Math.round(height * scale)];
    if (
      this.canvas.width !== pixels ||
      this.canvas.height !== lines ||
      height !== this.height
    ) {
      [this.canvas.width, this.canvas.height] = [pixels, lines];
      this.canvas.style.width = `${this.width}px`;
      this.canvas.style.height = `${height}px`;
      this.height = height;
    }
    const context = this.canvas.getContext("2d")!;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, this.width, height);
    const pen = new CanvasPen(context);
    const drawing = this.drawing(pen, this.width);
    this.panel.draw(drawing);
    [this.spots, this.marks] = [drawing.spots, drawing.marks];
    this.still = this.stillness();
    this.placeMarks();
    this.drawCursor(pen);
  }

  /** Draw with another pen, at the size on the page. */
  drawWith(pen: Pen, width: number): void {
    if (!this.moment) return;
    const drawing = this.drawing(pen, width);
    this.panel.draw(drawing);
    const { accent, ink } = this.moment.theme;
    for (const { shape, at } of drawing.marks) {
      const box = at(this.moment.step);
      if (!box) continue;
      const { x, y, width, height } = box;
      if (shape === "frame") pen.rect(x, y, width, height, { stroke: accent, width: 1.5 });
      else pen.circle(x + width / 2, y + height / 2, width / 2, { fill: ink });
    }
  }

  private stillness(): string | null {
    if (!this.width || !this.panel.still) return null;
    return `${window.devicePixelRatio} ${this.panel.still(this.moment!, this.width)}`;
  }

  private drawing(pen: Pen, width: number): Drawing {
    return { ...this.moment!, pen, width, spots: [], marks: [] };
  }

  /** Show the marks of the current step, which lie over the canvas and move without drawing. */
  private placeMarks(): void {
    while (this.marked.childElementCount > this.marks.length) this.marked.lastChild!.remove();
    this.marks.forEach(({ shape, at }, i) => {
      const made = (this.marked.children[i] ??
        this.marked.appendChild(element("i"))) as HTMLElement;
      const box = at(this.moment!.step);
      made.hidden = box === null;
      made.className = shape;
      if (!box) return;
      made.style.transform = `translate(${box.x}px, ${box.y}px)`;
      made.style.width = `${box.width}px`;
      made.style.height = `${box.height}px`;
    });
  }

  private describe(): void {
    const words = `${this.panel.title}. ${this.panel.describe(this.moment!)}`;
    if (this.canvas.getAttribute("aria-label") !== words) {
      this.canvas.setAttribute("aria-label", words);
    }
  }

  private drawCursor(pen: Pen): void {
    const spot = this.cursor && this.spots[this.cursor.spot];
    if (!spot || !this.cursor) return;
    const [width, height] = [spot.width / spot.columns, spot.height / spot.rows];
    const x = spot.x + Math.min(this.cursor.column, spot.columns - 1) * width;
    const y = spot.y + Math.min(this.cursor.row, spot.rows - 1) * height;
    const { accent } = this.moment!.theme;
    pen.rect(x - 1, y - 1, width + 2, height + 2, { stroke: accent, width: 1.5, radius: 2 });
  }

  private listen(): void {
    const canvas = this.canvas;
    canvas.addEventListener("pointermove", (event) => {
      this.moveTo(this.find(event), event.clientX, event.clientY);
    });
    canvas.addEventListener("pointerleave", () => this.moveTo(null, 0, 0));
    canvas.addEventListener("blur", () => this.moveTo(null, 0, 0));
    canvas.addEventListener("click", (event) => {
      const cursor = this.find(event);
      if (cursor) this.choose(cursor);
    });
    canvas.addEventListener("keydown", (event) => {
      if (event.shiftKey && event.key.startsWith("Arrow")) this.step(event.key);
      else if (event.key === "Enter" && this.cursor) this.choose(this.cursor);
      else {
        if (event.key === "Escape") this.moveTo(null, 0, 0);
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    });
  }

  private find(event: MouseEvent): Cursor | null {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    // What was drawn last lies on top.
    for (let i = this.spots.length - 1; i >= 0; i--) {
      const s = this.spots[i];
      if (x < s.x || y < s.y || x >= s.x + s.width || y >= s.y + s.height) continue;
      const column = Math.floor(((x - s.x) / s.width) * s.columns);
      return { spot: i, column, row: Math.floor(((y - s.y) / s.height) * s.rows) };
    }
    return null;
  }

  private step(key: string): void {
    const cursor = this.cursor ?? { spot: 0, column: -1, row: 0 };
    const spot = this.spots[cursor.spot];
    if (!spot) return;
    let { column, row } = cursor;
    if (key === "ArrowLeft") column--;
    if (key === "ArrowRight") column++;
    if (key === "ArrowUp") row--;
    if (key === "ArrowDown") row++;
    const inside = column >= 0 && row >= 0 && column < spot.columns && row < spot.rows;
    let next: Cursor = { spot: cursor.spot, column, row };
    if (!inside) {
      const along = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
      next = { spot: clamp(cursor.spot + along, 0, this.spots.length - 1), column: 0, row: 0 };
      if (next.spot === cursor.spot) return;
    }
    const [s, box] = [this.spots[next.spot], this.canvas.getBoundingClientRect()];
    const x = box.left + s.x + ((next.column + 0.5) * s.width) / s.columns;
    this.moveTo(next, x, box.top + s.y + ((next.row + 0.5) * s.height) / s.rows);
  }

  private moveTo(cursor: Cursor | null, x: number, y: number): void {
    const same = JSON.stringify(cursor) === JSON.stringify(this.cursor);
    this.cursor = cursor;
    const spot = cursor && this.spots[cursor.spot];
    const tip = spot ? spot.tip(cursor.column, cursor.row) : null;
    this.listener.point(tip, x, y);
    const chosen = spot && (spot.place || spot.step || spot.press);
    this.canvas.style.cursor = chosen ? "pointer" : "";
    if (!same) this.redraw();
  }

  private choose(cursor: Cursor): void {
    const spot = this.spots[cursor.spot];
    const place = spot.place?.(cursor.column, cursor.row);
    spot.press?.(cursor.column, cursor.row);
    if (spot.press) this.redraw();
    if (spot.step) this.listener.go(spot.step(cursor.column));
    // What was told is told by the history now; what was pressed may hold something else.
    if (place || spot.press) this.listener.point(null, 0, 0);
    if (place) this.listener.select(place);
  }
}

/** The font of small labels. */
export function small(theme: Theme, align: "left" | "center" | "right" = "left"): Lettering {
  return { size: 11, fill: theme.muted, font: theme.sans, align };
}

/** The font of numbers. */
export function figures(theme: Theme, align: "left" | "center" | "right" = "left"): Lettering {
  return { size: 12, fill: theme.ink, font: theme.mono, align };
}

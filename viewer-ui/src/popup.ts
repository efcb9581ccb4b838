// Tips: what is at a place of a picture, and what words mean.

import { element } from "./dom";
import type { Tip } from "./panel";

export class Popup {
  readonly root = element("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  private explaining = false;

  /** Explain words that are pointed at, or have the focus. */
  listen(): void {
    for (const kind of ["pointerover", "focusin"]) {
      document.addEventListener(kind, ({ target }) => this.explain(target as HTMLElement));
    }
  }

  /** Show what a word means, when it is pointed at or has the focus. */
  private explain(at: HTMLElement): void {
    const word = at.closest?.<HTMLElement>(".term");
    if (!word) {
      if (this.explaining) this.point(null, 0, 0);
      this.explaining = false;
      return;
    }
    this.explaining = true;
    const box = word.getBoundingClientRect();
    const tip = { title: word.textContent ?? "", lines: [{ text: word.dataset.tip ?? "" }] };
    this.point(tip, box.left - 12, box.bottom - 8);
  }

  /** Show a tip at a place; null hides it. */
  point(tip: Tip | null, x: number, y: number): void {
    this.root.hidden = tip === null;
    if (!tip) return;
    this.root.replaceChildren(
      element("strong", {}, [tip.title]),
      ...tip.lines.map(({ text, share }) => {
        const line = element("div", {}, [element("span", {}, [text])]);
        if (share !== undefined) {
          const bar = element("i");
          bar.style.width = `${Math.round(Math.max(0, Math.min(1, share)) * 72)}px`;
          line.prepend(bar);
        }
        return line;
      }),
    );
    const box = this.root.getBoundingClientRect();
    const left = x + 16 + box.width > innerWidth ? x - 12 - box.width : x + 16;
    this.root.style.left = `${Math.max(4, left)}px`;
    this.root.style.top = `${Math.max(4, Math.min(y + 14, innerHeight - box.height - 4))}px`;
  }
}

// The keys of the page, in a dialog that `?` opens.

import { button, element } from "./dom";

const KEYS: [string, string][] = [
  ["→ ←", "a step on, a step back"],
  ["space", "play, pause"],
  ["Home End", "to the start, to the end"],
  ["w e", "to the next write, to the next error; with Shift, the one before"],
  ["Tab", "to the next panel, or the next word with a tip"],
  ["Shift → ← ↑ ↓", "a place in a panel; Enter shows its history"],
  ["Esc", "closes the history, the tour, this list"],
  ["?", "this list"],
];

export class Keys {
  readonly root = element("dialog", { class: "keys", "aria-label": "Keys" });

  constructor() {
    this.root.append(
      element("h2", {}, ["Keys"]),
      element(
        "dl",
        {},
        KEYS.map(([keys, does]) =>
          element("div", {}, [
            element(
              "dt",
              {},
              keys.split(" ").map((key) => element("kbd", {}, [key])),
            ),
            element("dd", {}, [does]),
          ]),
        ),
      ),
      button("Close", "Close the list of keys", () => this.root.close()),
    );
  }

  toggle(): void {
    if (this.root.open) this.root.close();
    else this.root.showModal();
  }
}

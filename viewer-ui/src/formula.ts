// Formulas of fields, with the numbers of a step in them.

import known from "virtual:formulas";
import { element } from "./dom";
import { entry, lastOf, short } from "./fields";
import type { Moment } from "./panel";

/** A formula on the page. */
export class Formula {
  readonly root = element("div", { class: "formula" });
  private readonly places = new Map<string, Element>();

  constructor(tex: string) {
    const math = known[tex];
    if (!math) {
      this.root.textContent = tex;
      return;
    }
    // What is put in here was made when the page was built; traces name it, and no more.
    this.root.innerHTML = math;
    for (const text of this.root.querySelectorAll("mtext")) {
      const field = /^⟨([\w-]+)⟩$/.exec(text.textContent ?? "");
      if (!field) continue;
      text.classList.add("value");
      this.places.set(field[1].replaceAll("-", "_"), text);
    }
  }

  /** Show what the fields hold at a step, of the entry of the first axis that was chosen. */
  show(moment: Moment, chosen: number): void {
    for (const [name, place] of this.places) place.textContent = numbers(moment, name, chosen);
  }
}

function numbers({ trace, fields, step }: Moment, name: string, chosen: number): string {
  const field = fields.get(name);
  const at = field && entry(trace, field, step);
  if (!field || !at || step < 1) return "…";
  if (field.axes.length < 2) return short(at.data[at.first + chosen]);
  const count = lastOf(field);
  const first = at.first + chosen * count;
  const all = Array.from({ length: count }, (_, i) => short(at.data[first + i]));
  return `(${all.join(", ")})`;
}

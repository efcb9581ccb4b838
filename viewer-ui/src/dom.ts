// Building elements. Text is always set as text: names and labels come from traces.

type Child = Node | string | null;
type Handlers = { [name: string]: (event: Event) => void };

/** Return an element; of its `attributes`, true ones have no value and false ones are left out. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: { [name: string]: string | number | boolean } = {},
  children: Child[] = [],
  handlers: Handlers = {},
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false) made.setAttribute(name, String(value));
  }
  for (const child of children) if (child !== null) made.append(child);
  for (const [name, handler] of Object.entries(handlers)) made.addEventListener(name, handler);
  return made;
}

/** Return a button with an accessible name. */
export function button(text: string, name: string, press: () => void): HTMLButtonElement {
  // What is read out has to hold what is seen.
  const said = name.includes(text) ? name : `${text}: ${name}`;
  return element("button", { type: "button", title: name, "aria-label": said }, [text], {
    click: press,
  });
}

let controls = 0;

/** Return a control beside its label. */
export function labelled(text: string, control: HTMLElement): HTMLElement {
  control.id ||= `control-${++controls}`;
  return element("span", { class: "labelled" }, [
    element("label", { for: control.id }, [text]),
    control,
  ]);
}

/** Return a drop-down list of names; `change` is called with the index chosen. */
export function choice(
  names: string[],
  chosen: number,
  change: (index: number) => void,
): HTMLSelectElement {
  const options = names.map((name, i) =>
    element("option", { value: i, selected: i === chosen }, [name]),
  );
  const made = element("select", {}, options);
  made.addEventListener("change", () => change(made.selectedIndex));
  return made;
}

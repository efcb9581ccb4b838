// The state of the page in the address's fragment, so that links lead back to it.

export interface Address {
  trace: number;
  compared: number | null;
  step: number | null;
  hard: boolean;
}

/** Parse the state from a fragment; malformed parts are ignored. */
export function readAddress(hash: string): Address {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const whole = (name: string) => {
    const value = said.get(name);
    return value !== null && /^\d{1,7}$/.test(value) ? Number(value) : null;
  };
  return {
    trace: whole("trace") ?? 0,
    compared: whole("with"),
    step: whole("step"),
    hard: said.get("machine") === "hard",
  };
}

/** Write the state into the address. */
export function writeAddress({ trace, compared, step, hard }: Address): void {
  const said = new URLSearchParams({ step: `${step ?? 0}` });
  if (trace) said.set("trace", `${trace}`);
  if (compared !== null) said.set("with", `${compared}`);
  if (hard) said.set("machine", "hard");
  try {
    history.replaceState(null, "", `#${said}`);
  } catch {
    // A page inside an iframe (a notebook's output) may not have an address of its own.
  }
}

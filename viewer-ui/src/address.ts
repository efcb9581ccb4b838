// The address says what is shown, so that a link leads back to it.

export interface Address {
  trace: number;
  compared: number | null;
  step: number | null;
  hard: boolean;
}

/** Return what an address asks for; what it does not say well is left out. */
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

/** Say in the address what is shown. */
export function writeAddress({ trace, compared, step, hard }: Address): void {
  const said = new URLSearchParams({ step: `${step ?? 0}` });
  if (trace) said.set("trace", `${trace}`);
  if (compared !== null) said.set("with", `${compared}`);
  if (hard) said.set("machine", "hard");
  try {
    history.replaceState(null, "", `#${said}`);
  } catch {
    // A page inside another one (a notebook's output) has no address of its own.
  }
}

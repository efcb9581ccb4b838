// The state of the page in the address's fragment, so that links lead back to it.

export interface Address {
  trace: number;
  compared: number | null;
  step: number | null;
  hard: boolean;
  /** Of a machine that the page or its server runs: which, and on what. */
  run: RunAddress | null;
  /** Titles of panels whose pictures are hidden. */
  without: string[];
  /** Which head, gate, ... the equations are of: axis and index. */
  of: [string, number][];
}

export interface RunAddress {
  machine: number;
  size: number | null;
  seed: number;
  /** What a person typed: a word, or numbers; null: an example. */
  word: string | null;
  numbers: number[] | number[][] | null;
}

const LONGEST = 4000; // letters of an input that an address holds

/** Parse the state from a fragment; malformed parts are ignored. */
export function readAddress(hash: string): Address {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const whole = (name: string) => {
    const value = said.get(name);
    return value !== null && /^\d{1,7}$/.test(value) ? Number(value) : null;
  };
  const known = ["run", "size", "seed", "word", "input"].some((name) => said.has(name));
  return {
    trace: whole("trace") ?? 0,
    compared: whole("with"),
    step: whole("step"),
    hard: said.get("machine") === "hard",
    run: known
      ? {
          machine: whole("run") ?? 0,
          size: whole("size"),
          seed: whole("seed") ?? 0,
          word: said.get("word"),
          numbers: readNumbers(said.get("input")),
        }
      : null,
    without: (said.get("without") ?? "").split("~").filter(Boolean),
    of: (said.get("of") ?? "").split("~").flatMap((one): [string, number][] => {
      const found = /^(.+)=(\d{1,6})$/.exec(one);
      return found ? [[found[1], Number(found[2])]] : [];
    }),
  };
}

/** Write the state into the address. */
export function writeAddress(address: Address): void {
  const { trace, compared, step, hard, run, without, of } = address;
  const said = new URLSearchParams({ step: `${step ?? 0}` });
  if (trace) said.set("trace", `${trace}`);
  if (compared !== null) said.set("with", `${compared}`);
  if (hard) said.set("machine", "hard");
  if (run) {
    if (run.machine) said.set("run", `${run.machine}`);
    if (run.word !== null) said.set("word", run.word.slice(0, LONGEST));
    else if (run.numbers !== null) {
      const text = numbersText(run.numbers);
      if (text.length < LONGEST) said.set("input", text);
    } else {
      said.set("size", `${run.size}`);
      said.set("seed", `${run.seed}`);
    }
  }
  if (without.length) said.set("without", without.join("~"));
  if (of.length) said.set("of", of.map(([axis, index]) => `${axis}=${index}`).join("~"));
  try {
    history.replaceState(null, "", `#${said}`);
  } catch {
    // A page inside an iframe (a notebook's output) may not have an address of its own.
  }
}

/** Cells as `4.2.7`, steps of bits as `0110_1010`, steps of other numbers as `0.5*1_2*3`. */
function numbersText(numbers: number[] | number[][]): string {
  if (!Array.isArray(numbers[0])) return (numbers as number[]).join(".");
  const rows = numbers as number[][];
  const bits = rows.flat().every((x) => x === 0 || x === 1);
  return rows.map((row) => row.join(bits ? "" : "*")).join("_");
}

function readNumbers(text: string | null): number[] | number[][] | null {
  if (!text || !/^[\d.*_e+-]+$/.test(text)) return null;
  if (!text.includes("_")) return text.split(".").map(Number);
  const rows = text.split("_");
  return rows.map((row) => (row.includes("*") ? row.split("*") : [...row]).map(Number));
}

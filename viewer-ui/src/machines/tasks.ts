// What a person types for a task, and its right answer where this page knows it: for other
// tasks nothing is scored. As in tasks/memories and tasks/sequences/copy.py.

/** A memory that a person's own list becomes, and its answer. */
export interface MemoryTask {
  /** How a person writes an input. */
  form: string;
  /** Return the memory for what was typed; by default that is the memory. */
  layOut?(list: number[]): number[];
  /** Return what a person would have typed for a memory; by default that is the memory. */
  typed?(memory: number[]): number[];
  labels(memory: number[]): string[];
  /** Return the first scored cell and the values from there on; null: not of this task. */
  solve(memory: number[]): [number, number[]] | null;
  /** Labels of the cells that hold the address of another cell. */
  addresses?: string[];
}

const numbered = (name: string, count: number): string[] =>
  Array.from({ length: Math.max(0, count) }, (_, i) => `${name}${i}`);

function untilNull(memory: number[], first: number): number {
  const end = memory.indexOf(0, first);
  return Math.max(0, (end < 0 ? memory.length : end) - first);
}

function labelled(cells: number, ...spans: [number, string[]][]): string[] {
  const labels = Array.from({ length: cells }, () => "");
  for (const [first, names] of spans) {
    names.forEach((name, i) => {
      if (first + i >= 0 && first + i < cells) labels[first + i] = name;
    });
  }
  return labels;
}

/** Return a list of values with zeros behind it: so many that all values are below the number. */
function padded(list: number[], least: number): number[] {
  const cells = Math.max(list.length, least, ...list.map((x) => x + 1));
  return [...list, ...Array.from({ length: cells - list.length }, () => 0)];
}

/** Return a memory without the zeros behind it. */
function stripped(memory: number[]): number[] {
  return memory.slice(0, memory.findLastIndex((x) => x !== 0) + 1);
}

const listOf = (list: number[]): number[] => {
  if (!list.length || list.some((x) => x < 1)) throw new Error("Values are 1 or more.");
  return list;
};

function arrayToPointer(written: (array: number[]) => number[]): MemoryTask {
  return {
    form: "a list, such as 4 2 7",
    layOut: (list) => padded([listOf(list).length + 1, ...list], 2 * list.length + 1),
    typed: (memory) => memory.slice(1, memory[0]),
    labels: (memory) =>
      labelled(memory.length, [
        0,
        ["p", ...numbered("A", memory[0] - 1), ...numbered("out", memory[0] - 1)],
      ]),
    solve: (memory) => {
      const size = memory[0] - 1;
      if (size < 1 || memory[0] + size > memory.length) return null;
      return [memory[0], written(memory.slice(1, memory[0]))];
    },
    addresses: ["p"],
  };
}

/** Tasks on memories, by their registered names. */
export const MEMORIES: { [kind: string]: MemoryTask } = {
  "memory-copy": arrayToPointer((array) => array),
  "memory-reverse": arrayToPointer((array) => array.toReversed()),
  "memory-increment": {
    form: "a list, such as 4 2 7",
    // So large that no value becomes 0.
    layOut: (list) => padded(listOf(list), Math.max(list.length, ...list) + 2),
    typed: stripped,
    labels: (memory) =>
      labelled(memory.length, [0, [...numbered("A", untilNull(memory, 0)), "end"]]),
    solve: (memory) => [
      0,
      memory.slice(0, untilNull(memory, 0)).map((x) => (x + 1) % memory.length),
    ],
  },
  "memory-access": {
    form: "k, then a list: 2 5 3 4 asks for the value in cell 2",
    layOut: (list) => padded(list, list.length + 1),
    typed: stripped,
    labels: (memory) =>
      labelled(memory.length, [0, ["k", ...numbered("A", untilNull(memory, 1)), "end"]]),
    solve: (memory) => [0, [memory[memory[0]]]],
    addresses: ["k"],
  },
  "memory-swap": {
    form: "p, q, then a list: 2 4 5 3 1 swaps cells 2 and 4",
    layOut: (list) => padded(list, list.length + 1),
    typed: stripped,
    labels: (memory) =>
      labelled(memory.length, [0, ["p", "q", ...numbered("A", untilNull(memory, 2)), "end"]]),
    solve: (memory) => {
      const [p, q] = memory;
      const end = untilNull(memory, 2) + 2;
      if (!(p >= 2 && p < end && q >= 2 && q < end)) return null;
      const swapped = [...memory];
      [swapped[p], swapped[q]] = [memory[q], memory[p]];
      return [2, swapped.slice(2, end)];
    },
    addresses: ["p", "q"],
  },
};

/** A task that a person's examples define: lists in memories at least as large as in training,
 * that hold an answer which exceeds its list by some factor, a fraction. As tasks/memories/given.py. */
export function givenTask([by, of]: number[], cells: number): MemoryTask {
  return {
    form: "a list, such as 4 2 7 1",
    layOut(list) {
      const extent = Math.max(1, stripped(list).length - 1, ...list);
      return padded(list, Math.max(cells, 1 + Math.ceil((by * extent) / of)));
    },
    typed: stripped,
    labels: (memory) => memory.map(() => ""),
    solve: () => null,
  };
}

/** A task on bits of which a person may type a word. */
export interface SequenceTask {
  form: string;
  /** Return the inputs for a word. */
  spell(word: string, width: number): number[][];
  /** Return targets and where they count; null: not of this task. */
  answer(inputs: number[][], outputs: number): { targets: number[][]; mask: number[][] } | null;
}

const LETTER = 8; // bits

export const SEQUENCES: { [kind: string]: SequenceTask } = {
  copy: {
    form: "a word, a letter a vector",
    spell(word, width) {
      const channels = width - 1; // the last one is the delimiter
      if (!word || [...word].some((x) => x.charCodeAt(0) >= 2 ** Math.min(channels, LETTER))) {
        throw new Error("Letters, digits and signs of English alone.");
      }
      const letters = [...word].map((x) => {
        const code = x.charCodeAt(0);
        const bits = Array.from({ length: channels }, (_, i) => (code >> (LETTER - 1 - i)) & 1);
        return [...bits, 0];
      });
      const empty = () => Array.from({ length: width }, () => 0);
      const delimiter = empty();
      delimiter[channels] = 1;
      return [...letters, delimiter, ...letters.map(empty)];
    },
    answer(inputs, outputs) {
      const size = Math.floor(inputs.length / 2);
      const fits = inputs.every((row, step) =>
        row.every((x, i) =>
          i === outputs ? x === Number(step === size) : x === 0 || (x === 1 && step < size),
        ),
      );
      if (!fits || size < 1 || inputs.length !== 2 * size + 1) return null;
      const zeros = Array.from({ length: outputs }, () => 0);
      const ones = zeros.map(() => 1);
      return {
        targets: inputs.map((_, i) =>
          i > size ? inputs[i - size - 1].slice(0, outputs) : zeros,
        ),
        mask: inputs.map((_, i) => (i > size ? ones : zeros)),
      };
    },
  },
};

/** Return a row of bits as the letter that they spell; empty if they spell none. */
export function letterOf(bits: ArrayLike<number>): string {
  if (bits.length !== LETTER) return "";
  let code = 0;
  for (let i = 0; i < LETTER; i++) code = 2 * code + Number(bits[i] > 0.5);
  return code > 32 && code < 127 ? String.fromCharCode(code) : "";
}

/** Counting languages, as in tasks/languages/counting.py: how many of each letter a string has, in
 * terms of two numbers n and m. */
const LANGUAGES: { [name: string]: [number[], number[]] } = {
  "an-bn": [
    [1, 1],
    [0, 0],
  ],
  "an-bn-cn": [
    [1, 1, 1],
    [0, 0, 0],
  ],
  "an-bn-cn-dn": [
    [1, 1, 1, 1],
    [0, 0, 0, 0],
  ],
  "an-b2n": [
    [1, 2],
    [0, 0],
  ],
  "an-bm-cnm": [
    [1, 0, 1],
    [-1, 1, 0],
  ],
  "an-bm-cn-dm": [
    [1, 0, 1, 0],
    [-1, 1, -1, 1],
  ],
};

/** Return the next letter of each step and where it can be known; null: not of the language. */
export function nextLetters(
  language: string,
  word: string,
): { targets: number[]; mask: number[] } | null {
  const found = LANGUAGES[language];
  if (!found) return null;
  const [ofN, ofM] = found;
  const alphabet = [..."abcd"].slice(0, ofN.length);
  const two = ofM.some((x) => x !== 0);
  const mask: number[] = [];
  for (let rest = word; rest;) {
    const blocks = new RegExp(`^${alphabet.map((x) => `(${x}+)`).join("")}`).exec(rest);
    if (!blocks) return null;
    const counts = blocks.slice(1).map((block) => block.length);
    const [n, m] = two ? [counts[0] + counts[1], counts[1]] : [counts[0], 0];
    if (counts.some((count, i) => count !== ofN[i] * n + ofM[i] * m)) return null;
    const string = blocks[0];
    mask.push(...[...string].map((x) => Number(alphabet.indexOf(x) >= (two ? 2 : 1))));
    rest = rest.slice(string.length);
  }
  const after = [...word.slice(1), word[0]].map((x) => alphabet.indexOf(x));
  return { targets: after.map((x, i) => x * mask[i]), mask };
}

// Words that are not everyday language, each with a sentence; on the page they have tips.

import { element } from "./dom";

const GLOSSARY: { [word: string]: string } = {
  size: "How hard the example is, as its task counts it: the length of a sequence or of a list.",
  seed: "The number that examples are drawn from: the same seed gives the same example.",
  soft: "As the machine was trained: it attends to several places at once, to some more than to others.",
  hard: "Every choice replaced by its most likely one: the machine is at one place at a time.",
  perfect: "The share of examples without a mistake; of one example 100 % or 0 %.",
  willing: "How likely the machine would stop after this step.",
  entropy: "How unsure the machine is of its choices, all added up; 0 is sure.",
  head: "What reads or writes the memory at one place, or at several, some more than others.",
  heads: "What read or write the memory, each at one place, or at several.",
  weighting: "How much a head attends to each row of the memory; it adds up to 1.",
  weightings: "How much each head attends to each row of the memory; they add up to 1.",
  controller: "The trained network inside the machine, which says what to do in a step.",
  circuit: "Which gate takes which values, as the controller wired them for this step.",
  registers: "The few values that the machine keeps from step to step, besides its memory.",
  register: "One of the few values that the machine keeps from step to step.",
  gates: "Small fixed functions, such as adding two numbers or reading a cell.",
  gate: "A small fixed function; of a head, how much it goes by content.",
  tapes: "What came in and went out, step by step.",
  delimiter: "A mark that says: this was all, now answer.",
  key: "The content that a head looks for.",
  checkpoint: "The machine as it was at some time of its training.",
  pointer: "A number that says which cell is meant.",
  bits: "How surprised the machine is by the right answer: 0 is not at all.",
  trace: "All that could be seen of one run, step by step.",
  "=>": "The call that stands above ends here, and this one takes its place: it returns to where that one would have.",
  program: "What the hard machine does, written as code: extracted, not written by hand.",
};

/** Return a text with its uncommon words marked: pointed at, or with Tab, they explain themselves. */
export function withTerms(text: string): (string | HTMLElement)[] {
  const seen = new Set<string>();
  return text.split(/(\w+|=>)/).map((word) => {
    const said = GLOSSARY[word.toLowerCase()];
    if (!said || seen.has(word)) return word;
    seen.add(word);
    return term(word, said);
  });
}

/** Return a word with a tip. */
export function term(word: string, said = GLOSSARY[word.toLowerCase()]): HTMLElement {
  return element("span", { class: "term", tabindex: 0, "data-tip": said ?? "" }, [word]);
}

/** Return what a word means; undefined if that is everyday language. */
export const meaning = (word: string): string | undefined => GLOSSARY[word];

// A tour of six stops through what is on the page; which ones there are follows from the panels.

import { driver } from "driver.js";
import "driver.js/dist/driver.css";

interface Stop {
  /** A selector; of a panel its title. */
  at: string;
  title: string;
  text: string;
  /** Whether it is left out where there are six others. */
  spare?: boolean;
}

const STOPS = 6;

/** Where a panel with a title is. */
const panel = (title: string) => `figure[data-panel="${title}"]`;

/** In the order of the tour; those that are not on the page are left out. */
const ALL: Stop[] = [
  {
    at: ".facts",
    title: "What this is",
    text: "Which machine, on which task, for how many steps, and how it did. Of words with dots under them a tip says what they mean.",
    spare: true,
  },
  {
    at: ".ending",
    title: "How it ended",
    text: "Whether the answer was right; if not, why, and which step was the first wrong one.",
    spare: true,
  },
  {
    at: ".live .typed, .live .controls",
    title: "What goes in",
    text: "Type an input of your own and run it, or take another example. The machine runs again at once.",
  },
  {
    at: ".sentence",
    title: "This step in words",
    text: "What came in, what the machine did, what it answered. The words with dots under them explain themselves.",
  },
  {
    at: panel("Images"),
    title: "What it is shown",
    text: "Images, one a step, each named one step late. The machine has to remember which was called what.",
  },
  {
    at: panel("Calls"),
    title: "Programs that call programs",
    text: "What has been called is dark, what runs is bold. Press a call to go to its step.",
  },
  {
    at: panel("Environment"),
    title: "What the programs work on",
    text: "Rows of cells, and pointers into them. What the last step changed is set off.",
  },
  {
    at: panel("Next step"),
    title: "What it decides next",
    text: "What the machine sees is little; from it alone it decides whether to end and what to call.",
  },
  {
    at: panel("Memory"),
    title: "The memory",
    text: "What the machine has noted down. Only the part that is in use is shown; press a place for its history.",
  },
  {
    at: panel("Circuit of this step"),
    title: "The circuit",
    text: "In every step the machine wires gates anew: registers on the left go in, those on the right come out. Follow a wire from READ to WRITE.",
  },
  {
    at: panel("Program"),
    title: "The same as a program",
    text: "Read off the trained machine, not written by hand: this is the line that it is at.",
  },
  {
    at: panel("Tapes"),
    title: "In, wanted, out",
    text: "Time runs to the right. What is wrong is crossed out; press a step to go there.",
  },
  {
    at: ".stages",
    title: "How it is computed",
    text: "The paper's equations, each as a picture, with the numbers of this step. Choose which head, gate or register they are of.",
  },
  {
    at: panel("Actions"),
    title: "Push or pop",
    text: "What is done to each stack in every step, and how sure the machine is of it.",
  },
  {
    at: panel("Automaton"),
    title: "The same as an automaton",
    text: "Rules read off the trained machine: which letter, with what on top, leads to which moves. The one of this step is set off.",
  },
  {
    at: panel("Memory over time"),
    title: "All steps at once",
    text: "A row for each cell, a column for each step: see in which order it is filled.",
  },
  {
    at: panel("Weightings"),
    title: "Where the heads go",
    text: "Time runs to the right, the memory downwards: a straight line is a head that moves a row a step.",
  },
  {
    at: ".transport",
    title: "Step by step",
    text: "Play, or step with the arrow keys; w goes to the next write, e to the next error. ? shows all keys.",
  },
];

/** Return the stops that are on the page: six at most, the last one always among them. */
export function stops(): Stop[] {
  const found = ALL.filter(({ at }) => {
    const place = document.querySelector<HTMLElement>(at);
    return place !== null && place.offsetParent !== null && place.textContent !== "";
  });
  // The bar is always among them; what is spare only where others are too few.
  const [last, others] = [found[found.length - 1], found.slice(0, -1)];
  const needed = STOPS - 1 - others.filter(({ spare }) => !spare).length;
  let taken = 0;
  const kept = others.filter(({ spare }) => !spare || taken++ < needed);
  return [...kept.slice(0, STOPS - 1), last];
}

/** Lead through the page; Esc ends it. */
export function startTour(): void {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const tour = driver({
    showProgress: true,
    animate: !still,
    smoothScroll: !still,
    stagePadding: 6,
    progressText: "{{current}} of {{total}}",
    nextBtnText: "Next",
    prevBtnText: "Back",
    doneBtnText: "Done",
    popoverClass: "tour",
    steps: stops().map(({ at, title, text }) => ({
      element: at,
      popover: { title, description: text },
    })),
  });
  tour.drive();
}

// Images that are to be named, each name told one step late: who was what, what was guessed, and
// in which row of the memory a class was kept and found again.

import { placeName } from "./fields";
import { argmax, type Field, type Fields, type Trace } from "./trace";

/** One image of an episode. */
export interface Shown {
  /** Its name; empty if it is not known. */
  name: string;
  /** The most likely name, and how likely it is; empty if names are not what is guessed. */
  guess: string;
  probability: number;
  /** Whether the guess counts. */
  scored: boolean;
  wrong: boolean;
  /** How many images of its class there were up to it, itself included; 0: not known. */
  instance: number;
  /** The step of the image of its class before it; 0: there is none. */
  before: number;
  /** Which of several episodes in a row it is of, from 1 on; 0: there are no several. */
  episode: number;
}

/** Return the class of an image for people: its name, and where names change, the episode. */
export function className({ name, episode }: Pick<Shown, "name" | "episode">): string {
  return episode ? `${name} of episode ${episode}` : name;
}

/** The field with an image in every step, if an example has one. */
export function imagesOf(trace: Trace): Field | null {
  const found = [...trace.example.values()].filter(
    (f) => f.kind === "matrix" && f.axes.length === 3 && f.axes[0] === "step" && f.stride > 0,
  );
  return found[0] ?? null;
}

/** Return the images of an episode, that of step 1 first. */
export function shownImages(trace: Trace): Shown[] {
  const { targets, mask, wrong, told, outputs } = namesOf(trace);
  const episodes = episodesOf(trace);
  const wide = (outputs ?? targets ?? told)?.stride ?? 0;
  const width = wide / trace.length;
  const letters = lettersOf(width, targets, told);
  const spelling = targets ?? outputs;
  const spell = (places: number[]) =>
    places.map((place) => letterOf(trace, spelling!, place, letters)).join("");
  const last = new Map<string, { step: number; instance: number }>();
  return Array.from({ length: trace.length }, (_, i) => {
    const places =
      marked(targets, i, width) ?? (i + 1 < trace.length ? marked(told, i + 1, width) : null);
    const name = places && spelling ? spell(places) : "";
    const episode = episodes?.[i] ?? 0;
    // A name is another class's in the next episode.
    const before = last.get(className({ name, episode }));
    const instance = name ? (before?.instance ?? 0) + 1 : 0;
    if (name) last.set(className({ name, episode }), { step: i + 1, instance });
    const guess = outputs ? likeliest(outputs, i, width, letters) : null;
    return {
      name,
      guess: guess ? spell(guess.places) : "",
      probability: guess?.probability ?? 0,
      scored: !mask || any(mask, i, width),
      wrong: any(wrong, i, width),
      instance,
      before: (name && before?.step) || 0,
      episode,
    };
  });
}

/** Where a machine kept a class, and how much it reads of that. */
export interface Found {
  /** The row that is read most, of those written when a name of the class was told. */
  row: number;
  /** The step at which that name was told, one after the image. */
  told: number;
  /** How much of the reading goes to that row, and to all rows of the class. */
  read: number;
  share: number;
  /** The other class whose rows are read most, and how much; empty: there is none. One of an
   * episode before is another one, whatever its name. */
  rival: string;
  other: number;
}

export interface Findings {
  /** A writing head, a reading head, and the axis that both attend along. */
  writer: string;
  reader: string;
  axis: string;
  /** What was found at each step; null if no image of the class came before. */
  steps: (Found | null)[];
}

/** Return whether, and where, the memory was found to hold the class of each image.
 *
 * A name comes one step after its image. So the row to which a head writes most at that step
 * belongs to the class, until it is written again for another one. Of all pairs of a writing
 * and a reading head the one is taken whose reading tells the classes apart best.
 *
 * Null if there are no such heads, or not all steps were kept. */
export function findings(trace: Trace, fields: Fields, images: Shown[]): Findings | null {
  if (trace.steps.length < trace.length || !images.some((image) => image.before)) return null;
  const writers = headsOf(trace, fields, "write");
  const readers = headsOf(trace, fields, "read");
  let best: Findings | null = null;
  let most = -Infinity;
  for (const writer of writers) {
    for (const reader of readers) {
      if (reader.rows !== writer.rows || reader.axis !== writer.axis) continue;
      const steps = follow(writer, reader, images);
      const lead = steps.reduce((sum, x) => sum + (x ? x.share - x.other : 0), 0);
      if (lead <= most) continue;
      const { axis } = writer;
      [best, most] = [{ writer: writer.name, reader: reader.name, axis, steps }, lead];
    }
  }
  return best;
}

/** Return whether steps are missing without which it cannot be said what was found. */
export function isIncomplete(trace: Trace, fields: Fields): boolean {
  const does = new Set([...fields.values()].flatMap((field) => field.does));
  return trace.steps.length < trace.length && does.has("read") && does.has("write");
}

interface Head {
  name: string;
  axis: string;
  rows: number;
  weights(step: number): Field["data"];
}

/** Return the heads that write, or that read, as their weightings say. */
function headsOf(trace: Trace, fields: Fields, does: "write" | "read"): Head[] {
  return [...fields.values()].flatMap((field) => {
    const rows = field.shape[field.shape.length - 1];
    if (!rows || field.stride !== field.does.length * rows) return [];
    return field.does
      .flatMap((said, i) => (said === does ? [i] : []))
      .map((i) => ({
        name: placeName(trace, field, i, field.axes.slice(0, -1)) || field.name,
        axis: field.axes[field.axes.length - 1],
        rows,
        weights: (step: number) => {
          const first = (step - 1) * field.stride + i * rows;
          return field.data.subarray(first, first + rows);
        },
      }));
  });
}

/** Return what one head reads of the rows that another one wrote for each class. */
function follow(writer: Head, reader: Head, images: Shown[]): (Found | null)[] {
  const kept = new Map<number, { name: string; told: number }>();
  return images.map((image, i) => {
    const { before, episode } = image;
    const [step, name] = [i + 1, className(image)];
    const told = i > 0 ? images[i - 1] : null;
    // The last name of an episode is never told.
    if (told?.name && told.episode === episode) {
      const weights = writer.weights(step);
      const row = argmax(weights, 0, weights.length);
      kept.set(row, { name: className(told), told: step });
    }
    if (!before) return null;
    const read = reader.weights(step);
    const shares = new Map<string, number>();
    let best: { row: number; told: number } | null = null;
    for (const [row, of] of kept) {
      shares.set(of.name, (shares.get(of.name) ?? 0) + read[row]);
      if (of.name === name && (!best || read[row] > read[best.row])) {
        best = { row, told: of.told };
      }
    }
    if (!best) return null; // all its rows were written again since
    const share = shares.get(name) ?? 0;
    shares.delete(name);
    const [rival, other] = [...shares].reduce((a, b) => (b[1] > a[1] ? b : a), ["", 0]);
    return { ...best, read: read[best.row], share, rival, other };
  });
}

/** Return which of several episodes in a row each step is of, if the trace says so. */
function episodesOf(trace: Trace): Field["data"] | null {
  const field = trace.example.get("episode");
  const stepwise = field?.kind === "integer" && field.axes.join() === "step";
  return stepwise ? field.data : null;
}

function namesOf(trace: Trace) {
  const perStep = (name: string, kind: string) => {
    const field = trace.example.get(name);
    const stepwise = field?.kind === kind && field.axes.length === 2 && field.stride > 0;
    return stepwise && field.axes[0] === "step" ? field : undefined;
  };
  const outputs = perStep("outputs", "probability");
  const bits = ["targets", "mask", "wrong", "inputs"].map((name) => perStep(name, "bits"));
  // All have the channels of names: what has others is no name.
  const wide = (outputs ?? bits[0] ?? bits[3])?.stride;
  const [targets, mask, wrong, told] = bits.map((f) => (f?.stride === wide ? f : undefined));
  return { targets, mask, wrong, told, outputs };
}

/** Return how many letters a name has: that many channels are marked at once. */
function lettersOf(width: number, ...fields: (Field | undefined)[]): number {
  for (const field of fields) {
    const steps = field ? field.stride / width : 0;
    for (let i = 0; i < steps; i++) {
      const count = marked(field, i, width)?.length;
      if (count) return count;
    }
  }
  return 1;
}

function any(field: Field | undefined, i: number, width: number): boolean {
  return !!field?.data.subarray(i * width, (i + 1) * width).some((x) => x > 0);
}

function marked(field: Field | undefined, i: number, width: number): number[] | null {
  if (!field) return null;
  const row = Array.from(field.data.subarray(i * width, (i + 1) * width));
  const places = row.flatMap((x, place) => (x > 0 ? [place] : []));
  return places.length ? places : null;
}

function likeliest(
  outputs: Field,
  i: number,
  width: number,
  letters: number,
): { places: number[]; probability: number } {
  const each = Math.floor(width / letters);
  const places = Array.from({ length: letters }, (_, letter) => {
    return letter * each + argmax(outputs.data, i * width + letter * each, each);
  });
  const probability = places.reduce((p, place) => p * outputs.data[i * width + place], 1);
  return { places, probability };
}

/** Return the letter of a channel; in names of several, channels say letter and place: a1. */
function letterOf(trace: Trace, field: Field, place: number, letters: number): string {
  const label = trace.axes.get(field.axes[1])?.labels?.[place] || `${place}`;
  return letters > 1 ? label.replace(/\d+$/, "") || label : label;
}

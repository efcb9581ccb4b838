// The images of an episode along time, what they were taken for, and why.

import { Bitmap, pixelOf } from "./bitmap";
import {
  className,
  type Findings,
  findings,
  type Found,
  isIncomplete,
  type Shown,
  shownImages,
} from "./episode";
import { colorsOf, label, percent, pixel, spoken } from "./fields";
import { type Drawing, figures, type Moment, type Panel, small, type Tip } from "./panel";
import { css, type Theme } from "./theme";
import { isInSight, stepToX, type TimeAxis } from "./timeline";
import type { Field, Fields, Trace } from "./trace";

const CELL = 38;
const THUMB = 34;
const LARGE = 102;
const LINE = 17;
const ROW = 18;
const AHEAD = 8; // room between the present image and the strip

/** A panel with the images of an episode: the present one large, all of them along time. */
export function imagesPanel(trace: Trace, field: Field, fields: Fields): Panel {
  const images = shownImages(trace);
  const found = findings(trace, fields, images);
  const bitmaps = new Map<number, Bitmap>();
  const rows = rowsOf(images, found);
  const top = LARGE + AHEAD + ROW;
  return {
    title: "Images",
    note: found
      ? `What each was taken for, and how much ${found.reader} reads of the rows that ` +
        `${found.writer} wrote when the class's name was told`
      : isIncomplete(trace, fields)
        ? "What each was taken for. In which rows its class was kept is not known: of " +
          `${trace.length} steps ${trace.steps.length} were recorded`
        : "What each was taken for",
    height: () => top + THUMB + 6 + rows.length * ROW + 4,
    draw(d) {
      const axis = axisOf(d, d.width);
      const draw = (step: number, x: number, y: number, side: number) =>
        drawImage(d, field, bitmaps, step, x, y, side);
      drawPresent(d, images, found, draw);
      drawBefore(d, axis, images, top);
      for (let step = axis.first; step < axis.first + axis.count; step++) {
        const x = stepToX(axis, step);
        draw(step, x + (CELL - THUMB) / 2, top, THUMB);
        rows.forEach(({ text }, i) => {
          text(d, step, x + CELL / 2, top + THUMB + 6 + (i + 0.5) * ROW);
        });
      }
      rows.forEach(({ name }, i) => {
        const y = top + THUMB + 6 + (i + 0.5) * ROW;
        d.pen.text(axis.left - 8, y, name, small(d.theme, "right"), axis.left - 10);
      });
      d.pen.text(axis.left - 8, top + THUMB / 2, "image", small(d.theme, "right"));
      d.marks.push({
        shape: "frame",
        at: (step) =>
          isInSight(axis, step)
            ? { x: stepToX(axis, step), y: top - 2, width: CELL, height: THUMB + 4 }
            : null,
      });
      d.spots.push({
        x: axis.left,
        y: top,
        width: axis.count * CELL,
        height: THUMB + 6 + rows.length * ROW,
        columns: axis.count,
        rows: 1,
        tip: (column) => tip(d, images, found, axis.first + column),
        step: (column) => axis.first + column,
      });
    },
    describe: ({ step }) =>
      step < 1
        ? "Before the first image."
        : `${sentences(trace, images, found, step).join(". ")}.`,
  };
}

interface Row {
  name: string;
  text(d: Drawing, step: number, x: number, y: number): void;
}

/** Return the rows of text below the images, each only if there is something to tell. */
function rowsOf(images: Shown[], found: Findings | null): Row[] {
  const rows: Row[] = [
    {
      name: "step",
      text: (d, step, x, y) => d.pen.text(x, y, `${step}`, small(d.theme, "center")),
    },
  ];
  const plain = (name: string, text: (image: Shown) => string) =>
    rows.push({
      name,
      text: (d, step, x, y) =>
        d.pen.text(x, y, text(images[step - 1]), figures(d.theme, "center"), CELL),
    });
  if (images.some((image) => image.episode)) plain("episode", ({ episode }) => `${episode}`);
  if (images.some((image) => image.name)) {
    plain("instance", ({ instance }) => (instance ? `${instance}` : ""));
    plain("wanted", ({ name }) => name);
  }
  if (images.some((image) => image.guess)) {
    rows.push({
      name: "guessed",
      text: (d, step, x, y) => drawGuess(d, images[step - 1], x, y),
    });
    plain("certainty, %", ({ probability }) => (100 * probability).toFixed(0));
  }
  if (found) {
    rows.push({
      name: "from row",
      text: (d, step, x, y) => {
        const row = found.steps[step - 1]?.row;
        const text = row === undefined ? "" : label(d.trace, found.axis, row);
        d.pen.text(x, y, text, figures(d.theme, "center"), CELL);
      },
    });
    rows.push({
      name: "class read, %",
      text: (d, step, x, y) => drawShare(d, found.steps[step - 1], x, y),
    });
  }
  return rows;
}

/** Write a guess; a wrong one on a ground of its own, and crossed out. */
function drawGuess(d: Drawing, { guess, wrong, scored }: Shown, x: number, y: number): void {
  if (!wrong) {
    const fill = scored ? d.theme.ink : d.theme.muted;
    d.pen.text(x, y, guess, { ...figures(d.theme, "center"), fill }, CELL);
    return;
  }
  const half = Math.min(CELL / 2 - 1, 8 + 3.5 * (guess.length - 1));
  d.pen.rect(x - half, y - 8, 2 * half, 16, { fill: d.theme.accent });
  const style = { ...figures(d.theme, "center"), fill: d.theme.surface };
  d.pen.text(x, y, guess, style, CELL);
  d.pen.line([x - half + 2, y + 6, x + half - 2, y - 6], {
    stroke: d.theme.surface,
    width: 1.2,
  });
}

/** Shade a box by how much is read of a class's rows; outlined if another class is read more. */
function drawShare(d: Drawing, found: Found | null, x: number, y: number): void {
  if (!found) {
    d.pen.text(x, y, "·", small(d.theme, "center"));
    return;
  }
  const missed = !isFound(found);
  const box: [number, number, number, number] = [x - CELL / 2 + 1, y - 8, CELL - 2, 16];
  if (!missed) d.pen.rect(...box, { fill: css(d.theme.amount, found.share) });
  const fill = missed ? d.theme.accent : found.share > 0.6 ? d.theme.surface : d.theme.ink;
  const text = (missed ? "× " : "") + (100 * found.share).toFixed(0);
  d.pen.text(x, y, text, { ...figures(d.theme, "center"), fill });
}

/** Draw the present image large, and beside it what is to be said of it. */
function drawPresent(
  d: Drawing,
  images: Shown[],
  found: Findings | null,
  draw: (step: number, x: number, y: number, side: number) => void,
): void {
  if (d.step < 1) {
    d.pen.text(0, LARGE / 2, "Before the first image.", small(d.theme));
    return;
  }
  draw(d.step, 1, 1, LARGE - 2);
  const left = LARGE + 14;
  const wrong = images[d.step - 1].wrong;
  const lines = sentences(d.trace, images, found, d.step);
  lines.forEach((line, i) => {
    const fill = i === 1 && wrong ? d.theme.accent : i < 2 ? d.theme.ink : d.theme.muted;
    const style = { ...small(d.theme), size: 12, fill };
    d.pen.text(left, 8 + i * LINE, line, style, d.width - left);
  });
}

/** Join the present image with the one of its class before it: the arc over the strip. */
function drawBefore(d: Drawing, axis: TimeAxis, images: Shown[], top: number): void {
  const before = d.step > 0 ? images[d.step - 1].before : 0;
  if (!before) return;
  const middle = (step: number) => stepToX(axis, step) + CELL / 2;
  const y = top - 3;
  const high = y - ROW + 6;
  const stroke = { stroke: d.theme.ink, width: 1.5 };
  const to = middle(d.step);
  if (!isInSight(axis, before)) {
    d.pen.line([axis.left, high, to, high, to, y], { ...stroke, dash: [4, 3] });
    return;
  }
  const from = middle(before);
  d.pen.line([from, y, from, high, to, high, to, y], stroke);
}

/** Say in sentences what an image was, what it was taken for, and why. */
function sentences(
  trace: Trace,
  images: Shown[],
  found: Findings | null,
  step: number,
): string[] {
  const { name, guess, probability, scored, wrong, instance, before, episode } =
    images[step - 1];
  const whole = className(images[step - 1]);
  const of = instance ? `, image ${instance} of class ${whole}` : "";
  const lines = [`step ${step}` + (of || (episode ? `, episode ${episode}` : ""))];
  if (guess) {
    const verdict = !scored ? "not scored" : wrong ? "wrong" : "right";
    lines.push(`guessed ${guess} with ${percent(probability)}: ${verdict}`);
  }
  if (!before) {
    if (instance === 1) lines.push("the first of its class: nothing can be known of it");
    return lines;
  }
  const at = found?.steps[step - 1];
  if (!found || !at) {
    lines.push(`the one before it came at step ${before}`);
    return lines;
  }
  const row = spoken(trace, found.axis, at.row);
  const rival = at.rival && `, of ${at.rival} ${percent(at.other)}`;
  lines.push(
    `told ${name} at step ${at.told}, it wrote ${row}`,
    `${row} is now read with ${percent(at.read)}`,
    `all rows of ${whole} ${percent(at.share)}${rival}: ${isFound(at) ? "found" : "missed"}`,
  );
  return lines;
}

/** Whether more is read of the rows of an image's class than of any other's. */
function isFound(at: Found): boolean {
  return at.share > at.other;
}

function tip(d: Moment, images: Shown[], found: Findings | null, step: number): Tip {
  const [title, ...lines] = sentences(d.trace, images, found, step);
  return { title, lines: lines.map((text) => ({ text })) };
}

function drawImage(
  d: Drawing,
  field: Field,
  bitmaps: Map<number, Bitmap>,
  step: number,
  x: number,
  y: number,
  side: number,
): void {
  const [, tall, wide] = field.shape;
  const [colors, broken] = [colorsOf(field, d.theme), pixelOf(d.theme.accent)];
  const first = (step - 1) * tall * wide;
  let bitmap = bitmaps.get(step);
  if (!bitmap) bitmaps.set(step, (bitmap = new Bitmap()));
  const picture = bitmap.fill(
    wide,
    tall,
    (column, row) => pixel(colors, field.data[first + row * wide + column], broken),
    themeKey(d.theme),
  );
  const scale = side / Math.max(tall, wide);
  const [width, height] = [wide * scale, tall * scale];
  d.pen.image(picture, [0, 0, wide, tall], x, y, width, height);
  d.pen.rect(x - 0.5, y - 0.5, width + 1, height + 1, { stroke: d.theme.line });
}

function themeKey(theme: Theme): string {
  return `${theme.surface} ${theme.accent}`;
}

/** Return the part of time that is drawn: as many images as fit, the present one among them. */
function axisOf({ trace, step }: Moment, width: number): TimeAxis {
  const left = width < 480 ? 86 : 96;
  const count = Math.max(1, Math.min(trace.length, Math.floor((width - left - 1) / CELL)));
  const centered = Math.max(1, step) - Math.floor(count / 2);
  const first = Math.max(1, Math.min(centered, trace.length - count + 1));
  return { left, first, count, cell: CELL };
}

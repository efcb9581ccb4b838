// Export of the view as an image: all open panels, drawn again with another pen.

import { element } from "./dom";
import type { Host } from "./panel";
import { CanvasPen, type Pen, SvgPen, svgElement } from "./pen";
import type { Theme } from "./theme";
import type { View } from "./view";

const MARGIN = 24;
const LARGEST = 16384; // pixels that a canvas may have along a side
const SHARPNESS = 2;
const SLIDE = [1920, 1080];
const FILM = [1280, 720];
const FRAME_MS = 250;
const UNUSUAL = /[^\w.-]+/g; // in the name of a file

interface Sheet {
  width: number;
  height: number;
  draw(pen: Pen, move: (x: number, y: number, draw: (pen: Pen) => void) => void): void;
}

function sheetOf(views: View[], heading: string, theme: Theme): Sheet {
  const boxes = views.map((view) => view.root.getBoundingClientRect());
  const [left, top] = [
    Math.min(...boxes.map((b) => b.left)),
    Math.min(...boxes.map((b) => b.top)),
  ];
  const right = Math.max(...boxes.map((b) => b.right));
  const hosts = views.flatMap((view) => view.visible);
  const bottoms = hosts.map((host) => host.canvas.getBoundingClientRect().bottom);
  const [width, height] = [
    right - left + 2 * MARGIN,
    Math.max(top, ...bottoms) - top + 2 * MARGIN + 18,
  ];
  return {
    width,
    height,
    draw(pen, move) {
      pen.rect(0, 0, width, height, { fill: theme.surface });
      views.forEach((view, i) => {
        const x = boxes[i].left - left + MARGIN;
        const y = boxes[i].top - top + MARGIN;
        const room = boxes[i].width;
        pen.text(
          x,
          y + 4,
          view.trace.title,
          { size: 15, weight: 600, fill: theme.ink, font: theme.sans },
          room,
        );
        pen.text(x, y + 24, heading, { size: 12, fill: theme.muted, font: theme.sans }, room);
      });
      for (const host of hosts)
        drawHost(host, left - MARGIN, top - MARGIN - 18, pen, theme, move);
    },
  };
}

function drawHost(
  host: Host,
  left: number,
  top: number,
  pen: Pen,
  theme: Theme,
  move: (x: number, y: number, draw: (pen: Pen) => void) => void,
): void {
  const box = host.canvas.getBoundingClientRect();
  const [x, y] = [box.left - left, box.top - top];
  pen.text(
    x,
    y - 14,
    host.panel.title,
    { size: 12, weight: 600, fill: theme.ink, font: theme.sans },
    box.width,
  );
  move(x, y, (moved) => host.drawWith(moved, box.width));
}

/** Return the view as an SVG document. */
export function toSvg(views: View[], heading: string, theme: Theme): string {
  const sheet = sheetOf(views, heading, theme);
  const { width, height } = sheet;
  const root = svgElement("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
  sheet.draw(new SvgPen(root), (x, y, draw) => {
    const group = svgElement("g", { transform: `translate(${x} ${y})` });
    root.append(group);
    draw(new SvgPen(group));
  });
  return new XMLSerializer().serializeToString(root);
}

/** Return one panel as an SVG file. */
export function toSvgOf(host: Host, theme: Theme): Blob {
  const { width, height } = host.canvas.getBoundingClientRect();
  const box = [-MARGIN, -MARGIN - 18, width + 2 * MARGIN, height + 2 * MARGIN + 18];
  const root = svgElement("svg", { width: box[2], height: box[3], viewBox: box.join(" ") });
  const pen = new SvgPen(root);
  pen.rect(box[0], box[1], box[2], box[3], { fill: theme.surface });
  pen.text(0, -14, host.panel.title, {
    size: 12,
    weight: 600,
    fill: theme.ink,
    font: theme.sans,
  });
  host.drawWith(pen, width);
  return new Blob([new XMLSerializer().serializeToString(root)], { type: "image/svg+xml" });
}

/** Draw the view on a canvas: as it is, or as large as fits into one of a size. */
function paint(
  canvas: HTMLCanvasElement,
  views: View[],
  heading: string,
  theme: Theme,
  size: number[] | null,
): void {
  const sheet = sheetOf(views, heading, theme);
  const most = size ?? [LARGEST, LARGEST];
  const fits = Math.min(most[0] / sheet.width, most[1] / sheet.height);
  const scale = size ? fits : Math.min(SHARPNESS, fits);
  const [width, height] = [Math.floor(sheet.width * scale), Math.floor(sheet.height * scale)];
  [canvas.width, canvas.height] = size ?? [width, height];
  const context = canvas.getContext("2d")!;
  context.fillStyle = theme.surface;
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (size) context.translate((size[0] - width) / 2, (size[1] - height) / 2);
  context.scale(scale, scale);
  const pen = new CanvasPen(context);
  sheet.draw(pen, (x, y, draw) => {
    context.save();
    context.translate(x, y);
    draw(pen);
    context.restore();
  });
}

/** Return the view as a PNG file: as it is, or, for a slide, as large as fits into one. */
export function toPng(
  views: View[],
  heading: string,
  theme: Theme,
  slide = false,
): Promise<Blob> {
  const canvas = element("canvas");
  paint(canvas, views, heading, theme, slide ? SLIDE : null);
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error("no picture"))),
      "image/png",
    );
  });
}

/** Return a film of some steps, WebM, a step after another; `show` draws one in the page.
 *
 * It is recorded as it plays: the browser has no other way to encode one. */
export async function toFilm(
  views: View[],
  steps: number[],
  show: (step: number) => string,
  theme: Theme,
): Promise<Blob> {
  const canvas = element("canvas");
  paint(canvas, views, show(steps[0]), theme, FILM);
  const stream = canvas.captureStream(0);
  const recorder = new MediaRecorder(stream, { mimeType: "video/webm" });
  const parts: Blob[] = [];
  recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
  const ended = new Promise((resolve) => recorder.addEventListener("stop", resolve));
  recorder.start();
  // A film ends with its last frame: that one is given twice, so that it is seen.
  for (const step of [...steps, steps[steps.length - 1]]) {
    paint(canvas, views, show(step), theme, FILM);
    (stream.getVideoTracks()[0] as CanvasCaptureMediaStreamTrack).requestFrame();
    await new Promise((resolve) => setTimeout(resolve, FRAME_MS));
  }
  recorder.stop();
  await ended;
  return new Blob(parts, { type: "video/webm" });
}

/** Offer a file for download. */
export function download(name: string, content: Blob): void {
  const link = element("a", { href: URL.createObjectURL(content), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Offer one panel as SVG. */
export function savePanel(host: Host, step: number, theme: Theme): void {
  const name = `${host.panel.title}-step-${step}.svg`.replace(UNUSUAL, "-");
  download(name, toSvgOf(host, theme));
}

/** Return what stands above a picture of a step. */
export function headingOf(views: View[], wanted: boolean, step: number, last: number): string {
  const hard = wanted && views.some((view) => view.trace.hard);
  return `step ${step} of ${last}${hard ? ", hard" : ""}`;
}

/** Offer a film for download. */
export function saveFilm(views: View[], film: Blob): void {
  download(`${views[0].trace.title || "trace"}.webm`.replace(UNUSUAL, "-"), film);
}

/** Offer all panels of a step as SVG, as PNG, or as a slide. */
export async function save(
  kind: "svg" | "png" | "slide",
  views: View[],
  wanted: boolean,
  step: number,
  last: number,
  theme: Theme,
): Promise<void> {
  const heading = headingOf(views, wanted, step, last);
  const name = `${views[0].trace.title || "trace"}-step-${step}`.replace(UNUSUAL, "-");
  if (kind === "svg") {
    const content = new Blob([toSvg(views, heading, theme)], { type: "image/svg+xml" });
    download(`${name}.svg`, content);
    return;
  }
  const content = await toPng(views, heading, theme, kind === "slide");
  download(kind === "slide" ? `${name}-slide.png` : `${name}.png`, content);
}

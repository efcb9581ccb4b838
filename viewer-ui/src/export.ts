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

/** Return the view as a PNG file: as it is, or, for a slide, as large as fits into one. */
export function toPng(
  views: View[],
  heading: string,
  theme: Theme,
  slide = false,
): Promise<Blob> {
  const sheet = sheetOf(views, heading, theme);
  const most = slide ? SLIDE : [LARGEST, LARGEST];
  const fits = Math.min(most[0] / sheet.width, most[1] / sheet.height);
  const scale = slide ? fits : Math.min(SHARPNESS, fits);
  const [width, height] = [Math.floor(sheet.width * scale), Math.floor(sheet.height * scale)];
  const canvas = element("canvas", {
    width: slide ? SLIDE[0] : width,
    height: slide ? SLIDE[1] : height,
  });
  const context = canvas.getContext("2d")!;
  context.fillStyle = theme.surface;
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (slide) context.translate((SLIDE[0] - width) / 2, (SLIDE[1] - height) / 2);
  context.scale(scale, scale);
  const pen = new CanvasPen(context);
  sheet.draw(pen, (x, y, draw) => {
    context.save();
    context.translate(x, y);
    draw(pen);
    context.restore();
  });
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error("no picture"))),
      "image/png",
    );
  });
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

/** Offer all panels of a step as SVG, as PNG, or as a slide. */
export async function save(
  kind: "svg" | "png" | "slide",
  views: View[],
  wanted: boolean,
  step: number,
  last: number,
  theme: Theme,
): Promise<void> {
  const hard = wanted && views.some((view) => view.trace.hard);
  const heading = `step ${step} of ${last}${hard ? ", hard" : ""}`;
  const name = `${views[0].trace.title || "trace"}-step-${step}`.replace(UNUSUAL, "-");
  if (kind === "svg") {
    const content = new Blob([toSvg(views, heading, theme)], { type: "image/svg+xml" });
    download(`${name}.svg`, content);
    return;
  }
  const content = await toPng(views, heading, theme, kind === "slide");
  download(kind === "slide" ? `${name}-slide.png` : `${name}.png`, content);
}

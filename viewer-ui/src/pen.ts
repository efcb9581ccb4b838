// An interface for drawing, with two implementations: canvas (screen, PNG) and SVG.

export interface Stroke {
  fill?: string;
  stroke?: string;
  width?: number;
  opacity?: number;
  radius?: number;
  dash?: number[];
}

export interface Lettering {
  size?: number;
  fill: string;
  font: string;
  align?: "left" | "center" | "right";
  weight?: number;
  opacity?: number;
}

export interface Pen {
  rect(x: number, y: number, width: number, height: number, style: Stroke): void;
  /** A polyline through x0, y0, x1, y1, ... */
  line(points: ArrayLike<number>, style: Stroke): void;
  /** A cubic Bézier curve: start, two controls, end. */
  curve(points: number[], style: Stroke): void;
  circle(x: number, y: number, radius: number, style: Stroke): void;
  /** Text whose middle line is at y; shortened to fit `room`. */
  text(x: number, y: number, text: string, style: Lettering, room?: number): void;
  /** A part (x, y, width, height) of a bitmap, enlarged without smoothing. */
  image(
    picture: HTMLCanvasElement,
    part: [number, number, number, number],
    x: number,
    y: number,
    width: number,
    height: number,
  ): void;
  /** Clip what `draw` draws to a rectangle. */
  clipped(x: number, y: number, width: number, height: number, draw: () => void): void;
}

const measure = document.createElement("canvas").getContext("2d")!;

function fontOf(style: Lettering): string {
  return `${style.weight ?? 400} ${style.size ?? 12}px ${style.font}`;
}

/** Return the width of a text. */
export function textWidth(text: string, style: Lettering): number {
  measure.font = fontOf(style);
  return measure.measureText(text).width;
}

function fit(text: string, style: Lettering, room: number | undefined): string {
  if (room === undefined || textWidth(text, style) <= room) return text;
  let length = Math.min(text.length - 1, Math.ceil(room)); // no letter is under a pixel wide
  while (length > 0 && textWidth(text.slice(0, length) + "…", style) > room) length--;
  return length ? text.slice(0, length) + "…" : "";
}

export class CanvasPen implements Pen {
  private readonly to: CanvasRenderingContext2D;

  constructor(to: CanvasRenderingContext2D) {
    this.to = to;
  }

  rect(x: number, y: number, width: number, height: number, style: Stroke): void {
    this.to.beginPath();
    if (style.radius) this.to.roundRect(x, y, width, height, style.radius);
    else this.to.rect(x, y, width, height);
    this.paint(style);
  }

  line(points: ArrayLike<number>, style: Stroke): void {
    this.to.beginPath();
    for (let i = 0; i + 1 < points.length; i += 2) this.to.lineTo(points[i], points[i + 1]);
    this.paint(style);
  }

  curve(p: number[], style: Stroke): void {
    this.to.beginPath();
    this.to.moveTo(p[0], p[1]);
    this.to.bezierCurveTo(p[2], p[3], p[4], p[5], p[6], p[7]);
    this.paint(style);
  }

  circle(x: number, y: number, radius: number, style: Stroke): void {
    this.to.beginPath();
    this.to.arc(x, y, radius, 0, 2 * Math.PI);
    this.paint(style);
  }

  text(x: number, y: number, text: string, style: Lettering, room?: number): void {
    this.to.font = fontOf(style);
    this.to.fillStyle = style.fill;
    this.to.textAlign = style.align ?? "left";
    this.to.textBaseline = "middle";
    this.to.globalAlpha = style.opacity ?? 1;
    this.to.fillText(fit(text, style, room), x, y + 0.5);
    this.to.globalAlpha = 1;
  }

  image(
    picture: HTMLCanvasElement,
    part: [number, number, number, number],
    x: number,
    y: number,
    width: number,
    height: number,
  ): void {
    this.to.imageSmoothingEnabled = false;
    this.to.drawImage(picture, ...part, x, y, width, height);
  }

  clipped(x: number, y: number, width: number, height: number, draw: () => void): void {
    this.to.save();
    this.to.beginPath();
    this.to.rect(x, y, width, height);
    this.to.clip();
    draw();
    this.to.restore();
  }

  private paint(style: Stroke): void {
    this.to.globalAlpha = style.opacity ?? 1;
    if (style.fill) {
      this.to.fillStyle = style.fill;
      this.to.fill();
    }
    if (style.stroke) {
      this.to.strokeStyle = style.stroke;
      this.to.lineWidth = style.width ?? 1;
      this.to.lineJoin = "round";
      this.to.setLineDash(style.dash ?? []);
      this.to.stroke();
    }
    this.to.globalAlpha = 1;
  }
}

const SVG = "http://www.w3.org/2000/svg";
const ANCHORS = { left: "start", center: "middle", right: "end" };

/** Return an SVG element. */
export function svgElement(
  tag: string,
  attributes: { [name: string]: string | number },
): SVGElement {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, typeof value === "number" ? String(+value.toFixed(2)) : value);
  }
  return made;
}

export class SvgPen implements Pen {
  private to: SVGElement;

  constructor(to: SVGElement) {
    this.to = to;
  }

  rect(x: number, y: number, width: number, height: number, style: Stroke): void {
    const shape = { x, y, width, height, ...(style.radius ? { rx: style.radius } : {}) };
    this.add("rect", shape, style);
  }

  line(points: ArrayLike<number>, style: Stroke): void {
    const joined = Array.from(points, (x) => +x.toFixed(2)).join(" ");
    this.add("polyline", { points: joined }, { fill: "none", ...style });
  }

  curve(p: number[], style: Stroke): void {
    const [x, y, ...rest] = p.map((v) => +v.toFixed(2));
    this.add("path", { d: `M${x} ${y}C${rest.join(" ")}` }, { fill: "none", ...style });
  }

  circle(x: number, y: number, radius: number, style: Stroke): void {
    this.add("circle", { cx: x, cy: y, r: radius }, style);
  }

  text(x: number, y: number, text: string, style: Lettering, room?: number): void {
    const made = svgElement("text", {
      x,
      y: y + 0.5,
      fill: style.fill,
      "font-family": style.font,
      "font-size": style.size ?? 12,
      "font-weight": style.weight ?? 400,
      "text-anchor": ANCHORS[style.align ?? "left"],
      "dominant-baseline": "central",
      opacity: style.opacity ?? 1,
    });
    made.textContent = fit(text, style, room);
    this.to.append(made);
  }

  image(
    picture: HTMLCanvasElement,
    part: [number, number, number, number],
    x: number,
    y: number,
    width: number,
    height: number,
  ): void {
    const cut = document.createElement("canvas");
    [cut.width, cut.height] = [
      Math.max(1, Math.ceil(part[2])),
      Math.max(1, Math.ceil(part[3])),
    ];
    cut.getContext("2d")!.drawImage(picture, ...part, 0, 0, cut.width, cut.height);
    const href = cut.toDataURL("image/png");
    const style = "image-rendering:pixelated";
    this.to.append(
      svgElement("image", { x, y, width, height, href, style, preserveAspectRatio: "none" }),
    );
  }

  clipped(x: number, y: number, width: number, height: number, draw: () => void): void {
    const outer = this.to;
    const inner = svgElement("svg", {
      x,
      y,
      width,
      height,
      viewBox: `${x} ${y} ${width} ${height}`,
    });
    outer.append(inner);
    this.to = inner;
    draw();
    this.to = outer;
  }

  private add(tag: string, shape: { [name: string]: string | number }, style: Stroke): void {
    this.to.append(
      svgElement(tag, {
        ...shape,
        fill: style.fill ?? "none",
        ...(style.stroke ? { stroke: style.stroke, "stroke-width": style.width ?? 1 } : {}),
        ...(style.dash ? { "stroke-dasharray": style.dash.join(" ") } : {}),
        ...(style.opacity === undefined ? {} : { opacity: style.opacity }),
      }),
    );
  }
}

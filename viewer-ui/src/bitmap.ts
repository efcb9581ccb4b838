// Bitmaps with one pixel for each number.

/** A bitmap that can be filled again and again without allocating memory. */
export class Bitmap {
  readonly canvas = document.createElement("canvas");
  private context = this.canvas.getContext("2d", { willReadFrequently: true })!;
  private key: string | null = null;
  private data: ImageData | null = null;
  private pixels = new Uint32Array(0);

  /** Fill the bitmap with `color(column, row)`, unless it was last filled under the same key.
   * Return it as a canvas. */
  fill(
    columns: number,
    rows: number,
    color: (column: number, row: number) => number,
    key: string | null = null,
  ) {
    if (key !== null && key === this.key) return this.canvas;
    this.key = key;
    if (!this.data || this.data.width !== columns || this.data.height !== rows) {
      [this.canvas.width, this.canvas.height] = [columns, rows];
      this.data = this.context.createImageData(columns, rows);
      this.pixels = new Uint32Array(this.data.data.buffer);
    }
    for (let row = 0, i = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, i++) this.pixels[i] = color(column, row);
    }
    this.context.putImageData(this.data, 0, 0);
    return this.canvas;
  }
}

/** Return a CSS colour #rrggbb as a pixel of ImageData. */
export function pixelOf(color: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

// Colours: those of the page, set in style.css, and colour maps for values.

export interface Theme {
  ink: string;
  muted: string;
  line: string;
  surface: string;
  accent: string;
  sans: string;
  mono: string;
  /** Sequential: 256 colours from the surface to the ink. */
  amount: Uint32Array;
  /** Diverging: from blue (negative) to yellow (positive), distinct to the colour-blind. */
  value: Uint32Array;
}

/** Return the current colours. */
export function currentTheme(): Theme {
  const style = getComputedStyle(document.documentElement);
  const get = (name: string) => style.getPropertyValue(name).trim();
  const theme = {
    ink: get("--ink"),
    muted: get("--muted"),
    line: get("--line"),
    surface: get("--surface"),
    accent: get("--accent"),
    sans: get("--sans"),
    mono: get("--mono"),
  };
  const colors = (...names: string[]) => ramp(names.map((name) => fromHex(get(name))));
  return {
    ...theme,
    amount: colors("--nothing", "--all"),
    value: colors("--least", "--less", "--nothing", "--more", "--most"),
  };
}

/** Return a colour of a colour map as CSS. */
export function css(colors: Uint32Array, at: number): string {
  const c = colors[position(at)];
  return `rgb(${c & 255},${(c >> 8) & 255},${(c >> 16) & 255})`;
}

/** Return the index of the colour for a value in 0..1; NaN counts as 0. */
export function position(at: number): number {
  return at > 0 ? Math.min(255, Math.round(at * 255)) : 0;
}

function fromHex(color: string): number[] {
  return [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
}

function ramp(anchors: number[][]): Uint32Array {
  const colors = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (anchors.length - 1);
    const low = Math.min(Math.floor(at), anchors.length - 2);
    const [r, g, b] = anchors[low].map((c, k) =>
      Math.round(c + (at - low) * (anchors[low + 1][k] - c)),
    );
    colors[i] = (255 << 24) | (b << 16) | (g << 8) | r; // as ImageData has it, little-endian
  }
  return colors;
}

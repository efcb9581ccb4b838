// The four stages of NTM addressing (Graves et al. 2014, section 3.3), of one head, as in
// machines/ntm/addressing.py.

import { argmax, dot, largest, map, oneHot, softmax, sum, type Vector, vector } from "./arrays";

const WEIGHT_FLOOR = 1e-12;
const SMOOTHED_WEIGHT_FLOOR = 1e-20;
const LARGEST_EXPONENT = 80;

/** Eq. 5 and 6: weight rows by their cosine similarity to a key. */
export function contentWeighting(
  memory: Vector[],
  key: Vector,
  keyStrength: number,
  smoothing: number,
  epsilon: number,
): Vector {
  const keySquares = dot(key, key) + smoothing;
  const similarity = memory.map((row) => {
    const norms = Math.sqrt(dot(row, row) + smoothing) * Math.sqrt(keySquares);
    return dot(key, row) / (norms + epsilon);
  });
  return softmax(similarity.map((x) => keyStrength * x));
}

/** Eq. 7: blend the content weighting with the head's previous one. */
export const interpolate = (content: Vector, previous: Vector, gate: number): Vector =>
  map(content, (x, i) => gate * x + (1 - gate) * previous[i]);

/** Eq. 8: move a weighting by a convolution with a distribution over shifts. */
export function shift(weighting: Vector, shifts: Vector, wrap: boolean): Vector {
  const rows = weighting.length;
  const center = Math.floor(shifts.length / 2);
  const moved = vector(rows);
  shifts.forEach((share, i) => {
    const by = i - center;
    for (let row = 0; row < rows; row++) {
      // What leaves at one end comes back at the other, or stays on the end row.
      const to = row + by;
      const at = wrap ? (to + rows) % rows : Math.max(0, Math.min(rows - 1, to));
      moved[at] += share * weighting[row];
    }
  });
  return moved;
}

/** Eq. 9: raise a weighting to a power of at least 1 and renormalise, in log space. */
export function sharpen(weighting: Vector, sharpening: number, smoothing: number): Vector {
  const floored = map(weighting, (x) => x + (smoothing ? SMOOTHED_WEIGHT_FLOOR : WEIGHT_FLOOR));
  const most = largest(floored);
  const powers = map(floored, (x) => Math.exp(sharpening * Math.log(x / most)));
  let total = sum(powers);
  if (smoothing) {
    const exponent = Math.log(smoothing) - sharpening * Math.log(most);
    total += Math.exp(Math.min(exponent, LARGEST_EXPONENT));
  }
  return powers.map((x) => x / total);
}

export const harden = (weighting: Vector): Vector =>
  oneHot(argmax(weighting), weighting.length);

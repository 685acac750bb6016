/** From the output of the model to a mask or a ranking, as seaformer/imaging/prediction.py does it. */

import type { OutputDescription, PageDescription } from "./description";
import type { Size } from "./preprocessing";
import type { Logits, Mask, Upsampler } from "./upsampling";

/** A class and its share of a mask, or its probability, 0..1. */
export interface RankedClass {
  id: number;
  share: number;
}

/** Returns the values of the output as one score per class and position. */
export function scoresOf(values: Float32Array, output: OutputDescription, classes: number): Logits {
  const { shape, class_axis: axis } = output;
  if (axis === null) throw new Error("The output of the model is class ids.");
  const isChannelsFirst = axis === 1;
  const sides = shape.filter((_, i) => i !== 0 && i !== axis);
  const [height, width] = sides.length === 2 ? (sides as [number, number]) : [1, 1];
  if (output.content !== "binary") {
    return { values, classes, height, width, isChannelsFirst };
  }
  // One channel becomes two: 0, and the value minus the threshold.
  const threshold = Math.fround(output.threshold ?? 0);
  const both = new Float32Array(2 * values.length);
  values.forEach((value, i) => {
    both[2 * i + 1] = value - threshold;
  });
  return { values: both, classes: 2, height, width, isChannelsFirst: false };
}

/** Returns the mask for the part of a photo that the model saw. */
export function maskOf(
  values: Float32Array,
  page: PageDescription,
  upsampler: Upsampler,
  size: Size,
): Mask {
  if (page.output.class_axis !== null) {
    return upsampler.mask(scoresOf(values, page.output, page.labels.length), size);
  }
  const [height, width] = page.output.shape.filter((side, i) => i > 0 && !(i === 3 && side === 1)) as [
    number,
    number,
  ];
  // Nearest neighbor: a class id between two others is a third class.
  const rows = nearest(size.height, height);
  const columns = nearest(size.width, width);
  const count = size.height * size.width;
  const classes = page.labels.length > 256 ? new Uint16Array(count) : new Uint8Array(count);
  let to = 0;
  for (const row of rows) for (const column of columns) classes[to++] = values[row * width + column]!;
  return { ...size, classes };
}

function nearest(there: number, here: number): number[] {
  return Array.from({ length: there }, (_, i) => Math.trunc(((i + 0.5) * here) / there));
}

/** Returns the classes in a mask, largest share first; ties by ascending class. */
export function sharesOf(mask: Mask, classes: number): RankedClass[] {
  const counts = new Array<number>(classes).fill(0);
  for (const id of mask.classes) counts[id] = (counts[id] ?? 0) + 1;
  return ranked(counts.map((count) => count / mask.classes.length)).filter(({ share }) => share > 0);
}

/** Returns the classes of a classifier's output, most probable first. */
export function rankingOf(values: Float32Array, page: PageDescription): RankedClass[] {
  if (page.output.class_axis === null) return [{ id: Math.round(values[0]!), share: 1 }];
  const { content, threshold } = page.output;
  if (content === "probabilities") return ranked([...values]);
  if (content === "binary" && threshold) return ranked([1 - values[0]!, values[0]!]);
  const scores = scoresOf(values, page.output, page.labels.length).values;
  const largest = scores.reduce((a, b) => Math.max(a, b));
  const powers = [...scores].map((score) => Math.exp(score - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return ranked(powers.map((power) => power / sum));
}

function ranked(shares: number[]): RankedClass[] {
  return shares.map((share, id) => ({ id, share })).sort((a, b) => b.share - a.share || a.id - b.id);
}

/** Resizing exactly like Pillow 13, on whose output exports are verified.
 *
 * When an image is reduced, the filter widens with the scale, so that every pixel contributes. The
 * axes are resized one after the other, with weights of 22 fractional bits and results rounded to 8
 * bits: the width first, but the height first if it shrinks by more than twice as many pixels.
 */

import type { Pixels } from "./pixels";

export type Interpolation = "bilinear" | "bicubic";

/** The region of the scaled image that is computed. */
export interface Crop {
  left: number;
  top: number;
  width: number;
  height: number;
}

const BITS = 22;
const HALF = 1 << (BITS - 1);

interface Filter {
  /** In source pixels. */
  support: number;
  weight: (distance: number) => number;
}

const FILTERS: Readonly<Record<Interpolation, Filter>> = {
  bilinear: {
    support: 1,
    weight: (distance) => Math.max(0, 1 - Math.abs(distance)),
  },
  bicubic: {
    support: 2,
    weight: (distance) => {
      const a = -0.5;
      const x = Math.abs(distance);
      if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    },
  },
};

/** Scales an image to a width and height, and returns a region of the result. */
export function resize(
  image: Pixels,
  scaledWidth: number,
  scaledHeight: number,
  crop: Crop,
  interpolation: Interpolation,
): Pixels {
  const filter = FILTERS[interpolation];
  const columns = axisOf(filter, image.width, scaledWidth, crop.left, crop.width);
  const rows = axisOf(filter, image.height, scaledHeight, crop.top, crop.height);
  const fewerRows = image.height - scaledHeight;
  if (fewerRows > 0 && fewerRows > 2 * (image.width - scaledWidth)) {
    return resizeColumns(resizeRows(image, rows, 0), columns, 0, crop.height);
  }
  // The first pass computes only the rows that the second one reads.
  const begin = rows.first[0]!;
  const end = rows.first.reduce((last, first, i) => Math.max(last, first + rows.count[i]!), 0);
  return resizeRows(resizeColumns(image, columns, begin, end), rows, begin);
}

/** For each output along an axis: the inputs that it mixes, and their weights. */
interface Axis {
  size: number;
  stride: number;
  first: Int32Array;
  count: Int32Array;
  weights: Int32Array;
}

function axisOf(
  filter: Filter,
  sources: number,
  scaled: number,
  begin: number,
  size: number,
): Axis {
  const scale = sources / scaled;
  const widening = Math.max(scale, 1);
  const support = filter.support * widening;
  const stride = 2 * Math.ceil(support) + 1;
  const axis: Axis = {
    size,
    stride,
    first: new Int32Array(size),
    count: new Int32Array(size),
    weights: new Int32Array(size * stride),
  };
  const weights = new Float64Array(stride);
  for (let output = 0; output < size; output++) {
    const center = (begin + output + 0.5) * scale;
    const first = Math.max(Math.trunc(center - support + 0.5), 0);
    const count = Math.min(Math.trunc(center + support + 0.5), sources) - first;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      weights[i] = filter.weight((i + first - center + 0.5) * (1 / widening));
      sum += weights[i]!;
    }
    axis.first[output] = first;
    axis.count[output] = count;
    for (let i = 0; i < count; i++) {
      const share = sum !== 0 ? weights[i]! / sum : weights[i]!;
      axis.weights[output * stride + i] = (share < 0 ? -0.5 : 0.5) + share * (1 << BITS);
    }
  }
  return axis;
}

function resizeColumns(image: Pixels, columns: Axis, begin: number, end: number): Pixels {
  const { channels } = image;
  const data = new Uint8ClampedArray(columns.size * (end - begin) * channels);
  let to = 0;
  for (let y = begin; y < end; y++) {
    const row = y * image.width * channels;
    for (let x = 0; x < columns.size; x++) {
      const origin = row + columns.first[x]! * channels;
      const weights = x * columns.stride;
      const count = columns.count[x]!;
      for (let channel = 0; channel < channels; channel++, to++) {
        let sum = HALF;
        for (let i = 0, at = origin + channel; i < count; i++, at += channels) {
          sum += image.data[at]! * columns.weights[weights + i]!;
        }
        data[to] = sum >> BITS;
      }
    }
  }
  return { width: columns.size, height: end - begin, channels, data };
}

/** Resizes rows; the first row of `image` is row `firstRow` of the image that `rows` refers to. */
function resizeRows(image: Pixels, rows: Axis, firstRow: number): Pixels {
  const length = image.width * image.channels;
  const data = new Uint8ClampedArray(length * rows.size);
  const sums = new Int32Array(length);
  for (let y = 0; y < rows.size; y++) {
    sums.fill(HALF);
    for (let i = 0; i < rows.count[y]!; i++) {
      const weight = rows.weights[y * rows.stride + i]!;
      const from = (rows.first[y]! + i - firstRow) * length;
      for (let x = 0; x < length; x++) sums[x] = sums[x]! + image.data[from + x]! * weight;
    }
    for (let x = 0, to = y * length; x < length; x++, to++) data[to] = sums[x]! >> BITS;
  }
  return { width: image.width, height: rows.size, channels: image.channels, data };
}

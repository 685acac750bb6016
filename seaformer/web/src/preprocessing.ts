/** From a photo to the input of the model, as seaformer/imaging/preprocessing.py does it. */

import type { InputDescription } from "./description";
import { type Pixels, gray } from "./pixels";
import { resize } from "./resampling";
import { roundHalfToEven } from "./tensor_values";

export interface Size {
  height: number;
  width: number;
}

/** Returns the height and width of the model's input. */
export function inputSize(input: InputDescription): Size {
  const [, a, b, c] = input.shape as [number, number, number, number];
  return input.layout === "NHWC" ? { height: a, width: b } : { height: b, width: c };
}

/** Returns the values of the input for a photo, in the order of the tensor, as real numbers. */
export function prepare(photo: Pixels, input: InputDescription): Float32Array {
  const { height, width } = inputSize(input);
  const scaled = scaledSize(photo, input);
  const crop = {
    top: Math.floor((scaled.height - height) / 2),
    left: Math.floor((scaled.width - width) / 2),
    height,
    width,
  };
  const source = input.color_order === "GRAY" ? gray(photo) : photo;
  const seen = resize(source, scaled.width, scaled.height, crop, input.interpolation);
  return arranged(seen, input);
}

/** Returns the size of the part of a photo that the model sees, in the photo's pixels. */
export function seenSize(photo: Size, input: InputDescription): Size {
  const { height, width } = inputSize(input);
  const scaled = scaledSize(photo, input);
  return {
    height: Math.max(1, roundHalfToEven((height * photo.height) / scaled.height)),
    width: Math.max(1, roundHalfToEven((width * photo.width) / scaled.width)),
  };
}

/** Returns the size of the whole photo at the scale of the input, which is the middle of it. */
function scaledSize(photo: Size, input: InputDescription): Size {
  const { height, width } = inputSize(input);
  if (input.crop_fraction === null) return { height, width };
  const scale = Math.max(height / photo.height, width / photo.width) / input.crop_fraction;
  // Rounding removes the error of the divisions: 250.00000000000003 is 250.
  const scaled = (side: number): number => Math.ceil(Math.round(side * scale * 1e6) / 1e6);
  return { height: scaled(photo.height), width: scaled(photo.width) };
}

/** Normalizes the pixels, unless the model does, and arranges their channels. */
function arranged(seen: Pixels, input: InputDescription): Float32Array {
  const { channels } = seen;
  const count = seen.width * seen.height;
  const values = new Float32Array(count * channels);
  const isFirst = input.layout === "NCHW";
  for (let channel = 0; channel < channels; channel++) {
    const source = input.color_order === "BGR" ? channels - 1 - channel : channel;
    const levels = levelsOf(channel, input);
    const step = isFirst ? 1 : channels;
    let to = isFirst ? channel * count : channel;
    for (let i = 0, from = source; i < count; i++, from += channels, to += step) {
      values[to] = levels[seen.data[from]!]!;
    }
  }
  return values;
}

/** Returns the input value of each level of a channel, 0..255, in the arithmetic of NumPy. */
function levelsOf(channel: number, input: InputDescription): Float32Array {
  const levels = Float32Array.from({ length: 256 }, (_, level) => level);
  if (input.normalization === "inside") return levels;
  const mean = Math.fround(input.mean[channel]!);
  const std = Math.fround(input.std[channel]!);
  return levels.map((level) => Math.fround(level - mean) / std);
}

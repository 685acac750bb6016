/** Images as bytes. */

/** An image of interleaved channels, row by row. */
export interface Pixels {
  width: number;
  height: number;
  channels: number;
  data: Uint8Array | Uint8ClampedArray;
}

/** Drops the alpha channel of an opaque image. */
export function withoutAlpha(image: ImageData): Pixels {
  const count = image.width * image.height;
  const data = new Uint8Array(3 * count);
  for (let i = 0, from = 0, to = 0; i < count; i++, from += 4, to += 3) {
    data[to] = image.data[from]!;
    data[to + 1] = image.data[from + 1]!;
    data[to + 2] = image.data[from + 2]!;
  }
  return { width: image.width, height: image.height, channels: 3, data };
}

/** Returns the luminance of ITU-R BT.601, as Pillow's mode "L" rounds it. */
export function gray(image: Pixels): Pixels {
  const count = image.width * image.height;
  const data = new Uint8Array(count);
  for (let i = 0, at = 0; i < count; i++, at += 3) {
    data[i] =
      (19595 * image.data[at]! + 38470 * image.data[at + 1]! + 7471 * image.data[at + 2]! + 0x8000) >>
      16;
  }
  return { width: image.width, height: image.height, channels: 1, data };
}

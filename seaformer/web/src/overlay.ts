/** Draws a photo with the colors of its classes. */

import type { PageDescription } from "./description";
import type { Mask } from "./upsampling";

/** Draws a photo, and over its middle the mask of the part that the model saw, if there is one. */
export function drawOverlay(
  canvas: HTMLCanvasElement,
  photo: ImageData,
  mask: Mask | null,
  colors: PageDescription["colors"],
  opacity: number,
): void {
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("This browser cannot draw images.");
  canvas.width = photo.width;
  canvas.height = photo.height;
  context.putImageData(mask === null ? photo : blended(photo, mask, colors, opacity), 0, 0);
}

/** Blends as seaformer/imaging/overlay.py does. */
function blended(
  photo: ImageData,
  mask: Mask,
  colors: PageDescription["colors"],
  opacity: number,
): ImageData {
  const weight = Math.round(256 * opacity);
  const result = new ImageData(new Uint8ClampedArray(photo.data), photo.width, photo.height);
  const top = Math.floor((photo.height - mask.height) / 2);
  const left = Math.floor((photo.width - mask.width) / 2);
  for (let y = 0, from = 0; y < mask.height; y++) {
    let to = 4 * ((top + y) * photo.width + left);
    for (let x = 0; x < mask.width; x++, from++, to += 4) {
      const color = colors[mask.classes[from]!];
      if (color === undefined) continue;
      for (let channel = 0; channel < 3; channel++) {
        const value = result.data[to + channel]! * (256 - weight) + color[channel]! * weight + 128;
        result.data[to + channel] = value >> 8;
      }
    }
  }
  return result;
}

/** Returns a mask of up to 256 classes as a gray PNG, whose values are the class ids. */
export async function maskFile(mask: Mask): Promise<Blob> {
  const canvas = document.createElement("canvas");
  canvas.width = mask.width;
  canvas.height = mask.height;
  const image = new ImageData(mask.width, mask.height);
  mask.classes.forEach((id, i) => image.data.set([id, id, id, 255], 4 * i));
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => {
      if (blob === null) reject(new Error("The mask cannot be saved in this browser."));
      else resolve(blob);
    }, "image/png");
  });
}

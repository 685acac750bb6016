/** Photos and camera frames as pixels. */

/** A canvas of this many pixels works on all phones. */
const MAX_PIXELS = 16_000_000;

const context = (() => {
  const found = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  if (found === null) throw new Error("This browser cannot draw images.");
  return found;
})();

/** Reads a photo upright, on white where transparent; a very large one is reduced. */
export async function readPhoto(file: Blob): Promise<ImageData> {
  let bitmap: ImageBitmap;
  try {
    // Color profiles are ignored, as in the training of the networks.
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    throw new Error("This file is not an image that the browser can read. Choose a JPEG or PNG.");
  }
  const scale = Math.min(1, Math.sqrt(MAX_PIXELS / (bitmap.width * bitmap.height)));
  const width = Math.max(1, Math.floor(bitmap.width * scale));
  const height = Math.max(1, Math.floor(bitmap.height * scale));
  try {
    return drawn(bitmap, width, height);
  } finally {
    bitmap.close();
  }
}

/** Returns the current frame of a video. */
export function frameOf(video: HTMLVideoElement): ImageData {
  return drawn(video, video.videoWidth, video.videoHeight);
}

function drawn(source: CanvasImageSource, width: number, height: number): ImageData {
  context.canvas.width = width;
  context.canvas.height = height;
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(source, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

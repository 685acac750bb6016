/** The exact full-size mask: argmax.c of seaformer/imaging/upsampling, compiled to WebAssembly. */

import { fetchBytes } from "./description";
import type { Size } from "./preprocessing";

/** A class for every pixel, row by row. */
export interface Mask extends Size {
  classes: Uint8Array | Uint16Array;
}

export interface Logits extends Size {
  values: Float32Array;
  classes: number;
  /** Whether the values of a position are not adjacent: [C, h, w] instead of [h, w, C]. */
  isChannelsFirst: boolean;
}

interface Exports {
  memory: WebAssembly.Memory;
  __heap_base: WebAssembly.Global;
  _initialize(): void;
  seaformer_upsample_argmax_workspace(job: number): number;
  seaformer_upsample_argmax(job: number, logits: number, mask: number, workspace: number): number;
}

const PAGE_BYTES = 65536;
const ALIGNMENT = 16;

/** Numbers of argmax.h. */
const FLOAT32 = 0;
const CHANNELS_FIRST = 0;
const CHANNELS_LAST = 1;
const NOT_FINITE = 3;
const JOB_BYTES = 28;

export class Upsampler {
  private constructor(private readonly c: Exports) {}

  static async load(): Promise<Upsampler> {
    const { instance } = await WebAssembly.instantiate(await fetchBytes("upsampling.wasm"));
    const exports = instance.exports as unknown as Exports;
    exports._initialize();
    return new Upsampler(exports);
  }

  /** Returns the class of every pixel of logits that are resized bilinearly to a size. */
  mask(logits: Logits, size: Size): Mask {
    const { classes, height, width } = logits;
    const count = size.height * size.width;
    const isWide = classes > 256;
    const job = align(this.c.__heap_base.value as number);
    const values = align(job + JOB_BYTES);
    const mask = align(values + logits.values.byteLength);
    const workspace = align(mask + (isWide ? 2 : 1) * count);

    this.reserve(workspace);
    const layout = logits.isChannelsFirst ? CHANNELS_FIRST : CHANNELS_LAST;
    const members = [classes, height, width, size.height, size.width, FLOAT32, layout];
    new Int32Array(this.c.memory.buffer, job, members.length).set(members);
    const bytes = this.c.seaformer_upsample_argmax_workspace(job) >>> 0;
    if (bytes === 0) throw new Error(`A mask of ${size.width} x ${size.height} pixels is too large.`);
    this.reserve(workspace + bytes);
    new Float32Array(this.c.memory.buffer, values, logits.values.length).set(logits.values);

    const status = this.c.seaformer_upsample_argmax(job, values, mask, workspace);
    if (status === NOT_FINITE) throw new Error("The output of the model is not finite.");
    if (status !== 0) throw new Error(`The mask cannot be computed (status ${status}).`);
    const { buffer } = this.c.memory;
    const found = isWide ? new Uint16Array(buffer, mask, count) : new Uint8Array(buffer, mask, count);
    return { ...size, classes: found.slice() };
  }

  private reserve(bytes: number): void {
    const missing = bytes - this.c.memory.buffer.byteLength;
    if (missing <= 0) return;
    try {
      this.c.memory.grow(Math.ceil(missing / PAGE_BYTES));
    } catch {
      throw new Error("The mask does not fit the memory of this browser. Use a smaller photo.");
    }
  }
}

function align(address: number): number {
  return Math.ceil(address / ALIGNMENT) * ALIGNMENT;
}

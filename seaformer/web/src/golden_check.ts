/** Compares an accelerator's output with the one computed when the page was written. */

import { scoresOf } from "./analysis";
import type { GoldenDescription, PageDescription, Threshold } from "./description";
import { fetchBytes } from "./description";
import type { Pixels } from "./pixels";
import { prepare } from "./preprocessing";
import { ACCELERATOR_NAMES, type Accelerator } from "./session";

const MOST_DB = 300;

export interface Verdict {
  passed: boolean;
  /** 10 log10(sum of expected^2 / sum of error^2); null for class ids. */
  sqnr_db: number | null;
  /** Share of positions with the same class, 0..1. */
  agreement: number;
  threshold: Threshold;
}

export class GoldenCheck {
  private constructor(
    private readonly page: PageDescription,
    /** The golden input. */
    readonly input: Float32Array,
    private readonly expected: Float32Array | Int32Array,
  ) {}

  static async load(page: PageDescription): Promise<GoldenCheck> {
    const { golden } = page;
    const [image, values] = await Promise.all([
      fetchBytes("golden/image.rgb"),
      fetchBytes("golden/model.bin"),
    ]);
    const count = golden.positions * golden.channels;
    if (image.length !== 3 * golden.width * golden.height || values.length !== 4 * count) {
      throw new Error("The expected output of the model is damaged. Copy the page again.");
    }
    const pixels: Pixels = { width: golden.width, height: golden.height, channels: 3, data: image };
    const expected =
      page.output.class_axis === null ? new Int32Array(values.buffer) : new Float32Array(values.buffer);
    return new GoldenCheck(page, prepare(pixels, page.input), expected);
  }

  judge(output: Float32Array, accelerator: Accelerator): Verdict {
    const { golden } = this.page;
    const threshold = golden.thresholds[ACCELERATOR_NAMES[accelerator]];
    if (threshold === undefined) throw new Error("page.json has no threshold for this accelerator.");
    const { length } = output;
    if (length !== this.page.output.shape.reduce((a, b) => a * b, 1)) {
      throw new Error(`The model returns ${length} values, which does not fit page.json.`);
    }
    if (this.page.output.class_axis === null) {
      const agreement = share(golden.positions, (i) => this.expected[i] === output[i * golden.step]);
      return { passed: agreement >= threshold.min_agreement, sqnr_db: null, agreement, threshold };
    }
    const actual = sampled(output, this.page, golden);
    const sqnr_db = sqnr(this.expected, actual);
    const agreement = share(
      golden.positions,
      (i) => largest(this.expected, i, golden.channels) === largest(actual, i, golden.channels),
    );
    const passed = sqnr_db >= threshold.min_sqnr_db && agreement >= threshold.min_agreement;
    return { passed, sqnr_db, agreement, threshold };
  }
}

/** Returns a verdict's numbers for people. */
export function describe(verdict: Verdict): string {
  const same = `the same class at ${(100 * verdict.agreement).toFixed(2)} % of positions`;
  return verdict.sqnr_db === null ? same : `${verdict.sqnr_db.toFixed(1)} dB, ${same}`;
}

function sampled(output: Float32Array, page: PageDescription, golden: GoldenDescription): Float32Array {
  const scores = scoresOf(output, page.output, page.labels.length);
  const positions = scores.height * scores.width;
  const { channels } = golden;
  return Float32Array.from({ length: golden.positions * channels }, (_, i) => {
    const position = golden.step * Math.floor(i / channels);
    const channel = i % channels;
    const at = scores.isChannelsFirst ? channel * positions + position : position * channels + channel;
    return scores.values[at]!;
  });
}

function largest(scores: ArrayLike<number>, position: number, channels: number): number {
  let best = 0;
  for (let k = 1; k < channels; k++) {
    if (scores[position * channels + k]! > scores[position * channels + best]!) best = k;
  }
  return best;
}

function share(count: number, holds: (index: number) => boolean): number {
  let found = 0;
  for (let i = 0; i < count; i++) if (holds(i)) found++;
  return found / count;
}

/** Same as sqnr_db in seaformer.evaluation.metrics. */
function sqnr(expected: ArrayLike<number>, actual: ArrayLike<number>): number {
  let signal = 0;
  let noise = 0;
  for (let i = 0; i < expected.length; i++) {
    signal += expected[i]! ** 2;
    noise += (expected[i]! - actual[i]!) ** 2;
  }
  if (!Number.isFinite(noise)) return -MOST_DB;
  if (noise === 0) return MOST_DB;
  const db = 10 * Math.log10(Math.max(signal, 1e-300) / noise);
  return Math.max(-MOST_DB, Math.min(MOST_DB, db));
}

/** Summaries of latencies, as `summarize` in seaformer/statistics/bootstrap.py computes them.
 *
 * That module explains the method: a bootstrap over rounds, with percentiles that are expanded for
 * few rounds. The names of the members are those of results.json.
 */

import { centralNormal, centralQuantileOfT } from "./distributions";
import { Random } from "./numpy_random";

/** The latencies of a model: for each round, at least one value in milliseconds. */
export type Rounds = readonly (readonly number[])[];

export const MIN_ROUNDS = 5;
export const CONFIDENCE = 0.95;
const RESAMPLES = 4000;

export interface Interval {
  low: number;
  high: number;
  /** Level of the interval, 0..1. */
  confidence: number;
}

export interface Summary {
  runs: number;
  rounds: number;
  median_ms: number;
  /** Null with fewer than `MIN_ROUNDS` rounds. */
  interval_ms: Interval | null;
  p10_ms: number;
  p90_ms: number;
  mean_ms: number;
  mad_ms: number;
  min_ms: number;
  max_ms: number;
  throughput_per_s: number;
}

/** Summarizes latencies; `seed` is that of the bootstrap. */
export function summarize(rounds: Rounds, seed: number): Summary {
  if (rounds.length === 0 || rounds.some((values) => values.length === 0)) {
    throw new Error("There are no runs to summarize.");
  }
  const runs = sorted(rounds.flat());
  const middle = median(runs);
  const mean = runs.reduce((sum, value) => sum + value, 0) / runs.length;
  return {
    runs: runs.length,
    rounds: rounds.length,
    median_ms: middle,
    interval_ms: intervalOfMedian(rounds, seed),
    p10_ms: quantile(runs, 0.1),
    p90_ms: quantile(runs, 0.9),
    mean_ms: mean,
    mad_ms: median(sorted(runs.map((value) => Math.abs(value - middle)))),
    min_ms: runs[0]!,
    max_ms: runs[runs.length - 1]!,
    throughput_per_s: 1000 / mean,
  };
}

function intervalOfMedian(rounds: Rounds, seed: number): Interval | null {
  const count = rounds.length;
  if (count < MIN_ROUNDS) return null;
  const random = new Random(seed);
  const medians = new Float64Array(RESAMPLES);
  for (let draw = 0; draw < RESAMPLES; draw++) {
    const drawn = Array.from({ length: count }, () => rounds[random.below(count)]!);
    medians[draw] = median(sorted(drawn.flat()));
  }
  medians.sort();
  const t = centralQuantileOfT(CONFIDENCE, count - 1) * Math.sqrt(count / (count - 1));
  const outside = (1 - centralNormal(t)) / 2;
  return {
    low: quantile(medians, outside),
    high: quantile(medians, 1 - outside),
    confidence: CONFIDENCE,
  };
}

/** Returns the median of numbers in any order. */
export function medianOf(values: readonly number[]): number {
  return median(sorted(values));
}

function sorted(values: Iterable<number>): Float64Array {
  return Float64Array.from(values).sort();
}

function median(ascending: Float64Array): number {
  const { length } = ascending;
  return (ascending[(length - 1) >> 1]! + ascending[length >> 1]!) / 2;
}

/** Returns a quantile, interpolated linearly between the two nearest values. */
function quantile(ascending: Float64Array, share: number): number {
  const place = share * (ascending.length - 1);
  const below = Math.floor(place);
  const low = ascending[below]!;
  const high = ascending[Math.min(below + 1, ascending.length - 1)]!;
  return low + (place - below) * (high - low);
}

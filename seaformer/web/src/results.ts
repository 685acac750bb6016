/** results.json of a measurement in the page: a file of benchmark/results/schema.py.
 *
 * The tests read it as the commands do.
 */

import type { BrowserFacts, Conditions, DeviceFacts, GpuFacts } from "./browser_facts";
import type { PageDescription } from "./description";
import { type Measurement, type Plan, RUNS_PER_ROUND, TIME_LIMIT_S, WARMUP_RUNS } from "./measurement";
import { ACCELERATOR_NAMES, type TensorDescription } from "./session";
import { type Summary, medianOf, summarize } from "./statistics";

/** Seed of the bootstrap. */
const SEED = 0;

/** Id of the model in the raw data. */
const MODEL = "m0";

/** Steps of the clock above this share of the median get a warning. */
const COARSE = 0.02;

const ELEMENT_BYTES: Readonly<Record<string, number>> = { float32: 4, int32: 4, uint8: 1, int8: 1 };

/** Characters that a shell takes literally. */
const PLAIN = /^[\w.\/-]+$/;

/** When and where it was measured. */
export interface Circumstances {
  created_at: string;
  device: DeviceFacts;
  browser: BrowserFacts;
  /** The GPU of a measurement on it; null on the CPU. */
  gpu: GpuFacts | null;
  before: Conditions;
  after: Conditions;
}

export interface Times {
  run: Summary;
  load_ms: number;
  first_inference_ms: number;
}

/** The members of results.json that the page shows. */
export interface Results {
  unknown: string[];
  warnings: string[];
}

/** Returns the latencies of the rounds that are used; null without any. */
export function timesOf(measurement: Measurement): Times | null {
  const used = measurement.rounds.filter((one) => one.excluded === null);
  if (used.length === 0 || !measurement.verdict.passed) return null;
  return {
    run: summarize(used.map((one) => one.durations_ms.map((ms) => nanoseconds(ms) / 1e6)), SEED),
    // As in Python, of all rounds.
    load_ms: medianOf(measurement.rounds.map((one) => one.load_ms)),
    first_inference_ms: medianOf(measurement.rounds.map((one) => one.warmup_ms[0]!)),
  };
}

/** Returns the object that results.json contains. */
export function resultsOf(
  measurement: Measurement,
  plan: Plan,
  page: PageDescription,
  at: Circumstances,
): Results {
  const times = timesOf(measurement);
  const isEmulated = at.gpu !== null && at.gpu.software !== null;
  const { verdict } = measurement;
  const { model, runtime } = page;
  const results = {
    schema_version: 1,
    created_at: at.created_at,
    command: `seaformer-bundle ${quoted(model.name)} --web page --serve`,
    complete: measurement.stoppedBy === "runs",
    stopped_by: measurement.stoppedBy,
    problem: measurement.problem,
    emulated: isEmulated,
    device: at.device,
    backend: `litertjs-${plan.accelerator}`,
    accelerator: ACCELERATOR_NAMES[plan.accelerator],
    runtime: {
      name: runtime.name,
      version: runtime.version,
      file: runtime.archive,
      sha256: runtime.sha256,
      driver: at.gpu?.software ?? null,
    },
    threads: measurement.threads,
    cores: { name: "chosen by the browser", cores: [], mask: "", max_khz: {} },
    protocol: {
      runs: plan.rounds * RUNS_PER_ROUND,
      until: null,
      runs_per_round: RUNS_PER_ROUND,
      warmup_runs: WARMUP_RUNS,
      time_limit_s: TIME_LIMIT_S,
      cool_below_c: null,
      keep_throttled: false,
      seed: SEED,
    },
    conditions_before: at.before,
    conditions_after: at.after,
    unknown: unknownFacts(at),
    versions: { seaformer: page.seaformer, [runtime.name]: runtime.version },
    warnings: warnings(measurement, times, at.browser),
    models: [
      {
        id: MODEL,
        file: model.name,
        bytes: model.bytes,
        sha256: model.sha256,
        title: page.title,
        precision: page.precision ?? "unknown",
        facts: page.facts,
        input: {
          source: "photograph",
          name: "",
          dtype: page.input.dtype,
          shape: page.input.shape,
          sha256: null,
        },
        note: page.weights?.is_random ? "random weights: its predictions are meaningless" : "",
        parity: {
          reference: page.golden.reference,
          sqnr_db: verdict.sqnr_db,
          max_abs_error: null,
          agreement: verdict.agreement,
          min_sqnr_db: verdict.threshold.min_sqnr_db,
          min_agreement: verdict.threshold.min_agreement,
          passed: verdict.passed,
        },
        latency: isEmulated ? null : times,
        emulated: isEmulated ? times : null,
        peak_memory_bytes: null,
      },
    ],
    ratios: [],
    rounds: measurement.rounds.map((round, index) => roundOf(round, index, page)),
    browser: at.browser,
  };
  return results;
}

function roundOf(
  round: Measurement["rounds"][number],
  index: number,
  page: PageDescription,
): object {
  return {
    index,
    purpose: "measure",
    used: round.excluded === null,
    throttled: round.excluded,
    complete: true,
    header: null,
    loaded: [
      {
        id: MODEL,
        load_ms: round.load_ms,
        first_inference_ms: round.warmup_ms[0],
        warmup_ns: round.warmup_ms.map(nanoseconds),
        input: tensorOf(page.input),
        outputs: [tensorOf(page.output)],
        fully_delegated: null,
        resident_bytes: null,
      },
    ],
    blocks: [
      {
        model: MODEL,
        index: 0,
        round: 0,
        settling_ns: null,
        durations_ns: round.durations_ms.map(nanoseconds),
        cpus: [],
        frequency_khz_before: null,
        frequency_khz_after: null,
        temperature_c_before: null,
        temperature_c_after: null,
        started_ns: nanoseconds(round.started_ms),
        page_faults: null,
        context_switches: null,
      },
    ],
    tails: [],
    peak_memory_bytes: null,
    conditions_after: null,
  };
}

function tensorOf({ dtype, shape, quantization }: TensorDescription): object {
  const elements = shape.reduce((product, side) => product * side, 1);
  return {
    name: "",
    dtype,
    shape,
    bytes: elements * (ELEMENT_BYTES[dtype] ?? 0),
    scale: quantization?.scale ?? null,
    zero_point: quantization?.zero_point ?? null,
  };
}

function unknownFacts({ device, before }: Circumstances): string[] {
  return [
    "temperature",
    "thermal status",
    "clock frequencies",
    "the cores that it ran on",
    "load by other programs",
    "memory that the model adds",
    "power saving",
    ...(device.model === null ? ["the name of the device"] : []),
    ...(before.battery_percent === null ? ["battery"] : []),
  ];
}

function warnings(measurement: Measurement, times: Times | null, browser: BrowserFacts): string[] {
  const found = [];
  const excluded = measurement.rounds.filter((one) => one.excluded !== null).length;
  if (excluded > 0 && measurement.verdict.passed) {
    found.push(`the page was in the background in ${excluded} rounds, which are not used`);
  }
  const step = browser.clock_ms;
  if (times !== null && step > COARSE * times.run.median_ms) {
    const share = ((100 * step) / times.run.median_ms).toFixed(0);
    found.push(`the browser's clock has steps of ${step} ms, ${share} % of the median`);
  }
  if (!browser.isolated) {
    found.push(
      "the page was not cross-origin isolated, so the browser gave it one thread and a coarse " +
        "clock: serve it with seaformer-bundle --serve",
    );
  }
  return found;
}

function nanoseconds(ms: number): number {
  return Math.round(1e6 * ms);
}

function quoted(name: string): string {
  return PLAIN.test(name) ? name : `'${name.replaceAll("'", `'"'"'`)}'`;
}

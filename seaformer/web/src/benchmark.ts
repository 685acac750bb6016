/** The benchmark of the page: its controls, its progress, and results.json to save. */

import { type AcceleratorCheck, isUnavailable, optionOf } from "./accelerator_check";
import { type BrowserFacts, readBrowser, readConditions, readDevice, readGpu } from "./browser_facts";
import type { PageDescription } from "./description";
import { element, find } from "./elements";
import { type GoldenCheck, describe } from "./golden_check";
import {
  type Measurement,
  type Plan,
  RUNS_PER_ROUND,
  type Subject,
  WARMUP_RUNS,
  measure,
} from "./measurement";
import { type Results, resultsOf, timesOf } from "./results";
import { save } from "./saving";
import {
  ACCELERATOR_TITLES,
  type Accelerator,
  type ModelFile,
  load,
  threadsAvailable,
} from "./session";
import { CONFIDENCE, type Summary } from "./statistics";

/** Name of the lock and of the note that a measurement is in progress. */
const IN_PROGRESS = "seaformer benchmark";

export interface BenchmarkContext {
  page: PageDescription;
  model: ModelFile;
  golden: GoldenCheck;
  /** The accelerators of this browser. */
  checks: readonly AcceleratorCheck[];
  /** Runs a job while the page does nothing else, and shows its error. */
  exclusively(job: () => Promise<void>): Promise<void>;
}

export class Benchmark {
  private readonly accelerators = find<HTMLSelectElement>("benchmark-accelerator");
  private readonly threads = find<HTMLSelectElement>("benchmark-threads");
  private readonly rounds = find<HTMLInputElement>("benchmark-rounds");
  private readonly progress = find<HTMLProgressElement>("benchmark-progress");
  private results: Results | null = null;

  constructor(private readonly context: BenchmarkContext) {
    this.accelerators.append(...context.checks.map(optionOf));
    find("benchmark-method").textContent =
      `Each round starts the runtime and compiles the model anew, runs it ${WARMUP_RUNS} times to warm ` +
      `up, and then measures ${RUNS_PER_ROUND} runs on a test image. Keep the page in front.`;
    const most = threadsAvailable();
    for (let count = 1; count <= most; count++) this.threads.append(new Option(String(count)));
    this.accelerators.addEventListener("change", () => this.showThreads());
    this.showThreads();
    find("benchmark").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.start();
    });
    find("save-results").addEventListener("click", () => this.save());
    find<HTMLButtonElement>("measure").disabled = context.checks.every(isUnavailable);
    void reportUnfinished();
  }

  private showThreads(): void {
    find("benchmark-threads-label").hidden = this.accelerators.value === "webgpu";
  }

  private async start(): Promise<void> {
    const plan: Plan = {
      accelerator: this.accelerators.value as Accelerator,
      threads: Number(this.threads.value),
      rounds: this.rounds.valueAsNumber,
    };
    showRunning(true);
    if (navigator.locks === undefined) {
      await this.run(plan);
    } else {
      await navigator.locks.request(IN_PROGRESS, { ifAvailable: true }, async (lock) => {
        if (lock === null) say("Another tab measures. Wait until it has finished.");
        else await this.run(plan);
      });
    }
    showRunning(false);
  }

  private async run(plan: Plan): Promise<void> {
    const interruption = new AbortController();
    const stop = (): void => interruption.abort();
    const ask = (event: BeforeUnloadEvent): void => event.preventDefault();
    find("stop").addEventListener("click", stop);
    addEventListener("beforeunload", ask);
    this.progress.max = plan.rounds;
    this.progress.value = 0;
    note.write();
    const awake = await navigator.wakeLock?.request("screen").catch(() => null);
    say("Waiting for the current task");
    await this.context.exclusively(async () => {
      try {
        await this.measured(plan, interruption.signal);
      } catch (error) {
        say("");
        throw error;
      }
    });
    void awake?.release();
    note.remove();
    removeEventListener("beforeunload", ask);
    find("stop").removeEventListener("click", stop);
  }

  private async measured(plan: Plan, signal: AbortSignal): Promise<void> {
    const { page, model, golden } = this.context;
    const subject: Subject = {
      load: (accelerator, threads) => load(model, accelerator, threads),
      input: golden.input,
      judge: (output, accelerator) => golden.judge(output, accelerator),
    };
    const created_at = new Date().toISOString();
    const gpu = plan.accelerator === "webgpu" ? await readGpu() : null;
    const before = await readConditions();
    const measurement = await measure(subject, plan, signal, (used) => {
      this.progress.value = used;
      say(`Measured ${used} of ${plan.rounds} rounds. Keep the page in front.`);
    });
    const browser = readBrowser(gpu);
    const device = await readDevice();
    const after = await readConditions();
    this.results = resultsOf(measurement, plan, page, { created_at, device, browser, gpu, before, after });
    const { problem } = measurement;
    say(problem === null ? "Complete" : `Not complete. ${problem}`);
    show(measurement, plan, browser, this.results, gpu?.software ?? null);
  }

  private save(): void {
    const text = `${JSON.stringify(this.results, null, 1)}\n`;
    save(new Blob([text], { type: "application/json" }), "results.json");
  }
}

function show(
  measurement: Measurement,
  plan: Plan,
  browser: BrowserFacts,
  results: Results,
  software: string | null,
): void {
  const times = timesOf(measurement);
  const { verdict, threads } = measurement;
  const rows: [string, string][] = [];
  if (times !== null) {
    rows.push(
      [`Median, ${100 * CONFIDENCE} % interval`, medianText(times.run)],
      ["10th to 90th percentile", `${digits(times.run.p10_ms)} to ${digits(times.run.p90_ms)} ms`],
      ["Runs", `${times.run.runs} in ${times.run.rounds} rounds`],
      ["Load and compile", `${digits(times.load_ms)} ms`],
      ["First inference", `${digits(times.first_inference_ms)} ms`],
    );
  }
  rows.push(
    ["Output", `${verdict.passed ? "right" : "wrong, so it has no latency"}, ${describe(verdict)}`],
    ["Browser", browser.name],
    ["Clock", `steps of ${browser.clock_ms} ms`],
    ["Cross-origin isolated", browser.isolated ? "yes" : "no"],
    ["Unknown to the page", results.unknown.join(", ")],
  );
  const where =
    plan.accelerator === "wasm"
      ? `CPU, ${threads} thread${threads === 1 ? "" : "s"}`
      : ACCELERATOR_TITLES[plan.accelerator];
  const table = find<HTMLTableElement>("times");
  table.createCaption().textContent =
    software === null
      ? `Latency of one inference in this browser, ${where}`
      : `Emulated, no latency: ${software} computes on the processor`;
  table.tBodies[0]?.replaceChildren(...rows.map(rowOf));
  find("cautions").replaceChildren(...results.warnings.map((text) => element("li", text)));
  find("measured").hidden = false;
}

function showRunning(isRunning: boolean): void {
  find("benchmark-progress").hidden = find("stop").hidden = !isRunning;
  find<HTMLButtonElement>("measure").disabled = isRunning;
  find<HTMLFieldSetElement>("benchmark-choices").disabled = isRunning;
  if (isRunning) find("measured").hidden = true;
}

/** Reports that the page was closed during a measurement: its runs were in memory only. */
async function reportUnfinished(): Promise<void> {
  const held = (await navigator.locks?.query())?.held ?? [];
  if (held.some(({ name }) => name === IN_PROGRESS) || !note.isThere()) return;
  note.remove();
  say("The page was closed during a measurement, so there are no results of it. Measure again.");
}

/** A note that outlives the page; browsers may refuse to store it. */
const note = {
  write: (): void => attempt(() => localStorage.setItem(IN_PROGRESS, "1")),
  remove: (): void => attempt(() => localStorage.removeItem(IN_PROGRESS)),
  isThere: (): boolean => {
    let isThere = false;
    attempt(() => (isThere = localStorage.getItem(IN_PROGRESS) !== null));
    return isThere;
  },
};

function attempt(action: () => void): void {
  try {
    action();
  } catch {
    // Without storage, a closed page is not reported.
  }
}

function medianText({ median_ms, interval_ms }: Summary): string {
  const ends = interval_ms && ` (${digits(interval_ms.low)} to ${digits(interval_ms.high)} ms)`;
  return `${digits(median_ms)} ms${ends ?? ""}`;
}

function digits(ms: number): string {
  return ms >= 100 ? ms.toFixed(0) : ms.toPrecision(3);
}

function rowOf([title, value]: [string, string]): HTMLElement {
  const row = element("tr");
  const heading = document.createElement("th");
  heading.scope = "row";
  heading.textContent = title;
  row.append(heading, element("td", value));
  return row;
}

function say(text: string): void {
  find("benchmark-status").textContent = text;
}

/** Measuring the latency of a model in rounds, as benchmark/measure does on a phone.
 *
 * A round is a new session, whose worker loads the runtime and compiles the model anew: runs of one
 * session are correlated. No round starts while the page is in the background, where browsers slow
 * it down, and a round during which it was there is not used.
 */

import { messageOf } from "./elements";
import type { Verdict } from "./golden_check";
import type { Accelerator, Session } from "./session";

export const RUNS_PER_ROUND = 5;
export const WARMUP_RUNS = 3;
export const TIME_LIMIT_S = 900;

const HIDDEN = "the page was in the background";
const WRONG = "the output is wrong";

export interface Plan {
  accelerator: Accelerator;
  threads: number;
  rounds: number;
}

export interface MeasuredRound {
  /** From the start of the worker to ready to run. */
  load_ms: number;
  /** The first is the first inference. */
  warmup_ms: number[];
  durations_ms: number[];
  /** Start of the runs on the page's clock. */
  started_ms: number;
  /** Why the round is not used; null if it is. */
  excluded: string | null;
}

export type StoppedBy = "runs" | "time limit" | "problem" | "interrupt";

export interface Measurement {
  /** Number of threads that the runtime uses. */
  threads: number;
  /** Of the last round. */
  verdict: Verdict;
  rounds: MeasuredRound[];
  stoppedBy: StoppedBy;
  /** Why not everything was measured, in one sentence; null if it was. */
  problem: string | null;
}

/** The model to measure, its input, and the check of its output. */
export interface Subject {
  load(accelerator: Accelerator, threads: number): Promise<Session>;
  input: Float32Array;
  judge(output: Float32Array, accelerator: Accelerator): Verdict;
}

/** Measures until the planned rounds are complete, the time limit, or `signal` is aborted.
 *
 * A wrong output ends it, and no round is used: it has no latency. A problem after the first
 * complete round keeps the rounds so far; before that, it rejects with an `Error` for the user.
 */
export async function measure(
  subject: Subject,
  plan: Plan,
  signal: AbortSignal,
  onProgress: (used: number) => void,
): Promise<Measurement> {
  const rounds: MeasuredRound[] = [];
  const deadline = performance.now() + 1000 * TIME_LIMIT_S;
  let last: { threads: number; verdict: Verdict } | null = null;
  const end = (stoppedBy: StoppedBy, problem: string | null): Measurement => {
    if (last === null) throw new Error(problem ?? "Nothing was measured.");
    return { ...last, rounds, stoppedBy, problem };
  };
  for (;;) {
    const used = rounds.filter((one) => one.excluded === null).length;
    onProgress(used);
    if (used === plan.rounds) return end("runs", null);
    await untilVisible(signal);
    if (signal.aborted) return end("interrupt", "It was stopped.");
    if (performance.now() > deadline) return end("time limit", "The time limit was reached.");
    try {
      const { round, threads, output } = await measureRound(subject, plan, signal);
      rounds.push(round);
      last = { threads, verdict: subject.judge(output, plan.accelerator) };
    } catch (error) {
      if (signal.aborted) return end("interrupt", "It was stopped.");
      return end("problem", messageOf(error));
    }
    if (!last.verdict.passed) {
      for (const round of rounds) round.excluded = WRONG;
      return end("problem", "The output of the model is wrong.");
    }
  }
}

interface RoundOutcome {
  round: MeasuredRound;
  threads: number;
  /** Of the last run. */
  output: Float32Array;
}

/** Measures a round; rejects if `signal` is aborted meanwhile. */
async function measureRound(
  subject: Subject,
  plan: Plan,
  signal: AbortSignal,
): Promise<RoundOutcome> {
  let excluded: string | null = null;
  let session: Session | null = null;
  const note = (): void => {
    if (document.hidden) excluded = HIDDEN;
  };
  const close = (): void => session?.close();
  document.addEventListener("visibilitychange", note);
  signal.addEventListener("abort", close);
  try {
    const start = performance.now();
    session = await subject.load(plan.accelerator, plan.threads);
    const load_ms = performance.now() - start;
    signal.throwIfAborted();
    const warmup_ms: number[] = [];
    while (warmup_ms.length < WARMUP_RUNS) {
      warmup_ms.push((await session.timedRun(subject.input)).latency_ms);
    }
    const started_ms = performance.now();
    const durations_ms: number[] = [];
    for (;;) {
      const { output, latency_ms } = await session.timedRun(subject.input);
      if (latency_ms <= 0) throw new Error("The clock of this browser is too coarse for this model.");
      durations_ms.push(latency_ms);
      if (durations_ms.length < RUNS_PER_ROUND) continue;
      const round = { load_ms, warmup_ms, durations_ms, started_ms, excluded };
      return { round, threads: session.threads, output };
    }
  } finally {
    document.removeEventListener("visibilitychange", note);
    signal.removeEventListener("abort", close);
    close();
  }
}

/** Waits while the page is in the background, unless `signal` is aborted. */
function untilVisible(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", check);
      signal.removeEventListener("abort", check);
      resolve();
    };
    document.addEventListener("visibilitychange", check);
    signal.addEventListener("abort", check);
    check();
  });
}

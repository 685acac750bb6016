/** Running a model in the browser: one interface for the CPU (wasm) and the GPU (WebGPU).
 *
 * Each session runs in a worker of its own, so the page stays responsive, and a runtime that
 * crashes does not take the page with it.
 */

export type Accelerator = "wasm" | "webgpu";

export const ACCELERATOR_TITLES: Readonly<Record<Accelerator, string>> = {
  wasm: "CPU",
  webgpu: "GPU",
};

/** Names in seaformer/artifact/accelerators.py. */
export const ACCELERATOR_NAMES: Readonly<Record<Accelerator, "cpu" | "gpu">> = {
  wasm: "cpu",
  webgpu: "gpu",
};

/** Scale of a quantized tensor: real value = (integer - zero_point) * scale. */
export interface Scale {
  scale: number;
  zero_point: number;
}

/** The input or output tensor, as the model's metadata describes it. */
export interface TensorDescription {
  shape: number[];
  dtype: string;
  quantization: Scale | null;
}

export interface ModelFile {
  /** Content of the .tflite file. */
  bytes: Uint8Array;
  input: TensorDescription;
  output: TensorDescription;
}

/** An inference and its duration. */
export interface TimedRun {
  output: Float32Array;
  /** Milliseconds from the input in the memory of the worker to the output there, which on a GPU
   * includes both copies. */
  latency_ms: number;
}

export interface Session {
  readonly accelerator: Accelerator;
  /** CPU threads; 1 where the page is not cross-origin isolated. */
  readonly threads: number;
  /** Runs the model on the values of its input, in the order of the tensor, as real numbers. */
  run(input: Float32Array): Promise<Float32Array>;
  timedRun(input: Float32Array): Promise<TimedRun>;
  /** Ends the worker; a run in progress is rejected. */
  close(): void;
}

export interface LoadRequest {
  kind: "load";
  model: ModelFile;
  accelerator: Accelerator;
  threads: number;
  /** Whether the threaded runtime may be used. */
  isolated: boolean;
}

export interface RunRequest {
  kind: "run";
  input: Float32Array;
}

export type Answer =
  | { kind: "loaded"; threads: number }
  | { kind: "ran"; output: Float32Array; latency_ms: number }
  | { kind: "failed"; reason: string };

/** Name of the worker's script, beside the page. */
const WORKER = "inference_worker.js";

/** Largest number of threads that is offered: more of them only wait for each other. */
const MAX_THREADS = 8;

/** Returns how many CPU threads a session may use here. */
export function threadsAvailable(): number {
  if (!globalThis.crossOriginIsolated) return 1;
  return Math.max(1, Math.min(MAX_THREADS, navigator.hardwareConcurrency || 1));
}

/** Loads and compiles a model.
 *
 * Rejects with an `Error` whose message is one sentence for the user if the browser lacks the
 * accelerator, or the runtime refuses the model.
 */
export async function load(
  model: ModelFile,
  accelerator: Accelerator,
  threads = threadsAvailable(),
): Promise<Session> {
  if (accelerator === "webgpu" && !("gpu" in navigator)) {
    throw new Error("This browser has no WebGPU, so the GPU cannot be used.");
  }
  const worker = new WorkerConnection();
  try {
    const loaded = await worker.ask({
      kind: "load",
      model,
      accelerator,
      threads: Math.min(threads, threadsAvailable()),
      isolated: globalThis.crossOriginIsolated,
    });
    if (loaded.kind !== "loaded") throw new Error("The runtime did not load the model.");
    return new WorkerSession(worker, accelerator, loaded.threads);
  } catch (error) {
    worker.end("it was closed");
    throw error;
  }
}

class WorkerSession implements Session {
  constructor(
    private readonly worker: WorkerConnection,
    readonly accelerator: Accelerator,
    readonly threads: number,
  ) {}

  async run(input: Float32Array): Promise<Float32Array> {
    return (await this.timedRun(input)).output;
  }

  async timedRun(input: Float32Array): Promise<TimedRun> {
    const ran = await this.worker.ask({ kind: "run", input });
    if (ran.kind !== "ran") throw new Error("The runtime did not run the model.");
    return { output: ran.output, latency_ms: ran.latency_ms };
  }

  close(): void {
    this.worker.end("it was closed");
  }
}

/** A worker that answers one request after the other. */
class WorkerConnection {
  private readonly worker = new Worker(WORKER);
  private waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void }[] = [];
  private ended: string | null = null;

  constructor() {
    this.worker.onmessage = (event: MessageEvent<Answer>) => {
      const next = this.waiting.shift();
      if (event.data.kind === "failed") next?.reject(new Error(event.data.reason));
      else next?.resolve(event.data);
    };
    this.worker.onerror = (event) => {
      event.preventDefault();
      this.end(event.message || "its script could not be loaded");
    };
  }

  ask(request: LoadRequest | RunRequest): Promise<Answer> {
    if (this.ended !== null) return Promise.reject(ended(this.ended));
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.worker.postMessage(request);
    });
  }

  end(reason: string): void {
    this.ended ??= reason;
    this.worker.terminate();
    for (const { reject } of this.waiting.splice(0)) reject(ended(reason));
  }
}

function ended(reason: string): Error {
  return new Error(`The runtime ended: ${reason}.`);
}

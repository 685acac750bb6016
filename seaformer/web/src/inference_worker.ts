/** The worker of a session: loads LiteRT.js and runs one model. */

import { CompiledModel, LiteRt, Tensor, isWebGPUSupported, loadLiteRt } from "@litertjs/core";

import { tensorFrom, valuesOf } from "./tensor_values";
import type { Answer, LoadRequest, ModelFile, RunRequest } from "./session";

/** Folder of the runtime, beside the page. */
const RUNTIME = "runtime/";

interface WorkerScope {
  onmessage: ((event: MessageEvent<LoadRequest | RunRequest>) => void) | null;
  postMessage(message: Answer, transfer?: Transferable[]): void;
}

const scope = globalThis as unknown as WorkerScope;

let compiled: CompiledModel | null = null;
let model: ModelFile | null = null;
let queue: Promise<void> = Promise.resolve();

scope.onmessage = (event) => {
  queue = queue.then(() => answer(event.data));
};

async function answer(request: LoadRequest | RunRequest): Promise<void> {
  try {
    if (request.kind === "load") {
      scope.postMessage({ kind: "loaded", threads: await load(request) });
      return;
    }
    const start = performance.now();
    const output = await run(request.input);
    const latency_ms = performance.now() - start;
    scope.postMessage({ kind: "ran", output, latency_ms }, [output.buffer]);
  } catch (error) {
    scope.postMessage({ kind: "failed", reason: error instanceof Error ? error.message : `${error}` });
  }
}

async function load(request: LoadRequest): Promise<number> {
  const runtime = await loadRuntime(request);
  model = request.model;
  try {
    compiled = await runtime.loadAndCompile(model.bytes, {
      accelerator: request.accelerator,
      cpuOptions: { numThreads: request.threads },
      // The same precision as the export was verified with; half precision is not asked for.
      gpuOptions: { precision: "fp32" },
    });
  } catch (error) {
    throw new Error(`LiteRT cannot load the model: ${firstLine(error)}`);
  }
  if (request.accelerator === "webgpu" && !isOnGpu(compiled)) {
    throw new Error("LiteRT cannot run all operators of the model on the GPU of this browser.");
  }
  return request.threads;
}

/** Whether no operator was left to the CPU; LiteRT.js falls back without an error. */
function isOnGpu(of: CompiledModel): boolean {
  return of.options.accelerator === "webgpu" && of.isFullyAccelerated;
}

async function loadRuntime(request: LoadRequest): Promise<LiteRt> {
  if (request.accelerator === "webgpu") await requireAdapter();
  if (request.isolated && request.threads > 1) {
    try {
      return await loadLiteRt(RUNTIME, { threads: true });
    } catch {
      // Without relaxed SIMD, there is only the runtime with one thread.
      request.threads = 1;
    }
  }
  return loadLiteRt(RUNTIME);
}

/** LiteRT.js only warns if there is no adapter, and then fails without naming the reason. */
async function requireAdapter(): Promise<void> {
  const adapter = isWebGPUSupported() ? await navigator.gpu.requestAdapter() : null;
  if (adapter === null) {
    throw new Error("WebGPU finds no usable GPU on this device, so the GPU cannot be used.");
  }
}

async function run(input: Float32Array): Promise<Float32Array> {
  if (compiled === null || model === null) throw new Error("No model is loaded.");
  const tensor = tensorFrom(input, model.input);
  let outputs: Tensor[] = [];
  try {
    outputs = await compiled.run([tensor]);
    const [first] = outputs;
    if (first === undefined) throw new Error("The model has no output.");
    return await valuesOf(first, model.output);
  } finally {
    tensor.delete();
    for (const output of outputs) output.delete();
  }
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n")[0] ?? text;
}

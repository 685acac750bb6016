/** The worker of a session: loads LiteRT.js and runs one model. */

import { type LiteRt, isWebGPUSupported, loadLiteRt, supportsFeature } from "@litertjs/core";

import { type RunnableModel, compileForCpu, compileForGpu } from "./compiled_models";
import { messageOf } from "./elements";
import type { Answer, LoadRequest, RunRequest } from "./session";

/** Folder of the runtime, beside the page. */
const RUNTIME = "runtime/";

interface WorkerScope {
  onmessage: ((event: MessageEvent<LoadRequest | RunRequest>) => void) | null;
  postMessage(message: Answer, transfer?: Transferable[]): void;
}

const scope = globalThis as unknown as WorkerScope;

let model: RunnableModel | null = null;
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
    if (model === null) throw new Error("No model is loaded.");
    const start = performance.now();
    const output = await model.run(request.input);
    const latency_ms = performance.now() - start;
    scope.postMessage({ kind: "ran", output, latency_ms }, [output.buffer]);
  } catch (error) {
    scope.postMessage({ kind: "failed", reason: firstLine(error) });
  }
}

/** Loads a model, and returns the number of its threads. */
async function load(request: LoadRequest): Promise<number> {
  const isGpu = request.accelerator === "webgpu";
  if (isGpu) await requireAdapter();
  // The runtime with threads needs relaxed SIMD as well.
  const isThreaded = request.isolated && !isGpu && (await supportsFeature("relaxedSimd"));
  const runtime = await loadRuntime(isThreaded);
  const threads = isThreaded ? request.threads : 1;
  try {
    model = isGpu
      ? await compileForGpu(runtime, request.model)
      : await compileForCpu(runtime, request.model, threads);
  } catch (error) {
    throw new Error(`LiteRT cannot load the model: ${firstLine(error)}`);
  }
  return threads;
}

async function loadRuntime(isThreaded: boolean): Promise<LiteRt> {
  // Emscripten would search beside this script, and start threads with it.
  const address = (file: string): string => new URL(`${RUNTIME}${file}`, location.href).href;
  Object.assign(globalThis, {
    Module: {
      locateFile: address,
      mainScriptUrlOrBlob: isThreaded ? address("litert_wasm_threaded_internal.js") : undefined,
    },
  });
  try {
    return await loadLiteRt(RUNTIME, { threads: isThreaded });
  } catch (error) {
    throw new Error(`LiteRT.js cannot be started: ${firstLine(error)}`);
  }
}

/** LiteRT.js only warns if there is no adapter, and then fails without naming the reason. */
async function requireAdapter(): Promise<void> {
  const adapter = isWebGPUSupported() ? await navigator.gpu.requestAdapter() : null;
  if (adapter === null) {
    throw new Error("WebGPU finds no usable GPU on this device.");
  }
}

function firstLine(error: unknown): string {
  const text = messageOf(error);
  return text.split("\n")[0] ?? text;
}

/** A model that LiteRT.js has compiled, for the CPU or the GPU. */

import { type CompiledModel, type LiteRt, Tensor } from "@litertjs/core";

import type { ModelFile, TensorDescription } from "./session";
import { decoded, elementType, encoded } from "./tensor_values";

type Runtime = LiteRt["liteRtWasm"];
type Compiled = Awaited<ReturnType<Runtime["compileModel"]>>;
type Buffer = Awaited<ReturnType<Compiled["run"]>>[number];

export interface RunnableModel {
  run(input: Float32Array): Promise<Float32Array>;
}

/** Compiles a model for the CPU.
 *
 * The public interface of LiteRT.js has no int8 tensors, so the buffers are written here.
 */
export async function compileForCpu(
  litert: LiteRt,
  model: ModelFile,
  threads: number,
): Promise<RunnableModel> {
  const runtime = litert.liteRtWasm;
  const environment = litert.getDefaultEnvironment();
  const address = runtime._malloc(model.bytes.byteLength);
  runtime.HEAPU8.set(model.bytes, address);
  const loaded = runtime.loadModel(
    environment.liteRtEnvironment,
    address,
    model.bytes.byteLength,
  );
  const options = {
    environment,
    accelerator: "wasm" as const,
    cpuOptions: { numThreads: threads },
    gpuOptions: {},
    webNNOptions: {},
  };
  const compiled = await runtime.compileModel(environment.liteRtEnvironment, loaded, options);
  return new CpuModel(runtime, litert, model, compiled);
}

class CpuModel implements RunnableModel {
  private readonly input: Buffer;

  constructor(
    private readonly runtime: Runtime,
    litert: LiteRt,
    private readonly model: ModelFile,
    private readonly compiled: Compiled,
  ) {
    const type = tensorType(runtime, model.input);
    this.input = runtime.LiteRtTensorBuffer.createManaged(
      litert.getDefaultEnvironment().liteRtEnvironment,
      runtime.LiteRtTensorBufferType.HOST_MEMORY,
      type,
      type.bytes(),
    );
    type.delete();
  }

  async run(input: Float32Array): Promise<Float32Array> {
    const bytes = encoded(input, this.model.input);
    if (bytes.length !== this.input.packedSize()) {
      throw new Error(`The model takes ${this.input.packedSize()} bytes, not ${bytes.length}.`);
    }
    const { WRITE, READ } = this.runtime.LiteRtTensorBufferLockMode;
    this.runtime.HEAPU8.set(bytes, this.input.lock(WRITE));
    this.input.unlock();
    const outputs = await this.compiled.run(0, [this.input]);
    try {
      const [output] = outputs;
      if (output === undefined) throw new Error("The model has no output.");
      const address = output.lock(READ);
      // A copy, not shared between threads.
      const copy = new Uint8Array(output.packedSize());
      copy.set(this.runtime.HEAPU8.subarray(address, address + copy.length));
      output.unlock();
      return decoded(copy, this.model.output);
    } finally {
      for (const output of outputs) output.delete();
    }
  }
}

function tensorType(runtime: Runtime, tensor: TensorDescription) {
  const sides = new runtime.VectorInt32();
  for (const side of tensor.shape) sides.push_back(side);
  const layout = runtime.LiteRtLayout.create(sides);
  const type = runtime.LiteRtRankedTensorType.create({ value: elementType(tensor) }, layout);
  sides.delete();
  layout.delete();
  return type;
}

/** Compiles a model for the GPU. */
export async function compileForGpu(litert: LiteRt, model: ModelFile): Promise<RunnableModel> {
  for (const { dtype } of [model.input, model.output]) {
    if (dtype !== "float32" && dtype !== "int32") {
      throw new Error(`LiteRT.js does not run models with ${dtype} tensors on the GPU.`);
    }
  }
  const compiled = await litert.loadAndCompile(model.bytes, { accelerator: "webgpu" });
  // If the GPU refuses an operator, LiteRT.js runs the model on the CPU, without an error.
  if (compiled.options.accelerator !== "webgpu" || !compiled.isFullyAccelerated) {
    throw new Error("LiteRT cannot run all operators of the model on the GPU of this browser.");
  }
  return new GpuModel(model, compiled);
}

class GpuModel implements RunnableModel {
  constructor(
    private readonly model: ModelFile,
    private readonly compiled: CompiledModel,
  ) {}

  async run(input: Float32Array): Promise<Float32Array> {
    const tensor = new Tensor(input, this.model.input.shape);
    let outputs: Tensor[] = [];
    try {
      outputs = await this.compiled.run([tensor]);
      const [output] = outputs;
      if (output === undefined) throw new Error("The model has no output.");
      return Float32Array.from(await output.data());
    } finally {
      tensor.delete();
      for (const output of outputs) output.delete();
    }
  }
}

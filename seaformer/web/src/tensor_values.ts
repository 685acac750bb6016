/** Conversion between real numbers and the element type of a tensor. */

import { Tensor, type TypedArray } from "@litertjs/core";

import type { TensorDescription } from "./session";

/** Returns a tensor with real numbers, quantized if the tensor is. */
export function tensorFrom(values: Float32Array, description: TensorDescription): Tensor {
  return new Tensor(quantized(values, description), description.shape);
}

/** Returns the values of a tensor as real numbers. */
export async function valuesOf(tensor: Tensor, description: TensorDescription): Promise<Float32Array> {
  const data: TypedArray = await tensor.data();
  const scale = description.quantization;
  if (scale === null) return data instanceof Float32Array ? data.slice() : Float32Array.from(data);
  return Float32Array.from(data, (value) => (value - scale.zero_point) * scale.scale);
}

function quantized(values: Float32Array, description: TensorDescription): TypedArray {
  const scale = description.quantization;
  if (description.dtype === "float32" || scale === null) return values;
  return Uint8Array.from(values, (value) => {
    const integer = roundHalfToEven(value / scale.scale) + scale.zero_point;
    return Math.max(0, Math.min(255, integer));
  });
}

/** Rounds as NumPy does. */
function roundHalfToEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

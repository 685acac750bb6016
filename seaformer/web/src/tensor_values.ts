/** Conversion between real numbers and the bytes of a tensor. */

import type { TensorDescription } from "./session";

type Values =
  | Float32ArrayConstructor
  | Int8ArrayConstructor
  | Uint8ArrayConstructor
  | Int32ArrayConstructor;

/** Element type -> array of its values, and its number in LiteRT. */
const TYPES: Readonly<Record<string, { array: Values; number: 1 | 2 | 3 | 9 }>> = {
  float32: { array: Float32Array, number: 1 },
  int32: { array: Int32Array, number: 2 },
  uint8: { array: Uint8Array, number: 3 },
  int8: { array: Int8Array, number: 9 },
};

/** Limits of the integers that an input may have. */
const LIMITS: Readonly<Record<string, readonly [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
};

/** Returns the number of an element type in LiteRT. */
export function elementType(description: TensorDescription): 1 | 2 | 3 | 9 {
  return typeOf(description).number;
}

/** Returns the bytes of a tensor with these values, quantized if the tensor is. */
export function encoded(values: Float32Array, description: TensorDescription): Uint8Array {
  const limits = LIMITS[description.dtype];
  const { scale, zero_point: zero } = description.quantization ?? { scale: 1, zero_point: 0 };
  if (limits === undefined) {
    return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  }
  const integers = new Int16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const integer = roundHalfToEven(values[i]! / scale) + zero;
    integers[i] = Math.max(limits[0], Math.min(limits[1], integer));
  }
  return Uint8Array.from(integers); // modulo 256: the bytes of an int8 too
}

/** Returns the real values of the bytes of a tensor. */
export function decoded(bytes: Uint8Array<ArrayBuffer>, description: TensorDescription): Float32Array {
  const values = new (typeOf(description).array)(bytes.buffer, bytes.byteOffset);
  if (values instanceof Float32Array) return values;
  const { scale, zero_point: zero } = description.quantization ?? { scale: 1, zero_point: 0 };
  return Float32Array.from(values, (value) => (value - zero) * scale);
}

/** Rounds as Python and NumPy do. */
export function roundHalfToEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

function typeOf(description: TensorDescription): { array: Values; number: 1 | 2 | 3 | 9 } {
  const type = TYPES[description.dtype];
  if (type !== undefined) return type;
  throw new Error(`The model has a tensor of type ${description.dtype}, which cannot be used here.`);
}

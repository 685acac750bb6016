"""Parsing a .tflite file into mutable objects, and packing them again."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_IDENTIFIER = b"TFL3"
_TYPES = {
    number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)
}


def parse(model: bytes) -> schema.ModelT:
    """Parse the flatbuffer into objects, including all weights."""
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    for buffer in parsed.buffers:
        # A quantizer may store weights after the flatbuffer; an offset of 0 or 1 means none.
        if buffer.offset > 1:
            stored = memoryview(model)[buffer.offset : buffer.offset + buffer.size]
            buffer.data = np.frombuffer(stored, np.uint8)
            buffer.offset = buffer.size = 0
    return parsed


def pack(parsed: schema.ModelT) -> bytes:
    """Pack the objects into a flatbuffer."""
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(parsed.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def operator_types(parsed: schema.ModelT) -> list[str]:
    """Return the names of all operators of the main subgraph, such as "CONV_2D", in order."""
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in parsed.operatorCodes]
    return [_TYPES[codes[operator.opcodeIndex]] for operator in parsed.subgraphs[0].operators]

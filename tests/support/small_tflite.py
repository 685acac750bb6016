"""Small .tflite files, built operator by operator."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from seaformer.runtimes.tflite_flatbuffer import pack, parse


@dataclass
class SmallModel:
    """A model under construction; tensors are identified by their indices."""

    model: schema.ModelT = field(default_factory=schema.ModelT)

    def __post_init__(self) -> None:
        graph = schema.SubGraphT()
        graph.name = b"main"
        graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
        self.model.version = 3
        self.model.operatorCodes, self.model.subgraphs = [], [graph]
        self.model.buffers = [schema.BufferT()]

    @property
    def graph(self) -> schema.SubGraphT:
        return self.model.subgraphs[0]

    def tensor(
        self, shape: Sequence[int], type: str = "FLOAT32", values: Any = None, scale: float = 0
    ) -> int:
        new = schema.TensorT()
        new.shape, new.type = list(shape), getattr(schema.TensorType, type)
        new.buffer = 0
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.ascontiguousarray(values).view(np.uint8).reshape(-1)
            self.model.buffers.append(buffer)
            new.buffer = len(self.model.buffers) - 1
        if scale:
            new.quantization = schema.QuantizationParametersT()
            new.quantization.scale, new.quantization.zeroPoint = [scale], [0]
        return self.add(new)

    def add(self, tensor: schema.TensorT) -> int:
        tensor.name = f"t{len(self.graph.tensors)}".encode()
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(
        self,
        type: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        version: int = 1,
        options: Any = None,
    ) -> None:
        code = schema.OperatorCodeT()
        number = getattr(schema.BuiltinOperator, type)
        code.builtinCode = code.deprecatedBuiltinCode = number
        code.version = version
        self.model.operatorCodes.append(code)
        new = schema.OperatorT()
        new.opcodeIndex = len(self.model.operatorCodes) - 1
        new.inputs, new.outputs = list(inputs), list(outputs)
        if options is not None:
            name = type_name(options)
            new.builtinOptionsType = getattr(schema.BuiltinOptions, name)
            new.builtinOptions = options
        self.graph.operators.append(new)

    def include(self, content: bytes) -> None:
        """Add all operators of a file with one subgraph, with separate inputs and outputs."""
        other = parse(content)
        graph = other.subgraphs[0]
        codes, buffers, tensors = (
            len(self.model.operatorCodes),
            len(self.model.buffers),
            len(self.graph.tensors),
        )
        self.model.operatorCodes += other.operatorCodes
        self.model.buffers += other.buffers
        for tensor in graph.tensors:
            tensor.buffer += buffers
            self.add(tensor)
        for operator in graph.operators:
            operator.opcodeIndex += codes
            operator.inputs = [int(one) + tensors for one in operator.inputs]
            operator.outputs = [int(one) + tensors for one in operator.outputs]
            self.graph.operators.append(operator)
        self.graph.inputs += [int(one) + tensors for one in graph.inputs]
        self.graph.outputs += [int(one) + tensors for one in graph.outputs]

    def content(self) -> bytes:
        return pack(self.model)


def type_name(options: Any) -> str:
    """Return the name of the table type for an object of options."""
    return type(options).__name__.removesuffix("T")

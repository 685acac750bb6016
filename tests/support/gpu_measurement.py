"""Compares LiteRT's GPU accelerator with LiteRT's own CPU kernels on .tflite files.

    python -m gpu_measurement FILE...

Prints one line of JSON for each file, in order. A file that crashes the process is the first one
without a line.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from one_operator import spread


def _inputs(details: list[dict[str, Any]]) -> list["np.ndarray[Any, Any]"]:
    random = np.random.default_rng(0)
    return [
        spread(random.integers(0, 8, detail["shape"]), np.dtype(detail["dtype"]).name)
        for detail in details
    ]


def measure(path: str) -> dict[str, Any]:
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.gpu_options import GpuOptions
    from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    from ai_edge_litert.options import Options

    cpu = Interpreter(
        path, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    cpu.allocate_tensors()
    values = _inputs(cpu.get_input_details())
    for detail, value in zip(cpu.get_input_details(), values, strict=True):
        cpu.set_tensor(detail["index"], value)
    cpu.invoke()
    expected = [cpu.get_tensor(detail["index"]) for detail in cpu.get_output_details()]
    options = Options(HardwareAccelerator.GPU, gpu_options=GpuOptions(enforce_f32=True))
    try:
        gpu = CompiledModel.from_file(path, options=options)
        inputs, outputs = gpu.create_input_buffers(0), gpu.create_output_buffers(0)
        for buffer, value in zip(inputs, values, strict=True):
            buffer.write(np.ascontiguousarray(value))
        gpu.run_by_index(0, inputs, outputs)
        worst_db = 200.0
        for buffer, right in zip(outputs, expected, strict=True):
            got = buffer.read(right.size, right.dtype).reshape(right.shape).astype(np.float64)
            right = right.astype(np.float64)
            error = np.mean((got - right) ** 2)
            if not error < np.inf:
                worst_db = -200.0
            elif error > 0:
                worst_db = min(worst_db, float(10 * np.log10(np.mean(right**2) / error + 1e-20)))
        return {"is_full": bool(gpu.is_fully_accelerated()), "sqnr_db": round(worst_db, 1)}
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {error}"[:200]}


if __name__ == "__main__":
    # The accelerator logs to stdout and stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for name in sys.argv[1:]:
        print(json.dumps({"file": Path(name).name} | measure(name)), file=answers, flush=True)

"""A model file for a device, as the host reads it."""

from dataclasses import dataclass
from pathlib import Path

from seaformer.artifact.beside import path_beside, read_beside
from seaformer.artifact.metadata import Compilation, Metadata
from seaformer.benchmark.candidates.candidate import UNKNOWN_PRECISION
from seaformer.errors import SeaformerError
from seaformer.runtimes import open_session
from seaformer.runtimes.compiled_file import is_compiled, require_binary, require_compilation
from seaformer.runtimes.session import Tensor


@dataclass(frozen=True)
class DeviceModel:
    """Description of a file before a device runs it.

    Attributes:
        path: path of the file.
        inputs: inputs of the file.
        outputs: outputs of the file.
        metadata_text: JSON in the file; None if it has none.
        precision: its name; "unknown" if nothing states it.
        compilation: how it was compiled for an NPU; None if it was not.
        binary: file next to it that the NPU runs; None if there is none.
    """

    path: Path
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    metadata_text: str | None
    precision: str
    compilation: Compilation | None = None
    binary: Path | None = None


def read_device_model(path: Path) -> DeviceModel:
    """Read the inputs and outputs of a file; for a compiled file, from the description next to it.

    Raises:
        SeaformerError: the file is damaged, or a compiled one lacks its description or its binary.
    """
    if not is_compiled(path):
        with open_session(path) as here:
            known = here.metadata if isinstance(here.metadata, Metadata) else None
            precision = UNKNOWN_PRECISION if known is None else known.precision
            return DeviceModel(path, here.inputs, here.outputs, here.metadata_text, precision)
    beside = read_beside(path)
    if beside is None:
        raise SeaformerError(
            f"'{path_beside(path)}' is missing, which describes inputs and outputs of the compiled "
            f"'{path}'. Copy it from where the file was exported."
        )
    compilation = require_compilation(path)
    inputs, outputs = (
        (Tensor(one.name, one.dtype, one.shape, one.quantization),)
        for one in (beside.input, beside.output)
    )
    return DeviceModel(
        path,
        inputs,
        outputs,
        None,
        beside.precision,
        compilation,
        require_binary(path, compilation),
    )

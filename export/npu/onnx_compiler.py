"""Compiling an .onnx with ONNX Runtime's QNN execution provider, in a separate process."""

from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from seaformer.artifact.chips import Chip
from seaformer.artifact.metadata import LeftOperator
from seaformer.errors import SeaformerError
from seaformer.export.npu.compiled import TIME_FACTOR, Compiled
from seaformer.export.npu.compiled_names import compiled_name
from seaformer.runtimes.child_process import ChildProcess
from seaformer.runtimes.qnn_package import package_version, qnn_version, require_package
from seaformer.temporary_folders import temporary_folder

PROGRAM = "Qualcomm's compiler"


def compile_onnx(chip: Chip, path: Path) -> Compiled:
    """Compile an .onnx; see `seaformer.export.compiled_files.COMPILERS`."""
    require_package()
    module = "seaformer.export.npu.onnx_compiler_process"
    advice = f"Try another --precision, or a chip other than {chip.name}."
    with (
        temporary_folder("compile") as folder,
        closing(ChildProcess(module, Path(path.name), PROGRAM, advice=advice)) as child,
    ):
        request = {
            "method": "compile",
            "path": str(path),
            "chip": chip.name,
            "target": str(folder / compiled_name(path.name, chip)),
        }
        answer, (content, binary) = child.call("compiled", request, scale=TIME_FACTOR)
    left = tuple(LeftOperator(**operator) for operator in answer["left"])
    if not answer["partitions"]:
        raise SeaformerError(
            f"{PROGRAM} supports no operator of '{path.name}' for {chip.title}. Try another "
            "--precision."
        )
    return Compiled(
        content=content.tobytes(),
        binary=binary.tobytes(),
        partitions=int(answer["partitions"]),
        left=left,
        compiler=f"onnxruntime-qnn {package_version()} (QNN {qnn_version()})",
        qnn_version=qnn_version(),
        phone_needs=(
            f"ONNX Runtime {version('onnxruntime')} or newer with its QNN execution provider, and "
            f"Qualcomm's libraries of QNN {qnn_version()} or newer for Hexagon V{chip.hexagon}"
        ),
    )

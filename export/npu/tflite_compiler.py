"""Compiling a .tflite with LiteRT's plugin for Qualcomm's NPUs and the compiler of its package.

The plugin loads Qualcomm's libraries, either from ai-edge-litert-sdk-qualcomm, which downloads them
from Qualcomm during installation, or else from onnxruntime-qnn.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from seaformer import processes
from seaformer.artifact.chips import Chip
from seaformer.artifact.metadata import LeftOperator
from seaformer.errors import SeaformerError
from seaformer.export.npu.compiled import NO_REASON, TIME_FACTOR, Compiled
from seaformer.export.npu.litert_log import refusals
from seaformer.runtimes.child_process import LIMIT_VARIABLE, time_limit_s
from seaformer.runtimes.compiled_file import DISPATCH
from seaformer.runtimes.qnn_package import VERSION_IN_FILE, library_folders, require_package
from seaformer.runtimes.session import one_line
from seaformer.runtimes.tflite_flatbuffer import operator_types, parse
from seaformer.temporary_folders import temporary_folder

PROGRAM = "LiteRT's compiler for Qualcomm's NPUs"

SDK_MODULE = "ai_edge_litert_sdk_qualcomm"

_UNUSED = "libQnnLpai.so"
"""A library for another processor, which the plugin loads but onnxruntime-qnn does not contain."""

_FAILURE = re.compile(r"\bERROR\b|\[ *ERROR *\]|<E>", re.IGNORECASE)


def compile_tflite(chip: Chip, path: Path) -> Compiled:
    """Compile a .tflite; see `seaformer.export.compiled_files.COMPILERS`."""
    litert = _litert_folder()
    with temporary_folder("compile") as folder, _libraries() as libraries:
        compiled = folder / path.name
        command: list[str | Path] = [
            litert / "tools" / "apply_plugin_main",
            "--cmd=apply",
            f"--model={path}",
            f"--o={compiled}",
            "--soc_manufacturer=Qualcomm",
            f"--soc_model={chip.name}",
            "--err=--",
            f"--libs={litert / 'vendors' / 'qualcomm' / 'compiler'}",
        ]
        limit_s = TIME_FACTOR * time_limit_s()
        paths = (str(libraries), str(litert), os.environ.get("LD_LIBRARY_PATH"))
        environment = {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(filter(None, paths))}
        try:
            done = processes.run(command, time_limit_s=limit_s, merge=True, environment=environment)
        except processes.TookTooLongError:
            raise SeaformerError(
                f"{PROGRAM} did not finish '{path.name}' within {limit_s:g} s. Raise the limit "
                f"with {LIMIT_VARIABLE}, or try another --precision."
            ) from None
        if done.status or not compiled.is_file():
            raise SeaformerError(
                f"{PROGRAM} fails on '{path.name}' for {chip.title}: "
                f"{_failure(done)}. Try another --precision, or another chip."
            )
        content = compiled.read_bytes()
    refused = refusals(done.stdout.decode(errors="replace"))
    source = parse(path.read_bytes()) if refused else None
    reasons = {_name(source, index): reason for index, reason in refused.items()}
    partitions, left = _graph(content, reasons)
    found = VERSION_IN_FILE.search(content)
    qnn = "unknown" if found is None else found[1].decode()
    if not partitions:
        raise SeaformerError(
            f"{PROGRAM} supports no operator of '{path.name}' for {chip.title}. Try another "
            "--precision."
        )
    return Compiled(
        content=content,
        binary=None,
        partitions=partitions,
        left=left,
        compiler=f"ai-edge-litert {version('ai-edge-litert')}, QNN {qnn}",
        qnn_version=qnn,
        phone_needs=(
            f"LiteRT {version('ai-edge-litert')} or newer with its dispatch library for Qualcomm, "
            f"and Qualcomm's libraries of QNN {qnn} or newer for Hexagon V{chip.hexagon}"
        ),
    )


def _litert_folder() -> Path:
    spec = find_spec("ai_edge_litert")
    assert spec is not None  # a required dependency
    assert spec.origin is not None
    return Path(spec.origin).parent


@contextmanager
def _libraries() -> Iterator[Path]:
    """Find the folder of Qualcomm's libraries, or create a folder of links to them."""
    if (sdk := _sdk_folder()) is not None:
        yield sdk
        return
    require_package()
    with temporary_folder("qnn") as folder:
        for library in (file for place in library_folders() for file in place.glob("lib*.so*")):
            (folder / library.name).symlink_to(library)
        (folder / _UNUSED).symlink_to(library_folders()[0] / "libQnnIr.so")
        yield folder


def _sdk_folder() -> Path | None:
    """Folder of the libraries in LiteRT's own package; None if they were not downloaded."""
    spec = find_spec(SDK_MODULE)
    if spec is None:
        return None
    folder = Path(str(spec.origin)).parent / "data" / "lib" / "x86_64-linux-clang"
    return folder if (folder / "libQnnHtp.so").is_file() else None


def _graph(content: bytes, reasons: Mapping[str, str]) -> tuple[int, tuple[LeftOperator, ...]]:
    """Count the operators that stand for compiled partitions, and list the others.

    `reasons` maps names of operators to the reason why they are left on the CPU.
    """
    parsed = parse(content)
    graph, codes = parsed.subgraphs[0], parsed.operatorCodes
    is_compiled = [
        codes[row.opcodeIndex].customCode == DISPATCH.encode() for row in graph.operators
    ]
    rows = zip(operator_types(parsed), is_compiled, strict=True)
    names = {index: _name(parsed, index) for index in range(len(is_compiled))}
    left = tuple(
        LeftOperator(type=type, name=names[index], reason=reasons.get(names[index], NO_REASON))
        for index, (type, compiled) in enumerate(rows)
        if not compiled
    )
    return sum(is_compiled), left


def _name(model: schema.ModelT, index: int) -> str:
    """The name of the first output tensor of an operator of the main subgraph."""
    graph = model.subgraphs[0]
    name: bytes = graph.tensors[graph.operators[index].outputs[0]].name
    return name.decode(errors="replace")


def _failure(done: processes.Done) -> str:
    """The last error message of the program; without one, its exit status as text."""
    lines = done.stdout.decode(errors="replace").splitlines()
    errors = [one_line(line, 200) for line in lines if _FAILURE.search(line)]
    return errors[-1].rstrip(".") if errors else processes.ending_in_words(done.status)

"""Files compiled for Snapdragons, on Qualcomm's own emulator of their NPUs."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from exporting import Done, assert_one_line, environment, names, read_metadata, run_export
from onnxruntime.quantization.execution_providers.qnn import qnn_preprocess_model
from sampling import sampled

from seaformer.artifact.chips import CHIPS, UNSUPPORTED, Chip, parse_chips
from seaformer.artifact.embedding import content_sha256
from seaformer.artifact.metadata import parse_metadata
from seaformer.artifact.precisions import PRECISIONS, in_half
from seaformer.bundling.model import read_model
from seaformer.errors import SeaformerError, UsageError
from seaformer.export.npu import tflite_compiler
from seaformer.export.npu.compiled import Compiled
from seaformer.export.npu.onnx_compiler import compile_onnx
from seaformer.export.npu.qnn_log import reasons
from seaformer.export.npu.tflite_compiler import compile_tflite
from seaformer.files import file_sha256
from seaformer.runtimes import open_session
from seaformer.runtimes.qnn_package import is_newer, require_package

REQUIRED = os.environ.get("SEAFORMER_REQUIRE_NPU") == "1"
STEM = "seaformer_tiny_shapes_128x128"
COMPILED = f"{STEM}_fp32_SM8650"
SHAPES = ("--weights", "shapes", "--input-size", "128", "--format", "onnx")
BIN = Path(sys.executable).parent
Compiler = Callable[[Chip, Path], Compiled]
TO_NPU = ("--accelerator", "npu", "--soc", "SM8650")

pytestmark = pytest.mark.tools


@pytest.fixture(scope="module", autouse=True)
def _npu() -> None:
    try:
        require_package()
    except SeaformerError as error:
        if REQUIRED:
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Path]:
    """Export and compile the trained Tiny in both formats and floating-point precisions."""
    folder = tmp_path_factory.mktemp("npu")
    precisions = ("--precision", "fp32", "--precision", "fp16")
    done = run_export(
        *SHAPES, "--format", "tflite", *precisions, *TO_NPU, "--output", ".", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done, folder


@pytest.fixture
def copied(export: tuple[Done, Path], tmp_path: Path) -> Path:
    """Copy the compiled .onnx and its binary to a folder that a test may change."""
    for name in (f"{COMPILED}.onnx", f"{COMPILED}_qnn.bin"):
        shutil.copy(export[1] / name, tmp_path)
    return tmp_path / f"{COMPILED}.onnx"


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_compiled_onnx_matches_on_the_emulator(export: tuple[Done, Path], precision: str) -> None:
    path = export[1] / f"{STEM}_{precision}_SM8650.onnx"
    described = json.loads(path.with_name(f"{path.name}.json").read_text())
    metadata = parse_metadata(json.dumps(described), "test")
    (parity,) = metadata.accelerators
    needed = in_half(PRECISIONS[precision])
    assert (parity.name, parity.chip, parity.status) == ("npu", "SM8650", "verified")
    assert len(parity.comparisons) == 3
    assert all((row.sqnr_db or 0) >= needed.min_sqnr_db for row in parity.comparisons)
    # In single precision it would be above 100: the emulator has the arithmetic of the NPU.
    assert all((row.sqnr_db or 0) < 80 for row in parity.comparisons)
    compilation = metadata.compilation
    assert compilation is not None
    assert (compilation.chip, compilation.hexagon) == ("SM8650", 75)
    assert (compilation.partitions, compilation.left) == (1, ())
    assert compilation.binary is not None
    binary = path.with_name(compilation.binary.name)
    assert file_sha256(binary) == compilation.binary.sha256
    assert f"QNN {compilation.qnn_version}" in compilation.phone_needs
    source = read_metadata(export[1] / f"{STEM}_{precision}.onnx")
    assert compilation.source_sha256 == source.content_sha256
    assert source.accelerators == (parity,)
    (node,) = onnx.load(path, load_external_data=False).graph.node
    assert node.op_type == "EPContext"


def test_a_compiled_tflite_is_labeled_as_never_run(export: tuple[Done, Path]) -> None:
    path = export[1] / f"{COMPILED}.tflite"
    metadata = parse_metadata(path.with_name(f"{path.name}.json").read_bytes(), "test")
    assert metadata.compilation is not None
    assert (metadata.compilation.partitions, metadata.compilation.left) == (1, ())
    (parity,) = metadata.accelerators
    assert (parity.status, parity.runtime, parity.comparisons) == ("compiled", None, ())
    assert "compiled, never run" in export[0].stdout
    with pytest.raises(UsageError, match=r"a computer cannot run a compiled \.tflite"):
        open_session(path)


@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
def test_the_app_refuses_compiled_files(export: tuple[Done, Path], suffix: str) -> None:
    with pytest.raises(UsageError, match="the chip it is compiled for is SM8650"):
        read_model(export[1] / f"{COMPILED}{suffix}")


def test_output_of_the_compiler_is_not_printed(export: tuple[Done, Path]) -> None:
    assert export[0].stderr == ""
    assert "LIBNATIVE" not in export[0].stdout
    assert "onnxruntime:" not in export[0].stdout


@pytest.mark.slow
def test_self_check_of_a_compiled_file(export: tuple[Done, Path]) -> None:
    done = run_export("--self-check", f"{COMPILED}.onnx", cwd=export[1])
    assert done.returncode == 0, done.stderr
    assert "emulator of SM8650" in done.stdout
    tflite = run_export("--self-check", f"{COMPILED}.tflite", cwd=export[1])
    assert_one_line(tflite, 2, r"Give the \.tflite that it was compiled from")
    source = run_export("--self-check", f"{STEM}_fp32.onnx", "--accelerator", "npu", cwd=export[1])
    assert_one_line(source, 2, "which is not compiled for an NPU")


UNUSUAL = """
import torch
from torch import nn


def make():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 8, stride=8), nn.CELU(2.0), nn.Conv2d(8, 19, 1)
    ).eval()
"""

FOR_UNUSUAL = ("--model", "unusual:make", "--task", "cityscapes", "--input-size", "64")


@pytest.mark.slow
def test_operators_left_to_the_cpu_are_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "unusual.py").write_text(UNUSUAL)
    command = (*FOR_UNUSUAL, "--format", "onnx", *TO_NPU)
    done = run_export(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "build").glob("*_SM8650.onnx.json")
    compilation = parse_metadata(file.read_bytes(), "test").compilation
    assert compilation is not None
    assert compilation.partitions == 2
    (left,) = compilation.left
    assert left.type == "Celu"
    assert left.reason == "Operators of type `Celu` are not supported by QNN EP"
    assert f"left on the CPU: Celu '{left.name}': {left.reason}." in done.stdout
    full = run_export(*command, "--require-full-acceleration", "--output", "full", cwd=tmp_path)
    assert_one_line(full, 1, "1 operators are left on the CPU, such as Celu")
    assert names(tmp_path / "full") == []


def test_reasons_are_read_for_every_node_of_a_group() -> None:
    log = """
2026 [V:onnxruntime:, qnn.cc:1713 LogNodeSupport] Validation PASSED for 1 nodes in OrtNodeUnit (A) :
\tOperator type: Conv Node name: a Node index: 0
2026 [V:onnxruntime:, qnn.cc:1713 LogNodeSupport] Validation FAILED for 2 nodes in OrtNodeUnit (B) :
\tOperator type: DequantizeLinear Node name: b 1 Node index: 2
\tOperator type: Mod Node name: c Node index: 3
\tREASON : QNN Mod Op only support fmod == 0 for now.
"""
    assert reasons(log) == dict.fromkeys(("b 1", "c"), "QNN Mod Op only support fmod == 0 for now")


@pytest.mark.slow
def test_a_mask_is_computed_on_the_npu(tmp_path: Path) -> None:
    done = run_export(
        *SHAPES, "--head", "mask", *TO_NPU, "--require-full-acceleration", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "build").glob("*_SM8650.onnx.json")
    (parity,) = parse_metadata(file.read_bytes(), "test").accelerators
    assert all((row.argmax_agreement or 0) >= 0.999 for row in parity.comparisons)


@pytest.mark.slow
def test_operators_that_litert_leaves_on_the_cpu_are_named_with_the_reason(
    integer_export: Path,
) -> None:
    """Qualcomm's NPUs lack a depth-wise convolution of 16-bit integers with 64-bit biases."""
    compiled = compile_tflite(
        CHIPS["SM8350"], integer_export / "seaformer_tiny_shapes_256x256_int16x8.tflite"
    )
    assert compiled.partitions > 1
    why = {(one.type, one.reason) for one in compiled.left}
    reason = "QNN does not support DepthWiseConv2d of SFIXED_POINT_16, SFIXED_POINT_8, INT_64"
    assert ("DEPTHWISE_CONV_2D", reason) in why
    assert any("ElementWiseNeuron (ReluMinMax) of" in reason for _, reason in why)
    assert len({one.name for one in compiled.left}) == len(compiled.left)


@pytest.mark.parametrize(
    ("options", "message"),
    sampled(
        [
            ("--accelerator npu", r"none is given. Add --soc, one or more of SM8350, "),
            ("--soc SM8650", "--soc applies to files compiled"),
            ("--require-full-acceleration", "--require-full-acceleration applies to files"),
            ("--accelerator npu --soc SM8651", "unknown chip 'SM8651'. Did you mean 'SM8650'"),
            ("--accelerator npu --soc SM8650,S24", "unknown chip 'S24'"),
            ("--accelerator npu --soc SM8250", "SM8250 is not supported: .* Hexagon V66"),
            ("--accelerator npu --soc SM8350", "fp32 does not run on SM8350 .* no floating point"),
        ],
        2,
    ),
)
def test_requests_that_cannot_be_compiled_are_refused_at_once(
    options: str, message: str, tmp_path: Path
) -> None:
    done = run_export(*SHAPES, *options.split(), cwd=tmp_path)
    assert_one_line(done, 2, message)
    assert names(tmp_path) == []


def test_existing_files_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    mine = tmp_path / "build" / f"{COMPILED}_qnn.bin"
    mine.write_text("mine")
    done = run_export(*SHAPES, *TO_NPU, cwd=tmp_path)
    assert_one_line(done, 2, f"{mine.name}' exists")
    assert mine.read_text() == "mine"


def test_every_chip_is_listed(tmp_path: Path) -> None:
    done = run_export("--soc", "list", cwd=tmp_path)
    assert done.returncode == 0
    for chip in CHIPS.values():
        assert all(word in done.stdout for word in (chip.name, chip.snapdragon))
    assert all(name in done.stdout for name in UNSUPPORTED)
    assert parse_chips(["sm8650, SM8550", "SM8650"]) == (CHIPS["SM8650"], CHIPS["SM8550"])


WITHOUT_PACKAGE = """
import sys

sys.modules["onnxruntime_qnn"] = None
from seaformer.export.cli import main

main()
"""


def test_a_missing_package_is_a_one_line_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PACKAGE, *SHAPES, *TO_NPU],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert_one_line(done, 2, r"not installed. Run: pip install 'seaformer\[npu\]'")
    assert names(tmp_path) == []


def test_an_old_c_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.31"))
    with pytest.raises(SeaformerError, match=r"need glibc 2\.35 or newer, but .* has 2\.31"):
        require_package()


COMPILERS = pytest.mark.parametrize(
    ("compiler", "suffix"), [(compile_onnx, ".onnx"), (compile_tflite, ".tflite")]
)


def replace_compilers(folder: Path, python: str, shell: str, patch: pytest.MonkeyPatch) -> None:
    """Replace the package and the program of the compilers with scripts."""
    package, program = folder / "onnxruntime_qnn", folder / "tools" / "apply_plugin_main"
    package.mkdir()
    (package / "__init__.py").write_text(python)
    patch.setenv("PYTHONPATH", str(folder))
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{shell}\n")
    program.chmod(0o755)
    patch.setattr(tflite_compiler, "_litert_folder", lambda: folder)


@COMPILERS
def test_a_hanging_compiler_is_stopped(
    compiler: Compiler,
    suffix: str,
    shapes_export: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replace_compilers(tmp_path, "import time\ntime.sleep(600)", "exec sleep 600", monkeypatch)
    monkeypatch.setenv("SEAFORMER_MODEL_TIMEOUT_S", "0.2")
    with pytest.raises(SeaformerError, match="SEAFORMER_MODEL_TIMEOUT_S") as error:
        compiler(CHIPS["SM8650"], shapes_export / f"{STEM}_fp32{suffix}")
    assert re.search("did not finish|was stopped", str(error.value))
    assert "\n" not in str(error.value)


@COMPILERS
def test_a_crashing_compiler_is_a_one_line_error(
    compiler: Compiler,
    suffix: str,
    shapes_export: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replace_compilers(tmp_path, "import os\nos.abort()", "kill -ABRT $$", monkeypatch)
    with pytest.raises(SeaformerError, match=r"aborted.*\. Try another") as error:
        compiler(CHIPS["SM8650"], shapes_export / f"{STEM}_fp32{suffix}")
    assert "\n" not in str(error.value)


def test_nothing_is_written_when_the_compiler_crashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The correct source file is not left behind either."""
    replace_compilers(tmp_path, "import os\nos.abort()", "", monkeypatch)
    (tmp_path / "unusual.py").write_text(UNUSUAL)
    done = run_export(*FOR_UNUSUAL, "--format", "onnx", *TO_NPU, "--output", "out", cwd=tmp_path)
    assert_one_line(done, 1, r"crashes Qualcomm's compiler .*\(aborted.*\. Try another")
    assert names(tmp_path / "out") == []


@COMPILERS
def test_a_failing_compiler_is_a_one_line_error(
    compiler: Compiler, suffix: str, shapes_export: Path
) -> None:
    """A chip without floating point, which the command would have refused."""
    with pytest.raises(SeaformerError, match=r"fails on .* for SM8350 .*Try another") as caught:
        compiler(CHIPS["SM8350"], shapes_export / f"{STEM}_fp32{suffix}")
    assert "\n" not in str(caught.value)


def changed(path: Path, **compilation: object) -> None:
    """Change the metadata of a compiled file about its compilation."""
    model = onnx.load(path, load_external_data=False)
    (text,) = (one for one in model.metadata_props if one.key == "seaformer")
    described = json.loads(text.value)
    described["compilation"] |= compilation
    text.value = json.dumps(described)
    onnx.save(model, path)


def test_compiled_files_with_wrong_options_or_binaries_are_refused(copied: Path) -> None:
    with pytest.raises(UsageError, match="run it with --accelerator npu"):
        open_session(copied)
    with pytest.raises(UsageError, match="compiled for 'SM8650', but --soc is SM8750"):
        open_session(copied, accelerator="npu", chip="SM8750")
    binary = copied.with_name(f"{COMPILED}_qnn.bin")
    content = binary.read_bytes()
    binary.write_bytes(content[:-1] + b"!")
    with pytest.raises(SeaformerError, match="its SHA-256 differs"):
        open_session(copied, accelerator="npu")
    binary.unlink()
    with pytest.raises(SeaformerError, match=r"which is missing\. Copy it"):
        open_session(copied, accelerator="npu")


def test_a_file_of_newer_libraries_is_refused(copied: Path) -> None:
    changed(copied, qnn_version="3.0.0")
    with pytest.raises(SeaformerError, match=r"compiled with QNN 3\.0\.0, but the emulator"):
        open_session(copied, accelerator="npu")
    assert is_newer("2.100.0", "2.51.0")
    assert not is_newer("2.51.0", "2.51.0")


def test_a_compiled_file_does_not_determine_which_files_are_read(copied: Path) -> None:
    model = onnx.load(copied, load_external_data=False)
    (place,) = (one for one in model.graph.node[0].attribute if one.name == "ep_cache_context")
    place.s = f"../{copied.parent.name}/{COMPILED}_qnn.bin".encode()
    del model.metadata_props[:]
    onnx.save(model, copied)
    with pytest.raises(SeaformerError, match=r"is '\.\.'\. Allowed: a file name"):
        open_session(copied, accelerator="npu")


def test_a_file_without_embedded_metadata_passes_onnxruntimes_preprocessing(tmp_path: Path) -> None:
    """With any metadata property, `qnn_preprocess_model` of onnxruntime 1.32 raises a TypeError."""
    done = run_export(*SHAPES, "--metadata", "beside", "--output", ".", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*.onnx")
    assert not onnx.load(path).metadata_props
    output = tmp_path / "preprocessed.onnx"
    assert not qnn_preprocess_model(path, output)  # nothing to do
    assert not output.exists()
    with open_session(path) as session:
        metadata = session.metadata
    assert metadata is not None
    assert metadata.content_sha256 == content_sha256(path.read_bytes(), path.name)


@pytest.mark.parametrize("others", [("--format", "tflite"), TO_NPU])
def test_only_onnx_files_can_have_only_external_metadata(
    others: tuple[str, ...], tmp_path: Path
) -> None:
    done = run_export(*SHAPES, "--metadata", "beside", *others, "--output", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "--metadata beside is allowed only for .onnx files" in done.stderr

"""The benchmark on LiteRT's GPU accelerator: WebGPU here, and a phone without OpenCL."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from click.testing import CliRunner, Result
from locations import SAMPLES
from native_argmax import find_compiler
from phone_benchmarks import assert_left_clean, benchmark
from small_tflite import SmallModel

from seaformer.benchmark.cli import main
from seaformer.benchmark.results.schema import Results, read_results
from seaformer.runtimes.graphics_driver import find_driver

FAULTS = SAMPLES / "accelerator_faults"
WHOLE, NOTHING = FAULTS / "argmax_int32.tflite", FAULTS / "argmax_int64.tflite"

HANGS_ONCE = """
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void load(void) {
    while (unlink(getenv("HANGS_ONCE")) == 0)
        for (;;) pause();
}
"""
"""A Vulkan driver that hangs in its first process, and fails to load in others."""


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model with two operators; the GPU supports only the first."""
    small = SmallModel()
    x, doubled = small.tensor([1, 8, 8, 4]), small.tensor([1, 8, 8, 4])
    axis, classes = (
        small.tensor([1], "INT32", np.array([3], np.int32)),
        small.tensor([1, 8, 8], "INT64"),
    )
    small.operator("ADD", [x, x], [doubled], options=schema.AddOptionsT())
    options = schema.ArgMaxOptionsT()
    options.outputType = schema.TensorType.INT64
    small.operator("ARG_MAX", [doubled, axis], [classes], options=options)
    small.graph.inputs, small.graph.outputs = [x], [classes]
    file = tmp_path_factory.mktemp("part") / "part.tflite"
    file.write_bytes(small.content())
    return file


def measured(folder: Path, *arguments: str | Path) -> tuple[Result, Results | None]:
    """Measure on this computer's GPU: one run of each model, into a folder."""
    usual = ("--backend", "litert-gpu", "--device", "host", "--runs", 1, "--output", folder)
    done = CliRunner().invoke(main, [str(one) for one in (*arguments, *usual)])
    has_results = (folder / "results.json").is_file()
    return done, read_results(folder) if has_results else None


def only_error(done: Result) -> str:
    """Return the only line with an error."""
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return errors[0]


@pytest.mark.usefixtures("gpu")
def test_models_are_compiled_run_and_compared_on_the_gpu(part: Path, tmp_path: Path) -> None:
    done, results = measured(tmp_path / "results", WHOLE, part, NOTHING)
    assert done.exit_code == 0, done.output
    assert results is not None
    assert (results.backend, results.accelerator) == ("litert-gpu", "gpu")
    assert results.computed_on == f"GPU in single precision, {results.runtime.driver}"
    # A software driver computes on the CPU.
    assert results.emulated == (results.runtime.driver in ("SwiftShader", "lavapipe"))
    assert [str(model.coverage) for model in results.models] == ["all", "1 of 2", "0 of 1"]
    assert {loaded.header.accelerator for loaded in results.rounds if loaded.header} == {"gpu"}
    for model in results.models:
        assert model.parity is not None
        assert model.parity.passed
        assert model.times is not None
        assert model.times.load_ms > 0
        assert model.times.first_inference_ms > 0
    warned = [warning for warning in results.warnings if "the GPU ran" in warning]
    assert [warning.split(" ran ")[1].split(",")[0] for warning in warned] == [
        "1 of 2 operators",
        "0 of 1 operators",
    ]
    for words in ("GPU in single precision", "compile", "on gpu", "1 of 2"):
        assert words in done.stdout
    page = (tmp_path / "results" / "report.html").read_text()
    for words in ("GPU in single precision", "compile", "1 of 2"):
        assert words in page


@pytest.mark.usefixtures("gpu")
def test_a_model_that_requires_full_coverage_fails_alone(part: Path, tmp_path: Path) -> None:
    arguments = (part, WHOLE, "--require-full-acceleration")
    done, results = measured(tmp_path / "results", *arguments)
    assert done.exit_code == 1
    assert "part.tflite': the runner on host failed (status 5): the GPU does not" in only_error(
        done
    )
    assert results is not None
    assert [model.times is None for model in results.models] == [True, False]
    assert results.protocol.requires_full_acceleration


@pytest.mark.usefixtures("gpu")
def test_a_driver_that_hangs_with_one_model_does_not_affect_the_others(
    part: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = find_driver()
    assert driver is not None
    source, library = tmp_path / "hangs.c", tmp_path / "libhangs.so"
    source.write_text(HANGS_ONCE)
    subprocess.run([find_compiler(), "-shared", "-fPIC", source, "-o", library], check=True)
    description = {"library_path": str(library), "api_version": "1.1.0"}
    hanging = tmp_path / "hangs.json"
    hanging.write_text(json.dumps({"file_format_version": "1.0.0", "ICD": description}))
    (tmp_path / "once").touch()
    monkeypatch.setenv("HANGS_ONCE", str(tmp_path / "once"))
    for name, value in driver.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("VK_ICD_FILENAMES", f"{driver.file}{os.pathsep}{hanging}")
    done, results = measured(tmp_path / "results", part, WHOLE, "--time-limit", 18)
    assert done.exit_code == 1
    assert "part.tflite': the GPU did not finish compiling it and running it" in only_error(done)
    assert "the driver hangs" in only_error(done)
    assert results is not None
    assert [model.times is None for model in results.models] == [True, False]


@pytest.mark.usefixtures("gpu")
def test_an_unsupported_precision_is_refused(tmp_path: Path) -> None:
    driver = find_driver()
    assert driver is not None
    if driver.computes_half:
        pytest.skip(f"{driver.title} computes in half precision")
    done, results = measured(tmp_path / "results", WHOLE, "--half")
    assert (done.exit_code, results) == (2, None)
    assert "--half: SwiftShader computes in single precision only" in only_error(done)


def test_a_missing_driver_is_reported_with_how_to_install_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VK_ICD_FILENAMES", str(tmp_path / "missing.json"))
    done, results = measured(tmp_path / "results", WHOLE)
    assert (done.exit_code, results) == (1, None)
    assert "needs a Vulkan driver" in only_error(done)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--backend", "litert", "--require-full-acceleration"), "is for --backend litert-gpu"),
        (("--backend", "litert-gpu", "--binary", __file__), "other backends do not accept it"),
    ],
)
def test_options_that_cannot_be_combined_are_refused(
    arguments: tuple[str, ...], message: str
) -> None:
    done = CliRunner().invoke(main, [str(WHOLE), *arguments])
    assert done.exit_code == 2
    assert message in only_error(done)


def test_a_phone_without_opencl_is_a_one_line_error(loopback_phone, phone_export, tmp_path):
    (file,) = phone_export.glob("*_fp32.tflite")
    ended = benchmark(tmp_path, file, "--backend", "litert-gpu", "--runs", "1")
    assert ended.status == 1
    assert 'the GPU accelerator finds no driver: library "libOpenCL.so" not found' in ended.error
    assert "Measure on the CPU with --backend litert" in ended.error
    assert_left_clean(loopback_phone)


@pytest.mark.usefixtures("gpu")
@pytest.mark.slow
def test_a_start_with_the_cache_of_the_gpu_computes_the_same(tmp_path: Path) -> None:
    done, results = measured(tmp_path / "results", WHOLE, "--cold-start")
    assert done.exit_code == 0, done.output
    assert results is not None
    sizes = [one.loaded[0].cache_bytes for one in results.rounds if one.purpose == "start"]
    assert sizes.count(None) == 10
    cached = [size for size in sizes if size is not None]
    assert len(cached) == 10
    assert min(cached) > 0
    assert "LiteRT's serialized GPU programs" in done.stdout

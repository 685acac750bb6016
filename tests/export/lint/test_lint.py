"""Lint: known faults are found, correct files pass, and both agree with the accelerator."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import browser
import numpy as np
import pytest
from click.testing import CliRunner, Result
from damaging_models import repeats_itself
from lint_cases import CORRECT, FAULTY
from locations import SAMPLES, SUPPORT
from one_operator import Case, build, constant, input_tensor

from seaformer.artifact.accelerators import ACCELERATORS
from seaformer.artifact.metadata import MappedOperator, Metadata
from seaformer.errors import SeaformerError, UnknownNameError
from seaformer.export.cli import main
from seaformer.export.lint.lint_file import lint_file
from seaformer.export.lint.lint_report import refused_operators
from seaformer.export.lint.linting import Finding, in_modules, lint
from seaformer.export.lint.rules import RULES
from seaformer.runtimes.tflite_flatbuffer import pack, parse

FAULTS = SAMPLES / "accelerator_faults"
DRIVER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")
MEASURED_SHARE = 6  # of the element-wise files: all of them would take minutes
MIN_SQNR_DB = 60

KNOWN = {
    "argmax_int32": [],
    "argmax_int64": [(0, "int64")],
    "bmm_4d_w": [],
    "bmm_b4_b1": [(0, "unequal-batches")],
    "bmm_b4_b4": [],
    "bmm_b4_constb1": [(0, "unequal-batches")],
    "heads_on_h_equivalent": [],
    "heads_on_w_equivalent": [],
    "joint_as_exported": [
        (0, "constant-on-batch"),
        (3, "unequal-batches"),
        (4, "constant-on-batch"),
    ],
    "mul_2d_const": [(0, "constant-on-batch")],
    "mul_4d_h1_const_h4": [],
    "mul_b1_const_b4": [(0, "constant-on-batch")],
    "mul_b1_runtime_b4": [],
    "mul_b4_const_b4_full": [(0, "constant-on-batch")],
}
"""File -> operators and rules; the joint attention is from an older version of the export."""


def found(model: bytes) -> list[tuple[int, str]]:
    return [(finding.operator, finding.rule.name) for finding in lint(model)]


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def written(folder: Path, case: Case) -> Path:
    path = folder / "one.tflite"
    path.write_bytes(build(case))
    return path


# ---- Rules ---------------------------------------------------------------------------------------


def test_every_sample_has_its_findings() -> None:
    assert {path.stem: found(path.read_bytes()) for path in FAULTS.iterdir()} == KNOWN


@pytest.mark.parametrize("name", FAULTY)
def test_faults_are_found(name: str) -> None:
    assert lint(build(FAULTY[name]))


@pytest.mark.parametrize("name", CORRECT)
def test_correct_variants_pass(name: str) -> None:
    assert found(build(CORRECT[name])) == []


@pytest.mark.parametrize(
    ("case", "rule"),
    [
        (
            Case("BATCH_MATMUL", (input_tensor(4, 8, 8, dtype="int16"),) * 2, {}, ("int16",), 0.1),
            "int16",
        ),
        (Case("BROADCAST_TO", (input_tensor(1, 8), constant(2, dtype="int32"))), "broadcast-to"),
        (Case("RELU_0_TO_1", (input_tensor(4, 8),)), "relu-0-to-1"),
        (Case("TILE", (input_tensor(4, 8), input_tensor(2, dtype="int32"))), "shape-at-run-time"),
        (Case("EXP", (input_tensor(-1, 8),)), "shape-at-run-time"),
        (Case("WHILE", (input_tensor(4, 8),)), "control-flow"),
        (Case("CUSTOM", (input_tensor(4, 8),)), "custom-operator"),
        (Case("WHERE", (input_tensor(4, 8, dtype="bool"),), {}, ("int32",)), "unknown-operator"),
    ],
)
def test_faults_that_cannot_be_reproduced_here(case: Case, rule: str) -> None:
    assert (0, rule) in found(build(case, shapes=[(4, 8)]))


@pytest.mark.parametrize(("side", "is_found"), [(8, False), (64, False), (112, True), (256, True)])
def test_sums_that_may_overflow_half_precision(side: int, is_found: bool) -> None:
    for type in ("SUM", "MEAN"):
        axes = np.array([1, 2], np.int32)
        case = Case(type, (input_tensor(1, side, side, 4), axes), {"keepDims": True})
        assert found(build(case)) == [(0, "sum-in-half-precision")] * is_found


def test_every_rule_has_a_unique_name_and_its_texts() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert set(rule.accelerators) <= set(ACCELERATORS)
        assert rule.happens.endswith(".")
        assert rule.remedy.endswith(".")
        assert rule.source


def test_weights_in_half_precision_are_constants() -> None:
    weight = constant(4, 6, 8, dtype="float16")
    parsed = parse(build(Case("MUL", (input_tensor(4, 6, 8), weight)), shapes=[(4, 6, 8)]))
    graph = parsed.subgraphs[0]
    behind = type(graph.tensors[1])()
    behind.name, behind.shape, behind.type, behind.buffer = b"weight", [4, 6, 8], 0, 0
    graph.tensors.append(behind)
    code = type(parsed.operatorCodes[0])()
    code.builtinCode = code.deprecatedBuiltinCode = 6
    parsed.operatorCodes.append(code)
    dequantize = type(graph.operators[0])()
    dequantize.opcodeIndex, dequantize.inputs, dequantize.outputs = 1, [1], [3]
    graph.operators[0].inputs = [0, 3]
    graph.operators.insert(0, dequantize)
    assert found(pack(parsed)) == [(1, "constant-on-batch")]


def test_the_operators_that_are_refused_are_named() -> None:
    by_effect = {rule.effect: rule for rule in RULES}
    found = [
        Finding(index, type, module, ((1, 8),), ((1, 8),), by_effect[effect])
        for index, (type, module, effect) in enumerate(
            [
                ("RELU_0_TO_1", "blocks.0.gate", "falls back"),
                ("MUL", "blocks.0", "wrong"),
                ("RELU_0_TO_1", "blocks.1.gate", "falls back"),
                ("SQUEEZE", None, "falls back"),
            ]
        )
    ]
    assert refused_operators(found) == "RELU_0_TO_1 in 'blocks.0.gate' and 1 more, SQUEEZE"
    assert refused_operators(found[1:2]) == ""
    mapped = [MappedOperator(index=3, type="SQUEEZE", module="head", nodes=())]
    assert refused_operators(in_modules(found, mapped)[3:]) == "SQUEEZE in 'head'"


def test_the_cpu_has_no_rules() -> None:
    assert lint(build(FAULTY["rank 5"]), ["cpu"]) == ()


# ---- Files ---------------------------------------------------------------------------------------


def test_exported_files_have_no_findings(tiny_export: Path) -> None:
    files = sorted(tiny_export.glob("*.tflite"))
    assert files
    assert {path.name: found(path.read_bytes()) for path in files} == {
        path.name: [] for path in files
    }


def test_findings_name_modules(tiny_export: Path) -> None:
    from seaformer.artifact.embedding import content_of, embed, tflite_text

    path = next(tiny_export.glob("*fp32.tflite"))
    text = tflite_text(path)
    assert text is not None
    metadata = Metadata.model_validate_json(text)
    parsed = parse(content_of(path))
    graph = parsed.subgraphs[0]
    chosen = next(one for one in metadata.operators if one.type == "CONV_2D")
    graph.operators[chosen.index].builtinOptions.fusedActivationFunction = 5
    (finding,) = lint(embed(pack(parsed), metadata))
    assert (finding.operator, finding.module) == (chosen.index, chosen.module)
    assert finding.rule.name == "fused-sign-bit"


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x1c\0\0\0TFL3" + bytes(range(256))])
def test_other_files_are_a_one_line_error(content: bytes) -> None:
    with pytest.raises(SeaformerError, match=r"^'the model' is damaged or is not a \.tflite") as it:
        lint(content)
    assert "\n" not in str(it.value)


def test_corrupted_files_are_a_one_line_error_or_linted() -> None:
    model = (FAULTS / "joint_as_exported.tflite").read_bytes()
    for place in range(8, 700, 3):
        for damaged in (model[:place], model[:place] + b"\xff" + model[place + 1 :]):
            try:
                lint(damaged)
            except SeaformerError as error:
                assert "\n" not in str(error)  # noqa: PT017


# ---- Command -------------------------------------------------------------------------------------


def test_the_command_on_a_faulty_file() -> None:
    done = command("--lint", FAULTS / "joint_as_exported.tflite")
    assert done.exit_code == 1, done.output
    words = " ".join(done.stdout.split())
    assert "BATCH_MATMUL" in words
    assert "constant-on-batch (operators 0, 4)" in words
    for rule in RULES:
        assert (rule.remedy in words) == (rule.name in ("constant-on-batch", "unequal-batches"))


def test_the_command_on_a_correct_file() -> None:
    done = command("--lint", FAULTS / "heads_on_h_equivalent.tflite")
    assert done.exit_code == 0, done.output
    assert "no operator is known to be wrong or to fall back" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("accelerators", "status"),
    [(["gpu"], 1), (["cpu"], 0), (["cpu,gpu"], 1), (["cpu", "gpu"], 1)],
)
def test_accelerators_select_the_rules(accelerators: list[str], status: int) -> None:
    chosen = [word for name in accelerators for word in ("--accelerator", name)]
    done = command("--lint", FAULTS / "bmm_b4_b1.tflite", *chosen)
    assert done.exit_code == status, done.output


def refused(status: int, message: str, *arguments: str | Path) -> None:
    done = command("--lint", *arguments)
    assert done.exit_code == status, done.output
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_bad_requests_are_one_line_errors(tmp_path: Path) -> None:
    sample = FAULTS / "bmm_b4_b1.tflite"
    refused(2, "unknown accelerator 'gpus'", sample, "--accelerator", "gpus")
    refused(1, "there is no model file", tmp_path / "missing.tflite")
    (tmp_path / "model.onnx").write_bytes(b"")
    refused(2, "only .tflite files are supported", tmp_path / "model.onnx")
    refused(2, "model.bin", tmp_path / "model.bin")
    (tmp_path / "folder.tflite").mkdir()
    refused(1, "there is no model file", tmp_path / "folder.tflite")
    (tmp_path / "damaged.tflite").write_bytes(sample.read_bytes()[:200])
    refused(1, "damaged.tflite' is damaged", tmp_path / "damaged.tflite")


def test_a_file_that_takes_too_long_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEAFORMER_MODEL_TIMEOUT_S", "4")
    with pytest.raises(SeaformerError, match=r"repeats\.tflite' was not read .* within 4 s"):
        lint_file(repeats_itself(tmp_path))


def test_a_file_and_its_bytes_have_the_same_findings(tmp_path: Path) -> None:
    path = written(tmp_path, FAULTY["groups of 2"])
    assert lint_file(path) == lint(path.read_bytes())
    with pytest.raises(UnknownNameError):
        lint(path.read_bytes(), ["tpu"])


# ---- The accelerator itself ----------------------------------------------------------------------


def measured(folder: Path, cases: Mapping[str, Case]) -> dict[str, float | None]:
    """Return the SQNR of each file on the accelerator in dB; None if it is refused."""
    if not DRIVER.exists():
        assert not browser.REQUIRED, "no Vulkan driver, and SEAFORMER_REQUIRE_CHROMIUM=1"
        pytest.skip("no Vulkan driver: apt-get install chromium")
    paths = [folder / f"{number}.tflite" for number in range(len(cases))]
    for path, case in zip(paths, cases.values(), strict=True):
        path.write_bytes(build(case))
    environment = os.environ | {
        "LD_LIBRARY_PATH": str(DRIVER.parent),
        "VK_ICD_FILENAMES": str(DRIVER),
        "XDG_RUNTIME_DIR": str(folder),
        "PYTHONPATH": str(SUPPORT),
    }
    done = subprocess.run(
        [sys.executable, "-m", "gpu_measurement", *paths],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return {name: one.get("sqnr_db") for name, one in zip(cases, answers, strict=True)}


def some(cases: Mapping[str, Case]) -> dict[str, Case]:
    """Return all cases that are not element-wise, and a share of the others."""
    element_wise = {name for name in cases if "((" in name}
    chosen = set(islice((name for name in cases if name in element_wise), 0, None, MEASURED_SHARE))
    return {
        name: case for name, case in cases.items() if name in chosen or name not in element_wise
    }


def test_faults_are_faults_on_the_gpu(tmp_path: Path) -> None:
    results = measured(tmp_path, some(FAULTY))
    assert {n: db for n, db in results.items() if db is not None and db > MIN_SQNR_DB} == {}


@pytest.mark.slow
def test_correct_variants_are_correct_on_the_gpu(tmp_path: Path) -> None:
    results = measured(tmp_path, some(CORRECT))
    assert {n: db for n, db in results.items() if db is None or db < MIN_SQNR_DB} == {}

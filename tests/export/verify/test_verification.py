"""Thresholds of verification, and networks that cannot be exported correctly."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from exporting import assert_one_line, read_metadata, run_export, write_networks

from seaformer.artifact.metadata import Comparison
from seaformer.artifact.precisions import PRECISIONS
from seaformer.export.convert.input_dependence import find_values_made_constant
from seaformer.export.verify.thresholds import passes, threshold_for
from seaformer.export.verify.verification import make_samples
from seaformer.export.verify.verification_inputs import PLAIN, images
from seaformer.tasks import get_task

PREPROCESSING = get_task("ade20k").preprocessing
UNIT = replace(PREPROCESSING, mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0))

ONNX = ("--format", "onnx", "--output", "out", "--input-size", "64x96", "--task", "cityscapes")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_networks(tmp_path)
    return tmp_path


def compared(sqnr_db: float, agreement: float, own_db: float | None) -> Comparison:
    return Comparison(
        input="photograph",
        max_abs_error=0.0,
        sqnr_db=sqnr_db,
        argmax_agreement=agreement,
        pytorch_float32_sqnr_db=own_db,
    )


@pytest.mark.parametrize(
    ("sqnr_db", "agreement", "own_db", "precision", "passed"),
    [
        (100.0, 1.0, 120.0, "fp32", True),
        (99.9, 1.0, 120.0, "fp32", False),
        (99.9, 1.0, None, "fp32", False),
        (94.6, 1.0, 93.2, "fp32", True),
        (90.3, 1.0, 93.2, "fp32", True),
        (90.1, 1.0, 93.2, "fp32", False),
        (94.6, 0.9998, 93.2, "fp32", True),
        (94.6, 0.999, 93.2, "fp32", False),
        (39.0, 1.0, 20.0, "fp32", False),
        (54.0, 1.0, 93.2, "fp16", False),
        (14.0, 1.0, 10.0, "int8", False),
    ],
)
def test_the_threshold_is_at_most_pytorchs_own_float32(
    sqnr_db: float, agreement: float, own_db: float | None, precision: str, passed: bool
) -> None:
    assert passes([compared(sqnr_db, agreement, own_db)], PRECISIONS[precision]) is passed


def test_the_relaxed_agreement_continues_the_usual_one() -> None:
    fp32 = PRECISIONS["fp32"]
    just_below = threshold_for(compared(100.0, 1.0, 102.999), fp32)
    assert just_below.is_of_float32
    assert just_below.agreement == pytest.approx(fp32.min_agreement, abs=1e-7)


@pytest.mark.slow
def test_weights_that_amplify_rounding_are_exported(folder: Path) -> None:
    done = run_export("--model", "my_networks:amplifying", *ONNX, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "amplify rounding, so its threshold is" in done.stdout
    parity = read_metadata(folder / "out" / "amplifying_64x96_fp32.onnx").parity
    own = [row.pytorch_float32_sqnr_db or 0 for row in parity.comparisons]
    assert min(own) < 100
    assert parity.is_of_float32
    assert parity.min_sqnr_db == pytest.approx(min(own) - 3)
    assert all((row.sqnr_db or 0) >= parity.min_sqnr_db for row in parity.comparisons)


@pytest.mark.slow
def test_weights_that_overwhelm_single_precision_are_refused(folder: Path) -> None:
    done = run_export("--model", "my_networks:hopeless", *ONNX, cwd=folder)
    assert_one_line(done, 1, "in float32 reaches only .* cannot be computed in single precision")


def test_a_branch_on_the_input_is_refused(folder: Path) -> None:
    done = run_export("--model", "my_networks:branching", *ONNX, cwd=folder)
    message = r"my_networks.py:\d+: if image.mean\(\) > self.limit:.*--allow-tracer-warnings"
    assert_one_line(done, 1, message)
    assert "shape" not in done.stderr


@pytest.mark.slow
def test_an_allowed_branch_is_still_verified(folder: Path) -> None:
    allowed = (*ONNX, "--allow-tracer-warnings")
    done = run_export("--model", "my_networks:branching", *allowed, cwd=folder)
    assert_one_line(done, 1, "does not match PyTorch: on the .* SQNR -6.0 dB")
    done = run_export("--model", "my_networks:rarely_branching", *allowed, cwd=folder)
    assert done.returncode == 0, done.stderr
    of_input, of_shapes = re.findall("warning: .*", done.stdout)[-2:]
    assert "input values" in of_input
    assert "if image.mean() > self.limit" in of_input
    assert "such as shapes" in of_shapes
    assert "return x if torch.tensor(image.shape[2]) > 8 else 2 * x" in of_shapes
    assert "image.mean()" not in of_shapes


@pytest.mark.parametrize(
    ("leave", "leaves"),
    [
        (lambda x: float(x.max()), True),
        (lambda x: bool((x > 0).any()), True),
        (lambda x: torch.zeros(3).copy_(x.flatten()[:3])[0].item(), True),
        (lambda x: torch.zeros(4)[1:].add_(x.flatten()[:3])[0].item(), True),
        (lambda x: x.detach().numpy(), True),
        (lambda x: np.asarray(x), True),
        (lambda x: x.mean((2, 3)).tolist(), True),
        (lambda x: torch.equal(x, x), True),
        (lambda x: torch.tensor(float(x.min())), True),
        (lambda x: x.shape[2] > 4 and x.numel() > 2, False),
        (lambda x: torch.where(x > 0, x, -x), False),
        (lambda x: x.new_ones(3).sum().item(), False),
        (lambda x: [row.sum() for row in x[0]], False),
    ],
)
def test_which_values_become_constants(
    leave: Callable[[torch.Tensor], object], leaves: bool
) -> None:
    class Leaving(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            leave(image)
            return image

    found = find_values_made_constant(Leaving(), torch.rand(1, 3, 8, 8))
    assert [place.partition(":")[0] for place in found] == ["test_verification.py"] * leaves


@pytest.mark.parametrize("inside", [True, False])
def test_verification_inputs_are_distinct(inside: bool) -> None:
    inputs = images(PREPROCESSING, (96, 128), inside)
    by_name = {one.name: one.values for one in inputs}
    assert len(by_name) == 7
    for values in by_name.values():
        assert (values.dtype, values.shape) == (np.float32, (1, 3, 96, 128))
    spreads = {name: float(values.std((2, 3)).max()) for name, values in by_name.items()}
    assert {name for name, spread in spreads.items() if spread < 1e-5} == set(PLAIN)
    assert by_name["white"].min() > by_name["one color"].min() > by_name["black"].max()
    edges = by_name["edges"][0, 0]
    assert len(np.unique(edges)) == 2
    assert (edges[0] != edges[-1]).all()


def test_an_output_of_zeros_is_compared_with_the_usual_scale_of_the_network() -> None:
    class Dark(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image * (image > image.new_zeros(1))

    samples = {sample.name: sample for sample in make_samples(Dark(), UNIT, (64, 64), False)}
    black, photograph = samples["black"], samples["photograph"]
    assert not black.reference.any()
    assert black.sqnr_db(black.reference + 1e-9) > 100
    assert black.sqnr_db(black.reference + 1e-2) < 40
    assert photograph.sqnr_db(1.01 * photograph.reference) == pytest.approx(40, abs=0.01)

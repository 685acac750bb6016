"""Exported files on LiteRT's GPU accelerator and in OpenVINO, and faults of a driver."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from exporting import read_metadata, run_export
from locations import SAMPLES
from torch import nn

from seaformer.artifact.accelerators import ACCELERATORS, parse_accelerators
from seaformer.artifact.metadata import AcceleratorParity, Comparison
from seaformer.artifact.precisions import PRECISIONS
from seaformer.errors import SeaformerError, UsageError
from seaformer.evaluation.metrics import sqnr_db
from seaformer.export.convert.onnx_graph import to_onnx
from seaformer.export.verify.half_arithmetic import compare_in_half, first_overflow
from seaformer.export.verify.on_accelerator import as_in_half, is_as_good, verify_on
from seaformer.export.verify.verification import Sample
from seaformer.runtimes import PROCESSORS, open_session

FAULTS = SAMPLES / "accelerator_faults"
GPU = ACCELERATORS["gpu"]
SHAPES = ("--variant", "tiny", "--weights", "shapes", "--input-size", "128")
NAME = "seaformer_tiny_shapes_128x128_fp32.tflite"


def test_every_accelerator_can_be_opened() -> None:
    assert set(ACCELERATORS) <= set(PROCESSORS)
    for accelerator in ACCELERATORS.values():
        run = set(accelerator.runtimes) - set(accelerator.never_run)
        assert {f".{format}" for format in run} <= set(PROCESSORS[accelerator.name])


def test_names_are_separated_by_commas_or_repeated() -> None:
    cpu, gpu = ACCELERATORS["cpu"], GPU
    assert parse_accelerators(["cpu, gpu", "cpu"]) == (cpu, gpu)
    assert parse_accelerators([]) == ()
    with pytest.raises(UsageError, match=r"unknown accelerator 'gpus'. Did you mean 'gpu'"):
        parse_accelerators(["cpu,gpus"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--accelerator npuu", "unknown accelerator 'npuu'"),
        ("--accelerator gpu --format onnx", "accelerator gpu does not run .onnx"),
        ("--accelerator cpu,gpu --precision int16x8", "int16x8 does not run on accelerator gpu"),
    ],
)
def test_unsupported_accelerators_are_refused_at_once(
    options: str, message: str, tmp_path: Path
) -> None:
    done = run_export(*SHAPES, *options.split(), cwd=tmp_path)
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.usefixtures("gpu")
def test_an_export_is_verified_on_the_gpu_if_there_is_a_driver(tmp_path: Path) -> None:
    precisions = [f"--precision={name}" for name in ("fp32", "fp16", "int16x8")]
    done = run_export(*SHAPES, *precisions, "--calibration-samples", "8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for precision, status in (("fp32", "verified"), ("fp16", "verified"), ("int16x8", "refused")):
        file = tmp_path / "build" / NAME.replace("fp32", precision)
        (parity,) = read_metadata(file).accelerators
        assert (parity.name, parity.status) == ("gpu", status)
    (parity,) = read_metadata(tmp_path / "build" / NAME).accelerators
    assert len(parity.comparisons) == 3
    assert all((row.sqnr_db or 0) > 100 for row in parity.comparisons)
    # A white image has no distinct classes.
    assert [row.argmax_agreement for row in parity.comparisons] == [1, 1, None]
    assert "driver" not in done.stderr
    checked = run_export("--self-check", tmp_path / "build" / NAME, cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "on gpu" in checked.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("head", ["classes", "mask"])
def test_class_ids_are_the_same_on_the_gpu(head: str, tmp_path: Path) -> None:
    done = run_export(*SHAPES, "--head", head, "--accelerator", "cpu,gpu", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "build").glob("*.tflite")
    (parity,) = read_metadata(file).accelerators
    assert [row.argmax_agreement for row in parity.comparisons] == [1, 1, 1]


HEADS = """
import torch
from torch import nn


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.into = nn.Conv2d(3, 16, 8, stride=8)
        masks = torch.eye(4).repeat_interleave(4, 1)[:, None]  # [4, 1, 16]: heads on the batch
        self.register_buffer("masks", masks)
        self.classifier = nn.Conv2d(16, 19, 1)

    def forward(self, image):
        x = self.into(image)
        tokens = x.flatten(2).transpose(1, 2)
        tokens = (tokens * self.masks).softmax(-1).sum(0, keepdim=True)
        return self.classifier(tokens.transpose(1, 2).reshape(x.shape))


def make():
    torch.manual_seed(0)
    return Heads().eval()
"""


@pytest.mark.usefixtures("gpu")
@pytest.mark.slow
def test_a_file_that_is_wrong_only_on_the_gpu(tmp_path: Path) -> None:
    """By default, the file is marked; if the GPU is requested, it is not written."""
    (tmp_path / "heads.py").write_text(HEADS)
    network = ("--model", "heads:make", "--task", "cityscapes", "--input-size", "64x128")
    done = run_export(*network, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    (file,) = (tmp_path / "build").glob("*.tflite")
    (parity,) = read_metadata(file).accelerators
    assert parity.status == "failed"
    assert "constant-on-batch" in done.stdout + done.stderr
    assert "gpu: " in done.stdout
    assert "MUL ([1,128,16] x [4,1,16]) computes different values: " in (parity.reason or "")
    checked = run_export("--self-check", file, "--model", "heads:make", cwd=tmp_path)
    assert (checked.returncode, "failed on gpu" in checked.stderr) == (1, True)
    named = run_export(*network, "--accelerator", "cpu,gpu", "--output", "named", cwd=tmp_path)
    assert named.returncode == 1
    assert "on gpu: failed: its outputs differ from PyTorch" in named.stderr
    assert "; MUL ([1,128,16] x [4,1,16]) computes different values: " in named.stderr
    assert not (tmp_path / "named").exists()


def on_both(file: Path, accelerator: str) -> float:
    """Return the SQNR of a one-operator file on an accelerator relative to the CPU, in dB."""
    results = []
    for name in ("cpu", accelerator):
        with open_session(file, accelerator=name) as session:
            shapes = [tuple(side or 1 for side in one.shape) for one in session.inputs]
            generator = np.random.default_rng(0)
            inputs = [generator.standard_normal(shape).astype(np.float32) for shape in shapes]
            results.append(session.run(inputs)[0].astype(np.float64))
    return sqnr_db(results[0], results[1])


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("name", ["mul_b1_const_b4", "bmm_b4_b1"])
def test_the_gpu_computes_known_faults_wrongly(name: str) -> None:
    """If not, the accelerator was fixed, and the rules and the deployment form can be reviewed."""
    assert on_both(FAULTS / f"{name}.tflite", "gpu") < 20


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("name", ["mul_4d_h1_const_h4", "bmm_4d_w", "argmax_int32"])
def test_the_gpu_computes_correct_variants_correctly(name: str) -> None:
    assert on_both(FAULTS / f"{name}.tflite", "gpu") > 100


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_a_third_runtime_computes_the_same(shapes_export: Path, suffix: str) -> None:
    """OpenVINO also misread heads on the batch axis, but in other operators: 39 dB."""
    file = shapes_export / f"seaformer_tiny_shapes_128x128_fp32{suffix}"
    assert on_both(file, "openvino") > 100


class Scaled(nn.Module):
    """A network with features as its input; a large factor overflows half precision."""

    input_channels = 3

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x * self.factor) / self.factor


def comparison(reached: tuple[float, float]) -> Comparison:
    return Comparison(
        input="noise",
        max_abs_error=None,
        sqnr_db=reached[0],
        argmax_agreement=reached[1],
        pytorch_float32_sqnr_db=None,
    )


@pytest.mark.parametrize(
    ("emulated", "found", "status"),
    [
        ((29.0, 0.99), (26.5, 0.98), "verified"),
        ((29.0, 0.99), (25.5, 0.99), "failed"),
        ((29.0, 0.90), (28.0, 0.86), "verified"),
        ((29.0, 0.90), (28.0, 0.84), "failed"),
        ((21.0, 1.0), (19.5, 1.0), "failed"),  # not accurate in any half precision
        ((50.0, 1.0), (34.9, 0.98), "failed"),  # a fault
    ],
)
def test_a_file_on_an_npu_may_be_as_inaccurate_as_half_precision_itself(
    emulated: tuple[float, float], found: tuple[float, float], status: str
) -> None:
    failed = AcceleratorParity(
        name="npu", status="failed", reason="low", runtime="QNN", comparisons=(comparison(found),)
    )
    judged = as_in_half(failed, [comparison(emulated)])
    assert judged.status == status
    assert (judged.reason is None) == (status == "verified")
    assert judged.half_comparisons == (comparison(emulated),)
    overflowed = as_in_half(failed, None)
    assert overflowed.status == "failed"
    assert overflowed.half_runtime is not None
    assert overflowed.half_runtime.endswith("it overflows")


@pytest.mark.parametrize(
    ("precision", "cpu", "found", "expected"),
    [
        ("w8a8", (8.0, 0.57), (15.0, 0.97), True),  # the thresholds are reached
        ("w8a8", (16.0, 0.80), (13.1, 0.782), True),
        ("w8a8", (16.0, 0.80), (12.9, 0.80), False),
        ("w8a8", (16.0, 0.80), (16.0, 0.76), False),
        ("w8a8", (8.0, 0.57), (-24.8, 0.56), False),
        ("w8a16", (3.4, 0.40), (3.4, 0.35), True),
        ("w8a16", (29.0, 0.98), (29.0, 0.965), False),
        ("fp32", (50.0, 0.98), (50.0, 0.98), False),
    ],
)
def test_a_quantized_file_may_differ_as_much_as_on_the_cpu(
    precision: str, cpu: tuple[float, float], found: tuple[float, float], expected: bool
) -> None:
    pair = (comparison(found), comparison(cpu))
    assert is_as_good(*pair, PRECISIONS[precision]) is expected


@pytest.mark.parametrize(("factor", "overflows"), [(1.0, False), (1e6, True)])
def test_half_precision_is_emulated(factor: float, overflows: bool) -> None:
    """Rounding to 11 bits gives an SQNR of about 70 dB, as in PyTorch with float16."""
    torch.manual_seed(0)
    model = Scaled(factor).eval()
    x = torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        expected = model(x).double().numpy()
        half = copy.deepcopy(model).half()(x.half()).double().numpy()
        graph = to_onnx(model, (16, 16), "features")
    sample = Sample("noise", x.numpy(), expected, None, expected.shape, has_classes=False)
    found = compare_in_half(graph, [sample])
    overflow = first_overflow(graph, [sample])
    if overflows:
        assert found is None
        assert not np.isfinite(half).all()
        assert overflow is not None
        assert overflow[0].op_type == "Mul"
        assert overflow[1] == pytest.approx(factor * float(x.abs().max()))
        return
    assert overflow is None
    assert found is not None
    assert found[0].sqnr_db == pytest.approx(sqnr_db(expected, half), abs=3)


@pytest.mark.slow
def test_without_a_driver_the_file_is_marked_as_not_verified(tmp_path: Path) -> None:
    done = run_export(*SHAPES, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (parity,) = read_metadata(tmp_path / "build" / NAME).accelerators
    assert parity.status == "not verified"
    assert "apt-get install chromium" in (parity.reason or "")
    assert "gpu: not verified: it needs a Vulkan driver" in done.stdout


@pytest.mark.slow
def test_a_requested_gpu_without_a_driver_is_an_error(tmp_path: Path) -> None:
    both = run_export(*SHAPES, "--accelerator", "cpu,gpu", cwd=tmp_path)
    assert both.returncode == 1
    assert (tmp_path / "build" / NAME).is_file()
    alone = run_export(*SHAPES, "--accelerator", "gpu", "--output", "alone", cwd=tmp_path)
    assert alone.returncode == 1
    assert alone.stderr.startswith("error: ")
    assert "on gpu: not verified: it needs a Vulkan driver" in alone.stderr
    assert not (tmp_path / "alone").exists()


def test_a_driver_that_cannot_be_loaded_is_a_one_line_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = tmp_path / "driver.json"
    driver.write_text('{"file_format_version": "1.0.0", "ICD": {"library_path": "/no/such.so"}}')
    monkeypatch.setenv("VK_ICD_FILENAMES", str(driver))
    with pytest.raises(SeaformerError, match="GPU accelerator") as caught:
        open_session(FAULTS / "argmax_int32.tflite", accelerator="gpu")
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("gpu")
def test_a_hanging_driver_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time limit that no driver can meet simulates a hanging driver."""
    monkeypatch.setenv("SEAFORMER_MODEL_TIMEOUT_S", "0.05")
    x = np.zeros((1, 12, 32, 32), np.float32)
    sample = Sample("zeros", x, x.argmax(1), None, x.shape)
    file = FAULTS / "argmax_int32.tflite"
    parity = verify_on(GPU, file, PRECISIONS["fp32"], [sample], [], channels=12)
    assert parity.status == "not verified"
    assert "within 0.05 s" in (parity.reason or "")

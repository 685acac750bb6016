"""Quantized files of the real command: their tensors, operators, size and accuracy."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from exporting import assert_one_line, run_export, write_networks
from PIL import Image
from sampling import sampled

from seaformer.artifact.beside import path_beside, read_beside
from seaformer.artifact.embedding import content_of, embed
from seaformer.artifact.metadata import Metadata
from seaformer.artifact.precisions import PRECISIONS
from seaformer.datasets.shapes import ShapesDataset, write
from seaformer.evaluation.metrics import ConfusionMatrix
from seaformer.export.convert import tflite_file
from seaformer.export.quantize.mixed_precision import Search
from seaformer.imaging.preprocessing import prepare
from seaformer.imaging.upsampling import upsample_argmax
from seaformer.runtimes import open_model
from seaformer.tasks import get_task

SHAPES = get_task("shapes")
STEM = "seaformer_tiny_shapes_256x256"
FILES = [
    f"{STEM}_int8.onnx",
    f"{STEM}_int8.tflite",
    f"{STEM}_dynamic-int8.onnx",
    f"{STEM}_dynamic-int8.tflite",
    f"{STEM}_int16x8.tflite",
]


@pytest.fixture(params=FILES)
def file(request: pytest.FixtureRequest, integer_export: Path) -> Path:
    """Each quantized file."""
    path: Path = integer_export / request.param
    return path


def metadata_of(file: Path) -> Metadata:
    with open_model(file) as session:
        assert isinstance(session.metadata, Metadata)
        return session.metadata


def test_the_metadata_describes_the_quantization(file: Path) -> None:
    metadata = metadata_of(file)
    precision = PRECISIONS[metadata.precision]
    quantization = metadata.quantization
    assert quantization is not None
    assert quantization.method == precision.range_method
    assert (quantization.calibration is not None) == precision.is_calibrated
    assert not quantization.is_random
    assert not quantization.accepted_loss
    assert metadata.parity.passed


def test_latency_is_only_in_the_json_so_that_files_are_reproducible(file: Path) -> None:
    inside, beside = metadata_of(file), read_beside(file)
    assert beside is not None
    assert beside.quantization is not None
    latency = beside.quantization.latency
    assert latency is not None
    low, high = latency.interval
    assert 0 < low <= latency.ratio <= high
    assert inside == beside.without_latency().model_copy(update={"file": None})
    slower = latency.model_copy(update={"ratio": 2 * latency.ratio})
    quantization = beside.quantization.model_copy(update={"latency": slower})
    again = beside.model_copy(update={"quantization": quantization, "file": None})
    assert embed(content_of(file), again) == file.read_bytes()


def test_the_accuracy_is_within_the_threshold_and_has_an_interval(file: Path) -> None:
    metadata = metadata_of(file)
    precision, quantization = PRECISIONS[metadata.precision], metadata.quantization
    assert quantization is not None
    accuracy = quantization.accuracy
    assert accuracy is not None
    assert accuracy.count == precision.test_images
    assert accuracy.difference_points is not None
    assert accuracy.interval_points is not None
    assert precision.max_miou_loss is not None
    assert -accuracy.difference_points <= precision.max_miou_loss
    low, high = accuracy.interval_points
    assert low <= accuracy.difference_points <= high
    # Enough images to resolve a tenth of a point, for files that are fast enough.
    if accuracy.count == 500:
        assert high - low < 0.4


def test_the_recorded_score_belongs_to_the_file(integer_export: Path) -> None:
    """Measured independently: with a session of the runtime, and the confusion matrix."""
    file = integer_export / f"{STEM}_int8.tflite"
    quantization = metadata_of(file).quantization
    assert quantization is not None
    assert quantization.accuracy is not None
    count, scenes = quantization.accuracy.count, ShapesDataset("val")
    matrix = ConfusionMatrix(12)
    with open_model(file) as session:
        for place in range(count):
            image, truth = scenes[place * len(scenes) // count]
            logits = session.run(prepare(image, SHAPES.preprocessing, (256, 256))[None])[0]
            matrix.update(truth, upsample_argmax(logits, truth.shape, "HWC"))
    assert quantization.accuracy.score == pytest.approx(100 * matrix.scores().miou, abs=1e-9)


def test_inputs_and_outputs_match_the_table_of_precisions(file: Path) -> None:
    metadata = metadata_of(file)
    precision = PRECISIONS[metadata.precision]
    types = {metadata.input.dtype, metadata.output.dtype}
    if precision.name == "int8":
        assert types == ({"int8"} if file.suffix == ".tflite" else {"uint8"})
        # One quantization step is one step of the image.
        scale = metadata.input.quantization
        assert scale is not None
        assert scale.scale == pytest.approx(1.0, abs=1e-6)
        assert scale.zero_point == (-128 if file.suffix == ".tflite" else 0)
        assert metadata.output.quantization is not None
    else:
        assert types == {precision.input_output}


def test_quantized_inputs_are_shifted_pixels(integer_export: Path) -> None:
    """The input of an app: pixels minus 128, without floating-point arithmetic."""
    file = integer_export / f"{STEM}_int8.tflite"
    image, _ = ShapesDataset("val")[7]
    interpreter = Interpreter(model_path=str(file))
    interpreter.allocate_tensors()
    (entry,), (end,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(entry["index"], (image.astype(np.int16) - 128).astype(np.int8)[None])
    interpreter.invoke()
    scale, zero_point = end["quantization"]
    output = (interpreter.get_tensor(end["index"]).astype(np.float32) - zero_point) * scale
    with open_model(file) as session:
        expected = session.run(image.astype(np.float32)[None])
    assert np.array_equal(output, expected)


def test_int8_is_a_single_partition_of_xnnpack(integer_export: Path) -> None:
    file = integer_export / f"{STEM}_int8.tflite"
    interpreter = Interpreter(model_path=str(file))
    interpreter.allocate_tensors()
    (delegate,) = (
        operator for operator in interpreter._get_ops_details() if operator["op_name"] == "DELEGATE"
    )
    model = schema.ModelT.InitFromPackedBuf(file.read_bytes(), 0)
    stored = {
        index
        for index, tensor in enumerate(model.subgraphs[0].tensors)
        if model.buffers[tensor.buffer].data is not None
    }
    (image,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert {int(tensor) for tensor in delegate["inputs"]} - stored == {image["index"]}
    assert [int(tensor) for tensor in delegate["outputs"]] == [output["index"]]


def test_only_the_attention_core_stays_in_floating_point(integer_export: Path) -> None:
    metadata = metadata_of(integer_export / f"{STEM}_int8.tflite")
    assert metadata.quantization is not None
    left = [metadata.operators[index] for index in metadata.quantization.float_operators]
    assert left
    assert all(row.module.endswith(("attention.row", "attention.column")) for row in left)
    assert {"BATCH_MATMUL", "SOFTMAX"} <= {row.type for row in left}
    assert not {"CONV_2D", "DEPTHWISE_CONV_2D"} & {row.type for row in left}


def test_weights_are_integers_per_channel(integer_export: Path) -> None:
    parsed = tflite_file.parse((integer_export / f"{STEM}_int8.tflite").read_bytes())
    tensors = parsed.subgraphs[0].tensors
    axes = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}
    seen: Counter[str] = Counter()
    for operator in tflite_file.operators((integer_export / f"{STEM}_int8.tflite").read_bytes()):
        if operator.type in axes:
            weight = tensors[operator.inputs[1]]
            assert weight.type == schema.TensorType.INT8
            assert len(weight.quantization.scale) == weight.shape[axes[operator.type]]
            seen[operator.type] += 1
    assert seen == {"CONV_2D": 51, "DEPTHWISE_CONV_2D": 17}


def test_every_operator_has_its_module(file: Path) -> None:
    metadata = metadata_of(file)
    count = (
        len(tflite_file.operators(file.read_bytes()))
        if file.suffix == ".tflite"
        else len(onnx.load(file).graph.node)
    )
    assert [row.index for row in metadata.operators] == list(range(count))
    named = {row.module.split(".")[0] for row in metadata.operators}
    assert {"stem", "context_branch", "spatial_branch", "light_head"} <= named


@pytest.mark.parametrize("precision", ["int8", "dynamic-int8"])
@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_the_file_including_metadata_is_small(
    integer_export: Path, precision: str, suffix: str
) -> None:
    file = integer_export / f"{STEM}_{precision}{suffix}"
    assert file.stat().st_size < 2.4e6


def export(folder: Path, *arguments: str) -> Any:
    return run_export(*arguments, "--input-size", "64", "--output", ".", cwd=folder)


@pytest.mark.slow
def test_a_module_is_kept_in_floating_point(tmp_path: Path) -> None:
    write(tmp_path / "scenes", 20, validation=10)
    done = export(
        tmp_path, "--weights", "shapes", "--precision", "int8", "--calibration", "scenes",
        "--keep-float", "light_head", "--mixed-precision", "auto", "--budget", "90",
        "--accept-loss",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("*.tflite")
    metadata = metadata_of(file)
    assert metadata.quantization is not None
    assert metadata.quantization.kept_modules == ("light_head",)
    left = {metadata.operators[index].module for index in metadata.quantization.float_operators}
    assert "light_head.classifier" in left
    assert metadata.output.dtype == "float32"
    assert metadata.input.dtype == "int8"
    # The search found that no other module has to be kept; its page is next to the file.
    searched = Path(f"{file}.mixed-precision.json")
    assert Search.model_validate_json(searched.read_text()).found.kept_modules == ()
    assert "No module has to stay" in searched.with_suffix(".html").read_text()


def test_a_misspelled_module_is_reported_before_the_conversion(tmp_path: Path) -> None:
    done = export(
        tmp_path, "--weights", "shapes", "--precision", "int8", "--keep-float", "light_hed",
    )  # fmt: skip
    assert_one_line(done, 2, "'light_hed'.*Did you mean 'light_head'")
    assert "rewrite to the deployment form" in done.stdout
    assert "trace to ONNX" not in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_caution_about_a_precision_is_printed_once(tmp_path: Path) -> None:
    done = export(
        tmp_path, "--variant", "tiny", "--precision", "dynamic-int8",
        "--format", "onnx", "--format", "tflite", "--input-size", "96", "--accept-loss",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*.onnx")) + list(tmp_path.glob("*.tflite"))) == 4
    assert done.stdout.count("for size, not for speed") == 1


@pytest.mark.slow
def test_a_file_calibrated_with_noise_is_marked_and_has_no_threshold(tmp_path: Path) -> None:
    done = export(
        tmp_path, "--variant", "tiny", "--precision", "int8", "--calibration", "random",
        "--calibration-samples", "3", "--format", "onnx",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "calibrated with noise" in done.stdout
    (file,) = tmp_path.glob("*.onnx")
    quantization = metadata_of(file).quantization
    assert quantization is not None
    assert quantization.is_random
    assert quantization.accuracy is None


def write_images(folder: Path, images: Iterable[np.ndarray]) -> None:
    folder.mkdir()
    for place, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{place:03}.png")


def dark_scenes(count: int, divisor: int = 12) -> list[np.ndarray]:
    scenes = ShapesDataset("val", (64, 64))
    return [scenes[place][0] // divisor for place in range(count)]


@pytest.mark.slow
def test_a_loss_stops_the_export_unless_it_is_accepted(tmp_path: Path) -> None:
    """The file is accurate only on the dark images that it was calibrated with."""
    write_images(tmp_path / "dark", dark_scenes(12))
    arguments = (
        "--weights", "shapes", "--precision", "int8", "--calibration", "dark", "--format", "onnx"
    )  # fmt: skip
    done = export(tmp_path, *arguments)
    assert done.returncode == 1
    assert re.search(r"✓ .* on 12 photos in 'dark'", done.stdout)
    assert re.search(r"✗ .* on 100 procedural scenes \(val\): SQNR", done.stdout)
    assert "activations are less than half as wide" in done.stdout
    assert "loses too much accuracy: on 100 procedural scenes" in done.stderr
    assert "--accept-loss" in done.stderr
    assert not list(tmp_path.glob("*.onnx"))
    done = export(tmp_path, *arguments, "--accept-loss")
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("*.onnx")
    metadata = metadata_of(file)
    assert metadata.quantization is not None
    assert metadata.quantization.accepted_loss
    assert not metadata.parity.passed
    assert json.loads(path_beside(file).read_text())["parity"]["passed"] is False


@pytest.mark.slow
def test_a_lost_channel_stops_the_export(tmp_path: Path) -> None:
    write_networks(tmp_path)
    scenes = ShapesDataset("val", (96, 64))
    write_images(tmp_path / "scenes", [scenes[place][0] for place in range(12)])
    done = export(
        tmp_path, "--model", "my_networks:uneven", "--task", "cityscapes",
        "--precision", "int8", "--calibration", "scenes", "--format", "onnx",
    )  # fmt: skip
    assert done.returncode == 1
    assert re.search(r"loses too much .*every channel .* \(lost channels 1\d", done.stderr)


@pytest.mark.slow
def test_for_user_defined_networks_independent_images_warn_or_decide(tmp_path: Path) -> None:
    write_networks(tmp_path)
    write_images(tmp_path / "dark", dark_scenes(24, 3))
    arguments = (
        "--model", "my_networks:make_network", "--task", "cityscapes",
        "--precision", "int8", "--calibration", "dark", "--format", "onnx",
    )  # fmt: skip
    done = export(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    assert re.search(
        "warning: .*loses a lot of accuracy on the bundled photo .*--verify-images", done.stdout
    )
    scenes = ShapesDataset("val", (96, 64))
    write_images(tmp_path / "bright", [scenes[place][0] for place in range(4)])
    done = export(tmp_path, *arguments, "--force", "--verify-images", "bright")
    assert done.returncode == 1
    assert "loses too much accuracy: on 4 photos in 'bright'" in done.stderr


INT8 = "--weights shapes --precision int8"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    sampled(
        [
            ("--variant tiny --precision int8", 2, "--calibration DIR"),
            (f"{INT8} --calibration nowhere", 1, "nowhere"),
            ("--weights shapes --format onnx --precision int16x8", 2, "int16x8"),
            (f"{INT8} --head mask", 2, "--head logits"),
            ("--weights shapes --sensitivity", 2, "--precision int8"),
            (f"{INT8} --mixed-precision on", 2, "auto"),
            (f"{INT8} --calibration-method mes", 2, "mse"),
            (f"{INT8} --mixed-precision auto --budget 0", 2, "--budget is 0"),
            (f"{INT8} --calibration-samples 0", 2, "samples is 0"),
        ],
        3,
    ),
)
def test_invalid_requests_are_refused(
    tmp_path: Path, arguments: str, status: int, message: str
) -> None:
    done = export(tmp_path, *arguments.split())
    assert done.returncode == status, done.stdout + done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())

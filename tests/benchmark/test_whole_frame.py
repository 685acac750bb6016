"""Whole frames: the runner's pre- and post-processing matches Python's bit for bit."""

import csv
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pytest
from benchmark_parts import ChangedWorkspace, candidate, measure
from rounds import Done, add_model, assert_gave_up, basic_plan, run_plan
from small_models import metadata, write_onnx

from seaformer.artifact.metadata import Interface, Scale
from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.candidates.frame import (
    FRAME_FILE,
    FramePath,
    camera_frame,
    frame_path,
    planned_frame,
)
from seaformer.benchmark.devices.device import OUTPUT_LIMIT, Workspace
from seaformer.benchmark.devices.host import Host
from seaformer.benchmark.measure.options import Options, parse_frame_size
from seaformer.benchmark.presentation.terminal import print_results
from seaformer.benchmark.results.schema import STAGES, InputUsed, read_results
from seaformer.benchmark.runner.plan import PlannedModel
from seaformer.benchmark.runner.record import Status
from seaformer.benchmark.studies.benchmark_study import BenchmarkStudy
from seaformer.console import Console
from seaformer.errors import UsageError
from seaformer.imaging.images import read_image, sample_photograph
from seaformer.imaging.preprocessing import seen_part
from seaformer.imaging.upsampling import upsample_argmax
from seaformer.reporting.numbers import milliseconds
from seaformer.runtimes.session import Tensor
from seaformer.tasks import get_task
from seaformer.tasks.output_meaning import OutputMeaning, binary

ADE20K = get_task("ade20k")

ENCODINGS = {
    "float32": None,
    "uint8": Scale(scale=1.0, zero_point=0),
    "int8": Scale(scale=0.02, zero_point=-5),
    "int16": Scale(scale=0.0078125, zero_point=0),
}
"""Type of an input -> the quantization of its integers; scale 1 is for values of 0 to 255."""


@dataclass(frozen=True)
class Case:
    """An input, and the preprocessing of an image for it."""

    dtype: str
    layout: str
    color_order: str
    interpolation: str
    crop_fraction: float | None
    size: tuple[int, int]
    mask_of: str = "logits"

    def path(self, number: int, frame_size: tuple[int, int]) -> FramePath:
        """Return the processing of frames by a model with this input."""
        return frame_path(self.candidate(number), frame_size)

    def candidate(self, number: int) -> Candidate:
        """Return a model with this input, and a mask computed from its output."""
        channels = 1 if self.color_order == "GRAY" else 3
        preprocessing = replace(
            ADE20K.preprocessing,
            color_order=self.color_order,
            mean=ADE20K.preprocessing.mean[:channels],
            std=ADE20K.preprocessing.std[:channels],
            interpolation=self.interpolation,
            resize="stretch" if self.crop_fraction is None else "center-crop",
            crop_fraction=self.crop_fraction,
        )
        task = replace(ADE20K, preprocessing=preprocessing)
        interface = Interface.from_task(task, self.layout, self.size)
        if self.dtype == "uint8":
            inside = {"normalization": "inside", "range": (0.0, 255.0)}
            interface = interface.model_copy(
                update={"input": interface.input.model_copy(update=inside)}
            )
        shape = interface.input.shape
        ids = self.mask_of == "ids"
        return candidate(
            number,
            "model.onnx",
            metadata=interface,
            entry=Tensor("x", self.dtype, shape, ENCODINGS[self.dtype]),
            input=InputUsed(
                source="photograph", name="x", dtype=self.dtype, shape=shape, sha256=None
            ),
            mask_size=self.size,
            gives_class_ids=ids,
            meaning=OutputMeaning("classes" if ids else "logits"),
        )


def cases() -> list[Case]:
    """Return every type with every layout, and random values of the other attributes."""
    choose = random.Random(0).choice
    found = [
        Case(
            dtype,
            layout,
            choose(("RGB", "BGR", "GRAY")),
            choose(("bilinear", "bicubic")),
            choose((None, 1.0, 0.875)),
            choose([(32, 32), (24, 40), (7, 5)]),
        )
        for dtype, layout in [*product(ENCODINGS, ("NCHW", "NHWC"))] * 5
    ]
    # A mask is computed along the axis of classes of the runtime; class ids have no such axis.
    ids = Case("uint8", "NHWC", "GRAY", "bilinear", None, (9, 11), "ids")
    return [*found, ids, replace(ids, dtype="int16")]


CASES = cases()


def identity(path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    """Write a model whose output is its input."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    ends = [onnx.helper.make_tensor_value_info(name, kind, shape) for name in ("x", "y")]
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "identity", ends[:1], ends[1:])
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), path)


def add_frame(folder: Path, number: int, case: Case, frame: np.ndarray) -> PlannedModel:
    """Add a model with frames as its input to the folder of a plan."""
    path = case.path(number, frame.shape[:2])
    shape = path.interface.input.shape
    file = folder / f"{case.dtype}.onnx"
    identity(file, case.dtype, shape)
    (folder / path.planned.levels_file).write_bytes(path.levels)
    (folder / FRAME_FILE).write_bytes(frame.tobytes())
    model = add_model(folder, f"m{number}", file, np.zeros(shape, case.dtype))
    has_mask = case.mask_of == "ids" or case.layout == "NCHW"
    planned = path.planned if has_mask else replace(path.planned, mask_size=None)
    return replace(model, preparation=planned)


def run_frames(folder: Path, frame: np.ndarray, models: list[PlannedModel]) -> Done:
    plan = basic_plan("onnxruntime", *models, frame=planned_frame(frame), runs_per_block=2)
    return run_plan(folder, plan)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)


def frames() -> Iterator[pytest.param]:
    yield pytest.param(read_image(sample_photograph()), id="photograph")
    for height, width in ((97, 131), (20, 16), (64, 3), (1, 1)):
        yield pytest.param(noise(height, width), id=f"{width}x{height}")


@pytest.mark.parametrize("frame", [*frames()])
def test_frames_are_processed_as_in_python(frame: np.ndarray, tmp_path: Path) -> None:
    models = [add_frame(tmp_path, number, case, frame) for number, case in enumerate(CASES)]
    done = run_frames(tmp_path, frame, models)
    assert done.status == Status.DONE, done.stderr
    assert done.record.complete, done.record.problem
    for number, (case, model) in enumerate(zip(CASES, models, strict=True)):
        path = case.path(number, frame.shape[:2])
        prepared = np.fromfile(tmp_path / f"m{number}.output.prepared", case.dtype)
        expected = np.frombuffer(path.expected_input(frame), case.dtype)
        np.testing.assert_array_equal(prepared, expected, str(case))
        assert model.preparation is not None
        if (size := model.preparation.mask_size) is None:
            continue
        preprocessing = path.interface.preprocessing
        assert size == seen_part(frame, preprocessing, case.size).shape[:2]
        values = expected.reshape(path.interface.input.shape)[0]
        if case.mask_of == "logits":
            scores = values.astype(np.float32) if case.dtype == "int16" else values
            mask, stored = upsample_argmax(scores, size, "CHW"), np.uint8
        else:
            rows, columns = (
                ((np.arange(there) + 0.5) * here / there).astype(int)
                for there, here in zip(size, case.size, strict=True)
            )
            mask, stored = values[rows[:, None], columns, 0], np.uint16
        computed = np.fromfile(tmp_path / f"m{number}.output.frame-mask", stored)
        np.testing.assert_array_equal(computed.reshape(size), mask.astype(stored), str(case))


def test_the_stages_of_every_frame_are_timed_after_each_block(tmp_path: Path) -> None:
    frame = camera_frame((90, 160))
    assert frame.shape == (90, 160, 3)
    with_mask, without = (replace(CASES[0], layout=layout) for layout in ("NCHW", "NHWC"))
    models = [
        add_frame(tmp_path, number, case, frame) for number, case in enumerate((with_mask, without))
    ]
    record = run_frames(tmp_path, frame, models).record
    assert record.complete, record.problem
    blocks = [(block.index, block.model) for block in record.blocks]
    assert [(runs.block, runs.model) for runs in record.frames] == blocks
    for runs in record.frames:
        assert len(runs.durations_ns) == 2
        assert (runs.post_processing_ns is None) == (runs.model == "m1")
        assert runs.durations_ns[0] == sum(stage[0] for stage in runs.stages_ns)
    # Afterwards, the model is measured with its own input.
    assert not np.fromfile(tmp_path / "m0.output", np.float32).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("levels", "has 3071 bytes, not 256 values of 4 for each of 3 channels"),
        ("frame", "but 90 x 160 x 3 are expected"),
        ("layout", "does not match the planned image"),
    ],
)
def test_files_that_do_not_fit_the_plan_are_refused(
    change: str, message: str, tmp_path: Path
) -> None:
    frame = camera_frame((90, 160))
    model = add_frame(tmp_path, 0, CASES[0], frame)
    if change == "layout":
        assert model.preparation is not None
        model = replace(model, preparation=replace(model.preparation, layout="NHWC"))
    else:
        file = tmp_path / ("m0.levels" if change == "levels" else FRAME_FILE)
        file.write_bytes(file.read_bytes()[:-1])
    assert_gave_up(run_frames(tmp_path, frame, [model]), Status.BAD_PLAN, message)


@pytest.mark.parametrize("text", ["1280", "1280x", "a.tflite", "1280*720"])
def test_an_invalid_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--frame is '.*'\. Allowed: WIDTHxHEIGHT"):
        parse_frame_size(text)
    assert parse_frame_size("1280x720") == (1280, 720)


# ---- The command


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a segmentation model that finds the strongest color."""
    return write_onnx(tmp_path / "colors.onnx", metadata())


def test_the_stages_of_a_frame_are_in_all_results(model: Path, tmp_path: Path) -> None:
    finished = measure([model], [Host()], tmp_path / "out", frame_size=(90, 160))
    assert not finished.problems
    (results,) = finished.results
    frame = results.models[0].frame
    assert frame is not None
    assert list(frame.stages) == list(STAGES)
    assert frame.frame_ms.interval_ms is not None
    assert all(stage.runs == 10 for stage in (*frame.stages.values(), frame.frame_ms))
    assert read_results(tmp_path / "out") == results

    console = Console(width=80, record=True, quiet=False, file=io.StringIO())
    print_results(console, results)
    shown = console.export_text()
    assert "frames of 90x160" in shown
    assert all(f"  {stage} " in shown for stage in STAGES)
    (row,) = csv.DictReader((tmp_path / "out/results.csv").open())
    assert row["frame_size"] == "90x160"
    assert float(row["latency_frame_median_ms"]) == frame.frame_ms.median_ms
    assert float(row["latency_frame_post_processing_high_ms"]) > 0
    page = (tmp_path / "out/report.html").read_text()
    assert "Whole frames of 90x160" in page
    assert all(
        f"{stage}: {milliseconds(one.median_ms)} ms" in page for stage, one in frame.stages.items()
    )


class InaccurateComputer(Host):
    """Preprocesses frames of the first model differently."""

    class _Space(ChangedWorkspace):
        def read(self, name: str, limit: int = OUTPUT_LIMIT) -> bytes:
            data = super().read(name, limit)
            return bytes([data[0] ^ 1]) + data[1:] if name == "m0.output.prepared" else data

    def open_workspace(self, key: str) -> Workspace:
        return self._Space(super().open_workspace(key))


def test_a_model_with_different_preprocessing_on_a_device_is_dropped(
    model: Path, tmp_path: Path
) -> None:
    other = write_onnx(tmp_path / "other.onnx", metadata())
    finished = measure(
        [model, other], [InaccurateComputer()], tmp_path / "out", frame_size=(160, 90)
    )
    (results,) = finished.results
    assert (
        "preprocesses frames differently from this computer: 1 of 49152 bytes differ"
        in results.problem
    )
    assert [one.times is None for one in results.models] == [True, False]


def test_a_model_without_preprocessing_metadata_is_refused(tmp_path: Path) -> None:
    plain = write_onnx(tmp_path / "plain.onnx")
    with pytest.raises(UsageError) as caught:
        measure([plain], [Host()], tmp_path / "out", frame_size=(160, 90))
    assert f"'{plain}' does not support: it has no preprocessing metadata" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_an_output_from_which_the_runner_cannot_compute_a_mask_is_refused() -> None:
    output = Tensor("y", "float32", (1, 1, 8, 8))
    one = replace(
        CASES[0].candidate(0), mask_size=None, meaning=binary("logits"), outputs=(output,)
    )
    with pytest.raises(
        UsageError, match="cannot compute a mask from its output, binary, class 1 above 0"
    ):
        frame_path(one, (720, 1280))


def test_the_frame_of_a_classifier_ends_with_the_inference() -> None:
    one = CASES[0].candidate(0)
    classifier = one.metadata.model_copy(update={"kind": "classification"})
    path = frame_path(replace(one, metadata=classifier, mask_size=None), (720, 1280))
    assert path.planned.mask_size is None


@pytest.mark.parametrize("size", [(0, 720), (1280, 8193)])
def test_sides_out_of_range_are_refused(size: tuple[int, int], model: Path) -> None:
    with pytest.raises(UsageError, match=rf"--frame is '{size[0]}x{size[1]}'\. .* 1 to 8192"):
        BenchmarkStudy(Options(command="", models=(model,), frame_size=size))


def test_the_official_tool_does_not_support_frames(tmp_path: Path) -> None:
    file = tmp_path / "model.tflite"
    file.touch()
    options = Options(
        command="", models=(file,), backend="benchmark_model", binary=file, frame_size=(160, 90)
    )
    with pytest.raises(UsageError, match=r"--frame needs our runner, not benchmark_model"):
        BenchmarkStudy(options)

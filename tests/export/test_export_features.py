"""Networks with features as their input: exported, verified, described, and refused where an image
is required."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from exporting import assert_one_line, names, run_export
from once import Once
from sampling import sampled

from seaformer.artifact.metadata import Metadata
from seaformer.artifact.precisions import PRECISIONS
from seaformer.benchmark.candidates.candidate import NO_IMAGE, open_candidate
from seaformer.bundling.model import read_model
from seaformer.errors import SeaformerError, UsageError
from seaformer.export.convert.onnx_graph import to_onnx
from seaformer.export.verify.thresholds import passes
from seaformer.export.verify.verification import Sample, compare, lowest, make_samples
from seaformer.imaging.input_size import check_memory, parse_input_size
from seaformer.models.attention.dimensions import CHANNELS
from seaformer.models.create import create_model
from seaformer.models.inputs import input_shape, takes_features
from seaformer.models.registry import LAYERS, REGISTRY
from seaformer.runtimes import open_model
from seaformer.runtimes.image_session import find_layout
from seaformer.tasks import get_task

PREPROCESSING = get_task("ade20k").preprocessing


@pytest.fixture(scope="module")
def folder(once: Once) -> Path:
    """Export the window layer at 8x8, in both formats and floating-point precisions."""

    def fill(new: Path) -> None:
        formats = ("--format", "tflite", "--format", "onnx")
        precisions = ("--precision", "fp32", "--precision", "fp16")
        which = ("--model", "attention-window", "--input-size", "8")
        done = run_export(*which, *formats, *precisions, "--output", new, cwd=new)
        assert done.returncode == 0, done.stderr
        assert "random" not in done.stderr + done.stdout

    return once("attention-window", fill)


def path(folder: Path, precision: str, suffix: str) -> Path:
    return folder / f"attention_window_8x8_{precision}{suffix}"


# Files


@pytest.mark.slow
def test_file_names_contain_layer_size_and_precision(folder: Path) -> None:
    stems = [f"attention_window_8x8_{precision}" for precision in ("fp16", "fp32")]
    assert names(folder) == [
        f"{stem}{end}"
        for stem in stems
        for end in (".onnx", ".onnx.json", ".tflite", ".tflite.json")
    ]


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_files_match_pytorch(folder: Path, precision: str, suffix: str) -> None:
    model = create_model(LAYERS["window"])
    x = torch.randn(1, CHANNELS, 8, 8, generator=torch.Generator().manual_seed(5))
    expected = model.double()(x.double()).numpy()
    with open_model(path(folder, precision, suffix)) as session:
        assert (session.channels, session.input_shape) == (CHANNELS, (8, 8))
        is_last = session.layout == "NHWC"
        output = session.run(
            np.ascontiguousarray(x.numpy().transpose(0, 2, 3, 1) if is_last else x)
        )
    output = output.transpose(0, 3, 1, 2) if is_last else output
    bar = {"fp32": 100.0, "fp16": 55.0}[precision]
    noise = np.square(output - expected).sum()
    assert 10 * np.log10(np.square(expected).sum() / noise) > bar


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_the_metadata_describes_features_as_input(folder: Path, suffix: str) -> None:
    with open_model(path(folder, "fp32", suffix)) as session:
        info = session.metadata
    assert isinstance(info, Metadata)
    assert (info.kind, info.model, info.task) == ("features", "attention-window", None)
    assert (info.labels, info.palette, info.output.content) == ((), None, "features")
    source = info.input
    assert source.name == "features"
    assert source.shape == ((1, 8, 8, CHANNELS) if suffix == ".tflite" else (1, CHANNELS, 8, 8))
    image = ("range", "mean", "std", "color_order", "resize", "interpolation", "crop_fraction")
    assert [getattr(source, key) for key in image] == [None] * len(image)
    assert source.normalization == "outside"
    compared = info.parity.comparisons
    assert [row.input for row in compared] == ["noise, seed 0", "noise, seed 1"]
    for row in compared:
        assert row.sqnr_db is not None
        assert row.sqnr_db >= 100
        assert row.argmax_agreement is None
    assert info.params == sum(p.numel() for p in create_model(LAYERS["window"]).parameters())


def test_every_operator_has_its_module(folder: Path) -> None:
    info = json.loads(path(folder, "fp32", ".tflite.json").read_text())
    modules = {operator["module"] for operator in info["operators"]}
    assert {"attention.qkv.query", "attention.qkv.value", "attention.projection"} <= modules
    assert all(module.startswith("attention") for module in modules)


def test_self_check_repeats_the_verification(folder: Path) -> None:
    done = run_export("--self-check", path(folder, "fp32", ".tflite"), cwd=folder)
    assert done.returncode == 0, done.stderr


def test_a_benchmark_uses_noise_and_no_arg_max(folder: Path) -> None:
    candidate = open_candidate(path(folder, "fp32", ".tflite"), 0, seed=3)
    assert (candidate.input.source, candidate.note) == ("noise", NO_IMAGE)
    assert (candidate.mask_size, candidate.class_axis) == (None, None)
    assert (candidate.precision, candidate.facts.kind) == ("fp32", "features")
    assert candidate.facts.macs is not None


# Where an image is required


def test_predict_refuses_it(folder: Path) -> None:
    with open_model(path(folder, "fp32", ".tflite")) as session:
        assert session.metadata is not None
        with pytest.raises(UsageError, match="takes features of another network"):
            session.metadata.require_image()


def test_the_app_refuses_it(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"its task type is features\. Allowed: segmentation"):
        read_model(path(folder, "fp32", ".tflite"))


@pytest.mark.parametrize(
    ("options", "message"),
    sampled(
        [
            (
                ("--precision", "int8", "--calibration", "random"),
                "int8 is verified on images",
            ),
            (("--head", "mask"), "--head mask requires a model that takes images"),
            (("--input-size", "7"), "a height of 7. Allowed: 8 or more"),
            (("--weights", "ade20k"), "--weights cannot be used with --model"),
        ]
    ),
)
def test_options_that_require_images_are_refused(
    options: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    done = run_export("--model", "attention-global", *options, "--output", "out", cwd=tmp_path)
    assert_one_line(done, 2, message)


def test_a_misspelled_layer_is_reported_with_suggestions(tmp_path: Path) -> None:
    done = run_export("--model", "attention-windows", cwd=tmp_path)
    assert_one_line(done, 2, "Did you mean 'attention-window'")


def test_a_size_that_exceeds_the_memory_is_refused_before_any_work() -> None:
    needed = REGISTRY["attention-global"].export_bytes((512, 512))
    with pytest.raises(UsageError, match="512x512 would take about"):
        check_memory((512, 512), 16 * 2**30, needed)
    check_memory((64, 64), 16 * 2**30, REGISTRY["attention-global"].export_bytes((64, 64)))


# Units


def test_a_network_declares_its_input_channels_or_has_images_as_input() -> None:
    layer = create_model(LAYERS["global"])
    assert input_shape(layer, (8, 16)) == (1, CHANNELS, 8, 16)
    assert input_shape(torch.nn.Identity(), (8, 16)) == (1, 3, 8, 16)
    assert takes_features(layer)
    assert not takes_features(torch.nn.Identity())


def test_small_sides_are_only_for_layers() -> None:
    assert parse_input_size("8", min_side=8) == (8, 8)
    with pytest.raises(UsageError, match="64 or more, the stride of the coarsest stage"):
        parse_input_size("8")


def test_the_graph_names_its_input() -> None:
    layer = create_model(LAYERS["global"])
    (given,) = to_onnx(layer, (8, 8), "logits").graph.input
    assert given.name == "features"
    assert [side.dim_value for side in given.type.tensor_type.shape.dim] == [1, CHANNELS, 8, 8]


def test_samples_are_seeded_noise_without_classes() -> None:
    layer = create_model(LAYERS["global"])
    once, again = (make_samples(layer, PREPROCESSING, (8, 8), inside=True) for _ in range(2))
    assert [sample.name for sample in once] == ["noise, seed 0", "noise, seed 1"]
    for sample, same in zip(once, again, strict=True):
        assert not sample.has_classes
        assert np.array_equal(sample.input, same.input)
        assert abs(sample.input.std() - 1) < 0.05
        expected = layer.double()(torch.from_numpy(sample.input).double()).numpy()
        assert np.allclose(sample.reference, expected)
        layer.float()


def test_wrong_features_fail_verification(folder: Path) -> None:
    layer = create_model(LAYERS["window"])
    sample = make_samples(layer, PREPROCESSING, (8, 8), inside=False)[0]
    other = Sample("other", sample.input, sample.reference * 1.001, 150.0, (), has_classes=False)
    with open_model(path(folder, "fp32", ".tflite")) as session:
        right, wrong = compare(session, sample), compare(session, other)
    assert passes([right], PRECISIONS["fp32"])
    assert not passes([right, wrong], PRECISIONS["fp32"])
    sqnr, agreement = lowest([right, wrong])
    assert sqnr == wrong.sqnr_db
    assert agreement is None


@pytest.mark.parametrize(
    ("shape", "usual", "layout"),
    [
        ((1, 8, 8, 160), "NCHW", "NHWC"),
        ((1, 160, 8, 8), "NHWC", "NCHW"),
        ((1, 160, 160, 160), "NCHW", "NCHW"),
        ((1, 160, 160, 160), "NHWC", "NHWC"),
    ],
)
def test_the_layout_of_features(shape: tuple[int, ...], usual: str, layout: str) -> None:
    assert find_layout(shape, Path("a.onnx"), 160, usual) == layout


def test_features_are_not_mistaken_for_an_image() -> None:
    with pytest.raises(SeaformerError, match=r"Allowed: one image, \[1, height, width, 3\]"):
        find_layout((1, 8, 8, 160), Path("a.tflite"))

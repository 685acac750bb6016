"""The attention heat map: the same for every format, and its file by `seaformer-predict`."""

import re
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from small_models import metadata, write_onnx

from seaformer.cli.predict import main
from seaformer.errors import SeaformerError
from seaformer.imaging.heatmap import heat, last_attention, save_heatmap
from seaformer.imaging.images import read_image, sample_photograph
from seaformer.imaging.prediction import prepare_input
from seaformer.models.create import create_model
from seaformer.runtimes import open_model

CHECKPOINT = Path(
    str(resources.files("seaformer") / "data" / "weights" / "shapes_tiny.safetensors")
)
SIZE = (128, 128)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def features_of(path: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """Return the output of the last attention layer of a model file for the photo."""
    with open_model(path, input_size=size) as session:
        assert session.metadata is not None
        x = prepare_input(read_image(sample_photograph()), session, session.metadata)
        return last_attention(path, session, x)


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    """Return the same, computed by calling the parts of the network in order."""
    network = create_model("tiny", "shapes", "shapes").eval()
    with open_model(CHECKPOINT, input_size=SIZE) as session:
        assert session.metadata is not None
        x = torch.from_numpy(
            prepare_input(read_image(sample_photograph()), session, session.metadata)
        )
    branch = network.context_branch
    with torch.inference_mode():
        x = branch.stage4(branch.stage3(network.stem(x)))
        for part in (*branch.stage5.mobile_blocks, *branch.stage5.blocks[:-1]):
            x = part(x)
        return branch.stage5.blocks[-1].attention(x)[0].numpy()


def sqnr_db(expected: np.ndarray, found: np.ndarray) -> float:
    assert expected.shape == found.shape
    return float(10 * np.log10(np.square(expected).sum() / np.square(expected - found).sum()))


def test_a_checkpoint_gives_the_output_of_its_last_attention_layer(expected: np.ndarray) -> None:
    assert np.array_equal(features_of(CHECKPOINT, SIZE), expected)


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_an_exported_file_gives_the_same_output(
    shapes_export: Path, suffix: str, expected: np.ndarray
) -> None:
    (file,) = shapes_export.glob(f"*.{suffix}")
    assert sqnr_db(expected, features_of(file)) > 80


@pytest.mark.parametrize(
    ("name", "min_sqnr_db"),
    [("int8.onnx", 18), ("int8.tflite", 18), ("dynamic-int8.tflite", 18), ("int16x8.tflite", 30)],
)
@pytest.mark.slow
def test_integer_outputs_are_dequantized(
    integer_export: Path, name: str, min_sqnr_db: float
) -> None:
    (file,) = integer_export.glob(f"*_{name}")
    exact = features_of(CHECKPOINT, (256, 256))
    assert sqnr_db(exact, features_of(file)) > min_sqnr_db


def test_the_map_with_half_precision_weights(tiny_export: Path) -> None:
    for suffix in ("onnx", "tflite"):
        single, half = (
            features_of(next(tiny_export.glob(f"*_{precision}.{suffix}")))
            for precision in ("fp32", "fp16")
        )
        assert sqnr_db(single, half) > 30


def test_the_mean_over_channels_is_scaled_to_0_to_255() -> None:
    features = np.array([[[1, 2], [3, 5]], [[1, 4], [3, 9]]], np.float32)  # means 1 3 3 7
    assert heat(features, (2, 2)).tolist() == [[0, 85], [85, 255]]
    large = heat(features, (64, 32))
    assert large.shape == (64, 32)
    assert (large[0, 0], large[-1, -1]) == (0, 255)
    assert large[0, 0] < large[32, 16] < large[-1, -1]


def test_a_flat_map_is_all_zero() -> None:
    assert not heat(np.full((3, 2, 2), 7, np.float32), (4, 4)).any()


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(SeaformerError, match="not finite"):
        heat(np.full((1, 2, 2), np.nan, np.float32), (4, 4))


def test_the_file_stores_the_values_with_a_dark_to_light_palette(tmp_path: Path) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    save_heatmap(tmp_path / "map.png", values)
    image = Image.open(tmp_path / "map.png")
    assert np.array_equal(np.asarray(image), values)
    shown = np.asarray(image.convert("RGB").convert("L")).ravel().astype(int)
    assert (np.diff(shown) >= 0).all()
    assert shown[-1] - shown[0] > 200


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.open(sample_photograph()).resize((90, 60)).save("photo.png")
    return Path("photo.png")


def test_the_command_writes_a_map_with_the_size_of_the_photo(photo: Path) -> None:
    arguments = (photo, "--model", CHECKPOINT, "--input-size", "128", "--heatmap", "map.png")
    result = run(*arguments)
    assert result.exit_code == 0, result.stderr
    assert f"heat map: {Path('map.png').absolute()}" in result.stdout
    values = np.asarray(Image.open("map.png"))
    assert values.shape == (60, 90)
    assert (values.min(), values.max()) == (0, 255)
    again = run(*arguments, "--output", "other.png")
    assert again.exit_code == 2
    assert re.fullmatch(r"error: 'map\.png' exists.*\n", again.stderr)
    assert not Path("other.png").exists()


def test_a_classifier_has_a_map_and_no_mask(photo: Path) -> None:
    torch.save(create_model("tiny", "imagenet", "random").state_dict(), "tiny.pth")
    result = run(
        photo, "--model", "tiny.pth", "--task", "imagenet", "--heatmap", "map.png",
        "--input-size", "96",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    # The input of the network is cropped from the center of the photo.
    assert Image.open("map.png").size == (52, 52)
    assert not Path("photo_overlay.png").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ("--heatmap map.jpg", 2, r"--heatmap is 'map\.jpg'"),
        ("--heatmap photo.png", 2, "is the photo"),
        ("--heatmap same.png --mask same.png", 2, "is also the path of --mask"),
        ("--heatmap map.png", 1, "'model.onnx' names no attention layer"),
    ],
)
def test_invalid_requests_are_refused_in_one_line(
    photo: Path, arguments: str, status: int, message: str
) -> None:
    write_onnx(Path("model.onnx"), metadata())
    before = sorted(Path().iterdir())
    result = run(photo, "--model", "model.onnx", *arguments.split())
    assert result.exit_code == status
    assert re.fullmatch(rf"error: .*{message}.*\n", result.stderr), result.stderr
    assert sorted(Path().iterdir()) == before

"""The command `seaformer-predict`, with real images and real model files."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from small_models import RANDOM_WEIGHTS, associate, metadata, tflite, write_onnx

from seaformer.cli.predict import main
from seaformer.imaging.images import sample_photograph
from seaformer.models.create import create_model

HEAVY = ("torch", "tensorflow", "onnxruntime", "ai_edge_litert", "numpy", "PIL")

HEIGHT, WIDTH = 80, 120
# The left half is red and the right half blue, also after resizing 120 pixels to 64.
COLORS = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
COLORS[:, : WIDTH // 2, 0] = COLORS[:, WIDTH // 2 :, 2] = 200


INPUT_WITHOUT_COLORS = {
    name: value for name, value in metadata()["input"].items() if name != "color_order"
}
OUTPUT_OF_POINTS = metadata()["output"] | {"content": "points"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory, with a photo and a model."""
    Image.fromarray(COLORS).save(tmp_path / "flag.png")
    write_onnx(tmp_path / "model.onnx", metadata())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "seaformer.cli.predict", *map(str, arguments)]


def assert_error(result: Result, status: int, message: str) -> None:
    assert result.exit_code == status
    assert re.fullmatch(r"error: .*\n", result.stderr), result.stderr
    assert re.search(message, result.stderr), result.stderr


def test_a_colored_mask_of_a_photo(folder: Path) -> None:
    done = subprocess.run(
        command("flag.png", "--model", "model.onnx", "--mask", "mask.png"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "flag.png: 120 x 80 pixels" in done.stdout
    assert "SeaFormer-tiny, colors, fp32, input 64 x 64" in done.stdout
    assert re.search(r"red\W+50\.0 %", done.stdout)
    assert re.search(r"blue\W+50\.0 %", done.stdout)
    assert "green" not in done.stdout
    assert re.search(
        r"preprocessing \d+\.\d ms, inference \d+\.\d ms \(median of 5 after a warm-up, 1 thread\)",
        done.stdout,
    )
    assert f"overlay: {folder / 'flag_overlay.png'}" in done.stdout
    assert f"mask: {folder / 'mask.png'}" in done.stdout
    assert names(folder) == ["flag.png", "flag_overlay.png", "mask.png", "model.onnx"]

    mask = np.asarray(Image.open(folder / "mask.png"))
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, np.where(COLORS[:, :, 0] > 0, 0, 2))
    overlay = np.asarray(Image.open(folder / "flag_overlay.png"))
    # Half of 200 plus half of 255, in the common channel of the class and the photo.
    assert (overlay[:HEIGHT, : WIDTH // 2] == (228, 0, 0)).all()
    assert (overlay[:HEIGHT, WIDTH // 2 : WIDTH] == (0, 0, 228)).all()


def test_every_format_gives_the_same_mask(folder: Path) -> None:
    model = folder / "model.tflite"
    model.write_bytes(tflite())
    associate(model, metadata("NHWC"))
    for name in ("model.tflite", "model.onnx"):
        result = run("flag.png", "--model", name, "--mask", f"{name}.png", "--force")
        assert result.exit_code == 0
    from_tflite, from_onnx = (Path(f"model.{format}.png") for format in ("tflite", "onnx"))
    assert from_tflite.read_bytes() == from_onnx.read_bytes()


@pytest.mark.usefixtures("folder")
def test_a_checkpoint_predicts() -> None:
    torch.save(create_model("tiny", "cityscapes", "random").state_dict(), "tiny.pth")
    result = run("flag.png", "--model", "tiny.pth", "--task", "cityscapes", "--input-size", "64")
    assert result.exit_code == 0, result.stderr
    assert "SeaFormer-tiny, cityscapes, fp32, input 64 x 64" in result.stdout
    assert Path("flag_overlay.png").exists()


@pytest.mark.usefixtures("folder")
def test_several_photos_and_folders() -> None:
    for name in ("photos/a.png", "photos/more/b.png", "photos/a.webp"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(COLORS).save(name)
    Path("photos/broken.png").write_bytes(Path("flag.png").read_bytes()[:200])
    Path("photos/._a.png").write_bytes(b"")
    result = run("photos", "flag.png", "-m", "model.onnx", "--mask", "masks")
    assert result.exit_code == 1
    assert "1 file in 'photos' skipped: 1 hidden" in result.stdout
    assert "error: 'photos/broken.png' is damaged" in result.stderr
    assert "error: 1 of 5 images could not be used" in result.stderr
    stems = ["a.png", "a.webp", "flag", "more_b"]
    assert names(Path("predictions")) == [f"{stem}_overlay.png" for stem in stems]
    assert names(Path("masks")) == [f"{stem}_mask.png" for stem in stems]
    assert_error(run("photos", "-m", "model.onnx"), 2, "exists. Give another name, or --force")


def test_the_result_as_json(folder: Path) -> None:
    result = run("flag.png", "-m", "model.onnx", "-o", "a.png", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    (image,) = found["images"]
    assert (found["model"], image["image"]) == ("model.onnx", "flag.png")
    assert image["files"] == {"overlay": str(folder / "a.png")}
    assert sum(entry["share"] for entry in image["classes"]) == pytest.approx(1)
    assert image["classes"][0]["share"] == pytest.approx(0.5)


@pytest.mark.usefixtures("folder")
def test_frames_of_a_video() -> None:
    av = pytest.importorskip("av")
    with av.open("clip.mp4", "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = WIDTH, HEIGHT
        for _ in range(25):
            frame = av.VideoFrame.from_ndarray(COLORS, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    result = run("clip.mp4", "-m", "model.onnx", "--every", "1", "--json")
    assert result.exit_code == 0, result.stderr
    images = json.loads(result.stdout)["images"]
    assert [image["time_s"] for image in images] == [0, 1, 2]
    assert images[1]["classes"][0]["share"] == pytest.approx(0.5, abs=0.02)
    assert names(Path("predictions"))[1] == "clip_00001.00s_overlay.png"


def test_files_listed_in_a_playlist_are_not_opened(folder: Path) -> None:
    pytest.importorskip("av")
    Path("clip.mp4").write_text(f"#EXTM3U\n#EXTINF:1,\n{folder / 'flag.png'}\n#EXT-X-ENDLIST\n")
    assert_error(run("clip.mp4", "-m", "model.onnx"), 1, "damaged or not a video")


@pytest.mark.usefixtures("folder")
def test_a_mask_instead_of_a_photo_is_reported() -> None:
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) // 6).save("mask.png")
    result = run("mask.png", "-m", "model.onnx")
    assert result.exit_code == 0
    assert "one channel with 11 values, 0 to 10, like a mask of class indices" in result.stdout
    assert "like a mask" not in run("flag.png", "-m", "model.onnx").stdout


@pytest.mark.usefixtures("folder")
def test_without_a_photo_the_sample_is_used() -> None:
    result = run("--model", "model.onnx")
    assert result.exit_code == 0
    assert f"{sample_photograph()}: 600 x 400 pixels" in result.stdout
    assert Path("photograph_overlay.png").exists()


@pytest.mark.usefixtures("folder")
def test_the_mask_has_the_size_of_the_upright_photo() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLORS).save("turned.png", exif=exif)
    assert run("turned.png", "--model", "model.onnx", "--mask", "mask.png").exit_code == 0
    mask = np.asarray(Image.open("mask.png"))
    assert np.array_equal(mask, np.rot90(np.where(COLORS[:, :, 0] > 0, 0, 2), -1))


def test_normalization_outside_the_graph_is_applied(folder: Path) -> None:
    # Green is the largest value, but red after subtracting the means.
    info = metadata()
    info["input"] |= {"normalization": "outside", "mean": [0, 255, 255], "std": [1, 1, 1]}
    write_onnx(folder / "model.onnx", info)
    Image.new("RGB", (64, 64), (100, 200, 200)).save("teal.png")
    result = run("teal.png", "--model", "model.onnx")
    assert re.search(r"red\W+100\.0 %", result.stdout)


def test_a_model_may_have_bgr_input(folder: Path) -> None:
    info = metadata()
    info["input"]["color_order"] = "BGR"
    write_onnx(folder / "model.onnx", info)
    assert run("flag.png", "--model", "model.onnx", "--mask", "mask.png").exit_code == 0
    assert np.array_equal(np.asarray(Image.open("mask.png")), np.where(COLORS[:, :, 0] > 0, 2, 0))


def test_the_overlay_shows_only_the_input_of_the_model(folder: Path) -> None:
    info = metadata()
    info["input"] |= {"resize": "center-crop", "crop_fraction": 1.0}
    write_onnx(folder / "model.onnx", info)
    assert run("flag.png", "--model", "model.onnx", "--mask", "mask.png").exit_code == 0
    expected = np.where(COLORS[:, 20:100, 0] > 0, 0, 2)
    assert np.array_equal(np.asarray(Image.open("mask.png")), expected)


def test_random_weights_are_reported(folder: Path) -> None:
    trained = run("flag.png", "--model", "model.onnx")
    plain = np.asarray(Image.open("flag_overlay.png"))
    write_onnx(folder / "model.onnx", metadata(weights=RANDOM_WEIGHTS))
    random = run("flag.png", "--model", "model.onnx", "--force")
    noted = np.asarray(Image.open("flag_overlay.png"))
    assert "random weights: the result is meaningless" in random.stdout
    assert "random weights" not in trained.stdout
    assert noted.shape[0] > plain.shape[0]


def test_a_foreign_model_needs_its_task(folder: Path) -> None:
    write_onnx(folder / "foreign.onnx")
    assert_error(run("flag.png", "--model", "foreign.onnx"), 2, "no metadata.*Give --task")
    result = run("flag.png", "--model", "foreign.onnx", "--task", "cityscapes")
    assert_error(result, 1, r"shape \[1, 3, 8, 8\].*\[1, 19, height, width\]")


def test_assumptions_about_a_foreign_model_are_reported(folder: Path) -> None:
    model = onnx.load(write_onnx(folder / "foreign.onnx"))
    graph = model.graph
    graph.node.append(onnx.helper.make_node("Concat", ["logits"] * 4, ["twelve"], axis=1))
    graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("twelve", 1, [1, 12, 8, 8]))
    onnx.save(model, folder / "foreign.onnx")
    result = run("flag.png", "--model", "foreign.onnx", "--task", "shapes")
    assert result.exit_code == 0, result.output
    assert "assumed, because the file does not record it: RGB values of 0..255" in result.stdout
    assert "classes are assumed to be the classes of task shapes" in result.stdout


def test_the_selected_weights_are_reported(folder: Path) -> None:
    state = create_model("tiny", "cityscapes", "random").state_dict()
    torch.save({"model": state, "model_ema": state}, folder / "two.pth")
    arguments = ("flag.png", "--model", "seaformer-tiny", "--task", "cityscapes", "--weights")
    result = run(*arguments, "two.pth")
    assert "those under 'model_ema'" in result.stdout
    result = run(*arguments, "two.pth::model", "--force")
    assert result.exit_code == 0, result.output
    assert "model_ema" not in result.stdout


def test_a_user_defined_model_has_a_name(folder: Path) -> None:
    write_onnx(folder / "model.onnx", metadata(variant=None, model="my-net"))
    result = run("flag.png", "--model", "model.onnx")
    assert (result.exit_code, "my-net, colors, fp32" in result.stdout) == (0, True)


def test_a_classifier_prints_the_most_probable_classes(folder: Path) -> None:
    info = metadata(kind="classification", palette=None)
    write_onnx(folder / "classifier.onnx", info, classify=True, scale=0.01)
    result = run("flag.png", "--model", "classifier.onnx")
    assert result.exit_code == 0
    # Logits 1, 0 and 1.
    assert re.search(r"red\W+42\.\d %(.|\n)*blue\W+42\.\d %(.|\n)*green\W+15\.\d %", result.stdout)
    assert names(folder) == ["classifier.onnx", "flag.png", "model.onnx"]
    result = run("flag.png", "--model", "classifier.onnx", "--mask", "mask.png")
    assert_error(result, 2, "is a classification model and has no mask")


def test_one_of_two_runs_with_the_same_file_is_refused(folder: Path) -> None:
    both = [
        subprocess.Popen(command("flag.png", "--model", "model.onnx"), stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    errors = [process.communicate(timeout=60)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2]
    assert b"--force" in b"".join(errors)
    assert names(folder) == ["flag.png", "flag_overlay.png", "model.onnx"]


@pytest.mark.usefixtures("folder")
def test_files_are_not_overwritten_without_force() -> None:
    Path("flag_overlay.png").write_bytes(b"precious")
    assert_error(run("flag.png", "--model", "model.onnx"), 2, "exists.*--force")
    assert Path("flag_overlay.png").read_bytes() == b"precious"
    assert run("flag.png", "--model", "model.onnx", "--force").exit_code == 0
    assert Path("flag_overlay.png").read_bytes() != b"precious"


@pytest.mark.usefixtures("folder")
def test_force_does_not_overwrite_the_photo() -> None:
    before = Path("flag.png").read_bytes()
    result = run("flag.png", "--model", "model.onnx", "--output", "./flag.png", "--force")
    assert_error(result, 2, "is the photo")
    assert Path("flag.png").read_bytes() == before
    result = run("flag.png", "--model", "model.onnx", "--output", "a.png", "--mask", "a.png")
    assert_error(result, 2, "is also the path of --output")


@pytest.mark.usefixtures("folder")
def test_jpeg_is_written_as_jpeg() -> None:
    assert run("flag.png", "--model", "model.onnx", "--output", "seen.jpg").exit_code == 0
    assert Image.open("seen.jpg").format == "JPEG"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["flag.png"], 2, r"Missing option '-m' / '--model'\. See '.* --help'"),
        (["flag.png", "--modle", "model.onnx"], 2, "--model"),
        (["flag.png", "--model", "model.onnx", "--opacity", "2"], 2, "opacity"),
        (["flag.png", "--model", "model.onnx", "--threads", "0"], 2, "threads"),
        (
            ["flag.png", "--model", "model.onnx", "--input-size", "64x"],
            2,
            "input size '64x' is not HEIGHTxWIDTH",
        ),
        (["flag.png", "--model", "model.onnx", "--input-size", "96"], 2, "only takes 64x64"),
        (["flag.png", "--model", "model.onnx", "--task", "ade20k"], 2, "which is colors"),
        (["flag.png", "--model", "model.onnx", "--variant", "base"], 2, "which is tiny"),
        (["flag.png", "--model", "model.onnx", "--output", "a.gif"], 2, r"\.png, \.jpg"),
        (["flag.png", "--model", "model.onnx", "--mask", "a.jpg"], 2, r"Allowed: .*\.png"),
        (["flag.png", "--model", "model.onnx", "--output", "no/a.png"], 2, "no folder 'no'"),
        (["flag.png", "--model", "model.pb"], 2, r"suffix is '\.pb'"),
        (["flag.png", "--model", "absent.onnx"], 1, r"no model file 'absent\.onnx'"),
        (["flag.png", "--model", "flag.tflite"], 1, "LiteRT cannot open"),
        (["absent.png", "--model", "model.onnx"], 1, r"no file 'absent\.png'"),
        (["model.onnx", "--model", "model.onnx"], 1, "is not an image"),
        (["empty", "--model", "model.onnx"], 1, "no images in 'empty'"),
        (["flag.png", "flag.png", "--model", "model.onnx"], 2, "would have the same name"),
        (["flag.png", "empty", "--model", "model.onnx"], 1, "no images in 'empty'"),
        (
            ["ids.npy", "--model", "model.onnx"],
            2,
            r"\[4, 5\] with values 0 to 0: class indices",
        ),
        (["pixels.npy", "--model", "model.onnx"], 2, "PIL.Image.fromarray"),
        (["flag.mp4", "--model", "model.onnx"], 1, "damaged or not a video"),
    ],
)
def test_errors_are_one_line(folder: Path, arguments: list[str], status: int, message: str) -> None:
    for name in ("flag.tflite", "flag.mp4"):
        Path(name).write_bytes(Path("flag.png").read_bytes())
    Path("empty").mkdir()
    np.save("ids.npy", np.zeros((4, 5), int))
    np.save("pixels.npy", COLORS)
    before = names(folder)
    assert_error(run(*arguments), status, message)
    assert names(folder) == before


def test_values_that_are_not_finite_are_an_error(folder: Path) -> None:
    write_onnx(folder / "model.onnx", metadata(), scale=float("nan"))
    result = run("flag.png", "--model", "model.onnx")
    assert_error(result, 1, "192 of the 192 output values are not finite")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": None}, "labels is None"),
        ({"input": INPUT_WITHOUT_COLORS}, "input.color_order is None. Allowed: text"),
        ({"output": OUTPUT_OF_POINTS}, "output.content is 'points'.*'logits', 'classes', 'mask'"),
    ],
)
def test_incomplete_metadata_is_an_error(
    folder: Path, changes: dict[str, object], message: str
) -> None:
    write_onnx(folder / "model.onnx", metadata(**changes))
    message = f"the metadata in 'model.onnx' cannot be used: {message}"
    assert_error(run("flag.png", "--model", "model.onnx"), 1, message)


def test_a_full_disk_is_a_one_line_error_and_leaves_no_files(folder: Path) -> None:
    """The size of files is limited to 1 kB, so that writing fails midway, as on a full disk."""
    limit = "import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
    program = limit + "runpy.run_module('seaformer.cli.predict', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", program, "--model", "model.onnx"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "error: File too large: 'photograph_overlay.png'\n"
    assert names(folder) == ["flag.png", "model.onnx"]


def test_ctrl_c_leaves_no_files(folder: Path) -> None:
    os.mkfifo("photo.jpg")
    process = subprocess.Popen(
        command("photo.jpg", "--model", "model.onnx"), stderr=subprocess.PIPE, text=True
    )
    # Opening a pipe for writing blocks until it is read: the command now waits for the image.
    with Path("photo.jpg").open("wb"):
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.strip() == "error: interrupted"
    assert names(folder) == ["flag.png", "model.onnx", "photo.jpg"]


def test_help_has_no_slow_imports() -> None:
    program = (
        "import sys, seaformer.cli.predict\n"
        "try: seaformer.cli.predict.main(['--help'])\n"
        f"finally: print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "Run a model on PHOTO" in done.stdout
    assert done.stdout.endswith("[]\n")

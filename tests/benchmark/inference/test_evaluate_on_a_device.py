"""seaformer-evaluate --device: accuracy on a device's accelerator, against this computer's CPU.

The model classifies pixels by the strongest of red, green and blue. The processor of the phone is
emulated; its results equal a real processor's.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from loopback_phone.waiting import wait_until
from PIL import Image
from small_models import LABELS, SIDE, associate, metadata, tflite, write_onnx

import seaformer
from seaformer.benchmark.devices.errors import DiskFull, TimedOut
from seaformer.benchmark.devices.host import Host
from seaformer.benchmark.inference import device_inference
from seaformer.benchmark.inference.device_inference import Settings, open_inference
from seaformer.benchmark.measure.backends import backend_on
from seaformer.cli.evaluate import main
from seaformer.errors import UsageError
from seaformer.tasks import get_task

IMAGES = 10
BLOCK = 8


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory, with a model that classifies the images partly correctly."""
    random = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (tmp_path / "data" / kind).mkdir(parents=True)
    for index in range(IMAGES):
        found = random.integers(0, 3, (SIDE // BLOCK, SIDE // BLOCK)).repeat(BLOCK, 0)
        found = found.repeat(BLOCK, 1)
        truth = np.where(random.random((SIDE, SIDE)) < 0.3, 0, found).astype(np.uint8)
        pixels = (200 * np.eye(3)[found]).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "data" / "images" / f"{index}.png")
        Image.fromarray(truth).save(tmp_path / "data" / "masks" / f"{index}.png")
    (tmp_path / "data" / "labels.json").write_text(json.dumps(LABELS))
    write_onnx(tmp_path / "model.onnx", metadata())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def arguments(*options: str) -> list[str]:
    return ["model.onnx", "--data", "data", "--report", "out", *options]


def run(*options: str) -> Result:
    return CliRunner().invoke(main, arguments(*options))


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "seaformer.cli.evaluate", *arguments(*options)]


def results() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("out", "results.json").read_text("utf-8"))
    return found


def assert_as_on_the_host(place: str) -> None:
    """Check that the device has the same scores as this computer's CPU in every class."""
    here, there = results()["models"]
    assert (here["name"], there["name"]) == ("model.onnx", f"model.onnx on {place}")
    assert 0.3 < there["scores"]["miou"] < 0.9
    assert here["scores"] == there["scores"]
    assert there["agreement"] == 1
    assert [one["change"] for one in there["classes"]] == [0, 0, 0]
    assert there["difference"] == {"points": 0, "low": 0, "high": 0}


@pytest.mark.usefixtures("folder")
@pytest.mark.slow
def test_an_evaluation_on_a_phone_resumes_after_unplugging(loopback_phone) -> None:
    serial, cable = loopback_phone.serial, loopback_phone.cable
    # ONNX Runtime's own threads crash on the loopback phone, which lacks parts of bionic.
    options = ("--device", serial, "--threads", "1")
    # Each batch has one file of outputs: the cable is pulled out at the request for the second.
    cable.when(b"RECV", 0, lambda: cable.when(b"RECV", 0, loopback_phone.unplug))
    # A separate process: a process that has ended no longer holds the phone.
    stopped = subprocess.run(command(*options, "--batch", "4"), capture_output=True, text=True)
    assert stopped.returncode == 1
    assert "is disconnected" in stopped.stderr
    assert "4 of 10 images are done: rerun the command to resume." in stopped.stderr
    assert not Path("out", "results.json").exists()

    loopback_phone.plug_in()
    done = run(*options)
    assert done.exit_code == 0, done.output
    assert "resumed: 4 of 10 were already done" in done.stdout
    assert_as_on_the_host(f"the CPU of the phone {serial}")
    runtime = results()["models"][1]["runtime"]
    assert runtime.startswith("ONNX Runtime 1.29.0 on the phone")
    assert "SM8250" in runtime
    assert "emulated" in done.stdout
    assert "emulated" in results()["models"][1]["note"]
    assert loopback_phone.programs() == []
    assert loopback_phone.left_files() == []


@pytest.mark.slow
def test_a_phone_without_opencl_is_a_one_line_error(loopback_phone, folder: Path) -> None:
    (folder / "colors.tflite").write_bytes(tflite())
    associate(folder / "colors.tflite", metadata("NHWC"))
    data = ("--data", "data", "--report", "out", "--device", loopback_phone.serial)
    done = CliRunner().invoke(main, ["colors.tflite", *data, "--accelerator", "gpu"])
    assert done.exit_code == 1
    (line,) = [one for one in done.stderr.splitlines() if one.startswith("error: ")]
    assert "OpenCL" in line
    assert "0 of 10 images are done" in line
    assert loopback_phone.left_files() == []


@pytest.mark.usefixtures("folder")
def test_a_full_phone_is_a_one_line_error(switch_on) -> None:
    phone = switch_on(storage_mb=48)
    done = run("--device", phone.serial)
    assert done.exit_code == 1
    assert "MiB free" in done.stderr
    assert phone.left_files() == []


def test_a_killed_run_resumes(folder: Path) -> None:
    # The run blocks on a pipe that nobody writes to, so it is killed halfway.
    mask = folder / "data" / "masks" / "7.png"
    content = mask.read_bytes()
    mask.unlink()
    os.mkfifo(mask)
    options = ("--device", "host", "--batch", "4")
    process = subprocess.Popen(command(*options), stdout=subprocess.DEVNULL)
    progress = folder / "out" / "images.jsonl"
    wait_until(
        lambda: progress.exists() and progress.read_bytes().count(b"\n") == 1 + 4,
        "the first batch is done",
        120,
    )
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    mask.unlink()
    mask.write_bytes(content)
    done = run(*options)
    assert done.exit_code == 0, done.output
    assert "resumed: 4 of 10 were already done" in done.stdout
    assert_as_on_the_host("the CPU of this computer")


def test_a_broken_image_affects_no_other(folder: Path) -> None:
    (folder / "data" / "images" / "5.png").write_bytes(b"no image")
    done = run("--device", "host", "--batch", "4")
    assert done.exit_code == 1
    assert "1 of 10 images are broken" in done.stderr
    assert results()["pictures"] == IMAGES - 1
    assert_as_on_the_host("the CPU of this computer")


def test_top_1_of_a_classifier_is_compared(folder: Path) -> None:
    info = metadata(kind="classification", palette=None)
    info["input"] |= {"resize": "center-crop", "crop_fraction": 1.0}
    write_onnx(folder / "model.onnx", info, classify=True)
    own = {"name": "colors", "num_classes": 3, "labels": LABELS, "ids": None}
    for name, color in (("red", (200, 0, 0)), ("red", (0, 0, 200)), ("blue", (0, 0, 200))):
        place = folder / "photos" / "val" / name
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (SIDE, SIDE), color).save(place / f"{color[0]}.png")
    (folder / "photos" / "labels.json").write_text(json.dumps(get_task("imagenet").to_json() | own))
    done = run("--data", "photos", "--device", "host")
    assert done.exit_code == 0, done.output
    here, there = results()["models"]
    assert here["scores"] == there["scores"]
    assert there["scores"]["top1"] == 2 / 3
    assert there["difference"] == {"points": 0, "low": 0, "high": 0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--time-limit", "5"), "--time-limit needs --device"),
        (("--half",), "--half needs --device"),
        (("--device", "host", "--half"), "ONNX Runtime has no option for half precision"),
        (("--qairt", "."), "--qairt needs --device"),
        (("--device", "host", "--soc", "SM8650"), "--soc SM8650 is only for --accelerator npu"),
        (("--device", "host", "second.onnx"), "2 models are given, but --device runs one"),
        (("--device", "host", "--accelerator", "gpu"), "no backend runs 'model.onnx' on the gpu"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_invalid_options_are_a_one_line_error(options: tuple[str, ...], message: str) -> None:
    done = run(*options)
    assert done.exit_code == 2, done.output
    (line,) = done.stderr.splitlines()
    assert message in line
    assert not Path("out").exists()


@pytest.mark.usefixtures("folder")
def test_a_network_has_to_be_exported_first() -> None:
    _, *options = arguments("--device", "host", "--reference", "model.onnx")
    done = CliRunner().invoke(main, ["seaformer-tiny", *options])
    assert done.exit_code == 2
    assert (
        "'seaformer-tiny' is a PyTorch network, but a device runs only exported files"
        in done.stderr
    )


def test_a_hanging_driver_is_killed(folder: Path) -> None:
    model = folder / "model.onnx"
    settings = Settings(time_limit_s=0.001)
    with (
        open_inference(Host(), backend_on("cpu", model), settings) as inference,
        pytest.raises(TimedOut, match=r"took longer than 0\.001 s on host for 1 inputs"),
    ):
        inference.run(model, [np.zeros((1, 3, SIDE, SIDE), np.float32)])


def test_a_full_disk_is_detected_before_a_batch(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = folder / "model.onnx"
    with open_inference(Host(), backend_on("cpu", model)) as inference:
        monkeypatch.setattr(device_inference, "SPARE_BYTES", 1 << 60)
        with pytest.raises(DiskFull, match="MiB are needed"):
            inference.run(model, [np.zeros((1, 3, SIDE, SIDE), np.float32)])


@pytest.mark.usefixtures("folder")
def test_python_evaluates_on_a_device_too() -> None:
    with seaformer.load("model.onnx") as model:
        there, here = model.evaluate("data", device="host"), model.evaluate("data")
    assert there.scores == here.scores
    assert there.difference is not None
    assert there.difference.points == 0
    assert here.difference is None
    with pytest.raises(UsageError, match="a device runs only exported files"):
        seaformer.load("seaformer-tiny").evaluate("data", device="host")


@pytest.mark.usefixtures("folder")
@pytest.mark.slow
def test_a_phone_of_another_adb_server_is_used(switch_on, other_adb_server) -> None:
    near, far = switch_on(), switch_on(server=other_adb_server)
    options = ("--threads", "1", "--device", "auto", "--adb-server", other_adb_server.address)
    done = run(*options)
    assert done.exit_code == 0, done.output
    assert_as_on_the_host(f"the CPU of the phone {far.serial}")
    for phone in (near, far):
        assert phone.left_files() == []


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--adb-server", "lab1:5037"), "--adb-server needs --device"),
        (("--device", "auto", "--adb-server", "lab1:x"), "--adb-server is 'lab1:x'"),
    ],
)
def test_bad_adb_servers_are_refused(options: tuple[str, ...], message: str) -> None:
    done = run(*options)
    assert done.exit_code == 2
    assert message in done.output
    assert not Path("out").exists()

"""Exports shared by several test files: each is created once, by the real command.

They take 10 to 30 s each. The processes of pytest-xdist share them too: the first process that
needs an export creates it, and the others wait.
"""

import fcntl
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import browser
import long_tests
import pytest
from exporting import run_export, write_networks
from once import Once

from seaformer.runtimes.graphics_driver import find_driver

pytest_plugins = ["loopback_phone.fixtures"]

# Several test processes share the computer. With more threads than free cores, an export took three
# times as long, because threads waited for each other. Set before anything imports torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Without a driver, exports are not verified on the GPU, which would take 5 s or more each with a
# software driver. The tests of this verification use the fixture `gpu`.
os.environ["VK_ICD_FILENAMES"] = "/no/driver/for/most/tests"

# Processes started in the background ignore Ctrl-C, and those under nohup also hangups. Some tests
# send these signals to child processes, which have to react as in a terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

TOOLS = {"adb_server", "gpu", "library", "built_app", "bundled"}
"""Fixtures that need more than Python: tests that use them get the marker `tools`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    long = long_tests.listed()
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if TOOLS.intersection(fixtures):
            item.add_marker("tools")
        if "once" in fixtures or long_tests.function_of(item.nodeid) in long:
            item.add_marker("long")


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Return a function that has a folder filled once for all processes of the test run."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder, done = root / name, root / f"{name}.done"
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return make


def _export(folder: Path, arguments: str) -> None:
    done = run_export(*arguments.split(), "--output", ".", cwd=folder)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enable the GPU accelerator, with the Vulkan driver of Chromium."""
    monkeypatch.delenv("VK_ICD_FILENAMES")
    if find_driver() is None:
        assert not browser.REQUIRED, "no Vulkan driver, and SEAFORMER_REQUIRE_CHROMIUM=1"
        pytest.skip("no Vulkan driver: apt-get install chromium")


@pytest.fixture(scope="session")
def tiny_export(once: Once) -> Path:
    """Tiny in both formats, in fp32 and fp16."""
    precisions = "--precision fp32 --precision fp16"
    command = f"--variant tiny --input-size 128x192 --format onnx --format tflite {precisions}"
    return once("tiny", lambda folder: _export(folder, command))


@pytest.fixture(scope="session")
def outside_export(once: Once) -> Path:
    """Tiny without normalization."""
    command = "--variant tiny --input-size 128x192 --format onnx --format tflite"
    return once("outside", lambda folder: _export(folder, f"{command} --normalize outside"))


@pytest.fixture(scope="session")
def mask_export(once: Once) -> Path:
    """Tiny with upsampling and arg-max in the graph."""
    command = "--variant tiny --input-size 96x160 --format onnx --format tflite --head mask"
    return once("mask", lambda folder: _export(folder, command))


@pytest.fixture(scope="session")
def small_export(once: Once) -> Path:
    """Small at a size where a stage has as many tokens as heads along one axis: 6."""
    command = "--variant small --input-size 500x333 --format onnx --format tflite"
    return once("small", lambda folder: _export(folder, command))


@pytest.fixture(scope="session")
def checkpoint_export(once: Once) -> Path:
    """Tiny from the file tiny.pth in the same folder, with the weights of `random`."""

    def fill(folder: Path) -> None:
        import torch

        from seaformer.models.create import create_model

        torch.save({"state_dict": create_model("tiny").state_dict()}, folder / "tiny.pth")
        weights = folder / "tiny.pth"
        command = "--variant tiny --input-size 128x192 --format onnx --format tflite"
        _export(folder, f"{command} --weights {weights}")

    return once("checkpoint", fill)


@pytest.fixture(scope="session")
def shapes_export(once: Once) -> Path:
    """Tiny with the trained weights of the procedural scenes."""
    command = "--weights shapes --input-size 128x128 --format onnx --format tflite"
    return once("shapes", lambda folder: _export(folder, command))


@pytest.fixture(scope="session")
def classifier_export(once: Once) -> Path:
    """Tiny as a classifier."""
    command = "--variant tiny --task imagenet --input-size 96 --format onnx --format tflite"
    return once("classifier", lambda folder: _export(folder, command))


@pytest.fixture(scope="session")
def integer_export(once: Once) -> Path:
    """The trained Tiny at its own size in every integer precision, in both formats."""
    command = "--weights shapes --calibration-samples 50 --precision int8 --precision dynamic-int8"

    def fill(folder: Path) -> None:
        _export(folder, f"{command} --format onnx")
        _export(folder, f"{command} --format tflite --precision int16x8")

    return once("integers", fill)


@pytest.fixture(scope="session")
def users_export(once: Once) -> Path:
    """The network of a user in both formats, with its module my_networks.py in the same folder."""
    return once("user", _export_users)


@pytest.fixture(scope="session")
def users_second_export(once: Once) -> Path:
    """A second export with the arguments of `users_export`."""
    return once("user_again", _export_users)


def _export_users(folder: Path) -> None:
    write_networks(folder)
    command = "--model my_networks:make_network --task cityscapes --input-size 100x144"
    _export(folder, f"{command} --format onnx --format tflite")

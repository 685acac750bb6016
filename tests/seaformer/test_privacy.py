"""No process sends data to anyone, regardless of the user's environment variables."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from device_scripts import write_script
from exporting import environment
from loopback_phone.phone import LoopbackPhone
from network_watch import attempts, require_tools, watched
from PIL import Image
from rounds import SOURCES, TARGET, add_probe, basic_plan
from small_models import metadata, write_onnx

from seaformer.benchmark.devices.phone import Phone
from seaformer.benchmark.runner.binaries import runner_for
from seaformer.privacy import SWITCHES

BIN = Path(sys.executable).parent

CONNECTS_AFTER_S = 11
"""ONNX Runtime 1.32 looks up its vendor's server nine seconds after loading."""

SESSION = """
import sys
from seaformer.runtimes import open_model

session = open_model(sys.argv[1], channels=2)
sys.stdin.read()
"""
"""A process that keeps a model open until its stdin ends."""


def reporting(home: Path) -> dict[str, str]:
    """Return an environment that enables all telemetry; HOME is a new folder."""
    home.mkdir()
    (home / "cache").mkdir()
    folders = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    return environment(**folders, **dict.fromkeys(SWITCHES, "0"))


def written(home: Path) -> list[str]:
    """Return the files in the folder of `reporting`, except cache files."""
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


@pytest.mark.tools
def test_an_attempt_to_use_the_network_is_detected(tmp_path: Path) -> None:
    require_tools(tmp_path)
    code = "import socket; socket.getaddrinfo('seaformer.invalid', 443)"
    command = watched([sys.executable, "-c", code], tmp_path / "trace")
    assert subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 1
    assert attempts(tmp_path / "trace")


@pytest.mark.tools
def test_onnx_runtime_opens_no_connection_and_leaves_no_device_id(tmp_path: Path) -> None:
    require_tools(tmp_path)
    plan = basic_plan("onnxruntime", add_probe(tmp_path, "onnxruntime"), blocks=3000)
    (tmp_path / "plan").write_text(plan.text())
    commands = {
        "python": [sys.executable, "-c", SESSION, SOURCES / "probe.onnx"],
        "runner": [runner_for(TARGET), tmp_path / "plan"],
    }
    processes = {
        name: subprocess.Popen(
            watched(command, tmp_path / f"{name}.trace"),
            env=reporting(tmp_path / name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for name, command in commands.items()
    }
    # One blocks on its stdin, the other until its output is read.
    time.sleep(CONNECTS_AFTER_S)
    for name, process in processes.items():
        assert process.poll() is None, f"{name} ended early"
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        assert attempts(tmp_path / f"{name}.trace") == []
        assert written(tmp_path / name) == []


@pytest.mark.parametrize("name", ["seaformer-predict", "seaformer-benchmark"])
def test_a_command_that_runs_an_onnx_file_leaves_no_device_id(name: str, tmp_path: Path) -> None:
    write_onnx(tmp_path / "model.onnx", metadata())
    Image.new("RGB", (64, 64)).save(tmp_path / "photo.png")
    runner_for(TARGET)  # compiled once, by the compiler with its own cache
    arguments = {
        "seaformer-predict": ["photo.png", "--model", "model.onnx"],
        "seaformer-benchmark": ["model.onnx", "--device", "host", "--runs", "2"],
    }
    done = subprocess.run(
        [BIN / name, *arguments[name]],
        cwd=tmp_path,
        env=reporting(tmp_path / "home"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert written(tmp_path / "home") == []


def test_telemetry_of_hugging_face_is_disabled(tmp_path: Path) -> None:
    code = "import seaformer, huggingface_hub.constants as hub; print(hub.HF_HUB_DISABLE_TELEMETRY)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=reporting(tmp_path / "home"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "True\n"


def test_telemetry_of_an_imported_onnx_runtime_is_disabled() -> None:
    code = """
import onnxruntime
disable, calls = onnxruntime.disable_telemetry_events, []
onnxruntime.disable_telemetry_events = lambda: calls.append(disable())
import seaformer
print(calls)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[None]\n"


def test_telemetry_is_disabled_for_programs_on_a_phone(
    loopback_phone: LoopbackPhone, tmp_path: Path
) -> None:
    names = list(SWITCHES)
    text = "".join(f'echo "${name}"\n' for name in names)
    script = write_script(tmp_path / "script", "/system/bin/sh", text)
    with Phone(loopback_phone.serial).workspace("test") as workspace:
        workspace.place(script, "script", executable=True)
        done = workspace.execute("script", [], time_limit_s=120)
    assert done.stdout_lines == tuple(SWITCHES.values())

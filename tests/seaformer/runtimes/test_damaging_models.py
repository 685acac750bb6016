"""A model file that crashes, hangs or fills the memory is a one-line error with status 1."""

import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import psutil
import pytest
from damaging_models import (
    CRASHING,
    DAMAGING,
    crashes_when_loaded,
    crashes_when_run,
    never_ends,
    repeats_itself,
)
from exporting import environment
from onnx import TensorProto, helper
from PIL import Image
from sampling import sampled
from small_models import LABELS, SIDE, associate, metadata, write_onnx

from seaformer.artifact.beside import path_beside
from seaformer.artifact.metadata import parse_metadata
from seaformer.benchmark.breakdown.graph_files import open_graph
from seaformer.errors import SeaformerError, UsageError
from seaformer.runtimes import open_model, open_session
from seaformer.runtimes.channel import Channel, MalformedMessageError

LIMIT = "SEAFORMER_MODEL_TIMEOUT_S"
Make = Callable[[Path], Path]


def command(name: str, *arguments: str | Path, cwd: Path, limit: str = "8") -> tuple[int, str]:
    """Run a command; return its exit status and its standard error."""
    done = subprocess.run(
        [Path(sys.executable).with_name(f"seaformer-{name}"), *map(str, arguments)],
        cwd=cwd,
        env=environment(**{LIMIT: limit}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr


def is_one_error(result: tuple[int, str], message: str) -> None:
    status, errors = result
    assert status == 1, errors
    lines = [line for line in errors.splitlines() if "No phone is attached" not in line]
    assert len(lines) == 1, errors
    (line,) = lines
    assert line.startswith("error: ")
    assert len(line) < 1000
    assert re.search(message, line), line


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Write a data set of one image with three classes."""
    folder = tmp_path / "data"
    for name, mode in (("images", "RGB"), ("masks", "L")):
        (folder / name).mkdir(parents=True)
        Image.new(mode, (SIDE, SIDE), 1).save(folder / name / "0.png")
    (folder / "labels.json").write_text(json.dumps(LABELS))
    return folder


def described(make: Make, folder: Path, **changes: object) -> Path:
    """Write the file with metadata next to it, as in an export."""
    path = make(folder)
    info = metadata("NHWC" if path.suffix == ".tflite" else "NCHW", **changes)
    path_beside(path).write_text(json.dumps(info))
    return path


OTHERS = [
    pytest.param(message, make, marks=pytest.mark.slow)
    for message, make in DAMAGING.items()
    if message not in CRASHING
]
"""Cases that take as long in every command, and run the same code."""


# The cases of the second runtime use the same limits as those of the first.
@pytest.mark.parametrize(("message", "make"), sampled(DAMAGING.items(), len(CRASHING) + 2))
def test_predict(tmp_path: Path, message: str, make: Make) -> None:
    is_one_error(command("predict", "--model", described(make, tmp_path), cwd=tmp_path), message)
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize(("message", "make"), [*CRASHING.items(), *OTHERS])
def test_evaluate(tmp_path: Path, data: Path, message: str, make: Make) -> None:
    path = described(make, tmp_path)
    is_one_error(command("evaluate", path, "--data", data, cwd=tmp_path), message)


@pytest.mark.slow
def test_evaluate_with_a_reference(tmp_path: Path, data: Path) -> None:
    good = write_onnx(tmp_path / "good.onnx", metadata())
    for message, make in CRASHING.items():
        path = described(make, tmp_path)
        for reference, model in ((good, path), (path, good)):
            result = command(
                "evaluate", "--reference", reference, model, "--data", data, cwd=tmp_path
            )
            is_one_error(result, message)


@pytest.mark.parametrize(("message", "make"), [*CRASHING.items(), *OTHERS])
def test_benchmark(tmp_path: Path, message: str, make: Make) -> None:
    is_one_error(command("benchmark", make(tmp_path), cwd=tmp_path), message)


def test_self_check(tmp_path: Path) -> None:
    path = crashes_when_loaded(tmp_path)
    result = command("export", "--self-check", path, cwd=tmp_path)
    is_one_error(result, "crashes LiteRT while it is loaded")


def test_heat_map(tmp_path: Path) -> None:
    operators = [{"index": 0, "type": "WHILE", "module": "attention", "nodes": []}]
    path = described(crashes_when_run, tmp_path, operators=operators)
    result = command("predict", "--model", path, "--heatmap", "map.png", cwd=tmp_path)
    is_one_error(result, "crashes LiteRT while it is run")
    assert not list(tmp_path.glob("*.png"))


def test_breakdown_of_a_file_that_takes_too_long_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT, "4")
    operators = [{"index": 0, "type": "WHILE", "module": "attention", "nodes": []}]
    info = parse_metadata(json.dumps(metadata("NHWC", operators=operators)), "a test")
    with pytest.raises(SeaformerError, match=r"repeats\.tflite' was not read .* within 4 s"):
        open_graph(repeats_itself(tmp_path), info)


@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
@pytest.mark.parametrize("content", [b"", b"not a model", bytes(range(256)) * 20])
def test_breakdown_of_other_files(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    operators = [{"index": 0, "type": "Conv", "module": "stem", "nodes": []}]
    info = parse_metadata(json.dumps(metadata("NHWC", operators=operators)), "a test")
    with pytest.raises(SeaformerError, match=rf"broken\{suffix}' ") as caught:
        open_graph(path, info)
    assert "\n" not in str(caught.value)


def test_a_session_continues_after_an_error_of_the_runtime(tmp_path: Path) -> None:
    x = np.zeros((1, 3, SIDE, SIDE), np.float32)
    with open_session(write_onnx(tmp_path / "a.onnx")) as session:
        with pytest.raises(SeaformerError, match="ONNX Runtime cannot run"):
            session.run([x[:, :2]])
        (output,) = session.run([x])
        assert output.shape == (1, 3, 8, 8)
        times_ms = session.time_ms([x], 3)
    assert len(times_ms) == 3
    assert min(times_ms) > 0


def test_isolated_and_direct_sessions_are_equivalent(integer_export: Path) -> None:
    for name in ("int8.tflite", "int8.onnx"):
        (path,) = integer_export.glob(f"*_{name}")
        with open_session(path, isolated=False) as own, open_session(path) as other:
            for attribute in ("path", "runtime", "inputs", "outputs", "metadata"):
                assert getattr(own, attribute) == getattr(other, attribute)
            x = own.inputs[0].encode(np.full(own.inputs[0].shape, 100, np.float32))
            for one, same in zip(own.run([x]), other.run([x]), strict=True):
                assert np.array_equal(one, same)


def test_files_in_the_current_folder_are_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_onnx(Path("a.onnx"))
    for name in ("numpy", "onnxruntime", "seaformer", "socket"):
        Path(f"{name}.py").write_text("open('ran', 'w')")
    with open_model("a.onnx") as session:
        assert session.run(np.zeros((1, 3, SIDE, SIDE), np.float32)).shape == (1, 3, 8, 8)
    assert not Path("ran").exists()


def test_an_invalid_limit_is_refused(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx", metadata())
    for limit in ("soon", "0", "-1", "nan", "inf"):
        status, errors = command("predict", "--model", path, cwd=tmp_path, limit=limit)
        assert (status, errors.count("\n")) == (2, 1)
        assert f"{LIMIT} is '{limit}'. Allowed: seconds" in errors


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_the_process_ends_with_the_command(tmp_path: Path, number: int, status: int) -> None:
    path = described(never_ends, tmp_path)
    process = subprocess.Popen(
        [Path(sys.executable).with_name("seaformer-predict"), "--model", path],
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    parent = psutil.Process(process.pid)
    busy = []
    while not busy:  # A process with more CPU time than loading takes is running the model.
        assert process.poll() is None
        busy = [one for one in parent.children() if one.cpu_times().user > 2]
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate()
    assert process.returncode == status
    assert "Traceback" not in errors
    ended, left = psutil.wait_procs(busy, timeout=20)
    assert (len(ended), left) == (1, [])


def raw(fields: object) -> bytes:
    text = json.dumps(fields).encode()
    return struct.pack("<I", len(text)) + text


@pytest.mark.parametrize(
    "message",
    [
        struct.pack("<I", 2**32 - 1),
        raw([]),
        raw({}),
        raw({"arrays": 3}),
        raw({"arrays": [{"dtype": "O", "shape": [1]}]}) + b"x" * 8,
        raw({"arrays": [{"dtype": "<f4", "shape": [-1]}]}),
        raw({"arrays": [{"dtype": "<f4", "shape": [1.5]}]}),
        raw({"arrays": [{"dtype": "<f4,<f4", "shape": [1]}]}),
        raw({"arrays": [{"dtype": "<f4", "shape": [1 << 40]}]}),
        raw({"arrays": [{"dtype": "<f4", "shape": [1 << 10]}] * (1 << 20)}),
        struct.pack("<I", 100_000) + b"[" * 100_000,
        struct.pack("<I", 4) + b"\xff\xfe\x00\x01",
    ],
)
def test_a_malformed_message_is_refused(message: bytes) -> None:
    ours, its = socket.socketpair()
    with ours, its:
        if os.fork() == 0:
            its.sendall(message)
            os._exit(0)
        with pytest.raises(MalformedMessageError):
            Channel(ours).receive(10)
        os.wait()


def test_arrays_of_every_type_are_transferred() -> None:
    ours, its = socket.socketpair()
    arrays = [
        np.arange(6, dtype=np.int8).reshape(2, 3).T,
        np.array(True),
        np.zeros((0, 4), np.float16),
        np.array([2**63], np.uint64),
    ]
    sender, receiver = Channel(ours), Channel(its)
    sender.send({"a": [1, None]}, arrays, 10)
    fields, found = receiver.receive(10)
    assert fields == {"a": [1, None]}
    for array, same in zip(arrays, found, strict=True):
        assert (array.dtype, array.shape) == (same.dtype, same.shape)
        assert np.array_equal(array, same)
    sender.close()
    with pytest.raises(EOFError):
        receiver.receive(10)
    receiver.close()


def test_a_huge_archive_is_not_read_as_metadata(tmp_path: Path) -> None:
    path = associate(crashes_when_run(tmp_path), {"text": " " * (1 << 26)})
    with pytest.raises(SeaformerError, match=r"seaformer\.json has more than"):
        open_model(path)


def test_another_accelerator_is_refused(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx")
    with pytest.raises(UsageError, match=r"unknown accelerator 'tpu'\. .*Valid: cpu, gpu"):
        open_session(path, accelerator="tpu")


@pytest.mark.parametrize("sides", [(0, 64), (-5, -5), (1 << 20, 1 << 20)])
def test_an_input_of_an_impossible_size_is_refused(tmp_path: Path, sides: tuple[int, int]) -> None:
    path = write_onnx(tmp_path / "a.onnx", sides=sides)
    with pytest.raises(SeaformerError, match=r"takes (an input of shape|images of any size)"):
        open_model(path)
    is_one_error(command("benchmark", path, cwd=tmp_path), r"takes an input of|cannot open")


def test_an_output_without_values_is_refused(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Compress", ["image", "nothing"], ["logits"])],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.zeros(1, bool), "nothing")],
    )
    path = tmp_path / "a.onnx"
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    path.with_suffix(".json").write_text(json.dumps(metadata()))
    for name, *arguments in (("predict", "--model", path), ("benchmark", path)):
        is_one_error(command(name, *arguments, cwd=tmp_path), "returns an output without values")

"""Endless output and implausibly large data are an error, and use little memory."""

import json
import pickle
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from device_scripts import write_script
from endless_phone import LINE, SERIAL, STDERR, STDOUT, TEXT, endless_phone
from image_bombs import png_bomb
from locations import ROOT
from measured import LIMIT_BYTES, Measured, assert_refused, run_measured
from PIL import Image
from sampling import sampled
from small_models import metadata, tflite, write_onnx

from seaformer import processes
from seaformer.benchmark.devices.errors import TooMuchOutput
from seaformer.benchmark.devices.host import Host
from seaformer.benchmark.devices.transport import Transport
from seaformer.files import TooLargeError, read_limited
from seaformer.lines import Lines
from seaformer.weights.checkpoint import read_checkpoint

MODULES = {"export": "export.cli", "benchmark": "benchmark.cli"}

ANDROID_DEMO = ROOT / "android_demo"

HUGE = 8_000_000_000
"""Size in bytes of sparse files, which take no space."""


def command(name: str, *arguments: str | Path, cwd: Path, **extra: str) -> Measured:
    """Run a command of the package."""
    module = f"seaformer.{MODULES.get(name, f'cli.{name}')}"
    return run_measured([sys.executable, "-m", module, *arguments], cwd, extra)


def script(text: str, cwd: Path, **extra: str) -> Measured:
    """Run lines of Python; print one of our errors as a command would."""
    lines = "\n".join(f"    {line}" for line in text.splitlines())
    whole = (
        f"from pathlib import Path\nfrom seaformer.errors import SeaformerError\ntry:\n{lines}\n"
    )
    whole += "except SeaformerError as error:\n    raise SystemExit(f'error: {error}')\n"
    return run_measured([sys.executable, "-c", whole], cwd, extra)


def sparse_file(path: Path, start: bytes = b"") -> Path:
    """Write a sparse file of `HUGE` bytes: `start`, followed by zeros."""
    with path.open("wb") as file:
        file.write(start)
        file.truncate(HUGE)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a model, and a program that prints endlessly."""
    write_onnx(tmp_path / "model.onnx", metadata())
    write_script(tmp_path / "endless", "/bin/sh", "exec yes\n").chmod(0o755)
    return tmp_path


# ---- phones


ANSWERS = [(STDOUT, TEXT, None), (STDOUT, LINE, None), (STDERR, TEXT, None), (STDOUT, TEXT, 2**31)]


LISTING = (("devices",), 0)
COMMANDS = [LISTING, (("doctor", SERIAL), 1), (("model.onnx", "--device", SERIAL), 1)]
"""Arguments of seaformer-benchmark, and the exit status."""

ENDLESS = [
    *((answer, one) for answer in ANSWERS[:1] for one in COMMANDS),
    *((answer, LISTING) for answer in ANSWERS[1:]),
    *((answer, one) for answer in ANSWERS[1:] for one in COMMANDS[1:]),
]
"""Every answer with every command; the first ones, the sample, cover all answers and commands."""


@pytest.mark.parametrize(("answered", "ran"), sampled(ENDLESS, len(COMMANDS) + len(ANSWERS) - 1))
def test_a_phone_with_endless_answers(
    folder: Path, answered: tuple[int, bytes, int | None], ran: tuple[tuple[str, ...], int]
) -> None:
    arguments, status = ran
    with endless_phone(*answered) as phone:
        wide = {"ANDROID_ADB_SERVER_PORT": str(phone.port), "COLUMNS": "400"}
        done = command("benchmark", *arguments, cwd=folder, **wide)
        assert done.status == status, done.output
        assert "printed more than 4 MiB" in done.output
        assert done.peak_bytes < LIMIT_BYTES
        assert phone.sent < 100 * 2**20


@pytest.mark.parametrize("answer", [TEXT, LINE])
def test_a_program_on_a_phone_that_prints_endlessly(
    monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    with endless_phone(STDOUT, answer) as phone:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(phone.port))
        lines = Lines(None)
        with pytest.raises(TooMuchOutput, match="'runner' printed more than 8 MiB"):
            Transport(SERIAL, threading.Event()).shell(
                "./runner", 60.0, lines.feed, "'runner'", 8 * 2**20
            )
        assert len(lines.all) <= 8 * 2**20 / processes.LINE_BYTES


def test_a_file_on_a_phone_that_is_longer_than_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    with endless_phone() as phone:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(phone.port))
        with pytest.raises(TooMuchOutput, match="'/data/out' has more than the 1,000,000 bytes"):
            Transport(SERIAL, threading.Event()).pull("/data/out", 1_000_000)


# ---- programs on this computer


def test_a_program_that_prints_endlessly_is_killed(folder: Path) -> None:
    with Host().workspace("test") as workspace:
        workspace.place(folder / "endless", "endless", executable=True)
        with pytest.raises(TooMuchOutput, match="'endless' printed more than 64 MiB"):
            workspace.execute("endless", [], time_limit_s=60)
        workspace.write("output", bytes(1001))
        with pytest.raises(TooMuchOutput, match="has more than the 1,000 bytes expected"):
            workspace.read("output", 1000)
        assert len(workspace.read("output", 1001)) == 1001


def test_an_official_tool_that_prints_endlessly(folder: Path) -> None:
    (folder / "model.tflite").write_bytes(tflite())
    options = ("--backend", "benchmark_model", "--binary", "endless", "--device", "host")
    done = command("benchmark", "model.tflite", *options, "--output", "out", cwd=folder)
    assert_refused(done, "'benchmark_model' printed more than 64 MiB")


@pytest.mark.parametrize(
    "text",
    [
        f"import sys\nsys.path.insert(0, {str(ANDROID_DEMO)!r})\n"
        "from smoke_build.tools import run\nrun(Path('endless').resolve())",
        "from seaformer.packages import NodePackage\nPath('to').mkdir()\n"
        "NodePackage('left-pad', '1.0.0').fetch(Path('to'))",
        "from seaformer import interpreter, own_commands\n"
        "interpreter.sys.executable = str(Path('endless').resolve())\n"
        "own_commands.run_command('seaformer-export', [], lambda _: None)",
        "from seaformer import interpreter\nfrom seaformer.export.convert import conversion\n"
        "interpreter.sys.executable = str(Path('endless').resolve())\n"
        "conversion.to_tflite(Path('model.onnx'), Path('to'), 'image', 'logits')",
        "from seaformer import zig\n"
        "zig.compile_in(Path(), [str(Path('endless').resolve())], 'the runner')",
    ],
    ids=["tools of the smoke build", "npm", "seaformer-export", "onnx2tf", "compiler"],
)
def test_tools_that_print_endlessly(folder: Path, text: str) -> None:
    (folder / "npm").symlink_to("endless")
    done = script(text, folder, PATH=f"{folder}:/usr/bin:/bin")
    assert_refused(done, "MiB and was stopped")


def test_programs_have_a_time_limit_and_their_output_is_returned(tmp_path: Path) -> None:
    done = processes.run(["/bin/sh", "-c", "echo out; echo err >&2; exit 3"], time_limit_s=60)
    assert (done.status, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    done = processes.run(["/bin/sh", "-c", "echo out; echo err >&2"], time_limit_s=60, merge=True)
    assert (done.status, done.stdout, done.stderr) == (0, b"out\nerr\n", b"")
    with pytest.raises(processes.TookTooLongError, match=r"'sleep' took longer than 0\.1 s"):
        processes.run(["sleep", "60"], time_limit_s=0.1)
    with pytest.raises(processes.CannotStartError, match="'nothing' cannot be started: No such"):
        processes.run([tmp_path / "nothing"], time_limit_s=60)


# ---- files


def test_a_small_file_is_read_and_a_large_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(1000))
    assert read_limited(path, 1000) == bytes(1000)
    with pytest.raises(TooLargeError, match="file' has more than"):
        read_limited(path, 999)


def test_metadata_that_inflates(folder: Path) -> None:
    path = folder / "bomb.tflite"
    path.write_bytes(tflite())
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("seaformer.json", "w", force_zip64=True) as member,
    ):
        for _ in range(1200):
            member.write(b" " * 2**20)
    assert path.stat().st_size < 10e6
    done = command("predict", "--model", path, cwd=folder)
    assert_refused(done, "seaformer.json has more than 16 MiB")


def test_metadata_of_an_onnx_that_is_too_large(folder: Path) -> None:
    write_onnx(folder / "model.onnx", metadata(labels=["x" * 20_000_000]))
    done = command("predict", "--model", "model.onnx", cwd=folder)
    assert_refused(done, "the metadata in 'model.onnx' has more than 16 MiB")


def test_deeply_nested_json(folder: Path) -> None:
    write_onnx(folder / "model.onnx")
    (folder / "model.json").write_text('{"schema_version": ' + "[" * 1_000_000)
    done = command("predict", "--model", "model.onnx", cwd=folder)
    assert_refused(done, "the metadata in 'model.json' cannot be used: it is not JSON")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("results.json", ("benchmark", "report", "results.json"), "has more than 64 MiB"),
        (
            "results.json",
            ("benchmark", "model.onnx", "--compare", "results.json"),
            "has more than 64 MiB",
        ),
        (
            "model.onnx.json",
            ("bundle", "model.onnx", "--app", "app"),
            "has no 'model.onnx.json'",
        ),
        (
            "data/labels.json",
            ("evaluate", "model.onnx", "--data", "data"),
            "labels.json' has more than 16 MiB",
        ),
    ],
)
def test_files_that_are_too_large(
    folder: Path, name: str, arguments: tuple[str, ...], message: str
) -> None:
    (folder / "data").mkdir()
    (folder / "app/app/src/main").mkdir(parents=True)
    (folder / "app/app/src/main/AndroidManifest.xml").touch()
    sparse_file(folder / name, b'{"schema_version": 1, ')
    assert_refused(command(*arguments, cwd=folder), message)


# ---- checkpoints


class _Call:
    """Calls a function when it is unpickled."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.function, self.arguments


def _large_bytearray(path: Path) -> None:
    path.write_bytes(pickle.dumps({"a": _Call(bytearray, 8 * 10**9)}, protocol=2))
    content = path.read_bytes()
    torch.save({}, path)
    _replace(path, "data.pkl", content)


def _doubled(path: Path) -> None:
    import _codecs

    value: object = b"x" * 1000
    for _ in range(24):
        value = _Call(_codecs.encode, value, "hex")
    torch.save({}, path)
    _replace(path, "data.pkl", pickle.dumps({"a": value}, protocol=2))


def _inflating(path: Path) -> None:
    torch.save({}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
                if name.endswith("data.pkl"):
                    for _ in range(2000):
                        member.write(bytes(2**20))


def _repeated(path: Path) -> None:
    torch.save({"head.weight": torch.zeros(1, dtype=torch.float16).expand(10**5, 10**5)}, path)


def _replace(path: Path, ending: str, content: bytes) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, old in members.items():
            archive.writestr(name, content if name.endswith(ending) else old)


@pytest.mark.parametrize("make", sampled([_large_bytearray, _doubled, _inflating, _repeated]))
def test_checkpoints_that_expand(folder: Path, make: Callable[[Path], None]) -> None:
    make(folder / "bomb.pth")
    text = "from seaformer.weights.checkpoint import read_checkpoint\n"
    done = script(f"{text}read_checkpoint(Path('bomb.pth'))", folder)
    assert done.status == 1, done.output
    assert done.output.startswith("error: 'bomb.pth' "), done.output
    assert done.peak_bytes < 2 * LIMIT_BYTES, f"{done.peak_bytes / 1e6:.0f} MB"


def test_large_valid_checkpoints_are_read(tmp_path: Path) -> None:
    path = tmp_path / "large.pth"
    torch.save({"head.weight": torch.ones(50_000_000, dtype=torch.float16)}, path)
    assert read_checkpoint(path).tensors["head.weight"].numel() == 50_000_000


# ---- images


@pytest.fixture
def data(folder: Path) -> Path:
    """Write a data set of four images, one of which is a decompression bomb."""
    for kind in ("images", "masks"):
        (folder / "data" / kind).mkdir(parents=True)
        for number in range(4):
            shape = (64, 64, 3) if kind == "images" else (64, 64)
            Image.fromarray(np.zeros(shape, np.uint8)).save(
                folder / "data" / kind / f"{number}.png"
            )
    (folder / "data/labels.json").write_text(json.dumps(["red", "green", "blue"]))
    return folder / "data"


MESSAGE = "60000 x 60000 pixels (3600 megapixels)"


def test_prediction_refuses_a_bomb(folder: Path) -> None:
    png_bomb(folder / "bomb.png", 60_000, 60_000)
    assert_refused(command("predict", "bomb.png", "--model", "model.onnx", cwd=folder), MESSAGE)


@pytest.mark.parametrize("kind", ["images", "masks"])
@pytest.mark.slow
def test_evaluation_and_training_refuse_a_bomb(folder: Path, data: Path, kind: str) -> None:
    png_bomb(data / kind / "1.png", 60_000, 60_000, color=3 if kind == "masks" else 2)
    done = command("evaluate", "model.onnx", "--data", data, cwd=folder)
    assert done.status == 1, done.output
    assert MESSAGE in done.output
    assert done.peak_bytes < LIMIT_BYTES
    options = ("--variant", "tiny", "--device", "cpu", "--output", "run")
    done = command("train", *options, "--data", data, cwd=folder)
    assert done.status == 1, done.output
    assert MESSAGE in done.output
    assert done.peak_bytes < LIMIT_BYTES


def test_calibration_refuses_a_bomb(folder: Path, data: Path) -> None:
    png_bomb(data / "images/1.png", 60_000, 60_000)
    options = ("--variant", "tiny", "--input-size", "64", "--format", "onnx")
    more = ("--precision", "int8", "--calibration", data / "images")
    done = command("export", *options, *more, cwd=folder)
    assert done.status == 1, done.output
    assert MESSAGE in done.output

"""Untrusted text never controls the terminal, whichever command prints it."""

import io
import json
import os
import pty
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from exporting import environment
from loopback_phone.phone import LoopbackPhone
from PIL import Image
from rich.console import Group
from rich.progress import Progress, TextColumn
from rich.table import Table
from rich.text import Text
from sampling import sampled
from small_models import SIDE, associate, metadata, tflite, write_onnx

from seaformer.console import Console
from seaformer.terminal import printable

TITLE, CLEAR, LINK = "\x1b]0;pwned\x07", "\x1b[2J", "\x1b]8;;http://evil\x1b\\"
EVIL = f"{TITLE}{CLEAR}{LINK}\x9b31m\x85\x7f\u202egnp\u2066\u200b\u2028\ufeff\b\t\r\nerror: no"
MARKUP = "[bold]x[/] [link=http://evil]y[/link] [/] :warning:"
NAME = f"a{TITLE}{CLEAR}\x9b1m\u202e\n[red]b"
"""Like `EVIL`, of characters that are allowed in a file name."""

PACKAGE = "seaformer"
MODULES = {
    "predict": f"{PACKAGE}.cli.predict",
    "evaluate": f"{PACKAGE}.cli.evaluate",
    "train": f"{PACKAGE}.cli.train",
    "bundle": f"{PACKAGE}.cli.bundle",
    "export": f"{PACKAGE}.export.cli",
    "benchmark": f"{PACKAGE}.benchmark.cli",
}


def run(command: str, *arguments: str | Path, cwd: Path) -> tuple[int, str]:
    """Run a command without a terminal; return its exit status and its complete output."""
    done = subprocess.run(
        [sys.executable, "-m", MODULES[command], *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout.decode("utf-8")


def on_a_terminal(command: str, *arguments: str | Path, cwd: Path) -> tuple[int, str]:
    """Run a command on a terminal with 256 colors; return its exit status and its output."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", MODULES[command], *map(str, arguments)],
        cwd=cwd,
        env=environment(TERM="xterm-256color", COLUMNS="100"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    sent = b""
    try:
        while data := os.read(ours, 1 << 16):
            sent += data
    except OSError:  # On Linux, reading from a closed terminal is an error.
        pass
    os.close(ours)
    return process.wait(), sent.decode("utf-8").replace("\r\n", "\n")


def assert_harmless(text: str) -> None:
    """Check for only printable characters and line ends, and no injected line."""
    unprintable = ("Cc", "Cf", "Cs", "Zl", "Zp")
    found = {letter for letter in text if unicodedata.category(letter) in unprintable} - {"\n"}
    assert not found, text
    assert not re.search("^error: no$", text, re.MULTILINE), text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a photo and models, with malicious metadata and names."""
    image = np.full((SIDE, SIDE, 3), 200, np.uint8) * np.array([1, 0, 0], np.uint8)
    Image.fromarray(image).save(tmp_path / f"{NAME}.png")
    (tmp_path / f"{NAME}.tflite").write_bytes(tflite())
    info = metadata("NHWC", labels=[EVIL, MARKUP, "blue"], task=EVIL, precision=MARKUP)
    associate(tmp_path / f"{NAME}.tflite", info)
    info = metadata(labels=[EVIL, MARKUP, "blue"], task=EVIL, variant=MARKUP)
    write_onnx(tmp_path / f"{NAME}.onnx", info)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("wall, 道路, é, \N{NO-BREAK SPACE}ñ ▓ 😀", "wall, 道路, é, \N{NO-BREAK SPACE}ñ ▓ 😀"),
        (TITLE, r"\x1b]0;pwned\x07"),
        ("\x9b2J\x7f\x85", r"\x9b2J\x7f\x85"),
        ("one\ntwo\r\tthree", r"one\ntwo\r\tthree"),
        ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
        ("a\u200bb\ufeff\u2028\u2029\U000e0041", r"a\u200bb\ufeff\u2028\u2029\U000e0041"),
        ("\udc80.jpg", r"\udc80.jpg"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("is_terminal", [False, True])
def test_the_console_escapes_text_everywhere(is_terminal: bool) -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=is_terminal, width=500)
    evil = EVIL + MARKUP
    console.print(evil, [evil], Path(evil), style="bold")
    console.print(Text(evil, style="red") + Text(evil))
    console.rule(evil)
    table = Table(evil, title=evil, caption=evil)
    table.add_row(Group(evil, Text(evil)))
    console.print(table)
    with console.status(evil) as status:
        status.update(Text(evil))
    with Progress(TextColumn("{task.description}", markup=False), console=console) as bars:
        bars.add_task(evil)
    printed = text.getvalue()
    if is_terminal:
        # Rich's own sequences: styles, and the cursor of its live displays.
        printed = re.sub(r"\x1b\[(\d*(;\d+)*m|\?25[lh]|2K|1A)|\r", "", printed)
    assert_harmless(printed)
    assert printed.count(MARKUP) >= 9
    assert printed.count(printable(EVIL)) >= 6  # Rich drops the bell when it creates a Text.


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_predict_escapes_models_and_names(folder: Path, suffix: str) -> None:
    status, output = run("predict", f"{NAME}.png", "--model", f"{NAME}{suffix}", cwd=folder)
    assert status == 0, output
    assert_harmless(output)
    for shown in (printable(EVIL), printable(f"{NAME}{suffix}"), printable(f"{NAME}_overlay.png")):
        assert shown in output
    assert MARKUP in output


def test_a_terminal_receives_only_colors(folder: Path) -> None:
    status, sent = on_a_terminal("predict", f"{NAME}.png", "--model", f"{NAME}.onnx", cwd=folder)
    assert status == 0, sent
    styles = r"\x1b\[[\d;]*m"
    assert re.search(styles, sent)
    assert_harmless(re.sub(styles, "", sent))


@pytest.mark.parametrize(
    ("command", "arguments"),
    sampled(
        [
            ("predict", [NAME, "--model", f"{NAME}.onnx"]),
            ("predict", ["--model", NAME]),
            ("predict", ["--model", f"{NAME}.onnx", "--output", NAME]),
            ("predict", [f"--{NAME}"]),
            ("predict", ["--threads", NAME]),
            ("evaluate", [f"{NAME}.onnx", "--data", NAME]),
            ("evaluate", [NAME, "--data", "shapes"]),
            ("train", ["--variant", NAME, "--data", "shapes", "--output", "run"]),
            ("train", ["--variant", "tiny", "--data", NAME, "--output", "run"]),
            ("bundle", [f"{NAME}.onnx", "--app", NAME]),
            ("export", ["--self-check", NAME]),
            ("export", ["--self-check", f"{NAME}.onnx"]),
            ("export", ["--self-check", f"{NAME}.tflite"]),
            ("export", ["--variant", "tiny", "--weights", f"{NAME}.pth"]),
            ("export", ["--model", f"{NAME}:{NAME}"]),
            ("benchmark", [NAME]),
            ("benchmark", [f"{NAME}.png", "--device", "host"]),
            ("benchmark", [f"{NAME}.onnx", "--cores", NAME]),
            ("benchmark", ["report", NAME]),
        ],
        6,
    ),
)
def test_errors_escape_arguments(folder: Path, command: str, arguments: list[str]) -> None:
    status, output = run(command, *arguments, cwd=folder)
    assert status in (1, 2), output
    assert_harmless(output)
    assert re.search(r"^error: .*\n\Z", output, re.MULTILINE), output
    assert "[red]b" in output or "[bold]x[/]" in output, output


def test_an_evaluation_escapes_a_data_set(folder: Path) -> None:
    data = folder / NAME / "data"
    for kind, pixels in (("images", np.zeros((8, 8, 3), np.uint8)), ("masks", np.zeros((8, 8)))):
        (data / kind).mkdir(parents=True)
        Image.fromarray(pixels.astype(np.uint8)).save(data / kind / f"{NAME}.png")
        (data / kind / "broken\x1b[2J.png").write_bytes(b"none")
    (data / "labels.json").write_text(json.dumps(["[red]b", MARKUP, "blue"]))
    status, output = run(
        "evaluate", f"{NAME}.onnx", "--data", data, "--report", NAME + "2", cwd=folder
    )
    assert status == 1, output
    assert_harmless(output)
    assert printable(f"{NAME}.onnx") in output
    assert printable("broken\x1b[2J.png") in output


def test_training_escapes_file_names(folder: Path) -> None:
    (folder / "data/images").mkdir(parents=True)
    (folder / "data/masks").mkdir()
    for kind in ("images", "masks"):
        for number in range(4):
            (folder / "data" / kind / f"{NAME}{number}.png").write_bytes(b"none")
    (folder / "data/labels.json").write_text(json.dumps(["[red]b", MARKUP, "blue"]))
    arguments = ("--variant", "tiny", "--data", "data", "--output", "run", "--device", "cpu")
    status, output = run("train", *arguments, cwd=folder)
    assert status == 1, output
    assert_harmless(output)
    assert printable(f"{NAME}0.png") in output


def test_a_benchmark_escapes_models(folder: Path) -> None:
    models = (f"{NAME}.onnx",)
    arguments = ("--device", "host", "--runs", "3", "--output", NAME)
    status, output = run("benchmark", *models, *arguments, cwd=folder)
    assert status == 0, output
    assert_harmless(output)
    assert printable(f"{NAME}.onnx") in output
    status, output = run("benchmark", "report", f"{NAME}/results.json", "--force", cwd=folder)
    assert status == 0, output
    assert_harmless(output)


def test_output_of_a_phone_is_escaped(loopback_phone: LoopbackPhone, tmp_path: Path) -> None:
    evil = EVIL.replace("\n", "").replace("\r", "") + MARKUP
    for name in ("product.manufacturer", "product.model", "soc.model", "build.version.release"):
        loopback_phone.set_property(f"ro.{name}", evil)
    for command in (("devices",), ("doctor", loopback_phone.serial)):
        _, output = run("benchmark", *command, cwd=tmp_path)
        assert_harmless(output)
        assert loopback_phone.serial in output
        # Tables wrap it.
        assert printable(evil).replace(" ", "") in re.sub(r"\s+", "", output) or "pwned" in output
    loopback_phone.set_property("ro.product.cpu.abi", evil)
    _, output = run("benchmark", "doctor", loopback_phone.serial, cwd=tmp_path)
    assert_harmless(output)

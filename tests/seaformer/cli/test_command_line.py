"""Errors and exit statuses of all commands."""

import errno
import os
import platform
import signal
import subprocess
import sys
from importlib.metadata import entry_points, version

import click
import pytest
from click.testing import CliRunner

from seaformer.cli.command import TRACEBACK, Command, Group
from seaformer.errors import SeaformerError, UsageError


def command(error: BaseException | None = None) -> click.Command:
    """Build a command that raises `error`."""

    @click.command(cls=Command, name="work")
    @click.option("--count", type=int, default=1)
    def work(count: int) -> None:
        if error is not None:
            raise error
        click.echo("done " * count)

    return work


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (SeaformerError("no such model"), 1, "error: no such model\n"),
        (SeaformerError("two\n  lines\n"), 1, "error: two lines\n"),
        (UsageError("no such task"), 2, "error: no such task\n"),
        (UsageError("'\x1b]0;é\x07\x9b2J'"), 2, "error: '\\x1b]0;é\\x07\\x9b2J'\n"),
        (KeyboardInterrupt(), 130, "\nerror: interrupted\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "mask.png"),
            1,
            "error: No space left on device: 'mask.png'\n",
        ),
        (PermissionError(errno.EACCES, "Permission denied"), 1, "error: Permission denied\n"),
        (
            MemoryError(),
            1,
            "error: out of memory. Close other programs, or use a smaller input.\n",
        ),
    ],
)
def test_errors_are_one_line(error: BaseException, status: int, line: str) -> None:
    result = CliRunner().invoke(command(error))
    assert (result.exit_code, result.stderr, result.stdout) == (status, line, "")


def test_every_command_shows_its_version() -> None:
    for entry in entry_points(group="console_scripts"):
        if entry.value.startswith("seaformer"):
            result = CliRunner().invoke(entry.load(), ["--version"])
            assert result.exit_code == 0
            first, python, *packages = result.stdout.splitlines()
            assert first == f"seaformer {version('seaformer')}"
            assert python.startswith(f"Python {platform.python_version()}, ")
            assert f"onnxruntime {version('onnxruntime')}" in packages


def test_bugs_are_one_line_unless_a_traceback_is_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(command(KeyError("labels")))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: unexpected KeyError: 'labels'")
    assert result.stderr.count("\n") == 1
    monkeypatch.setenv(TRACEBACK, "1")
    assert isinstance(CliRunner().invoke(command(KeyError("labels"))).exception, KeyError)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cout", "2"], "Did you mean"),
        (["--count", "two"], "'two' is not a valid integer"),
        (["extra"], "extra"),
    ],
)
def test_wrong_usage_is_a_one_line_error(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(command(), arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.endswith("See 'work --help'.\n")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


def test_the_status_of_success_is_zero() -> None:
    result = CliRunner().invoke(command(), ["--count", "2"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "done done \n", "")
    assert CliRunner().invoke(command(), ["--help"]).exit_code == 0


def test_a_command_may_set_its_status() -> None:
    @click.command(cls=Command)
    @click.pass_context
    def work(context: click.Context) -> None:
        context.exit(3)

    assert CliRunner().invoke(work).exit_code == 3


def test_groups_pass_the_status_on() -> None:
    group = Group("tools")

    @group.command()
    def work() -> None:
        raise UsageError("no such task")

    result = CliRunner().invoke(group, ["work"])
    assert (result.exit_code, result.stderr) == (2, "error: no such task\n")
    result = CliRunner().invoke(group, ["wrok"])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: No such command 'wrok'")
    result = CliRunner().invoke(group)
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")


def test_letters_that_the_terminal_lacks_are_replaced() -> None:
    @click.command(cls=Command)
    def work() -> None:
        click.echo("\udcfc.jpg")

    result = CliRunner().invoke(work)
    assert (result.exit_code, result.stdout) == (0, "\\udcfc.jpg\n")


WAITING = """
import os, signal, time, click
from seaformer.cli.command import Command

def rest():
    for _ in range(600):  # a signal just before a long sleep would wait for its end
        time.sleep(0.1)

@click.command(cls=Command)
def wait():
    try:
        if os.fork() == 0:  # signals count from here: a fork forgets those that are pending
            os.write(1, f"{os.getpid()}\\n".encode())
            rest()
        rest()
    except KeyboardInterrupt:
        os.kill(os.getpid(), signal.SIGHUP)  # as the shell and the kernel both do
        time.sleep(0.1)
        print("clean", os.waitpid(-1, 0)[1], flush=True)
        raise

wait()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_act_like_ctrl_c(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    os.kill(int(process.stdout.readline()), signal.SIGTERM)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert output == f"clean {int(signal.SIGTERM)}\n"
    assert (process.returncode, errors) == (130, "\nerror: interrupted\n")


def test_an_ignored_hangup_stays_ignored() -> None:
    code = WAITING.replace("        rest()", "        os.kill(os.getpid(), signal.SIGHUP)")
    done = subprocess.run(["nohup", sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, b"clean" in done.stdout) == (0, False)

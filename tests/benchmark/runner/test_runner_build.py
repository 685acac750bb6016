"""Compiling the runner: for all targets, reproducibly, and as phones require it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from elf import PT_INTERP, PT_LOAD, Elf

from seaformer.benchmark.runner import build
from seaformer.benchmark.runner.binaries import runner_for
from seaformer.benchmark.runner.build import FINGERPRINT, HERE, NAME, NDK_VARIABLE, TARGETS
from seaformer.errors import SeaformerError, UsageError
from seaformer.zig import VERSION

MACHINES = {"android-arm64": 183, "linux-arm64": 183, "linux-x86_64": 62}
INTERPRETERS = {
    "android-arm64": "/system/bin/linker64",
    "linux-arm64": "/lib/ld-linux-aarch64.so.1",
    "linux-x86_64": "/lib64/ld-linux-x86-64.so.2",
}

each_target = pytest.mark.parametrize("target", TARGETS)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All runners, built from a copy of the sources in another folder."""
    if NDK_VARIABLE in os.environ:
        pytest.skip(f"{NDK_VARIABLE} is set: its compiler is another for each user")
    root = tmp_path_factory.mktemp("copy of the sources")
    shutil.copytree(HERE, root / "benchmark/runner", ignore=shutil.ignore_patterns("bin", "__*"))
    upsampling = build.argmax_folder()
    shutil.copytree(
        upsampling, root / "seaformer/imaging/upsampling", ignore=shutil.ignore_patterns("__*")
    )
    command = [sys.executable, root / "benchmark/runner/build.py", "--to", root / "out"]
    subprocess.run(command, check=True)
    return root / "out"


@each_target
def test_builds_are_reproducible_in_any_folder(target: str, elsewhere: Path) -> None:
    assert (elsewhere / target / NAME).read_bytes() == runner_for(target).read_bytes()


@each_target
def test_a_runner_is_for_its_target_and_needs_nothing_but_the_c_library(target: str) -> None:
    elf = Elf(runner_for(target))
    assert elf.type == 3  # position-independent, as Android requires
    assert elf.machine == MACHINES[target]
    (interpreter,) = elf.of(PT_INTERP)
    assert elf.text(interpreter[3]) == INTERPRETERS[target]
    if target == "android-arm64":
        assert set(elf.needed()) <= {"libc.so", "libdl.so", "libm.so"}
        assert all(segment[7] % 16384 == 0 for segment in elf.of(PT_LOAD))
    else:
        c_library = {"libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0"}
        assert set(elf.needed()) <= c_library


def test_a_runner_is_compiled_again_only_when_its_sources_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("seaformer.benchmark.runner.binaries.HERE", tmp_path)
    runner = runner_for("linux-x86_64")
    before = runner.stat().st_mtime_ns
    capfd.readouterr()
    assert runner_for("linux-x86_64").stat().st_mtime_ns == before
    assert capfd.readouterr().err == ""
    runner.with_name(FINGERPRINT).write_text("of other sources\n")
    assert runner_for("linux-x86_64").stat().st_mtime_ns > before
    assert capfd.readouterr().err == "compiling the runner for linux-x86_64\n"


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(UsageError, match="Did you mean 'linux-arm64'"):
        runner_for("linux-arm")


def test_a_missing_compiler_is_reported_with_what_to_install(tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules["ziglang"] = None
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name == "ziglang" else find(name)
import runpy
sys.argv = ["build.py", "linux-x86_64", "--to", {str(tmp_path)!r}]
runpy.run_path({str(HERE / "build.py")!r}, run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"pip install ziglang=={VERSION}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_an_ndk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NDK_VARIABLE, str(tmp_path))
    with pytest.raises(SeaformerError, match="which has no aarch64-linux-android"):
        build.build("android-arm64", tmp_path / NAME)


def test_an_installed_ndk_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for an NDK, which is not available here: its compiler records its arguments."""
    compiler = tmp_path / "toolchains/llvm/prebuilt/linux-x86_64/bin"
    compiler.mkdir(parents=True)
    program = compiler / f"aarch64-linux-android{build.ANDROID_API}-clang"
    program.write_text('#!/bin/sh\nfor last; do :; done\necho "$@" > "$last"\n')
    program.chmod(0o755)
    monkeypatch.setenv(NDK_VARIABLE, str(tmp_path))
    build.build("android-arm64", tmp_path / "out" / NAME)
    called = (tmp_path / "out" / NAME).read_text()
    assert "main.c" in called
    assert "-DBIONIC_WITHOUT_NDK" not in called
    assert "max-page-size=16384" in called


def test_a_failed_compilation_is_a_one_line_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seaformer.benchmark.runner.build.FLAGS", ("-DVERSION=(",))
    with pytest.raises(SeaformerError, match=r"^the runner cannot be compiled: [^\n]+$"):
        build.build("linux-x86_64", tmp_path / NAME)
    assert not (tmp_path / NAME).exists()

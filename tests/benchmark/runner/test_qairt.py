"""The user's NPU libraries that are sent to a phone; the files are empty, the folders realistic."""

from pathlib import Path

import pytest
from npu_packages import DISPATCH_LIBRARY, PLUGIN, X86_64, write_aars, write_library, write_sdk

from seaformer.artifact.chips import CHIPS
from seaformer.benchmark.runner.qairt import (
    NpuLibraries,
    find_npu_libraries,
    find_runtime,
    require_version,
)
from seaformer.errors import SeaformerError

CHIP = CHIPS["SM8650"]


def find(folder: Path | None, runtime: str = "onnxruntime", **changes: bool) -> NpuLibraries:
    arguments = {"compiles": True, "has_runtime": False} | changes
    return find_npu_libraries(folder, runtime, CHIP, **arguments)


def names(found: NpuLibraries) -> list[str]:
    return sorted(path.name for path in found.files)


@pytest.mark.parametrize("write", [write_sdk, write_aars])
def test_stub_and_skel_match_the_chip(write, tmp_path: Path) -> None:
    found = find(write(tmp_path))
    assert names(found) == [
        "libQnnHtp.so",
        "libQnnHtpPrepare.so",
        "libQnnHtpV75Skel.so",
        "libQnnHtpV75Stub.so",
        "libQnnSystem.so",
        PLUGIN,
    ]
    assert (found.plugin, found.version) == (PLUGIN, "2.51.0")


def test_the_compiler_is_not_sent_if_nothing_is_compiled(tmp_path: Path) -> None:
    found = find(write_sdk(tmp_path), "litert", compiles=False)
    assert "libQnnHtpPrepare.so" not in names(found)
    assert found.plugin == DISPATCH_LIBRARY


def test_a_runtime_in_the_folder_has_precedence_over_the_pinned_one(tmp_path: Path) -> None:
    write_sdk(tmp_path, plugins=())
    assert find_runtime(tmp_path, "onnxruntime") is None
    own = write_library(tmp_path / "aar" / "jni" / "arm64-v8a" / "libonnxruntime.so")
    assert find_runtime(tmp_path, "onnxruntime") == own
    assert find(tmp_path, has_runtime=True).plugin is None  # the provider is inside


def _without(name: str):
    def damage(folder: Path) -> None:
        next(folder.rglob(name)).unlink()

    return damage


@pytest.mark.parametrize(
    ("damage", "runtime", "message"),
    [
        (_without("libQnnHtpV75Skel.so"), "onnxruntime", "has no libQnnHtpV75Skel.so, needed for"),
        (_without("libQnnHtp.so"), "litert", "has no libQnnHtp.so, needed for SM8650"),
        (_without(PLUGIN), "onnxruntime", "com.microsoft.onnxruntime:onnxruntime-android-qnn"),
        (_without(DISPATCH_LIBRARY), "litert", f"has no {DISPATCH_LIBRARY}: put it there"),
        (
            lambda folder: write_library(folder / "libQnnSystem.so", X86_64),
            "onnxruntime",
            "differ. Give --qairt a folder with one version",
        ),
        (
            lambda folder: write_library(next(folder.rglob("libQnnHtp.so")), X86_64),
            "onnxruntime",
            "is not a library for Android on arm64",
        ),
        (
            lambda folder: write_library(next(folder.rglob("libQnnHtpV75Skel.so"))),
            "onnxruntime",
            "is not a library for a Hexagon NPU",
        ),
        (
            lambda folder: write_library(next(folder.rglob("*V75Stub.so")), version="2.48.0"),
            "onnxruntime",
            "QNN 2.48.0, but",
        ),
    ],
)
def test_a_problem_with_a_folder_is_a_one_line_error(
    damage, runtime, message, tmp_path: Path
) -> None:
    damage(write_sdk(tmp_path))
    with pytest.raises(SeaformerError) as error:
        find(tmp_path, runtime)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_without_a_folder_the_required_files_are_named() -> None:
    with pytest.raises(SeaformerError) as error:
        find(None)
    for name in ("--qairt DIR", "libQnnHtpV75Skel.so", "libQnnHtpPrepare.so", PLUGIN):
        assert name in str(error.value)


def test_libraries_older_than_the_compiler_are_refused(tmp_path: Path) -> None:
    found = find(write_sdk(tmp_path, version="2.48.0"))
    require_version(found, "2.48.0", Path("net.onnx"), tmp_path)
    with pytest.raises(SeaformerError, match=r"compiled with QNN 2\.51\.0, .* are QNN 2\.48\.0"):
        require_version(found, "2.51.0", Path("net.onnx"), tmp_path)

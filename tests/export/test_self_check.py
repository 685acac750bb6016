"""`seaformer-export --self-check`, on unchanged exports and on other files."""

import json
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from exporting import NETWORKS, assert_one_line, read_metadata, run_export, write_networks
from sampling import sampled
from small_models import metadata, write_onnx

from seaformer.artifact.embedding import content_of, embed
from seaformer.artifact.metadata import Metadata

STEM = "seaformer_tiny_ade20k_128x192_fp32"
SUFFIXES = (".onnx", ".tflite")


@pytest.fixture
def copied(tiny_export: Path, tmp_path: Path) -> Path:
    """Copy the exported files of Tiny to a folder that a test may change."""
    for suffix in SUFFIXES:
        for path in tiny_export.glob(f"{STEM}{suffix}*"):
            shutil.copy(path, tmp_path)
    return tmp_path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_unchanged_file_passes(copied: Path, suffix: str) -> None:
    done = run_export("--self-check", f"{STEM}{suffix}", cwd=copied)
    assert done.returncode == 0, done.stderr
    assert "matches PyTorch" in done.stdout
    assert "photograph" in done.stdout


@pytest.mark.parametrize("suffix", sampled(SUFFIXES))
def test_a_changed_weight_is_detected_by_the_hash(copied: Path, suffix: str) -> None:
    path = copied / f"{STEM}{suffix}"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # in the weights, which are most of the file
    path.write_bytes(content)
    done = run_export("--self-check", path.name, cwd=copied)
    assert_one_line(done, 1, r"changed after its export.* SHA-256 [0-9a-f]{64}.* [0-9a-f]{64}")


def test_a_file_without_our_metadata_cannot_be_checked(copied: Path) -> None:
    (copied / "foreign").mkdir()
    path = copied / "foreign" / "model.tflite"
    content = (copied / f"{STEM}.tflite").read_bytes()
    path.write_bytes(content[: content.rindex(b"PK\x03\x04")])  # only the flatbuffer
    assert_one_line(run_export("--self-check", path, cwd=copied), 1, "no metadata")


@pytest.mark.parametrize("info", [None, metadata(parity={})])
def test_a_foreign_onnx_cannot_be_checked(tmp_path: Path, info: dict[str, Any] | None) -> None:
    write_onnx(tmp_path / "foreign.onnx", info)
    message = (
        "no metadata of seaformer-export"
        if info is None
        else "cannot be used: parity has no .*Export the model again"
    )
    assert_one_line(run_export("--self-check", "foreign.onnx", cwd=tmp_path), 1, message)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_truncated_file_is_damaged(copied: Path, suffix: str) -> None:
    path = copied / f"{STEM}{suffix}"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    done = run_export("--self-check", path.name, cwd=copied)
    assert_one_line(done, 1, f"'{STEM}{suffix}'.*(damaged|no metadata)")


def test_a_users_network_is_checked_in_the_folder_of_its_module(
    users_export: Path, tmp_path: Path
) -> None:
    model = users_export / "make_network_100x144_fp32.tflite"
    command = ["--model", "my_networks:make_network", "--self-check"]
    done = run_export(*command, model.name, cwd=users_export)
    assert done.returncode == 0, done.stderr
    elsewhere = run_export(*command, model, cwd=tmp_path)
    assert_one_line(elsewhere, 2, "'my_networks:make_network' cannot be imported")
    # Another network of the same name.
    (tmp_path / "my_networks.py").write_text(NETWORKS.replace("manual_seed(0)", "manual_seed(1)"))
    other = run_export(*command, model, cwd=tmp_path)
    assert_one_line(other, 1, "differ from the exported ones")


@pytest.mark.slow
def test_the_command_suggested_by_an_export_checks_a_users_network(tmp_path: Path) -> None:
    write_networks(tmp_path)
    command = "--model my_networks:make_network --input-size 64 --format onnx --output ."
    done = run_export(*command.split(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (check,) = [line for line in done.stdout.splitlines() if "--self-check" in line]
    assert run_export(*shlex.split(check)[1:], cwd=tmp_path).returncode == 0


def forge(export: Path, to: Path, **changes: Any) -> Path:
    """Rewrite an exported file with other metadata; its content and hash are unchanged."""
    forged_json = json.loads(read_metadata(export).text()) | changes
    forged = Metadata.model_validate_json(json.dumps(forged_json))
    to.write_bytes(embed(content_of(export), forged))
    return to


# Leaves a trace when it is imported, and another when it is called.
PWN = "open('imported', 'w').close()\ndef pwn():\n    open('called', 'w').close()\n"


@pytest.mark.parametrize(
    "name",
    sampled(["helper:pwn", "helper:pwn\n\x1b]0;title\x07", "", "helper", "os:getcwd", "a:b:c"], 2),
)
@pytest.mark.parametrize("suffix", sampled(SUFFIXES, 3))
def test_a_file_does_not_determine_what_code_runs(
    copied: Path, tmp_path: Path, suffix: str, name: str
) -> None:
    (tmp_path / "helper.py").write_text(PWN)
    forged = forge(
        copied / f"{STEM}{suffix}", tmp_path / f"forged{suffix}", variant=None, model=name
    )
    done = run_export("--self-check", forged.name, cwd=tmp_path)
    assert_one_line(done, 2, re.escape(repr(name)) + ".*--model package.module:factory")
    assert not (tmp_path / "imported").exists()
    assert "\x1b" not in done.stderr


def test_only_the_factory_named_by_the_user_is_used(users_export: Path, tmp_path: Path) -> None:
    write_networks(tmp_path)
    (tmp_path / "helper.py").write_text(PWN)
    (export,) = users_export.glob("*.onnx")
    forged = forge(export, tmp_path / "forged.onnx", model="helper:pwn")
    named = "--model", "my_networks:make_network"
    done = run_export("--self-check", forged.name, *named, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "imported").exists()
    both = run_export("--self-check", forged.name, *named, "--weights", "random", cwd=tmp_path)
    assert_one_line(both, 2, "--weights cannot be used with --model")


def test_a_factory_for_one_of_our_networks_is_refused(copied: Path) -> None:
    (copied / "helper.py").write_text(PWN)
    done = run_export("--self-check", f"{STEM}.onnx", "--model", "helper:pwn", cwd=copied)
    assert_one_line(done, 2, "'tiny'.*'helper:pwn'.*Omit --model")
    assert not (copied / "imported").exists()


@pytest.mark.parametrize(
    ("name", "source"),
    sampled(
        [
            ("pipe.pth", "pipe.pth"),
            ("backbone:pipe.pth", "pipe.pth"),
            ("backbone:pipe.pth", "seed 0"),
            ("./pipe.pth", "seed 0"),
            ("null", "/dev/null"),
            ("zero.pth", "zero.pth"),
            ("notes.txt", "notes.txt"),
            ("shapes", "./shapes"),
            ("w.pth", "https://example.org/w.pth"),
            ("w.pth", "//example.org/w.pth"),
            ("w.pth", "\\\\example.org\\share\\w.pth"),
            ("https://example.org/w.pth", "https://example.org/w.pth"),
        ],
        2,
    ),
)
def test_a_file_does_not_determine_which_files_are_read(
    copied: Path, tmp_path: Path, name: str, source: str
) -> None:
    os.mkfifo(tmp_path / "pipe.pth")  # reading it never ends
    os.mkfifo(tmp_path / "shapes")
    (tmp_path / "zero.pth").symlink_to("/dev/zero")
    (tmp_path / "notes.txt").write_text("secret")
    weights = {"name": name, "source": source, "sha256": None, "is_random": False}
    forged = forge(copied / f"{STEM}.onnx", tmp_path / "forged.onnx", weights=weights)
    done = run_export("--self-check", forged.name, cwd=tmp_path)
    assert_one_line(done, 1, r"--weights (backbone:)?PATH")
    assert "secret" not in done.stderr


def test_a_replaced_checkpoint_is_not_unpickled(copied: Path, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"no checkpoint at all")
    weights = {"name": "w.pth", "source": "w.pth", "sha256": "0" * 64, "is_random": False}
    forged = forge(copied / f"{STEM}.onnx", tmp_path / "forged.onnx", weights=weights)
    done = run_export("--self-check", forged.name, cwd=tmp_path)
    assert_one_line(done, 1, "differ from the exported ones")


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("nothing.tflite", 1, "no model file 'nothing.tflite'"),
        ("model.pth", 2, r"is not an exported model \(\.onnx or \.tflite\)"),
    ],
)
def test_files_that_are_not_exports_are_refused(
    tmp_path: Path, name: str, status: int, message: str
) -> None:
    assert_one_line(run_export("--self-check", name, cwd=tmp_path), status, message)


@pytest.mark.slow
def test_moved_weights_have_to_be_named(checkpoint_export: Path, tmp_path: Path) -> None:
    shutil.copy(checkpoint_export / "tiny.pth", tmp_path)
    command = "--variant tiny --input-size 64x96 --format onnx --weights tiny.pth --output ."
    assert run_export(*command.split(), cwd=tmp_path).returncode == 0
    model = "seaformer_tiny_ade20k_64x96_fp32.onnx"
    (tmp_path / "tiny.pth").rename(tmp_path / "elsewhere.pth")
    assert_one_line(run_export("--self-check", model, cwd=tmp_path), 1, "--weights PATH")
    done = run_export("--self-check", model, "--weights", "elsewhere.pth", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_other_weights_are_refused(checkpoint_export: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(checkpoint_export, folder)
    (model,) = folder.glob("*.onnx")
    done = run_export("--self-check", model, "--weights", "random", cwd=folder)
    assert_one_line(done, 1, "differ from the exported ones")

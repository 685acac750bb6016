"""Bad input to seaformer-export: a one-line error, its exit status, and no partial files."""

import os
import subprocess
from pathlib import Path

import pytest
import torch
from exporting import assert_one_line, names, run_export, write_networks
from official_weights import to_official
from sampling import sampled

from seaformer.models.create import create_model
from seaformer.models.seaformer.variants import get_variant

QUICK = ("--variant", "tiny", "--format", "onnx", "--input-size", "64", "--output", "out")


@pytest.mark.parametrize(
    ("arguments", "message"),
    sampled(
        [
            (("--variant", "tny"), "unknown variant 'tny'.*'tiny'.*base, large, small, tiny"),
            (
                ("--variant", "tiny", "--task", "ade2k"),
                "unknown task 'ade2k'.*'ade20k'.*cityscapes",
            ),
            (("--variant", "tiny", "--format", "tflit"), "unknown format 'tflit'.*'tflite'.*onnx"),
            (("--variant", "tiny", "--precision", "fp8"), "unknown precision 'fp8'.*fp16, fp32"),
            (("--variant", "tiny", "--head", "logit"), "unknown head 'logit'.*'logits'"),
            (("--variant", "tiny", "--normalize", "in"), "unknown normalization 'in'.*'inside'"),
            (("--variant", "tiny", "--task", "imagenet", "--head", "mask"), "is for segmentation"),
            (("--task", "ade20k"), "give either --variant"),
            (("--variant", "tiny", "--model", "a:b"), "name different networks"),
            (("--model", "a:b", "--weights", "x.pth"), "cannot be used with --model"),
            (("--variant", "tiny", "--weights", "ade2k"), "ade2k.*'?ade20k"),
            (("--variant", "tiny", "--input-size", "0x512"), "'0x512' has a height of 0"),
            (("--variant", "tiny", "--input-size", "512x"), "'512x' is not HEIGHTxWIDTH"),
            (("--variant", "tiny", "--input-size", "16x16"), "'16x16' has a height of 16.*64"),
            (("--variant", "tiny", "--input-size", "512x512x3"), "'512x512x3' is not HEIGHTxWIDTH"),
            (("--variant", "tiny", "--input-size", "99999x99999"), "GiB of memory.*are free"),
            (("--variant", "tiny", "--no-such-option"), "No such option"),
        ],
        5,
    ),
)
def test_invalid_requests(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    assert_one_line(run_export(*arguments, cwd=tmp_path), 2, message)
    assert names(tmp_path) == []


class _Malicious:
    """A pickle that creates a file when it is loaded without protection."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write checkpoints with all kinds of errors."""
    folder = tmp_path_factory.mktemp("checkpoints")
    small = create_model("small").state_dict()
    official = to_official(small, get_variant("small"))
    torch.save({"state_dict": official}, folder / "small.pth")
    whole = (folder / "small.pth").read_bytes()
    (folder / "truncated.pth").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.pth").touch()
    streets = create_model("tiny", "cityscapes").state_dict()
    torch.save({"state_dict": to_official(streets, get_variant("tiny"))}, folder / "cityscapes.pth")
    torch.save({"state_dict": {"layer.weight": torch.ones(3)}}, folder / "other.pth")
    torch.save({"state_dict": _Malicious(folder / "pwned")}, folder / "malicious.pth")
    return folder


@pytest.mark.parametrize(
    ("name", "message"),
    sampled(
        [
            ("missing.pth", "missing.pth"),
            ("empty.pth", "empty.pth.*empty"),
            ("truncated.pth", "truncated.pth"),
            ("other.pth", "other.pth"),
            ("small.pth", "SeaFormer-Small.*--variant small"),
            ("cityscapes.pth", "19 classes"),
            ("malicious.pth", "malicious.pth"),
        ],
        2,
    ),
)
def test_invalid_checkpoints(name: str, message: str, checkpoints: Path, tmp_path: Path) -> None:
    done = run_export(*QUICK, "--weights", checkpoints / name, cwd=tmp_path)
    assert_one_line(done, 1, message)
    assert names(tmp_path) == []
    assert not (checkpoints / "pwned").exists()


def test_the_malicious_checkpoint_works_without_protection(tmp_path: Path) -> None:
    torch.save({"state_dict": _Malicious(tmp_path / "pwned")}, tmp_path / "malicious.pth")
    torch.load(tmp_path / "malicious.pth", weights_only=False)
    assert (tmp_path / "pwned").exists()


def test_existing_files_are_not_overwritten_without_force(tmp_path: Path) -> None:
    assert run_export(*QUICK, cwd=tmp_path).returncode == 0
    model = tmp_path / "out" / "seaformer_tiny_ade20k_64x64_fp32.onnx"
    before = model.read_bytes()
    model.write_bytes(b"precious")
    assert_one_line(run_export(*QUICK, cwd=tmp_path), 2, "exists.*--force")
    assert model.read_bytes() == b"precious"
    assert run_export(*QUICK, "--force", cwd=tmp_path).returncode == 0
    assert model.read_bytes() == before


def test_a_json_file_of_another_program_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    theirs = tmp_path / "out" / "seaformer_tiny_ade20k_64x64_fp32.onnx.json"
    theirs.write_text("{}")
    assert_one_line(run_export(*QUICK, cwd=tmp_path), 2, "was not written by seaformer-export")
    assert theirs.read_text() == "{}"


@pytest.mark.parametrize(
    "factory", sampled(["../../evil", "a/b", "..\\evil", "-f", "a:b", "x" * 300, "\x1b[2J"], 2)
)
def test_a_factory_does_not_determine_where_files_are_written(factory: str, tmp_path: Path) -> None:
    write_networks(tmp_path)
    (tmp_path / "any_name.py").write_text(
        "import my_networks\ndef __getattr__(name):\n    return my_networks.make_network\n"
    )
    command = ("--format", "onnx", "--input-size", "64", "--output", "in/out", "--force")
    done = run_export("--model", f"any_name:{factory}", *command, cwd=tmp_path)
    assert_one_line(done, 1, "the name of the file to write is .*Allowed: ")
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".onnx", ".json")]


def test_links_out_of_the_output_folder_are_not_followed(tmp_path: Path) -> None:
    out, victim = tmp_path / "out", tmp_path / "victim"
    out.mkdir()
    victim.write_text("mine")
    for suffix in (".onnx", ".onnx.json"):
        link = out / f"seaformer_tiny_ade20k_64x64_fp32{suffix}"
        link.symlink_to(victim)
        assert_one_line(run_export(*QUICK, "--force", cwd=tmp_path), 1, "is a link to .*Remove")
        link.unlink()
    assert victim.read_text() == "mine"


def test_an_output_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    assert_one_line(run_export(*QUICK, cwd=tmp_path), 1, "output folder 'out'")
    assert (tmp_path / "out").read_text() == "a file"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_leaves_no_files(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path / "out")]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this container may not mount a file system")
    try:
        assert_one_line(run_export(*QUICK, cwd=tmp_path), 1, "No space left|Make room")
        assert names(tmp_path / "out") == []
    finally:
        subprocess.run(["umount", str(tmp_path / "out")], check=True)


@pytest.mark.parametrize(
    ("factory", "precision", "message"),
    [
        ("counting", "fp32", "does not match PyTorch"),
        ("with_a_large_weight", "fp16", "65504"),
        ("pair", "fp32", "tuple"),
    ],
)
def test_a_file_that_fails_verification_is_not_written(
    factory: str, precision: str, message: str, tmp_path: Path
) -> None:
    write_networks(tmp_path)
    before = names(tmp_path)
    done = run_export(
        *("--model", f"my_networks:{factory}", "--task", "cityscapes", "--format", "onnx"),
        *("--input-size", "64x96", "--precision", precision, "--output", "out"),
        cwd=tmp_path,
    )
    assert_one_line(done, 1, message)
    created = {name for name in names(tmp_path) if "__pycache__" not in name}
    assert created - set(before) <= {"out"}
    assert names(tmp_path / "out") == []

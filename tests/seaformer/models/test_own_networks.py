"""Inputs and outputs of user-defined networks: stated, declared or detected, and consistent."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from exporting import read_metadata
from own_networks import write_own_networks
from PIL import Image
from sampling import sampled
from small_models import write_onnx

from seaformer.artifact.metadata import Metadata
from seaformer.cli.evaluate import main as evaluate
from seaformer.cli.predict import main as predict
from seaformer.cli.statement_options import read_output, read_statement
from seaformer.errors import SeaformerError, UsageError
from seaformer.export.cli import main as export
from seaformer.export.verify.verification import make_samples
from seaformer.models.contract import Contract, contract_of
from seaformer.models.create import create_model
from seaformer.models.resolve import find_model, resolve
from seaformer.tasks import Task, get_task
from seaformer.tasks.normalization import Normalization
from seaformer.tasks.statement import NOTHING, Statement
from seaformer.tasks.task_file import own_task, read_task

SIZE = (64, 64)
UNIT = ("--input-range", "0..1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with own.py, a photo that is half red and half blue, and its data set."""
    folder = tmp_path_factory.mktemp("own")
    write_own_networks(folder)
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, :32, 0] = pixels[:, 32:, 2] = 220
    Image.fromarray(pixels).save(folder / "flag.png")
    truth = np.zeros((64, 64), np.uint8)
    truth[:, 32:] = 2
    for name, mask in (("colors", truth), ("red", (truth == 0).astype(np.uint8))):
        for sub in ("images", "masks"):
            (folder / name / sub).mkdir(parents=True)
        Image.fromarray(pixels).save(folder / name / "images" / "flag.png")
        Image.fromarray(mask).save(folder / name / "masks" / "flag.png")
    (folder / "colors" / "labels.json").write_text('["red", "green", "blue"]')
    return folder


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def run(command: Any, *arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


def exported(name: str, *options: str) -> tuple[Path, Result]:
    folder = f"out_{name}_{len(options)}"
    done = run(
        export, "--model", f"own.py:{name}", "--input-size", "64", "--format", "onnx",
        "--output", folder, "--force", *options,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    (file,) = Path(folder).glob("*.onnx")
    return file, done


def contract(name: str, statement: Statement = NOTHING) -> Contract:
    network = resolve(f"own.py:{name}")
    return contract_of(network, network.build("", 0).eval(), get_task("ade20k"), statement, SIZE)


@pytest.mark.parametrize(
    ("name", "meaning", "classes", "kind"),
    [
        ("logits", "logits", 3, "segmentation"),
        ("softmax", "probabilities", 3, "segmentation"),
        ("argmax", "classes", 64, "segmentation"),
        ("boolean", "classes", 2, "segmentation"),
        ("binary", "binary, class 1 above 0", 2, "segmentation"),
        ("small_binary", "binary, class 1 above 0", 2, "segmentation"),
        ("sigmoid", "binary, class 1 above 0.5", 2, "segmentation"),
        ("squeezed", "binary, class 1 above 0.5", 2, "segmentation"),
        ("gray", "logits", 2, "segmentation"),
        ("tokens", "features", 0, "segmentation"),
    ],
)
@pytest.mark.usefixtures("here")
def test_the_meaning_is_detected_and_reported(
    name: str, meaning: str, classes: int, kind: str
) -> None:
    found = contract(name)
    assert (str(found.meaning), found.task.kind) == (meaning, kind)
    assert found.labels == tuple(f"class {index}" for index in range(classes))
    assert found.task.palette is None
    assert f"detected output: {meaning}" in found.note
    assert not found.knows_normalization
    assert not found.names_classes


@pytest.mark.usefixtures("here")
def test_statements_override_declarations_of_the_network() -> None:
    declared = contract("declared")
    assert declared.labels == ("red", "green", "blue")
    assert declared.knows_normalization
    assert declared.task.preprocessing.std == (255.0,) * 3
    overridden = contract("declared", read_statement(labels="a,b,c", input_range="-1..1"))
    assert overridden.labels == ("a", "b", "c")
    assert overridden.task.preprocessing.mean == (127.5,) * 3
    one = contract("binary", read_statement(labels="road", output_meaning="probabilities"))
    assert (one.labels, one.meaning.threshold) == (("background", "road"), 0.5)


@pytest.mark.parametrize(
    ("name", "statement", "message"),
    [
        ("logits", {"labels": "a,b"}, "2 classes are named, but the network has 3"),
        ("logits", {"task": "ade20k"}, "150 classes are named, but the network has 3"),
        ("logits", {"output_meaning": "binary"}, "stated to be binary.*Allowed: logits"),
        ("tokens", {"output_meaning": "logits"}, "stated to be logits.*Allowed: .*features"),
        ("whole", {}, "number of classes is unknown.*--labels"),
        ("misdeclared", {}, "attribute seaformer_task.*'preprocesing'.*'preprocessing'"),
        ("gray", {"mean": "1,2,3", "std": "60"}, "3 numbers, but the image has 1 channel"),
    ],
)
@pytest.mark.usefixtures("here")
def test_contradicting_statements_are_refused(
    name: str, statement: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        contract(name, read_statement(**statement))


@pytest.mark.parametrize(
    ("options", "mean", "std"),
    [
        ({"input_range": "0..1"}, 0.0, 255.0),
        ({"input_range": "-1..1"}, 127.5, 127.5),
        ({"input_range": "0..255"}, 0.0, 1.0),
        ({"input_range": "0..1", "mean": "0.5", "std": "0.25"}, 127.5, 63.75),
        ({"mean": "100", "std": "50"}, 100.0, 50.0),
    ],
)
def test_ranges_become_means_of_pixels(options: dict[str, str], mean: float, std: float) -> None:
    assert read_statement(**options).normalization == Normalization((mean,), (std,))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mean": "0.485,0.456,0.406", "std": "0.229,0.224,0.225"}, "is ambiguous"),
        ({"input_range": "1..0"}, "Allowed: LOW..HIGH"),
        ({"input_range": "1"}, "--input-range is '1'"),
        ({"mean": "a"}, "--mean is 'a'"),
        ({"input_range": "0..1", "std": "0"}, "above 0"),
        ({"labels": "a,a"}, r"labels\[1\] is 'a'"),
        ({"labels": "absent.txt"}, "file 'absent.txt' does not exist"),
        ({"palette": "red"}, "'red'.*RRGGBB"),
        ({"labels": "a,b", "palette": "ff0000"}, "palette has 1 colors. Allowed: 2"),
        ({"output_meaning": "boxes"}, "unknown output meaning 'boxes'"),
        ({"task": "fruit.json"}, "no task file 'fruit.json'"),
    ],
)
def test_bad_options_are_errors(options: dict[str, str], message: str) -> None:
    with pytest.raises(SeaformerError, match=message):
        read_statement(**options).applied_to(get_task("shapes"))


def test_a_task_file_is_short_strict_and_complete(tmp_path: Path) -> None:
    file = tmp_path / "fruit.json"
    data = {"labels": [f"fruit {n}" for n in range(7)], "ignore_index": 254}
    data |= {"preprocessing": {"input_range": [0, 1], "mean": 0.5, "std": 0.5}}
    file.write_text(json.dumps(data))
    stated = read_task(str(file))
    assert stated.task is not None
    assert (stated.task.name, stated.task.num_classes, stated.task.ignore_index) == (
        "fruit",
        7,
        254,
    )
    assert stated.task.preprocessing.mean == (127.5,) * 3
    assert Task.from_json(stated.task.to_json()) == stated.task
    file.write_text(json.dumps(stated.task.to_json()))
    assert read_task(str(file)).task == stated.task
    for change, message in (
        ({"colors": []}, "unknown key of task 'colors'"),
        ({"name": "My Fruit"}, "name is 'My Fruit'"),
        ({"preprocessing": {"input_range": [0]}}, "input_range has 1 numbers"),
    ):
        file.write_text(json.dumps(data | change))
        with pytest.raises(UsageError, match=f"fruit.json': .*{message}"):
            read_task(str(file))


def test_output_is_a_folder_or_a_meaning() -> None:
    assert read_output((), None) == (Path("build"), None)
    assert read_output(("out", "binary"), None) == (Path("out"), "binary")
    assert read_output(("./binary",), "logits") == (Path("binary"), "logits")
    for values in ((("a", "b"), None), (("logits",), "binary")):
        with pytest.raises(UsageError, match="--output names"):
            read_output(*values)


@pytest.mark.usefixtures("here")
def test_a_factory_in_a_file_is_found() -> None:
    found = find_model("./own.py:logits")
    assert not isinstance(found, Path)
    assert found.file_stem(own_task(["a"])) == "logits"
    with pytest.raises(UsageError, match="cannot be imported"):
        contract("nothing")


# ---- From the network to the mask ----------------------------------------------------------------


def mask_of(*arguments: str) -> np.ndarray:
    done = run(predict, "flag.png", *arguments, "--mask", "m.png", "--output", "o.png", "--force")
    assert done.exit_code == 0, done.output
    return np.asarray(Image.open("m.png"))


@pytest.mark.usefixtures("here")
def test_no_defaults_come_from_imagenet_or_ade20k() -> None:
    file, done = exported("logits")
    metadata = read_metadata(file)
    assert (metadata.input.mean, metadata.input.std) == (None, None)
    assert (metadata.input.normalization, metadata.input.range) == ("outside", None)
    assert (metadata.labels, metadata.palette) == (("class 0", "class 1", "class 2"), None)
    assert "the preprocessing of" in done.output
    assert "have no names" in done.output
    refused = run(predict, "flag.png", "--model", str(file))
    assert refused.exit_code == 2
    assert "is unknown. Give --input-range" in refused.output
    mask = mask_of("--model", str(file), *UNIT)
    assert (mask[:, :28] == 0).all()
    assert (mask[:, 36:] == 2).all()
    int8 = run(
        export, "--model", "own.py:logits", "--precision", "int8", "--calibration", "colors/images"
    )
    assert int8.exit_code == 2
    assert "calibrated with images, but the preprocessing of" in int8.output


@pytest.mark.usefixtures("here")
def test_the_file_matches_the_network() -> None:
    file, done = exported("declared", "--head", "mask")
    assert "the preprocessing of" not in done.output
    metadata = read_metadata(file)
    assert metadata.input.range == (0.0, 255.0)
    pixels = np.asarray(Image.open("flag.png"))
    x = torch.from_numpy(pixels.transpose(2, 0, 1)[None] / np.float32(255))
    expected = resolve("own.py:declared").build("", 0)(x).argmax(1)[0].numpy()
    assert (mask_of("--model", str(file))[2::4, 2::4] == expected).all()
    photograph = metadata.parity.comparisons[0]
    assert photograph.argmax_agreement == 1.0


# "binary" differs from "sigmoid" only in the value of the threshold.
@pytest.mark.parametrize("name", sampled(["sigmoid", "boolean", "binary"], 2))
@pytest.mark.usefixtures("here")
def test_the_binary_threshold_is_applied_everywhere(name: str) -> None:
    file, _ = exported(name, *UNIT, "--labels", "other,red")
    red = mask_of("--model", str(file))
    assert (red[:, :28] == 1).all()
    assert (red[:, 36:] == 0).all()
    done = run(
        evaluate, str(file), "--data", "red", "--labels", "other,red", "--report", f"ev_{name}",
        "--force",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    scores = json.loads(Path(f"ev_{name}/results.json").read_text())["models"][0]["scores"]
    assert scores["pixel_accuracy"] > 0.95
    if name != "boolean":
        ids, _ = exported(name, *UNIT, "--labels", "other,red", "--head", "classes")
        assert (mask_of("--model", str(ids))[:, :28] == 1).all()


@pytest.mark.usefixtures("here")
def test_the_contract_also_applies_without_an_export() -> None:
    red = mask_of("--model", "own.py:sigmoid", *UNIT, "--input-size", "64")
    assert (red[:, :28] == 1).all()
    assert (red[:, 36:] == 0).all()


@pytest.mark.usefixtures("here")
def test_class_ids_of_the_network_are_classes() -> None:
    file, _ = exported("argmax", *UNIT)
    metadata = read_metadata(file)
    assert (metadata.output.content, metadata.output.dtype) == ("classes", "int32")
    assert (len(metadata.labels), metadata.kind) == (64, "segmentation")
    assert set(np.unique(mask_of("--model", str(file))[:, :28])) == {63}
    refused = run(
        export, "--model", "own.py:argmax", *UNIT, "--precision", "int8", "--calibration", "random"
    )
    assert refused.exit_code == 2
    assert "gives class ids" in refused.output


@pytest.mark.usefixtures("here")
def test_tokens_are_compared_without_classes() -> None:
    file, done = exported("tokens", *UNIT)
    metadata = read_metadata(file)
    assert (metadata.output.shape, metadata.output.layout) == ((1, 64, 8), "NLC")
    assert (metadata.kind, metadata.output.content) == ("features", "features")
    assert {row.argmax_agreement for row in metadata.parity.comparisons} == {None}
    assert "100.000" not in done.output
    refused = run(predict, "flag.png", "--model", str(file))
    assert refused.exit_code == 2
    assert "features rather than classes" in refused.output
    checked = run(export, "--self-check", str(file), "--model", "own.py:tokens")
    assert checked.exit_code == 0, checked.output


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_a_gray_network_is_quantized_and_predicts() -> None:
    options = (*UNIT, "--precision", "int8", "--calibration", "colors/images", "--accept-loss")
    file, _ = exported("gray", *options)
    metadata = read_metadata(file)
    assert metadata.input.color_order == "GRAY"
    assert metadata.input.shape == (1, 1, 64, 64)
    assert mask_of("--model", str(file)).shape == (64, 64)


@pytest.mark.usefixtures("here")
def test_one_class_everywhere_has_no_agreement() -> None:
    network = resolve("own.py:one_class").build("", 0).eval()
    rule = own_task(["a"]).preprocessing
    samples = make_samples(network, rule, SIZE, inside=True)
    assert all(sample.decides_for_one_class for sample in samples)
    assert all(sample.agreement(sample.reference) is None for sample in samples)
    _, done = exported("one_class", *UNIT)
    assert "agreement >=" not in done.output
    assert "predicts a single class" in done.output


# ---- Foreign files, and user-defined classes -----------------------------------------------------


@pytest.mark.usefixtures("here")
def test_a_foreign_file_is_described_by_options() -> None:
    write_onnx(Path("foreign.onnx"))
    refused = run(predict, "flag.png", "--model", "foreign.onnx")
    assert refused.exit_code == 2
    assert "no metadata" in refused.output
    options = ("--input-range", "0..255", "--labels", "red,green,blue")
    mask = mask_of("--model", "foreign.onnx", *options)
    assert (mask[:, :28] == 0).all()
    assert (mask[:, 36:] == 2).all()
    done = run(predict, "flag.png", "--model", "foreign.onnx", *options, "--force")
    assert "detected output: logits" in done.output
    assert "assumed" not in done.output
    unnamed = run(predict, "flag.png", "--model", "foreign.onnx", *options[:2], "--force")
    assert "no names" in unnamed.output
    assert "class 2" in unnamed.output
    scored = run(
        evaluate, "foreign.onnx", "--data", "colors", "--input-range", "0..255", "--report", "ev",
        "--force",
    )  # fmt: skip
    assert scored.exit_code == 0, scored.output
    scores = json.loads(Path("ev/results.json").read_text())["models"][0]["scores"]
    assert scores["pixel_accuracy"] > 0.95


@pytest.mark.usefixtures("here")
def test_seven_user_defined_classes_need_only_their_names() -> None:
    names = [f"fruit {number}" for number in range(7)]
    task = own_task(names)
    torch.save(create_model("tiny", task).state_dict(), "seven.pth")
    advised = run(predict, "flag.png", "--model", "seven.pth", "--task", "ade20k")
    assert advised.exit_code == 1
    assert "--task FILE.json, or --labels with the names of its 7 classes" in advised.output
    Path("fruit.txt").write_text("\n".join(names))
    Path("fruit.json").write_text(json.dumps({"labels": names}))
    first, second = (
        mask_of("--model", "seven.pth", *options, "--input-size", "64")
        for options in (("--labels", "fruit.txt"), ("--task", "fruit.json"))
    )
    assert (first == second).all()
    done = run(
        export, "--variant", "tiny", "--weights", "seven.pth", "--task", "fruit.json",
        "--input-size", "64", "--format", "onnx", "--output", "out7", "--force",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    file = Path("out7/seaformer_tiny_fruit_64x64_fp32.onnx")
    metadata = read_metadata(file)
    assert isinstance(metadata, Metadata)
    assert metadata.labels == tuple(names)
    checked = run(export, "--self-check", str(file))
    assert checked.exit_code == 0, checked.output
    assert metadata.restated(labels=tuple("abcdefg")).labels == tuple("abcdefg")

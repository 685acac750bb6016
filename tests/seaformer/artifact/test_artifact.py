"""The metadata of an exported file: its type, its JSON Schema, and its readers."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from android_app import APP
from android_metadata import metadata_of
from exporting import assert_one_line, read_metadata, run_export
from hypothesis import given
from hypothesis import strategies as st
from locations import SAMPLES
from PIL import Image
from small_models import metadata, write_onnx

from seaformer.artifact.beside import read_beside
from seaformer.artifact.embedding import tflite_text
from seaformer.artifact.metadata import Metadata, Module, json_schema, parse_metadata
from seaformer.benchmark.breakdown.graph_files import open_graph
from seaformer.benchmark.breakdown.tree import build_tree
from seaformer.benchmark.candidates.candidate import open_candidate
from seaformer.bundling.assets import assets_of, write_assets
from seaformer.bundling.model import KINDS, read_model
from seaformer.cli.predict import main as predict
from seaformer.errors import SeaformerError
from seaformer.export.module_titles import titles_of
from seaformer.export.rewrite import deployment_form
from seaformer.imaging.heatmap import last_attention
from seaformer.imaging.images import read_image, sample_photograph
from seaformer.imaging.prediction import prepare_input
from seaformer.models.create import create_model
from seaformer.runtimes import open_model
from seaformer.tasks import TASKS, get_task

OLD = SAMPLES / "schema_1"
SUFFIXES = (".tflite", ".onnx")
CORE = APP / "core/src/main/kotlin/seaformer/core"


def test_it_is_read_without_torch_and_tensorflow(tmp_path: Path) -> None:
    shutil.copy(OLD / "make_tiny_64x64_fp32.tflite", tmp_path / "a.tflite")
    (tmp_path / "a.tflite.json").write_text(json.dumps(metadata("NHWC")))
    program = (
        "import sys, pathlib\n"
        "from seaformer.artifact import beside, embedding, metadata, precisions\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "assert beside.read_beside(path).task == 'colors'\n"
        "inside = metadata.parse_metadata(embedding.tflite_text(path), 'it')\n"
        "assert inside.task == 'shapes' and embedding.content_of(path)\n"
        "heavy = {'torch', 'tensorflow', 'onnxruntime', 'ai_edge_litert', 'onnx'}\n"
        "own = {name for name in sys.modules if name.startswith('seaformer.')}\n"
        "print(sorted(heavy & sys.modules.keys()), sorted(own))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a.tflite")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[] ")
    inside = re.findall(r"'seaformer\.(\w+)", done.stdout)
    writing_files = {"files", "json_text", "locks", "temporary_folders"}
    assert (
        set(inside) == {"artifact", "errors", "extras", "names", "privacy", "tasks"} | writing_files
    )


# ---- Damaged and foreign JSON --------------------------------------------------------------------

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**400, 10**401)
    | st.floats()
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def places(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the paths of all members of a JSON object, and of all elements of its arrays."""
    members = data.items() if isinstance(data, dict) else enumerate(data)
    found: list[tuple[str | int, ...]] = []
    for key, value in members:
        found.append((*path, key))
        if isinstance(value, dict | list):
            found += places(value, (*path, key))
    return found


WHOLE = json.loads((OLD / "make_tiny_64x64_fp32.json").read_text())
UPGRADED = json.loads(parse_metadata(json.dumps(WHOLE), "a sample").text())


@given(st.sampled_from(places(UPGRADED)), json_values | st.just(...))
def test_any_other_value_is_valid_or_a_clear_error(
    place: tuple[str | int, ...], value: Any
) -> None:
    data: Any = json.loads(json.dumps(UPGRADED))
    *above, last = place
    around = data
    for key in above:
        around = around[key]
    if value is ...:
        del around[last]
    else:
        around[last] = value
    refused = ""
    try:
        found = parse_metadata(json.dumps(data), "'a.onnx'")
        assert found.preprocessing.input_size == found.input.size
        assert parse_metadata(found.text(), "again") == found
    except SeaformerError as error:
        refused = str(error)
    assert not refused or re.fullmatch(r"the metadata in 'a\.onnx' .{,700}", refused, re.S)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ("[]", "has schema_version None"),
        ('{"schema_version": true}', "has schema_version True. Allowed: 1, 2"),
        ('{"schema_version": "2"}', "has schema_version '2'"),
        ('{"schema_version": 2}', "cannot be used: it has no 'title'"),
        ('{"schema_version": 1}', "cannot be used: it has no 'variant'"),
        ("[" * 100_000, "is not JSON"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "is not JSON"),
        (json.dumps(metadata(params=10**400)), "params is 1000"),
        (json.dumps(metadata(macs=-1)), "macs is -1"),
        (json.dumps(metadata(labels=[1])), "labels.0 is 1"),
        (json.dumps(metadata(palette=[[0, 0, 256]])), "palette.0.2 is 256"),
        (json.dumps(metadata(weights={})), "weights has no 'name'"),
        (json.dumps(metadata(parity=metadata()["parity"] | {"min_sqnr_db": 1e999})), "is not JSON"),
        (json.dumps(metadata() | {"input": metadata("NHWC")["input"] | {"std": [1, 0, 1]}}),
         r"input.std\[1\] is 0.0. Allowed: a number, above 0"),
    ],
)  # fmt: skip
def test_the_invalid_member_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SeaformerError, match=rf"^the metadata in 'a\.onnx' .*{message}"):
        parse_metadata(text, "'a.onnx'")
    (tmp_path / "a.onnx.json").write_text(text if "schema" in text else f'"schema_version"{text}')
    with pytest.raises(SeaformerError, match=r"^the metadata in '.*a\.onnx\.json' "):
        read_beside(tmp_path / "a.onnx")


def test_invalid_metadata_is_a_one_line_error_of_a_command(tmp_path: Path) -> None:
    write_onnx(tmp_path / "a.onnx", metadata(params=10**400))
    done = run_export("--self-check", "a.onnx", cwd=tmp_path)
    assert_one_line(done, 1, r"the metadata in 'a\.onnx' cannot be used: params is 1000")


def test_unknown_members_are_ignored() -> None:
    assert parse_metadata(json.dumps(metadata(invented={"later": 1})), "it") == parse_metadata(
        json.dumps(metadata()), "it"
    )


def test_a_damaged_archive_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    data = bytearray((OLD / "make_tiny_64x64_fp32.tflite").read_bytes())
    data[data.index(b'"schema_version"')] ^= 1
    path.write_bytes(data)
    with pytest.raises(SeaformerError, match=r"seaformer\.json is damaged: Bad CRC"):
        tflite_text(path)


@pytest.mark.parametrize("place", ["method", "flags", "data"])
def test_an_archive_that_cannot_be_unpacked_is_a_clear_error(tmp_path: Path, place: str) -> None:
    path = tmp_path / "a.tflite"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("seaformer.json", json.dumps(metadata("NHWC")))
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02")  # the directory of the archive
    start = {"method": entry + 10, "flags": entry + 8, "data": len("seaformer.json") + 30}[place]
    data[start] = {"method": 99, "flags": 1, "data": 0xFF}[place]
    path.write_bytes(data)
    with pytest.raises(SeaformerError, match=r"a\.tflite', seaformer\.json is damaged"):
        tflite_text(path)


# ---- The JSON Schema, and its reader in the app --------------------------------------------------


def test_the_schema_in_the_package_matches_the_type() -> None:
    stored = resources.files("seaformer.artifact").joinpath("metadata.schema.json").read_text()
    assert stored == json_schema(), "regenerate it: see CONTRIBUTING.md"


@pytest.mark.parametrize("task", [name for name, task in TASKS.items() if task.kind in KINDS])
def test_metadata_in_kotlins_tests_matches_the_type(task: str) -> None:
    quantized = {"dtype": "int8", "quantization": {"scale": 0.5, "zero_point": -14}}
    for changes in ({}, {"layout": "NCHW"}, {"normalization": "outside", **quantized}):
        golden = metadata_of(task, **changes)
        found = parse_metadata(json.dumps(golden), "a golden file")
        assert json.loads(found.text()) == golden


# How Kotlin reads a member -> JSON types that it accepts.
TAKES = {
    "getString": {"string"},
    "oneOf": {"string"},
    "choice": {"string"},
    "textOrNull": {"string", "null"},
    "getInt": {"integer"},
    "getLong": {"integer"},
    "getDouble": {"number"},
    "doubleOrNull": {"number", "null"},
    "number": {"number"},
    "numbers": {"array"},
    "whole": {"integer"},
    "wholes": {"array"},
    "getBoolean": {"boolean"},
    "getJSONArray": {"array"},
    "arrayOrNull": {"array", "null"},
    "getJSONObject": {"object"},
    "objectOrNull": {"object", "null"},
}
# Function in Kotlin -> the name in the schema of the object that it reads.
OBJECTS = {
    "read": "Metadata",
    "inputTensor": "Input",
    "outputTensor": "Output",
    "quantization": "Scale",
    "parityReport": "Parity",
    "modelFile": "File",
    "detectionOutput": "DetectionOutput",
    "anchorLevel": "AnchorLevel",
}
NULL_FOR_FEATURES_ONLY = {
    ("Metadata", "task"),
    *(("Input", name) for name in ("color_order", "mean", "std", "resize", "interpolation")),
}
"""Null only in files of kinds that the app refuses."""
ASKED_BEFORE = {("Input", "crop_fraction")}
"""Read only if another member implies that it is not null."""


def kotlin_source() -> str:
    return "".join(
        (CORE / f"{name}.kt").read_text() for name in ("ModelMetadata", "DetectionOutput")
    )


def reads_of_kotlin() -> set[tuple[str, str, str]]:
    """Return object, member and method of every read of the metadata in Kotlin."""
    found = set()
    for function in re.split(r"(?:private|internal) fun ", kotlin_source())[1:]:
        name = function.partition("(")[0]
        if name not in OBJECTS:
            continue
        for before, way, member in re.findall(
            r'(getJSONObject\("\w+"\)|\bit|\bjson|\bquantization)\.(\w+)\("(\w+)"', function
        ):
            around = OBJECTS[name]
            if before.startswith("getJSONObject"):
                around = {"weights": "Weights"}[re.findall(r'"(\w+)"', before)[0]]
            elif before == "it":
                around = {"Parity": "Comparison"}[around]
            elif around == "Scale" and before == "json":
                around = "Input"  # and Output, the tensor that may have a scale
            if way != "isNull":
                found.add((around, member, way))
    return found


def types_of(schema: dict[str, Any]) -> set[str]:
    if "anyOf" in schema:
        return set().union(*(types_of(one) for one in schema["anyOf"]))
    return {"object" if "$ref" in schema else schema["type"]}


def definition(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(json_schema())
    return schema if name == "Metadata" else schema["$defs"][name]


def test_members_that_kotlin_reads_have_the_expected_type() -> None:
    reads = reads_of_kotlin()
    assert len(reads) > 50
    for name in ("DetectionOutput", "AnchorLevel"):
        members = {member for around, member, _ in reads if around == name}
        assert members == set(definition(name)["properties"])
    for around, member, way in reads:
        schema = definition(around)
        is_there = member in schema["required"]
        assert is_there or way.endswith("OrNull"), f"{around} may have no {member}"
        types = types_of(schema["properties"][member])
        if (around, member) in NULL_FOR_FEATURES_ONLY | ASKED_BEFORE:
            assert "null" in types, f"{around}.{member} is never null: drop the exception"
            types -= {"null"}
        assert types == TAKES[way], f"{around}.{member} is {types}, read by {way}"


def test_values_in_kotlin_exist_in_the_schema() -> None:
    source = kotlin_source()
    enums = {
        name: {value.strip().lower() for value in values.split(",")}
        for name, values in re.findall(r"enum class (\w+) \{ (.+) \}", source)
    }
    assert enums["Kind"] < set(definition("Metadata")["properties"]["kind"]["enum"])
    assert enums["Content"] < set(definition("Output")["properties"]["content"]["enum"])
    for member in ("layout", "normalization"):
        (values,) = re.findall(rf'oneOf\("{member}", (.*?)\)', source)
        known = definition("Input")["properties"][member]["enum"]
        assert set(re.findall(r'"(\w+)"', values)) == set(known)
    version = definition("Metadata")["properties"]["schema_version"]["const"]
    assert f"SCHEMA_VERSION = {version}\n" in source


# ---- Titles of modules ---------------------------------------------------------------------------


def titles(model: Any, size: tuple[int, int] = (64, 96)) -> dict[str, Module]:
    form = deployment_form(model, size, get_task("ade20k").preprocessing, "mask").model
    return titles_of(form, model, [path for path, _ in form.named_modules()])


def test_modules_have_the_titles_and_sections_of_the_paper() -> None:
    found = titles(create_model("tiny"))
    expected = {
        "stem": "STEM",
        "stem.normalize": "normalization of the image",
        "stem.conv": "first convolution",
        "stem.stage1": "stage 1",
        "stem.stage1.0": "MobileNetV2 block 1",
        "stem.stage2.1.depthwise": "depth-wise convolution",
        "context_branch": "context branch",
        "context_branch.stage4": "stage 4",
        "context_branch.stage4.mobile_blocks": "MobileNetV2 blocks",
        "context_branch.stage5.blocks": "SeaFormer layers",
        "context_branch.stage5.blocks.1": "SeaFormer layer 2",
        "context_branch.stage5.blocks.1.attention": "squeeze-enhanced axial attention",
        "context_branch.stage5.blocks.1.attention.qkv": "qkv",
        "context_branch.stage5.blocks.1.attention.row": "attention along rows",
        "context_branch.stage5.blocks.1.attention.column": "attention along columns",
        "context_branch.stage5.blocks.1.attention.detail": "detail enhancement kernel",
        "context_branch.stage5.blocks.1.attention.detail.pointwise": "projection, 1x1",
        "context_branch.stage5.blocks.1.ffn": "feed-forward network (FFN)",
        "context_branch.stage5.blocks.1.ffn.expand": "expansion, 1x1",
        "spatial_branch": "spatial branch (fusion)",
        "spatial_branch.fusion_blocks.0": "fusion block 1",
        "light_head": "light segmentation head",
        "light_head.argmax": "arg-max",
    }
    assert {path: found[path].title for path in expected} == expected
    assert [path for path in found if "." not in path] == [
        "stem",
        "context_branch",
        "spatial_branch",
        "light_head",
    ]
    attention = found["context_branch.stage5.blocks.1.attention"]
    assert (attention.section, attention.own_title) == (
        "3.2 Squeeze-enhanced axial attention",
        "sum, gate",
    )
    # A module has the section of its parent, unless it has its own.
    assert found["stem.conv"].section == "3.1 Overall architecture (shared STEM)"
    assert found["context_branch.stage5.blocks.1.attention.row.squeeze"].section == (
        "3.2 Squeeze axial attention"
    )
    assert all(module.section for module in found.values())


def test_a_peer_has_the_titles_of_its_paper() -> None:
    model = create_model("topformer-tiny")
    found = titles(model)
    assert found["semantics_extractor.0.attention"].title == "global attention"
    assert found["token_pyramid.stages.1.0"] == Module(
        title="MobileNetV2 block 1", section="3.1 Token Pyramid Module", own_title="residual"
    )
    assert found["injections.2"].title == "semantics injection 3"


def test_a_network_without_titles_uses_its_paths(users_export: Path) -> None:
    found = read_metadata(users_export / "make_network_100x144_fp32.tflite")
    assert found.modules["blocks.0"] == Module(title="blocks.0")
    assert next(iter(found.modules)) == "features"


def test_every_operator_of_an_export_belongs_to_a_module_with_a_title(tiny_export: Path) -> None:
    files = [path for path in tiny_export.iterdir() if path.suffix in SUFFIXES]
    assert len(files) == 4
    for file in files:
        found = read_metadata(file)
        assert {one.module for one in found.operators} <= found.modules.keys()
        assert found.title == f"SeaFormer-tiny, ade20k, {found.precision}"


# ---- Files of schema 1 ---------------------------------------------------------------------------


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Copy a .tflite and an .onnx of schema 1, with the .json that they share."""
    shutil.copytree(OLD, tmp_path / "old")
    return tmp_path / "old" / "make_tiny_64x64_fp32"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_metadata_in_and_next_to_an_old_file_is_read(old: Path, suffix: str) -> None:
    path = old.with_name(f"{old.name}{suffix}")
    inside, beside = read_metadata(path), read_beside(path)
    assert beside is not None
    assert beside.file is not None
    assert beside.file.name == path.name
    assert beside.model_copy(update={"file": None}) == inside
    assert (inside.schema_version, inside.format) == (2, suffix[1:])
    assert inside.title == "old_networks:make_tiny, shapes, fp32"
    assert inside.modules == {}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_old_file_predicts(
    old: Path, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    predict(
        ["--model", f"{old}{suffix}", "--mask", "mask.png", "--heatmap", "heat.png"],
        standalone_mode=False,
    )
    for name in ("mask.png", "heat.png"):
        with Image.open(name) as image:
            assert image.size == (600, 400)
    assert Path("photograph_overlay.png").exists()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_old_file_is_benchmarked_and_broken_down(old: Path, suffix: str) -> None:
    path = old.with_name(f"{old.name}{suffix}")
    candidate = open_candidate(path, 0, 0)
    assert candidate.title == "old_networks:make_tiny, shapes, fp32"
    assert candidate.precision == "fp32"
    assert (candidate.input.source, candidate.mask_size) == ("photograph", (64, 64))
    assert candidate.metadata is not None
    tree = build_tree(
        open_graph(path, candidate.metadata).operators, candidate.title, candidate.metadata.modules
    )
    assert {"down", "classify"} <= {part.title for part in tree.children}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_old_file_is_bundled_in_the_schema_that_the_app_reads(
    old: Path, suffix: str, tmp_path: Path
) -> None:
    main = tmp_path / "app" / "app" / "src" / "main"
    main.mkdir(parents=True)
    shutil.copy(APP / "app/src/main/AndroidManifest.xml", main)
    model = read_model(old.with_name(f"{old.name}{suffix}"))
    write_assets([model], [], tmp_path / "app")
    written = json.loads((assets_of(tmp_path / "app") / "model.json").read_text())
    assert (written["schema_version"], written["format"]) == (2, suffix[1:])
    assert written["file"]["name"] == model.path.name
    assert "same_stem" not in written


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_self_check_of_an_old_file(old: Path, suffix: str) -> None:
    named = ("--model", "old_networks:make_tiny")
    done = run_export("--self-check", f"{old.name}{suffix}", *named, cwd=old.parent)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stdout


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_last_attention_of_an_old_file_is_found(old: Path, suffix: str) -> None:
    path = old.with_name(f"{old.name}{suffix}")
    with open_model(path) as session:
        assert isinstance(session.metadata, Metadata)
        x = prepare_input(read_image(sample_photograph()), session, session.metadata)
        assert last_attention(path, session, x).shape == (8, 8, 8)

"""Every parser of outside data raises only our own errors, for any data.

Real samples are truncated, altered and replaced. Tested further elsewhere: members of JSON
files (seaformer/artifact/test_json_inputs.py), what devices print, the record and the plan of the
runner, the official tool's output, and names.
"""

import io
import json
import os
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import numpy as np
import pillow_heif
import pytest
import safetensors.torch
import torch
from benchmark_parts import candidate, make_results, times_around
from corrupted_data import corrupted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from locations import SAMPLES
from PIL import Image
from profile_events import Chain
from pydantic import TypeAdapter
from small_models import metadata, write_onnx
from small_tflite import SmallModel

from seaformer.artifact.accelerators import parse_accelerators
from seaformer.artifact.chips import parse_chips
from seaformer.artifact.embedding import content_of, tflite_text
from seaformer.artifact.metadata import parse_metadata
from seaformer.benchmark.breakdown.graph import Operator
from seaformer.benchmark.breakdown.profile import read_profile
from seaformer.benchmark.breakdown.qnn_profile import read_qnn_profile
from seaformer.benchmark.devices import parsers
from seaformer.benchmark.measure.npu_faults import find_npu_fault
from seaformer.benchmark.measure.options import parse_frame_size, parse_share
from seaformer.benchmark.official_tool.output import read_output
from seaformer.benchmark.results.schema import read_results
from seaformer.benchmark.runner.record import ProfileEvent, read_record
from seaformer.benchmark.studies.attention.attention_command import parse_layers, parse_sides
from seaformer.bundling.bundle_folder import MANIFEST, require_writable
from seaformer.cli.evaluate import main as evaluate
from seaformer.cli.statement_options import read_statement
from seaformer.datasets.coco_file import CocoFile
from seaformer.datasets.image_names import read_names, write_names
from seaformer.datasets.layouts import LAYOUTS, Item
from seaformer.datasets.masks import read_mask
from seaformer.errors import SeaformerError, UsageError
from seaformer.export.lint.tflite_operators import read_operators
from seaformer.export.npu import litert_log, qnn_log
from seaformer.imaging.images import read_image
from seaformer.imaging.input_size import parse_input_size
from seaformer.imaging.photos import find_photos, mask_note
from seaformer.imaging.video_frames import read_frames
from seaformer.json_text import JsonError, parse_json
from seaformer.lines import Lines
from seaformer.models.ablation import ablated, parse_ablation
from seaformer.models.registry import REGISTRY
from seaformer.models.resolve import with_attention
from seaformer.models.seaformer.variants import get_variant
from seaformer.progress_events import StageAdvanced, read_event
from seaformer.runtimes.channel import Channel, MalformedMessageError
from seaformer.runtimes.compiled_file import read_compilation
from seaformer.runtimes.external_data import check_onnx
from seaformer.tasks import get_task
from seaformer.tasks.task_file import read_task_file
from seaformer.terminal import printable
from seaformer.training.progress import read_metrics
from seaformer.weights.checkpoint import read_checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


few = partial(
    settings,
    max_examples=50,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

# ---- samples -------------------------------------------------------------------------------------

COLORS = np.arange(16 * 12 * 3, dtype=np.uint8).reshape(12, 16, 3)
CLASSES = 100
FORMATS = {
    **{".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".avif": "AVIF", ".tif": "TIFF"},
    **{".bmp": "BMP", ".gif": "GIF", ".ppm": "PPM"},
}


def image(format: str, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated
    more = {} if format in ("BMP", "GIF", "PPM") else {"exif": exif}
    Image.fromarray(COLORS % CLASSES).convert(mode).save(file, format, **more)
    return file.getvalue()


def torn_png() -> bytes:
    """Return a PNG whose data is zeros, at which Pillow raises a SyntaxError."""
    return image("PNG", "L").partition(b"IDAT")[0][:-4] + bytes(4) + b"IDAT" + bytes(8)


def heic() -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(np.kron(COLORS, np.ones((4, 4, 1), np.uint8)))).save(
        file
    )
    return file.getvalue()


def video() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height = 32, 32
        for shade in (0, 100, 200):
            pixels = np.full((32, 32, 3), shade, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(stream.encode())
    return file.getvalue()


def array() -> bytes:
    file = io.BytesIO()
    np.save(file, COLORS)
    return file.getvalue()


def arrays() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, a=COLORS)
    return file.getvalue()


def small_onnx(folder: Path) -> bytes:
    return write_onnx(folder / "sample.onnx", metadata()).read_bytes()


def small_tflite() -> bytes:
    model = SmallModel()
    given, added = model.tensor([1, 4]), model.tensor([1, 4], values=np.ones(4, np.float32))
    axes = model.tensor([1], "INT32", np.array([1], np.int32))
    summed, found = model.tensor([1, 4]), model.tensor([1])
    model.operator("ADD", [given, added], [summed])
    model.operator("SUM", [summed, axes], [found])
    model.graph.inputs, model.graph.outputs = [given], [found]
    return model.content()


def described_tflite(folder: Path) -> bytes:
    import zipfile

    path = folder / "sample.tflite"
    path.write_bytes(small_tflite())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("seaformer.json", json.dumps(metadata("NHWC")))
    return path.read_bytes()


STATE = {"a.weight": torch.ones(2, 3), "a.num_batches_tracked": torch.tensor(1)}


MMCV = {"state_dict": STATE, "meta": {"CLASSES": ("road", "sky")}}


def pth(content: object, **options: object) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def safetensors_file() -> bytes:
    header = {"format_version": 1, "variant": "tiny", "task": get_task("shapes").to_json()}
    return safetensors.torch.save(STATE, {"seaformer": json.dumps(header)})


def events(kind: str, tags: dict[str, str | None]) -> bytes:
    fields = [
        {"start_us": 9, "elapsed_us": 9, "tag": tag, "kind": kind, "op": op, "node": place}
        for place, (tag, op) in enumerate(tags.items())
    ]
    return json.dumps(fields).encode()


QNN_LOG = b"""LogNodeSupport] Validation FAILED for 2 nodes in OrtNodeUnit (QDQ) :
\tOperator type: Mod Node name: /mod/Mod Node index: 2
\tOperator type: Add Node name: /add Node index: 3
\tREASON : QNN Mod Op only support fmod == 0 for now.
LogNodeSupport] Validation PASSED for 1 nodes
"""
LITERT_LOG = b"""QNN op validation failed: 'Neuron_69' (type=ElementWiseNeuron, operation=Relu)
  Inputs:
    [0] name="3_qnn" dtype=QNN_DATATYPE_SFIXED_POINT_16 dims=[1,8,128] per-tensor-quant
  Outputs:
LiteRT Op #51 'Add' (code=0) is not supported in Qualcomm Compiler.
"""
FAULTS = b"Stub lib id mismatch: expected (v2.51.0), detected (v2.48.0)\n0x80000406\n"
HEADER = b'{"type": "header", "line": 0, "format": 2, "cpus": [7]}'
MESSAGE = json.dumps({"a": 1, "arrays": [{"dtype": "<f4", "shape": [1, 2]}]}).encode()
RESULTS = make_results([candidate(0, "a.tflite")], {"m0": times_around(20.0, 1)}).text().encode()
OLD = SAMPLES / "schema_1"

# ---- parsers -------------------------------------------------------------------------------------


EVENT = TypeAdapter(ProfileEvent)


class NamedChain(Chain):
    """A chain whose operators are identified by name, as in an .onnx."""

    def __init__(self) -> None:
        super().__init__(["ADD", "MUL"])
        self.nodes: dict[str, Operator] = {one.name: one for one in self.operators}


def profile(graph: Chain, path: Path) -> None:
    try:
        fields = json.loads(path.read_bytes())
        validated = [
            EVENT.validate_python({"model": "m", "run": 0, "index": n, "subgraph": 0, **one})
            for n, one in enumerate(fields)
        ]
    except (ValueError, TypeError):  # refused when the record is read
        return
    read_profile(graph, [validated])


def listing(path: Path) -> None:
    layout = LAYOUTS["pascal-context"]
    root = path.parent
    named = root / "ImageSets/SegmentationContext/val.txt"
    for folder in (named.parent, root / "JPEGImages", root / "SegmentationClassContext"):
        folder.mkdir(parents=True, exist_ok=True)
    named.write_bytes(path.read_bytes())
    folders = layout.find(root, "val")
    assert folders is not None
    for _, found in layout.images(root, "val", folders):
        assert found.parent == root / "JPEGImages"


def coco(path: Path) -> None:
    for found in CocoFile(path).images(["cup", "spoon"]):
        height, width = found.objects.size
        for box in found.objects.boxes:
            assert 0 <= box.left <= box.right <= width
            assert 0 <= box.top <= box.bottom <= height


def mask(path: Path) -> None:
    photo = path.with_name("photo.jpg")
    if not photo.exists():
        Image.fromarray(COLORS).save(photo)
    classes = read_mask(Item("photo", photo, path), get_task("ade20k"))
    assert classes.shape == COLORS.shape[:2]


def message(path: Path) -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(path.read_bytes())
        there.shutdown(socket.SHUT_WR)
        with suppress(EOFError, MalformedMessageError):
            Channel(here).receive(5)


def manifest(path: Path) -> None:
    require_writable(path.parent, force=True)


def arrays_in(path: Path) -> None:
    with pytest.raises(UsageError):
        find_photos([path])


def event_line(path: Path) -> None:
    with suppress(ValueError):  # as documented
        read_event(path.read_text(errors="replace"))


def json_value(path: Path) -> None:
    with suppress(JsonError):
        parse_json(path.read_bytes())


def of_text(parse: Callable[[str], object]) -> Callable[[Path], object]:
    """Parse the output of a program, which is decoded on arrival."""
    return lambda path: parse(path.read_text(encoding="utf-8", errors="replace"))


def option(name: str, suffix: str) -> Callable[[Path], object]:
    return lambda path: read_statement(**{name: str(path.rename(path.with_suffix(suffix)))})


@dataclass(frozen=True)
class Parser:
    """A parser of outside data: the name of its file, the function, and valid samples."""

    name: str
    read: Callable[[Path], object]
    samples: Sequence[bytes] | Callable[[Path], bytes]


SAMPLE_TEXTS = [path.read_bytes() for path in sorted(SAMPLES.glob("*.txt"))]

FILES = {
    "COCO annotations": Parser(
        "a.json",
        coco,
        [
            b'{"images": [{"id": 1, "file_name": "a.jpg", "height": 9, "width": 9}], "annotations":'
            b' [{"id": 1, "image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4.5], "area": 9}],'
            b' "categories": [{"id": 2, "name": "cup"}]}'
        ],
    ),
    "ONNX Runtime's profile": Parser(
        "a",
        partial(profile, NamedChain()),
        [events("operator", {"n0": "ADD", "n1_token_4": "MUL", "c": "Cast"})],
    ),
    "LiteRT's profile": Parser(
        "a",
        partial(profile, Chain(["ADD", "MUL"])),
        [events("operator", {"ADD": None, "MUL": None})],
    ),
    "QNN's profile": Parser(
        "a.csv",
        read_qnn_profile,
        [b"".join((SAMPLES / "npu/shapes_128_fp32_SM8650.csv").read_bytes().splitlines(True)[:40])],
    ),
    "QNN's log": Parser("a", of_text(qnn_log.reasons), [QNN_LOG]),
    "the log of LiteRT's plugin": Parser("a", of_text(litert_log.refusals), [LITERT_LOG]),
    "faults of an NPU": Parser("a", of_text(find_npu_fault), [FAULTS]),
    "paths that exist": Parser(
        "a", of_text(lambda text: parsers.parse_present(text, ["/a", "/b"])), [b"/a\n/b\n0\n"]
    ),
    "values": Parser("a", of_text(parsers.parse_values), [b"/sys/a:1\n/sys/b:2\n"]),
    "switch": Parser("a", of_text(parsers.parse_switch), [b"1\n", b"null"]),
    "wakefulness": Parser("a", of_text(parsers.parse_wakefulness), [b"  mWakefulness=Awake\n"]),
    "official tool": Parser("a", of_text(read_output), SAMPLE_TEXTS),
    "record": Parser("a", of_text(lambda text: read_record(text.split("\n"))), [HEADER]),
    "results of a benchmark": Parser("results.json", read_results, [RESULTS]),
    "metadata": Parser(
        "a.onnx.json",
        lambda path: parse_metadata(path.read_bytes(), f"'{path}'"),
        [json.dumps(metadata()).encode(), (OLD / "make_tiny_64x64_fp32.json").read_bytes()],
    ),
    "description in a .tflite": Parser("a.tflite", tflite_text, described_tflite),
    "content of a .tflite": Parser("a.tflite", content_of, described_tflite),
    "content of an .onnx": Parser("a.onnx", content_of, small_onnx),
    "files that an .onnx refers to": Parser("a.onnx", check_onnx, small_onnx),
    "compilation of an .onnx": Parser("a.onnx", read_compilation, small_onnx),
    "compilation of a .tflite": Parser("a.tflite", read_compilation, described_tflite),
    "operators of a .tflite": Parser(
        "a", lambda path: read_operators(path.read_bytes(), path.name), [small_tflite()]
    ),
    "message of another process": Parser(
        "a", message, [struct.pack("<I", len(MESSAGE)) + MESSAGE + bytes(8)]
    ),
    "progress event": Parser(
        "a", event_line, [b'{"event":"stage-advanced","title":"evaluate","done":1,"total":2}']
    ),
    "JSON": Parser("a", json_value, [b'{"a": [1, 2.5, "x", null, {"b": true}]}']),
    "task": Parser("a.json", read_task_file, [json.dumps(get_task("shapes").to_json()).encode()]),
    "labels": Parser("a.json", read_task_file, [b'["road", "sky"]']),
    "names of images": Parser("a.json", read_names, [b'["a.jpg", "b.jpg"]']),
    "listing of a data set": Parser("a.txt", listing, [b"2008_000001\n2008_000002\n"]),
    "curves of a training": Parser("metrics.jsonl", read_metrics, [b'{"step": 1, "loss": 0.5}\n']),
    "manifest of a library": Parser(MANIFEST, manifest, [f'{{"files": ["{MANIFEST}"]}}'.encode()]),
    "--labels a.txt": Parser("a", option("labels", ".txt"), [b"road\nsky\n"]),
    "--labels a.json": Parser("a", option("labels", ".json"), [b'["road", "sky"]']),
    "--palette a.txt": Parser("a", option("palette", ".txt"), [b"ff0000\n#00ff00\n"]),
    "--palette a.json": Parser("a", option("palette", ".json"), [b"[[255, 0, 0], [0, 1, 2]]"]),
    "mask": Parser("mask.png", mask, [image("PNG", "L"), image("PNG", "P"), image("PNG", "I;16")]),
    "photo that may be a mask": Parser("mask.png", mask_note, [image("PNG", "L"), torn_png()]),
    "array": Parser("a.npy", arrays_in, [array()]),
    "arrays": Parser("a.npz", arrays_in, [arrays()]),
    "video": Parser("a.mp4", lambda path: [*read_frames(path, 0.1)], [video()]),
    "HEIC": Parser("a.heic", read_image, [heic()]),
    ".safetensors": Parser("a.safetensors", read_checkpoint, [safetensors_file()]),
    ".pth": Parser("a.pth", read_checkpoint, [pth(MMCV)]),
    "old .pth": Parser(
        "a.pth", read_checkpoint, [pth({"model": STATE}, _use_new_zipfile_serialization=False)]
    ),
    **{
        format: Parser(f"a{suffix}", read_image, [image(format), image(format, "L")])
        for suffix, format in FORMATS.items()
    },
}
"""Name of the data -> its parser."""


@pytest.mark.parametrize("kind", FILES)
def test_no_file_makes_a_parser_raise_anything_else(kind: str, tmp_path: Path) -> None:
    parser = FILES[kind]
    source = parser.samples
    samples = [source(tmp_path)] if callable(source) else source
    path = tmp_path / parser.name

    def read(data: bytes) -> None:
        path.write_bytes(data)
        parser.read(path)

    for sample in samples:
        read(sample)  # every sample is valid

    @few()
    @given(corrupted(samples))
    def check(data: bytes) -> None:
        try:
            read(data)
        except SeaformerError as error:
            message = str(error)
            assert message
            assert len(message) < 3000

    check()


# ---- options -------------------------------------------------------------------------------------


def shard(text: str) -> None:
    arguments = ["model.onnx", "--data", "/no/such/folder", "--shard", text]
    with pytest.raises(SeaformerError):
        evaluate(arguments, standalone_mode=False)


OPTIONS: dict[str, tuple[Callable[[str], object], str]] = {
    "--accelerator": (lambda text: parse_accelerators([text]), "cpu, gpu"),
    "--soc": (lambda text: parse_chips([text]), "SM8650,sm8550"),
    "--input-size": (parse_input_size, "512x1024"),
    "--frame": (parse_frame_size, "1280x720"),
    "--tolerance": (partial(parse_share, "--tolerance"), "0.5 %"),
    "--sides": (parse_sides, "8,16"),
    "--layers": (parse_layers, "global,axial"),
    "--attention": (lambda text: with_attention(REGISTRY["swin-tiny"], text), "axial"),
    "--ablation": (
        lambda text: ablated(get_variant("tiny"), parse_ablation([text])),
        "fusion-width=48,64",
    ),
    "--labels": (lambda text: read_statement(labels=text), "road,sky"),
    "--palette": (lambda text: read_statement(palette=text), "ff0000,#00ff00"),
    "--input-range": (lambda text: read_statement(input_range=text), "-1..1"),
    "--mean": (lambda text: read_statement(mean=text, input_range="0..1"), "0.5,0.5,0.5"),
    "--std": (lambda text: read_statement(std=text, input_range="0..1"), "0.5"),
    "--task": (lambda text: read_statement(task=text), "ade20k"),
    "--shard": (shard, "3/8"),
}
"""Option -> function that reads its value, and a valid value."""


@pytest.mark.parametrize("option", OPTIONS)
def test_no_value_of_an_option_raises_anything_else(option: str) -> None:
    read, good = OPTIONS[option]
    read(good)
    # A command line contains neither NUL nor characters that cannot be encoded.
    words = corrupted([good.encode()]).map(lambda data: os.fsdecode(data.replace(b"\0", b" ")))

    @few()
    @given(words)
    def check(text: str) -> None:
        with suppress(SeaformerError):
            read(text)

    check()


def test_a_list_that_is_too_long_for_a_file_name_is_still_a_list() -> None:
    labels = tuple(f"class {index}" for index in range(150))
    assert read_statement(labels=",".join(labels)).labels == labels


# ---- writing and reading -------------------------------------------------------------------------

NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1)


@few()
@given(NAMES)
def test_names_of_images_survive_writing_and_reading(folder: Path, names: list[str]) -> None:
    write_names(folder / "names.json", names)
    assert read_names(folder / "names.json") == tuple(names)


@few()
@given(st.text(), st.integers(0, 10**9), st.integers(1, 10**9))
def test_an_event_survives_writing_and_reading(title: str, done: int, total: int) -> None:
    event = StageAdvanced(title=title, done=done, total=total)
    assert read_event(event.model_dump_json()) == event


@few()
@given(st.binary(), st.lists(st.integers(0, 100)))
def test_lines_do_not_depend_on_the_chunks_of_the_stream(data: bytes, places: list[int]) -> None:
    whole, divided = Lines(None), Lines(None)
    whole.feed(data)
    ends = sorted({min(place, len(data)) for place in places} | {len(data)})
    for start, end in zip([0, *ends], ends, strict=False):
        divided.feed(data[start:end])
    for lines in (whole, divided):
        lines.finish()
    assert divided.all == whole.all
    assert len(whole.all) == data.count(b"\n") + bool(data.rpartition(b"\n")[2])


@few()
@given(st.text(st.characters(exclude_categories=())))
def test_printed_text_is_one_line_without_control_characters(text: str) -> None:
    shown = printable(text)
    assert printable(shown) == shown
    assert len(shown.splitlines()) <= 1
    assert not any(ord(one) < 0x20 or 0x7F <= ord(one) < 0xA0 for one in shown)
    if text.isprintable():
        assert shown == text

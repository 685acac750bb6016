"""Writes the page that runs a .tflite file in a browser: a folder for any web server.

The page has the model, its golden input and output, the built scripts of `seaformer.web`, and
LiteRT.js. It loads nothing from elsewhere. page.json describes the model; src/description.ts has
its types.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from seaformer.artifact.metadata import Interface, Metadata
from seaformer.bundling.assets import GOLDEN
from seaformer.bundling.bundle_folder import (
    WEB_MANIFEST,
    replace_folder,
    require_replaceable,
    write_manifest,
)
from seaformer.bundling.golden import (
    IMAGE_NAME,
    Golden,
    golden_image,
    require_finite,
    sample_output_of,
)
from seaformer.compiled_from_c import require_compiled
from seaformer.errors import UsageError
from seaformer.files import file_sha256
from seaformer.imaging.images import sample_photograph
from seaformer.imaging.overlay import class_color
from seaformer.imaging.prediction import prepare_input
from seaformer.locks import locked
from seaformer.packages import NodePackage, Package
from seaformer.runtimes import open_model
from seaformer.runtimes.image_session import ImageSession
from seaformer.runtimes.session import Array, Tensor
from seaformer.runtimes.stated_interface import stated_interface
from seaformer.tasks.statement import NOTHING, Statement
from seaformer.temporary_folders import temporary_folder
from seaformer.web import build

SCHEMA_VERSION = 1

KINDS = ("segmentation", "classification")
TENSOR_TYPES = ("float32", "int8", "uint8")
ID_TYPES = (*TENSOR_TYPES, "int32")

_LITERT_JS = NodePackage("@litertjs/core", "2.5.3")
LITERT_JS = Package(
    _LITERT_JS,
    "a97660833e9e7e1063c95e12016718881240b14f7438728a2f62785e912d30fd",
    11.8,
    "Apache-2.0",
    (
        # For browsers with relaxed SIMD; with threads as well; and for all others.
        "package/wasm/litert_wasm_internal.*",
        "package/wasm/litert_wasm_threaded_internal.*",
        "package/wasm/litert_wasm_compat_internal.*",
    ),
    "LiteRT.js: goes into the page for browsers",
)

RUNTIME = "runtime"
MODEL = "model.tflite"
SAMPLE = "sample.jpg"
ICON_SIDES = (192, 512)
_ICON_COLORS = ("#0072b2", "#e69f00", "#009e73")


def write_web_page(
    path: Path, folder: Path, force: bool, statement: Statement = NOTHING
) -> tuple[list[Path], str]:
    """Write the page for a .tflite file to a folder, atomically; see `require_replaceable`.

    Args:
        path: the model file. If it has no metadata, `statement` has to describe it.
        folder: the folder of the page.
        force: whether to replace an earlier page.
        statement: what the user states about the model.

    Returns:
        The files that were written, and sentences about what was assumed about the model, or "".

    Raises:
        UsageError: the page cannot run the file, or the folder may not be written.
        SeaformerError: the model cannot be run on this computer, or LiteRT.js cannot be fetched.
    """
    if path.suffix.lower() != ".tflite":
        raise UsageError(f"a browser cannot run '{path}'. Allowed: .tflite files.")
    if not path.is_file():
        raise UsageError(f"there is no file '{path}'. Make one with seaformer-export.")
    require_replaceable(folder, force, WEB_MANIFEST)
    image = golden_image()
    with open_model(path) as session:
        interface, note = stated_interface(session, statement)
        output = _run(session, interface, image)
        described = _description(path, session, interface, output)
        golden = sample_output_of(
            output,
            interface,
            described["precision"] or _assumed_precision(session),
            described["model"]["sha256"],
            f"{session.session.runtime} on the CPU of the computer that wrote this page",
        )
    described["golden"] = json.loads(golden.text(image))
    target = folder.resolve()
    built = _built()
    with locked(target.parent, wait=True), temporary_folder("web", target.parent) as temporary:
        require_replaceable(folder, force, WEB_MANIFEST)
        new = temporary / "new"
        _write_files(new, path, built, golden, image)
        _write_page_files(new, described)
        names = write_manifest(new, WEB_MANIFEST)
        replace_folder(new, target, temporary / "old")
    return [folder / name for name in names], note


def _run(session: ImageSession, interface: Interface, image: npt.NDArray[np.uint8]) -> Array:
    """Check that the page can run a model, and return its output for the golden input."""
    path = session.session.path
    for what, value, allowed, holds in _conditions(session, interface):
        if not holds:
            raise UsageError(
                f"a browser cannot run '{path}': {what} is {value}. Allowed: {allowed}. Export "
                "the model with other options."
            )
    output = session.run(prepare_input(image, session, interface))
    require_finite(output, path, "the page could not check browsers")
    fits = (
        output.ndim == 3 or (output.ndim == 4 and output.shape[3] == 1)
        if interface.meaning.gives_ids and interface.kind == "segmentation"
        else interface.meaning.gives_ids or interface.class_scores(output) is not None
    )
    if not fits or output.shape[0] != 1:
        raise UsageError(
            f"a browser cannot run '{path}': its output has the shape {list(output.shape)}, which "
            f"does not fit {len(interface.labels)} classes. State them with --labels or --task."
        )
    return output


def _conditions(
    session: ImageSession, interface: Interface
) -> Iterator[tuple[str, object, str, bool]]:
    """Yield name, value and allowed values of each condition, and whether it holds."""
    source, sink = session.session.inputs[0], session.session.outputs[0]
    yield "its task type", interface.kind, ", ".join(KINDS), interface.kind in KINDS
    compilation = interface.compilation if isinstance(interface, Metadata) else None
    chip = None if compilation is None else compilation.chip
    yield "the chip it is compiled for", chip, "none", chip is None
    yield (
        "the type of its input",
        source.dtype,
        ", ".join(TENSOR_TYPES),
        (source.dtype in TENSOR_TYPES),
    )
    yield "the type of its output", sink.dtype, ", ".join(ID_TYPES), sink.dtype in ID_TYPES


def _assumed_precision(session: ImageSession) -> str:
    """Return the precision whose thresholds apply to a file without metadata."""
    tensors = (*session.session.inputs, *session.session.outputs)
    return "int8" if any(tensor.dtype in ("int8", "uint8") for tensor in tensors) else "fp32"


def _description(
    path: Path, session: ImageSession, interface: Interface, output: Array
) -> dict[str, Any]:
    """Return page.json without the golden output and the files."""
    preprocessing = interface.preprocessing
    source, sink = session.session.inputs[0], session.session.outputs[0]
    found = interface.class_scores(output)
    weights = interface.weights
    return {
        "schema_version": SCHEMA_VERSION,
        "title": interface.title,
        "kind": interface.kind,
        "precision": interface.precision if isinstance(interface, Metadata) else None,
        "model": {
            "path": MODEL,
            "name": path.name,
            "sha256": file_sha256(path),
            "bytes": path.stat().st_size,
        },
        "runtime": {
            "name": "LiteRT.js",
            "version": _LITERT_JS.version,
            "license": LITERT_JS.license,
            "archive": _LITERT_JS.archive,
            "sha256": LITERT_JS.sha256,
        },
        "seaformer": version("seaformer"),
        "facts": interface.facts if isinstance(interface, Metadata) else {},
        "input": {
            **_tensor(source, (1, *_sides(session))),
            "layout": session.layout,
            "normalization": interface.input.normalization,
            "color_order": preprocessing.color_order,
            "mean": list(preprocessing.mean),
            "std": list(preprocessing.std),
            "resize": preprocessing.resize,
            "interpolation": preprocessing.interpolation,
            "crop_fraction": preprocessing.crop_fraction,
        },
        "output": {
            **_tensor(sink, output.shape),
            "content": interface.meaning.content,
            "threshold": interface.meaning.threshold,
            "class_axis": None if found is None else found[1],
        },
        "labels": list(interface.labels),
        "colors": [class_color(index, interface.palette) for index in range(len(interface.labels))],
        "weights": None
        if weights is None
        else {
            "name": weights.name,
            "source": weights.source,
            "is_random": weights.is_random,
            "note": weights.note,
        },
        "sample": SAMPLE,
    }


def _sides(session: ImageSession) -> tuple[int, int, int]:
    height, width = session.input_shape
    is_first = session.layout == "NCHW"
    return (session.channels, height, width) if is_first else (height, width, session.channels)


def _tensor(tensor: Tensor, shape: tuple[int, ...]) -> dict[str, Any]:
    integers = tensor.integers
    return {
        "shape": list(shape),
        "dtype": tensor.dtype,
        "quantization": None if integers is None else integers.model_dump(),
    }


def _built() -> Path:
    """Return the folder of the built page: it is part of the package; a clone builds it."""
    first = build.HERE / "bin" / build.FILES[0]
    require_compiled(
        first,
        build.FINGERPRINT,
        build.fingerprint,
        lambda: build.build(first.parent),
        title=build.TITLE,
    )
    return first.parent


def _write_files(
    new: Path, model: Path, built: Path, golden: Golden, image: npt.NDArray[np.uint8]
) -> None:
    shutil.copytree(build.HERE / "static", new, copy_function=shutil.copyfile)
    for name in build.FILES:
        shutil.copyfile(built / name, new / name)
    shutil.copyfile(model, new / MODEL)
    shutil.copyfile(sample_photograph(), new / SAMPLE)
    runtime = LITERT_JS.files() / "package" / "wasm"
    shutil.copytree(runtime, new / RUNTIME, copy_function=shutil.copyfile)
    (new / GOLDEN).mkdir()
    (new / GOLDEN / IMAGE_NAME).write_bytes(image.tobytes())
    (new / GOLDEN / "model.bin").write_bytes(golden.values.tobytes())
    for side in ICON_SIDES:
        _icon(side).save(new / f"icon_{side}.png")


def _write_page_files(new: Path, described: dict[str, Any]) -> None:
    """Write page.json, with a version that differs if any file of the page does."""
    paths = sorted(path for path in new.rglob("*") if path.is_file())
    names = [path.relative_to(new).as_posix() for path in paths]
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name, path in zip(names, paths, strict=True):
        digest.update(f"{name}\0{file_sha256(path)}".encode())
    described |= {
        "version": digest.hexdigest()[:16],
        "files": [name for name in names if not name.startswith(f"{RUNTIME}/")],
    }
    (new / "page.json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")


def _icon(side: int) -> Image.Image:
    """Draw the icon of the installed page: an image in three segments."""
    icon = Image.new("RGB", (side, side), _ICON_COLORS[0])
    draw = ImageDraw.Draw(icon)
    draw.rectangle((0, round(0.58 * side), side, side), fill=_ICON_COLORS[2])
    box = [round(part * side) for part in (0.3, 0.24, 0.72, 0.66)]
    draw.ellipse(box, fill=_ICON_COLORS[1])
    return icon

"""Writes an Android library module: models, the sources that run them, and a README."""

import json
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seaformer.bundling import jni_library
from seaformer.bundling.assets import refuse_one_name, write_models
from seaformer.bundling.bundle_folder import replace_folder, require_writable, write_manifest
from seaformer.bundling.model import Model
from seaformer.compiled_from_c import require_compiled
from seaformer.locks import locked
from seaformer.temporary_folders import temporary_folder

SETTINGS = ("settings.gradle.kts", "settings.gradle")

_KOTLIN = Path("src", "main", "kotlin", "seaformer")
_LIBRARY = _KOTLIN / "library"
_ASSETS = Path("src", "main", "assets", "seaformer")
_TEMPLATE = ".jinja"


@dataclass(frozen=True)
class _Runtime:
    """The Kotlin sources that run files of one format.

    Attributes:
        opener: the object that opens files, and the stem of its source file.
        segmenter: the class of the app that runs them, and the stem of its source file.
    """

    opener: str
    segmenter: str


_RUNTIMES: Mapping[str, _Runtime] = {
    ".tflite": _Runtime("LiteRtModels", "LiteRtSegmenter"),
    ".onnx": _Runtime("OnnxModels", "OrtSegmenter"),
}


def write_library(models: Sequence[Model], folder: Path, force: bool) -> list[Path]:
    """Write a module with models to a folder, atomically; see `require_writable`.

    Returns:
        The files that were written.

    Raises:
        UsageError: the folder may not be written, or two models have the same name.
        SeaformerError: the C library is missing and cannot be compiled, or a model cannot be run
            on this computer.
    """
    require_writable(folder, force)
    refuse_one_name(models)
    target = folder.resolve()
    libraries = {abi: _mask_library(abi) for abi in jni_library.ABIS}
    with (
        locked(target.parent, wait=True),
        temporary_folder("library", target.parent) as temporary,
    ):
        require_writable(folder, force)
        new = temporary / "new"
        _write_sources(new, models)
        _fill_templates(new, models, target.name)
        for abi, library in libraries.items():
            to = new / "src" / "main" / "jniLibs" / abi
            to.mkdir(parents=True)
            shutil.copyfile(library, to / library.name)
        write_models(models, new / _ASSETS)
        names = write_manifest(new)
        replace_folder(new, target, temporary / "old")
    return [folder / name for name in names]


def next_steps(models: Sequence[Model], folder: Path) -> list[str]:
    """Return the lines to add to a project's build files; they are valid Kotlin and Groovy."""
    target = folder.resolve()
    settings = [f'include(":{target.name}")']
    if not any((target.parent / name).is_file() for name in SETTINGS):
        place = _kotlin_text(target.as_posix())
        settings.append(f'project(":{target.name}").projectDir = file({place})')
    return ["// settings.gradle.kts", *settings, "", *_lines_of_app(models, target.name)]


def _lines_of_app(models: Sequence[Model], name: str) -> list[str]:
    dependency = f'    implementation(project(":{name}"))'
    lines = ["// build.gradle.kts of the app", "dependencies {", dependency, "}"]
    if ".onnx" in _formats(models):  # the Android build never compresses .tflite
        lines += ["android {", '    androidResources { noCompress.add("onnx") }', "}"]
    return lines


def _formats(models: Sequence[Model]) -> set[str]:
    return {model.path.suffix.lower() for model in models}


def _kotlin_text(text: str) -> str:
    """Return a text as a string literal that is valid in Kotlin and Groovy."""
    return json.dumps(text, ensure_ascii=False).replace("$", "\\$")


def _mask_library(abi: str) -> Path:
    """Return the C library for an ABI: it is part of the package; a clone compiles it."""
    library = jni_library.HERE / "bin" / abi / jni_library.NAME
    return require_compiled(
        library,
        jni_library.FINGERPRINT,
        jni_library.fingerprint,
        lambda: jni_library.build(abi, library),
        title=f"the C mask computation for {abi}",
    )


def _write_sources(new: Path, models: Sequence[Model]) -> None:
    sources = jni_library.app_sources()
    shutil.copytree(sources / "library", new, copy_function=shutil.copyfile)
    core = sources / "core" / "src" / "main" / "kotlin" / "seaformer"
    shutil.copytree(core, new / _KOTLIN, dirs_exist_ok=True, copy_function=shutil.copyfile)
    for path in jni_library.c_sources():
        shutil.copyfile(path, new / "src" / "main" / "c" / path.name)
    app = sources / "app" / "src" / "main" / "kotlin" / "seaformer" / "demo"
    used = []
    for suffix, runtime in _RUNTIMES.items():
        if suffix in _formats(models):
            used.append(runtime.opener)
            text = (app / f"{runtime.segmenter}.kt").read_text(encoding="utf-8")
            text = text.replace("package seaformer.demo\n", "package seaformer.library\n", 1)
            (new / _LIBRARY / f"{runtime.segmenter}.kt").write_text(text, encoding="utf-8")
        else:
            (new / _LIBRARY / f"{runtime.opener}.kt").unlink()
    (new / _LIBRARY / "Runtimes.kt").write_text(
        "package seaformer.library\n\n"
        "/** The runtimes of the models in this module. */\n"
        f"internal val RUNTIMES: List<ModelRuntime> = listOf({', '.join(used)})\n",
        encoding="utf-8",
    )


def _fill_templates(new: Path, models: Sequence[Model], name: str) -> None:
    import jinja2

    catalog = jni_library.app_sources() / "gradle" / "libs.versions.toml"
    versions = tomllib.loads(catalog.read_text(encoding="utf-8"))
    values = {
        "module": name,
        "models": models,
        "formats": _formats(models),
        "lines_of_app": _lines_of_app(models, name),
        "abis": list(jni_library.ABIS),
        "versions": versions["versions"],
        "libraries": _coordinates(versions),
    }
    templates = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, trim_blocks=True
    )
    for path in sorted(new.glob(f"*{_TEMPLATE}")):
        text = templates.from_string(path.read_text(encoding="utf-8")).render(values)
        path.with_suffix("").write_text(text, encoding="utf-8")
        path.unlink()


def _coordinates(catalog: Mapping[str, Any]) -> dict[str, str]:
    """Return the Gradle coordinates (group:name:version) of each library of a version catalog."""
    versions = catalog["versions"]
    return {
        name: f"{library['module']}:{versions[library['version']['ref']]}"
        for name, library in catalog["libraries"].items()
    }

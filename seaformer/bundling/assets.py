"""The app's assets: models, their JSON files, golden inputs and outputs, and sample images.

The JSON files of the models are model.json, model_2.json, model_3.json, ...;
the app lists the models in this order. The golden output of a model has the same name in the
folder `GOLDEN`.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from seaformer.bundling.app_sources import how_to_get_app, is_app
from seaformer.bundling.golden import compute_golden, golden_image, write_golden
from seaformer.bundling.model import RUNTIMES, Model
from seaformer.errors import UsageError
from seaformer.imaging.images import FORMATS, open_image, read_image, sample_photograph
from seaformer.locks import locked
from seaformer.names import path_in
from seaformer.temporary_folders import temporary_folder

SAMPLES = "samples"
GOLDEN = "golden"
MADE_SCENES = 3

READ_BY_ANDROID = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
"""Image formats, by their Pillow names, that Android 7 and later decode."""


def assets_of(app: Path) -> Path:
    """Return the folder from which Gradle takes the assets; it need not exist.

    Raises:
        UsageError: `app` is not the folder of the app.
    """
    if not is_app(app):
        raise UsageError(f"'{app}' is not the folder of the app. {how_to_get_app()}")
    return app / "app" / "src" / "main" / "assets"


def write_assets(models: Sequence[Model], images: Sequence[Path], app: Path) -> list[Path]:
    """Put models into the app, and remove the models of earlier bundles.

    The first sample is the bundled photo, which the app's benchmark uses. For models of the
    procedural scenes, which are not trained on photos, scenes are added.

    Returns:
        The files that were written.

    Raises:
        UsageError: two models have the same name, the folder has files that were not written by
            seaformer-bundle, or an image cannot be read.
        SeaformerError: a model cannot be run on this computer.
    """
    folder = assets_of(app)
    refuse_one_name(models)
    for image in images:
        _refuse_unreadable(image)
    with (
        locked(folder.parent, wait=True),
        temporary_folder("assets", folder.parent) as temporary,
    ):
        _refuse_foreign(folder)
        new = temporary / "new"
        (new / SAMPLES).mkdir(parents=True)
        write_models(models, new)
        _write_samples(new / SAMPLES, models, images)
        if folder.is_dir():
            folder.rename(temporary / "old")
        new.rename(folder)
        return sorted(path for path in folder.rglob("*") if path.is_file())


def write_models(models: Sequence[Model], folder: Path) -> None:
    """Write models with their JSON files, golden inputs and outputs into an assets folder.

    Raises:
        SeaformerError: a model cannot be run on this computer.
    """
    (folder / GOLDEN).mkdir(parents=True)
    golden_input = golden_image()
    for number, model in enumerate(models, 1):
        shutil.copyfile(model.path, path_in(folder, model.name, "the name of the model"))
        stem = "model" if number == 1 else f"model_{number}"
        (folder / f"{stem}.json").write_text(model.metadata.text(), encoding="utf-8")
        write_golden(folder / GOLDEN, stem, compute_golden(model, golden_input), golden_input)


def _write_samples(folder: Path, models: Sequence[Model], images: Sequence[Path]) -> None:
    shutil.copyfile(sample_photograph(), folder / "00_photograph.jpg")
    if any(model.metadata.task in ("shapes", "shapes-detection") for model in models):
        from seaformer.datasets.shapes import ShapesDataset

        scenes = ShapesDataset("val")
        for index in range(MADE_SCENES):
            Image.fromarray(scenes[index][0]).save(folder / f"01_scene_{index}.png")
    for number, image in enumerate(images):
        # The app detects the format of an image from its content; the suffix does not matter.
        shutil.copyfile(image, folder / f"02_{number:02d}{image.suffix.lower()}")


def refuse_one_name(models: Sequence[Model]) -> None:
    """Check that the models' names are unique, also on case-insensitive file systems."""
    by_name: dict[str, Model] = {}
    for model in models:
        other = by_name.setdefault(model.name.lower(), model)
        if other is not model:
            raise UsageError(
                f"'{other.path}' and '{model.path}' would both be named '{model.name}' in the app. "
                "Give one of them, or export the other under another name."
            )


def _refuse_unreadable(image: Path) -> None:
    read_image(image)
    with image.open("rb") as file, open_image(file, image, FORMATS) as opened:
        if opened.format not in READ_BY_ANDROID:
            raise UsageError(
                f"'{image}' is {opened.format}, which not every phone can decode. Allowed as a "
                f"sample: {', '.join(READ_BY_ANDROID)}. Convert it."
            )


def _refuse_foreign(folder: Path) -> None:
    """Check that all files in the folder, which will be replaced, were written by this command."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        is_ours = path.name in (SAMPLES, GOLDEN) or re.fullmatch(r"model(_\d+)?\.json", path.name)
        if not is_ours and path.suffix not in RUNTIMES:
            raise UsageError(
                f"'{path}' was not written by seaformer-bundle, which replaces the whole folder. "
                "Move it elsewhere."
            )

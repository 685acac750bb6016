"""The app's assets: models, the JSON of each, its golden input and output, and sample images.

The JSON of the first model is model.json, those of others are model_2.json, model_3.json, ...; the
app offers them in this order. The golden output of each has the same name in a folder of its own.
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
"""Formats of images, as Pillow names them, that Android 7 and all after it read."""


def assets_of(app: Path) -> Path:
    """Return the folder that Gradle takes assets from; it need not exist.

    Raises:
        UsageError: `app` is not the app.
    """
    if not is_app(app):
        raise UsageError(f"'{app}' is not the app. {how_to_get_app()}")
    return app / "app" / "src" / "main" / "assets"


def write_assets(models: Sequence[Model], images: Sequence[Path], app: Path) -> list[Path]:
    """Put models into the app, in place of those before.

    The first sample is the photograph of the package, which the app's benchmark takes. Scenes are
    drawn for models of the task "shapes", which know nothing of photographs.

    Returns:
        The files that were written.

    Raises:
        UsageError: two models have one name, the folder has something in it that no bundle put
            there, or an image cannot be read.
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
    """Write models, the JSON of each, and its golden input and output into a folder of assets.

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
    if any(model.metadata.task == "shapes" for model in models):
        from seaformer.datasets.shapes import ShapesDataset

        scenes = ShapesDataset("val")
        for index in range(MADE_SCENES):
            Image.fromarray(scenes[index][0]).save(folder / f"01_scene_{index}.png")
    for number, image in enumerate(images):
        # The app tells the kind of an image by its content, so its suffix may stay as it is.
        shutil.copyfile(image, folder / f"02_{number:02d}{image.suffix.lower()}")


def refuse_one_name(models: Sequence[Model]) -> None:
    """Check that the app can open each model by its name, on file systems without cases too."""
    by_name: dict[str, Model] = {}
    for model in models:
        other = by_name.setdefault(model.name.lower(), model)
        if other is not model:
            raise UsageError(
                f"'{other.path}' and '{model.path}' are both called '{model.name}' in the app. "
                "Give one of them, or export the other under another name."
            )


def _refuse_unreadable(image: Path) -> None:
    read_image(image)
    with image.open("rb") as file, open_image(file, image, FORMATS) as opened:
        if opened.format not in READ_BY_ANDROID:
            raise UsageError(
                f"not every phone reads '{image}', which is {opened.format}. Allowed as a "
                f"sample: {', '.join(READ_BY_ANDROID)}. Convert it."
            )


def _refuse_foreign(folder: Path) -> None:
    """Check that nothing would be thrown away but what a bundle put there."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        is_ours = path.name in (SAMPLES, GOLDEN) or re.fullmatch(r"model(_\d+)?\.json", path.name)
        if not is_ours and path.suffix not in RUNTIMES:
            raise UsageError(
                f"'{path}' was not put there by seaformer-bundle, which keeps that folder for "
                "itself. Move it elsewhere."
            )

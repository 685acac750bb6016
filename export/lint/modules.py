"""The module of each operator of a file, if its metadata records it."""

from collections.abc import Mapping

from seaformer.artifact.embedding import text_inside
from seaformer.artifact.metadata import parse_metadata


def modules_of(model: bytes, name: str) -> Mapping[int, str]:
    """Return operator -> path of its module, from the metadata of a .tflite file.

    Args:
        model: content of the file.
        name: name of the file, for errors.

    Raises:
        SeaformerError: the metadata is damaged.
    """
    text = text_inside(model, name)
    if text is None:
        return {}
    return {one.index: one.module for one in parse_metadata(text, f"'{name}'").operators}

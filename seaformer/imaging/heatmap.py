"""The heat map of a network's last attention layer: where on the photograph it answers most.

The layer's output is averaged over its channels, scaled so that the least is 0 and the largest 255,
and resized to the photograph. Such a map shows the place of a response and not its meaning: the
average mixes channels that stand for different things.

A checkpoint's layer is asked while it runs. An exported file says in its metadata which of its
operators belong to which module, so there the output of the layer's last operator is read.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from seaformer.artifact.metadata import Metadata
from seaformer.errors import SeaformerError
from seaformer.files import atomic_write
from seaformer.runtimes import RUNTIMES, ImageSession, is_checkpoint

ATTENTION = "attention"
"""What a module is called, in any network of ours, whose output can be drawn."""

INFERNO = "000004 1b0c41 4a0c6b 781c6d a52c60 cf4446 ed6925 fb9b06 f7d13d fcffa4"
"""Colours from dark to light, to be interpolated: equal steps look equal, to the colour-blind and
in print too. Source: Smith and van der Walt, matplotlib's "inferno", CC0."""

_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE", "QuantizeLinear", "DequantizeLinear", "Cast")
"""Types of operators that only change how numbers are stored."""

Array = npt.NDArray[np.float32]


def last_attention(path: Path, session: ImageSession, x: Array) -> Array:
    """Run a model and return what its last attention layer gives.

    `path` is the model's file, or the name of the network; `x` is as `ImageSession.run` takes it.

    Returns:
        float32 [C, h, w].

    Raises:
        SeaformerError: the model has no attention layer, or the file does not say where it is.
    """
    output = session.fetch(_last_layer(path, session), x)
    if output.ndim != 4 or output.shape[0] != 1:
        raise SeaformerError(
            f"the last attention layer of '{path}' gives a tensor of shape {list(output.shape)}, "
            "which is no map of the image."
        )
    features: Array = output[0].astype(np.float32)
    # The converter has channels last throughout.
    return features.transpose(2, 0, 1) if path.suffix.lower() == ".tflite" else features


def heat(features: Array, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Average float32 [C, h, w] over the channels, scale to 0..255 and resize bilinearly.

    Returns:
        uint8 of height and width `size`; all 0 if the average is the same everywhere.

    Raises:
        SeaformerError: a value is not finite.
    """
    from PIL import Image

    mean = features.mean(axis=0, dtype=np.float64)
    if not np.isfinite(mean).all():
        raise SeaformerError(
            "the last attention layer gives values that are not finite. The weights are damaged, "
            "or the precision is too low for them: export with fp32."
        )
    span = mean.max() - mean.min()
    scaled = (mean - mean.min()) * (255 / span if span else 0.0)
    grid = Image.fromarray(scaled.astype(np.float32))
    resized = grid.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized).round().clip(0, 255).astype(np.uint8)


def save_heatmap(path: Path, values: npt.NDArray[np.uint8], replace: bool = False) -> None:
    """Write a .png that shows values in colour and holds them as its palette's indices.

    The values are uint8 [H, W]. A file that is there is replaced, or else a UsageError.
    """
    from PIL import Image

    anchors = np.array([list(bytes.fromhex(color)) for color in INFERNO.split()])
    places = np.linspace(0, 255, len(anchors))
    channels = [np.interp(np.arange(256), places, channel) for channel in anchors.T]
    image = Image.fromarray(values)
    image.putpalette(np.stack(channels, axis=1).round().astype(np.uint8).tobytes())
    with atomic_write(path, replace=replace) as temporary:
        image.save(temporary)


def _last_layer(path: Path, session: ImageSession) -> str:
    """Key of what the last attention layer gives, for `fetch`."""
    if path.suffix.lower() not in RUNTIMES or is_checkpoint(path):  # no suffix: a network's name
        from seaformer.runtimes.pytorch import PyTorchSession

        assert isinstance(session.session, PyTorchSession)  # what opens files of these suffixes
        modules = [name for name, _ in session.session.network.named_modules()]
        layers = [name for name in modules if name.split(".")[-1] == ATTENTION]
        if not layers:
            raise _no_attention(path)
        return layers[-1]
    operators = session.metadata.operators if isinstance(session.metadata, Metadata) else ()
    found = [
        one.index
        for one in operators
        if ATTENTION in one.module.split(".") and one.type not in _CONVERSIONS
    ]
    if not found:
        raise _no_attention(path)
    return session.session.computed_by(max(found))


def _no_attention(path: Path) -> SeaformerError:
    return SeaformerError(
        f"'{path}' names no attention layer, so there is no heat map. It needs a checkpoint, or a "
        "file of seaformer-export, of a network with attention."
    )

"""Heat map: activation map of the last attention layer of a network.

The output of the layer is averaged over its channels, scaled from the minimum at 0 to the maximum
at 255, and resized to the photo. Such a map shows the place of a response but not its meaning,
because the average mixes channels with different meanings.

In a checkpoint, the output of the layer is captured while the network runs. The metadata of an
exported file maps operators to modules, so the output of the layer's last operator is read.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from seaformer.artifact.metadata import Metadata
from seaformer.errors import SeaformerError
from seaformer.files import atomic_write
from seaformer.runtimes import RUNTIMES, ImageSession, is_checkpoint

ATTENTION = "attention"
"""Name of the attention modules in all networks of the registry."""

INFERNO = "000004 1b0c41 4a0c6b 781c6d a52c60 cf4446 ed6925 fb9b06 f7d13d fcffa4"
"""Colors from dark to light, to be interpolated. The map is perceptually uniform, also for
color-blind people and in print. Source: Smith and van der Walt, matplotlib's "inferno", CC0."""

_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE", "QuantizeLinear", "DequantizeLinear", "Cast")
"""Types of operators that only change the number format."""

Array = npt.NDArray[np.float32]


def last_attention(path: Path, session: ImageSession, x: Array) -> Array:
    """Run a model and return the output of its last attention layer.

    `path` is the file of the model, or the name of the network; `x` is an input for
    `ImageSession.run`.

    Returns:
        float32 [C, h, w].

    Raises:
        SeaformerError: the model has no attention layer, or the file does not record where it is.
    """
    output = session.fetch(_last_layer(path, session), x)
    if output.ndim != 4 or output.shape[0] != 1:
        raise SeaformerError(
            f"the last attention layer of '{path}' returns a tensor of shape "
            f"{list(output.shape)}, which is not a feature map."
        )
    features: Array = output[0].astype(np.float32)
    # In .tflite files, channels are last.
    return features.transpose(2, 0, 1) if path.suffix.lower() == ".tflite" else features


def heat(features: Array, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Average float32 [C, h, w] over the channels, scale to 0..255 and resize bilinearly.

    Returns:
        uint8 of height and width `size`; all 0 if the average is constant.

    Raises:
        SeaformerError: a value is not finite.
    """
    from PIL import Image

    mean = features.mean(axis=0, dtype=np.float64)
    if not np.isfinite(mean).all():
        raise SeaformerError(
            "the output of the last attention layer has values that are not finite. The weights "
            "are damaged, or the precision is too low for them: export with fp32."
        )
    span = mean.max() - mean.min()
    scaled = (mean - mean.min()) * (255 / span if span else 0.0)
    grid = Image.fromarray(scaled.astype(np.float32))
    resized = grid.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized).round().clip(0, 255).astype(np.uint8)


def save_heatmap(path: Path, values: npt.NDArray[np.uint8], replace: bool = False) -> None:
    """Write values, uint8 [H, W], as the palette indices of a colored .png.

    An existing file is replaced with `replace`, and otherwise raises UsageError.
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
    """Return the key of the last attention layer's output, for `fetch`."""
    if path.suffix.lower() not in RUNTIMES or is_checkpoint(path):  # no suffix: network name
        from seaformer.runtimes.pytorch import PyTorchSession

        assert isinstance(session.session, PyTorchSession)  # opens files with these suffixes
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
        f"'{path}' names no attention layer, so there is no heat map. Give a checkpoint, or a file "
        "of seaformer-export, of a network with attention."
    )

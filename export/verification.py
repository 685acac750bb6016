"""Does the exported file compute what PyTorch computes?

The reference is the training form in float64: PyTorch's own float32 is as far from it as a good
export is, and would blame the export for its own rounding. Inputs are a real photograph and seeded
noise.
"""

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from seaformer.errors import SeaformerError
from seaformer.export.formats import Precision
from seaformer.export.metadata import Comparison
from seaformer.images import read_image, sample_photograph
from seaformer.metrics import sqnr_db
from seaformer.preprocessing import normalize, prepare
from seaformer.runtimes import Session
from seaformer.tasks import Preprocessing

NOISE_SEEDS = (0, 1)
REFERENCE = "PyTorch, training form, float64"


@dataclass(frozen=True)
class Sample:
    """An input, and what the training form makes of it.

    Attributes:
        name: what the input is.
        input: float32 [1, 3, H, W], as the exported file takes it.
        reference: float64 logits, channels first, or integer class ids.
        pytorch_float32_sqnr_db: of PyTorch's own float32; None for class ids.
        logits_shape: of the logits, channels first, also where the reference is class ids.
    """

    name: str
    input: np.ndarray
    reference: np.ndarray
    pytorch_float32_sqnr_db: float | None
    logits_shape: tuple[int, ...]


@torch.no_grad()
def make_samples(
    model: nn.Module,
    preprocessing: Preprocessing,
    size: tuple[int, int],
    inside: bool,
    head: str = "logits",
) -> list[Sample]:
    """Run the training form in float64 on the photograph and on noise.

    Args:
        model: the training form, in eval mode; it is left as it is.
        preprocessing: how a photograph becomes the input.
        size: height and width of the input.
        inside: whether the exported file normalises the picture itself, and so takes 0..255.
        head: what the exported file ends with, see `seaformer.export.heads`.

    Raises:
        SeaformerError: the model's output is not one tensor, or not finite.
    """
    exact = copy.deepcopy(model).double()
    with _one_thread():
        return _run(model, exact, preprocessing, size, inside, head)


def _run(
    model: nn.Module,
    exact: nn.Module,
    preprocessing: Preprocessing,
    size: tuple[int, int],
    inside: bool,
    head: str,
) -> list[Sample]:
    pictures = {"photograph": prepare(read_image(sample_photograph()), preprocessing, size)}
    for seed in NOISE_SEEDS:
        noise = np.random.default_rng(seed).integers(0, 256, (*size, 3))
        pictures[f"noise, seed {seed}"] = noise.astype(np.float32)
    samples = []
    for name, picture in pictures.items():
        given = picture if inside else normalize(picture, preprocessing)
        x = torch.from_numpy(given.astype(np.float64))
        if inside:
            mean = torch.tensor(preprocessing.mean, dtype=x.dtype)
            std = torch.tensor(preprocessing.std, dtype=x.dtype)
            x = (x - mean) / std
        x = x.permute(2, 0, 1)[None]
        logits = exact(x)
        if not isinstance(logits, torch.Tensor):
            raise SeaformerError(
                f"the model returns {type(logits).__name__}, an export needs one tensor. "
                "Wrap the model so that its forward returns the logits only."
            )
        if not torch.isfinite(logits).all():
            raise SeaformerError(
                f"the model's output for the {name} is not finite, so no export of it can be "
                "checked. Look at the weights."
            )
        channels_first = np.ascontiguousarray(given.transpose(2, 0, 1)[None])
        own = None
        if head == "logits":
            own = sqnr_db(logits.numpy(), model(x.float()).double().numpy())
        reference = _decide(logits, head, size).numpy()
        samples.append(Sample(name, channels_first, reference, own, tuple(logits.shape)))
    return samples


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch compute with one thread.

    Its float64 depth-wise convolution starts the threads anew for every channel; on a computer that
    is busy otherwise they wait for each other, and a second of work was seen to take forty.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _decide(logits: torch.Tensor, head: str, size: tuple[int, int]) -> torch.Tensor:
    if head == "mask":
        logits = F.interpolate(logits, size, mode="bilinear", align_corners=False)
    return logits if head == "logits" else logits.argmax(1)


def compare(session: Session, sample: Sample) -> Comparison:
    """Run an exported file on a sample and measure how far it is from the reference.

    Raises:
        SeaformerError: the output has another shape than the reference.
    """
    x = sample.input if session.layout == "NCHW" else sample.input.transpose(0, 2, 3, 1)
    output = session.run(np.ascontiguousarray(x))
    gives_classes = np.issubdtype(sample.reference.dtype, np.integer)
    if session.layout == "NHWC" and output.ndim > 2 and not gives_classes:
        output = np.moveaxis(output, -1, 1)
    if output.shape != sample.reference.shape:
        raise SeaformerError(
            f"the exported file gives an output of shape {list(output.shape)} where PyTorch gives "
            f"{list(sample.reference.shape)}"
        )
    if gives_classes:
        agreement = float((output == sample.reference).mean())
        return Comparison(
            input=sample.name,
            max_abs_error=None,
            sqnr_db=None,
            argmax_agreement=agreement,
            pytorch_float32_sqnr_db=None,
        )
    output = output.astype(np.float64)
    return Comparison(
        input=sample.name,
        max_abs_error=float(np.abs(output - sample.reference).max()),
        sqnr_db=sqnr_db(sample.reference, output),
        argmax_agreement=float((output.argmax(1) == sample.reference.argmax(1)).mean()),
        pytorch_float32_sqnr_db=sample.pytorch_float32_sqnr_db,
    )


def passes(comparisons: list[Comparison], precision: Precision) -> bool:
    """Whether every comparison reaches the bars of the precision."""
    return all(
        (comparison.sqnr_db is None or comparison.sqnr_db >= precision.min_sqnr_db)
        and comparison.argmax_agreement >= precision.min_agreement
        for comparison in comparisons
    )

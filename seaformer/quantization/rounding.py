"""Fake quantization in PyTorch with the same rounding as in exported files.

Gradients pass through the rounding unchanged, except where a value saturates.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from seaformer.artifact.metadata import Scale
from seaformer.artifact.precisions import Precision
from seaformer.quantization.saturation import finest_steps, unsaturated_steps
from seaformer.tasks import Preprocessing

LOWEST, HIGHEST = -128, 127
"""Range of the integers of an activation. Files with unsigned integers add 128 to all of them."""

DEPTHWISE_BITS = 8
"""Width of the weights of depth-wise convolutions in all files: LiteRT's quantizer supports no
narrower weights for them."""


class _RoundToScale(torch.autograd.Function):
    """Round to multiples of a scale, and saturate.

    The gradient of the scale is the one in "Learned Step Size Quantization" (Esser et al., 2020).
    It is taken with respect to the logarithm of the scale, as in "Trained Quantization Thresholds"
    (Jain et al., 2020), so that the optimizer changes every scale in proportion to its size.
    """

    @staticmethod
    def forward(ctx, x: Tensor, log_step: Tensor, zero_point: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        step = log_step.exp()
        integers = (x / step).round_().add_(zero_point)
        is_inside = (integers >= LOWEST) & (integers <= HIGHEST)
        rounded = integers.clamp_(LOWEST, HIGHEST).sub_(zero_point).mul_(step)
        ctx.save_for_backward(is_inside, rounded - x * is_inside)
        return rounded

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, None]:  # type: ignore[no-untyped-def]
        is_inside, change = ctx.saved_tensors
        return gradient * is_inside, (gradient * change).sum().reshape(1), None


class Range(nn.Module):
    """The range of an activation, whose scale is learned.

    Attributes:
        log_step: natural logarithm of the scale, float32 [1].
        zero_point: the integer that stands for zero, -128..127, float32 [1].
        observer: while it is not None, it is called with all values, and none is rounded.

    Forward: float [...] -> float32 of the same shape, rounded.
    """

    zero_point: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.log_step = nn.Parameter(torch.zeros(1))
        self.register_buffer("zero_point", torch.zeros(1))
        self.observer: Callable[[npt.NDArray[np.float32]], object] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Round, unless the values are observed."""
        if self.observer is not None:
            self.observer(x.detach().cpu().numpy())
            return x
        rounded: Tensor = _RoundToScale.apply(x.float(), self.log_step, self.zero_point)
        return rounded

    @torch.no_grad()
    def cover(self, low: float, high: float) -> None:
        """Set scale and zero point for values of low..high, as the export's quantizers do.

        The range must include zero.
        """
        step = max(high - low, 1e-9) / (HIGHEST - LOWEST)
        self.set(Scale(scale=step, zero_point=round(LOWEST - low / step)))

    @torch.no_grad()
    def set(self, scale: Scale) -> None:
        """Set scale and zero point."""
        self.log_step.fill_(float(np.log(scale.scale)))
        self.zero_point.fill_(scale.zero_point)

    @property
    def scale(self) -> Scale:
        """Scale and zero point."""
        return Scale(
            scale=float(self.log_step.detach().exp()), zero_point=int(self.zero_point.item())
        )


def _finest(weights: npt.NDArray[np.float32], bits: int) -> npt.NDArray[np.float32]:
    return finest_steps(weights, 2 ** (bits - 1) - 1)


def _unsaturated(weights: npt.NDArray[np.float32], _bits: int) -> npt.NDArray[np.float32]:
    return unsaturated_steps(np.moveaxis(weights, 1, -1))


SCALES = MappingProxyType({"tflite": _finest, "onnx": _unsaturated})
"""Name of a format -> the scales of the channels of a weight [channels, inputs, height, width]."""


@dataclass(frozen=True)
class Rounding:
    """How files of a precision and a format round weights and other constants.

    Attributes:
        precision: the row of the precision.
        format: name of the format.
        preprocessing: the normalization of the image, which is the first operator of the file.
    """

    precision: Precision
    format: str
    preprocessing: Preprocessing

    def weights(self, weights: Tensor) -> Tensor:
        """Round the weights of a convolution, float32 [channels, inputs, height, width]."""
        is_depthwise = weights.shape[1] == 1
        bits = DEPTHWISE_BITS if is_depthwise else self.precision.weight_bits
        chosen = SCALES[self.format](weights.detach().cpu().numpy(), bits)
        steps = torch.from_numpy(chosen).to(weights.device)
        zeros = torch.zeros_like(steps, dtype=torch.int32)
        largest = 2 ** (bits - 1) - 1
        return torch.fake_quantize_per_channel_affine(weights, steps, zeros, 0, -largest, largest)

    def constant(self, values: Tensor) -> Tensor:
        """Round a constant operand of an addition to eight bits, with one scale.

        The integers are asymmetric in .tflite, and symmetric in .onnx.
        """
        low, high = min(0.0, float(values.detach().min())), max(0.0, float(values.detach().max()))
        if self.format == "onnx":
            step, zero_point, lowest = max(-low, high, 1e-9) / HIGHEST, 0, -HIGHEST
        else:
            step, lowest = max(high - low, 1e-9) / (HIGHEST - LOWEST), LOWEST
            zero_point = round(LOWEST - low / step)
        return torch.fake_quantize_per_tensor_affine(values, step, zero_point, lowest, HIGHEST)

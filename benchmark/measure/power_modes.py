"""Power modes of an NPU, which trade speed for power."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class PowerMode:
    """A mode and its name in each runtime.

    Attributes:
        name: value of --npu-power.
        onnxruntime: value of the QNN provider's `htp_performance_mode`.
        litert: value of `htp_performance_mode` of LiteRT's options for Qualcomm.
    """

    name: str
    onnxruntime: str
    litert: str


BURST = "burst"

POWER_MODES: Mapping[str, PowerMode] = MappingProxyType(
    {
        row.name: row
        for row in (
            PowerMode(BURST, "burst", "2"),
            PowerMode("sustained", "sustained_high_performance", "1"),
            PowerMode("balanced", "balanced", "8"),
        )
    }
)
"""The highest clock for short bursts, the highest sustained clock, and the default."""

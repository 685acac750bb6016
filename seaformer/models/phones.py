"""Phones on which publications measured the latencies of networks."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class PublishedPhone:
    """A phone of a publication.

    Attributes:
        title: its processor.
        conditions: what was measured, how, and the source.
    """

    title: str
    conditions: str


PAPER_PHONE = "snapdragon-865"
"""The phone of the SeaFormer paper."""

PHONES: Mapping[str, PublishedPhone] = MappingProxyType(
    {
        PAPER_PHONE: PublishedPhone(
            "Snapdragon 865",
            "ADE20K val, 512x512. Latencies from the input to the logits, on one core of a "
            "Snapdragon 865: SeaFormer paper (arXiv 2301.13156), Figure 1 right, read off by "
            "pixel, about ±0.5 %; the paper states neither runtime nor precision.",
        ),
        "snapdragon-855": PublishedPhone(
            "Snapdragon 855",
            "ADE20K val, 512x512. Latencies from the input to the full-size mask, with one thread "
            "on a Xiaomi 9 (Snapdragon 855), with Paddle Lite: PaddlePaddle/PaddleSeg, "
            "configs/pp_mobileseg/README.md, which does not state the precision. PP-MobileSeg with "
            "its upsampling of predicted classes only, the others with upsampling of all classes.",
        ),
    }
)
"""Name in `Published.latencies_ms` -> phone. Latencies of different phones are never compared."""

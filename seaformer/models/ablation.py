"""The switches of the paper's ablation studies (Section 4.4), as data.

The code of some ablations was not released; they follow the text of the paper. If the detail kernel
is off, or added rather than multiplied, the attention gate has nothing to scale and is removed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from seaformer.errors import UsageError, look_up, unknown_name
from seaformer.models.seaformer.variants import VARIANTS, Variant

SWITCHES: Mapping[str, tuple[str, ...]] = {
    # Input of the detail enhancement kernel: query, key and value; a convolution of the layer's
    # input to their total width; one to the width of the input; "off": no kernel.
    "detail": ("concat-qkv", "upconv", "conv", "off"),
    # How attention and detail are combined.
    "combine": ("multiply", "add"),
    # How a fusion block combines its two features.
    "fusion": ("sigmoid-multiply", "multiply", "sigmoid-add", "add"),
    # Channels of each fusion block, finest first, for example 48,64.
    "fusion-width": (),
}
"""Switch -> its values, the default of the paper first; empty for numbers of channels."""


_WIDTH = re.compile(r"0*[1-9]\d{0,5}")
"""A number of channels. A million or more would not fit into memory."""


def parse_ablation(texts: Iterable[str]) -> dict[str, str]:
    """Parse command-line switches, each "SWITCH=VALUE".

    Returns:
        Switch -> value, for every value that differs from the paper's default.

    Raises:
        UsageError: a switch or a value is unknown, or a switch is given twice.
    """
    switches: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(
                f"ablation '{text}' is not of the form SWITCH=VALUE. Example: detail=off"
            )
        if name in switches:
            raise UsageError(f"ablation switch '{name}' is given twice. Give it once.")
        switches[name] = value
    return checked(switches)


def checked(ablation: Mapping[str, str]) -> dict[str, str]:
    """Validate switches; return those whose value differs from the paper's default.

    Raises:
        UsageError: a switch or a value is unknown.
    """
    for name, value in ablation.items():
        values = look_up(SWITCHES, "ablation switch", name)
        if values and value not in values:
            raise unknown_name(f"value of ablation switch {name}", value, values)
    return {name: value for name, value in ablation.items() if value not in SWITCHES[name][:1]}


def ablated(variant: Variant, ablation: Mapping[str, str]) -> Variant:
    """Apply an ablation, switch -> value, to a variant.

    Raises:
        UsageError: a switch or a value is unknown, or the fusion width does not fit the variant.
    """
    changes: dict[str, Any] = checked(ablation)
    if (width := changes.pop("fusion-width", None)) is not None:
        changes["fusion_channels"] = _channels(width, len(variant.fusion_channels), variant.name)
    return replace(variant, **changes)


def ablation_of(variant: Variant) -> dict[str, str]:
    """Return switch -> value for everything in which `variant` differs from the paper's."""
    original = VARIANTS.get(variant.name, variant)
    values = [_values(variant), _values(original)]
    return {name: value for name, value in values[0].items() if value != values[1][name]}


def _values(variant: Variant) -> dict[str, str]:
    return {
        "detail": variant.detail,
        "combine": variant.combine,
        "fusion": variant.fusion,
        "fusion-width": ",".join(map(str, variant.fusion_channels)),
    }


def _channels(text: str, blocks: int, variant: str) -> tuple[int, ...]:
    widths = text.split(",")
    if len(widths) != blocks or not all(map(_WIDTH.fullmatch, widths)):
        raise UsageError(
            f"fusion-width is '{text}'. Allowed for variant {variant}: {blocks} positive, "
            "comma-separated numbers of channels, one for each fusion block."
        )
    return tuple(int(width) for width in widths)

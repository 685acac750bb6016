"""The switches of the paper's ablation studies (Section 4.4), as data.

What a switch changes is read from the paper's words where its code was not released: with the
detail kernel off, or added, nothing is left for the attention's gate to weigh, so it goes too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from seaformer.errors import UsageError, look_up, unknown_name
from seaformer.models.seaformer.variants import VARIANTS, Variant

SWITCHES: Mapping[str, tuple[str, ...]] = {
    # What the detail enhancement kernel reads: query, key and value; a convolution of the input
    # that is as wide; one as wide as the input; or there is no kernel.
    "detail": ("concat-qkv", "upconv", "conv", "off"),
    # How attention and detail are combined.
    "combine": ("multiply", "add"),
    # How a fusion block combines its two features.
    "fusion": ("sigmoid-multiply", "multiply", "sigmoid-add", "add"),
    # Channels of each fusion block, finest first, such as 48,64.
    "fusion-width": (),
}
"""Switch -> its values, the paper's own choice first; empty for channel numbers."""


def parse_ablation(texts: Iterable[str]) -> dict[str, str]:
    """Read switches as they are given to a command, each "SWITCH=VALUE".

    Returns:
        Switch -> value, of those that are not the paper's own choice.

    Raises:
        UsageError: a switch or a value is unknown, or a switch is given twice.
    """
    given: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(
                f"ablation '{text}' is not of the form SWITCH=VALUE. Example: detail=off"
            )
        if name in given:
            raise UsageError(f"ablation switch '{name}' is given twice. Give it once.")
        given[name] = value
    return checked(given)


def checked(ablation: Mapping[str, str]) -> dict[str, str]:
    """Return the switches that are not the paper's own choice.

    Raises:
        UsageError: a switch or a value is unknown.
    """
    for name, value in ablation.items():
        values = look_up(SWITCHES, "ablation switch", name)
        if values and value not in values:
            raise unknown_name(f"value of ablation switch {name}", value, values)
    return {name: value for name, value in ablation.items() if value not in SWITCHES[name][:1]}


def ablated(variant: Variant, ablation: Mapping[str, str]) -> Variant:
    """Change a variant by an ablation, switch -> value.

    Raises:
        UsageError: a switch or a value is unknown, or the fusion width does not fit the variant.
    """
    changes: dict[str, Any] = checked(ablation)
    if (width := changes.pop("fusion-width", None)) is not None:
        changes["fusion_channels"] = _channels(width, len(variant.fusion_channels), variant.name)
    return replace(variant, **changes)


def ablation_of(variant: Variant) -> dict[str, str]:
    """Return the switches by which `variant` differs from the one that the paper has, and how."""
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
    parts = text.split(",")
    if len(parts) != blocks or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(
            f"fusion-width '{text}' is not {blocks} positive numbers of channels with commas "
            f"between, as variant {variant} has {blocks} fusion blocks."
        )
    return tuple(int(part) for part in parts)

"""What modules are called in the paper."""

import re

TITLES: tuple[tuple[str, str], ...] = (
    (r"stem", "STEM"),
    (r"context_branch", "context branch"),
    (r"spatial_branch", "spatial branch (fusion)"),
    (r"light_head", "light segmentation head"),
    (r"light_head\.argmax", "arg-max tail"),
    (r"(.+\.)?normalize", "normalisation of the picture"),
    (r"stem\.conv", "first convolution"),
    (r"(.+\.)?stage(\d+)", r"stage \2"),
    (r".+\.mobile_blocks", "MobileNetV2 blocks"),
    (r".+\.(?:stage\d+|mobile_blocks)\.(\d+)", r"MobileNetV2 block {\1}"),
    (r"context_branch\.stage\d+\.blocks", "SeaFormer layers"),
    (r"context_branch\.stage\d+\.blocks\.(\d+)", r"SeaFormer layer {\1}"),
    (r".+\.attention", "squeeze-enhanced axial attention"),
    (r".+\.attention\.row", "attention along rows"),
    (r".+\.attention\.column", "attention along columns"),
    (r".+\.attention\.detail", "detail enhancement kernel"),
    (r".+\.ffn", "feed-forward network (FFN)"),
    (r"spatial_branch\.fusion_blocks\.(\d+)", r"fusion block {\1}"),
    (r".+\.expand", "expansion, 1x1"),
    (r".+\.depthwise", "depth-wise convolution"),
    (r".+\.reduce", "reduction, 1x1"),
    (r".+\.pointwise", "projection, 1x1"),
)
"""Path of a module, as a regular expression -> its title; a number in braces counts from 1."""

OWN_TITLES: tuple[tuple[str, str], ...] = (
    (r".+\.attention\.(row|column)", "attention: products, softmax"),
    (r".+\.attention", "sum, gate"),
    (r".+\.blocks\.\d+", "residuals"),
    (r".+\.(?:stage\d+|mobile_blocks)\.\d+", "residual"),
    (r"spatial_branch\.fusion_blocks\.\d+", "upsampling, product"),
)
"""The same for the operators that are in a module and in none of its parts."""


def title_of(path: str) -> str:
    """Return the title of a module; without one in the table, the last part of its path."""
    found = _look_up(TITLES, path)
    return path.rpartition(".")[2].replace("_", " ") if found is None else found


def own_title_of(path: str) -> str:
    """Return the title of what is in a module and in none of its parts."""
    return _look_up(OWN_TITLES, path) or "its own operators"


def _look_up(table: tuple[tuple[str, str], ...], path: str) -> str | None:
    for pattern, title in table:
        if (match := re.fullmatch(pattern, path)) is not None:
            return re.sub(r"\{(\d+)\}", lambda n: str(int(n[1]) + 1), match.expand(title))
    return None

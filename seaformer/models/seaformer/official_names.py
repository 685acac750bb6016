"""Mapping of our tensor names to the names in the official checkpoints.

The mapping is one table of rewriting rules. Applied to every key of a model, it gives a dictionary
whose inverse reads checkpoints. A key that no rule matches, or two keys with the same official
name, raise an error here, so that no tensor silently stays unloaded.

Source of the official names: fudan-zvg/SeaFormer, seaformer-seg and seaformer-cls.
"""

import re
from collections.abc import Callable, Iterable

from seaformer.models.seaformer.variants import Variant
from seaformer.weights.tensor_names import Replacement, rename, substitute


def _rules(variant: Variant) -> list[tuple[str, Replacement]]:
    # Stages that have SeaFormer layers are numbered from 1.
    with_layers = [number for number, stage in enumerate(variant.context_stages, 3) if stage.depth]

    def layer(match: re.Match[str]) -> str:
        position = with_layers.index(int(match["stage"])) + 1
        return f"backbone.trans{position}.transformer_blocks.{match['block']}."

    def one_more(template: str) -> Callable[[re.Match[str]], str]:
        return lambda match: template.format(*(int(group) + 1 for group in match.groups()))

    return [
        # Position of a module in the network.
        (r"^stem\.conv\.", "backbone.smb1.stem_block.0."),
        (r"^stem\.stage(\d)\.(\d+)\.", lambda m: f"backbone.smb{m[1]}.layer{int(m[2]) + 1}.conv."),
        (
            r"^context_branch\.stage(\d)\.mobile_blocks\.(\d+)\.",
            lambda m: f"backbone.smb{m[1]}.layer{int(m[2]) + 1}.conv.",
        ),
        (r"^context_branch\.stage(?P<stage>\d)\.blocks\.(?P<block>\d+)\.", layer),
        (r"^spatial_branch\.fusion_blocks\.(\d+)\.", one_more("decode_head.fuse{}.")),
        (r"^light_head\.fuse\.", "decode_head.linear_fuse."),
        (r"^light_head\.classifier\.", "decode_head.conv_seg."),
        (r"^head\.linear\.", "linear."),
        # Its name inside the block.
        (r"\.attention\.(row|column)\.(query|key)_position\.embedding$", _position_embedding),
        (r"\.attention\.(row|column)\.projection\.", r".attn.proj_encode_\1.1."),
        (r"\.attention\.(query|key|value)\.", lambda m: f".attn.to_{m[1][0]}."),
        (r"\.attention\.detail\.depthwise\.", ".attn.dwconv."),
        (r"\.attention\.detail\.pointwise\.", ".attn.pwconv."),
        # From an ablation whose official code was not released; the name is our own.
        (r"\.attention\.detail\.input\.", ".attn.detail_input."),
        (r"\.attention\.projection\.", ".attn.proj.1."),
        (r"\.ffn\.expand\.", ".mlp.fc1."),
        (r"\.ffn\.depthwise\.", ".mlp.dwconv."),
        (r"\.ffn\.reduce\.", ".mlp.fc2."),
        (r"\.context_embedding\.", ".global_act."),
        # The two spellings of convolution and norm: mmcv's ConvModule has "conv", all others "c".
        (r"(decode_head\..*)\.norm\.", r"\1.bn."),
        (r"(backbone\..*)\.conv\.(weight|bias)$", r"\1.c.\2"),
        (r"(backbone\..*)\.norm\.", r"\1.bn."),
    ]


def official_backbone_names(keys: Iterable[str], variant: Variant) -> dict[str, str]:
    """Map the keys of a network whose `backbone` is a SeaFormer to official names.

    All other tensors keep their names.

    Raises:
        KeyError: as `official_names`.
    """
    keys = list(keys)
    inside = {key: key.removeprefix(_BACKBONE) for key in keys if key.startswith(_BACKBONE)}
    names = official_names(inside.values(), variant)
    return {key: names[inside[key]] if key in inside else key for key in keys}


_BACKBONE = "backbone."


def _position_embedding(match: re.Match[str]) -> str:
    axis, token = match.groups()
    return f".attn.pos_emb_{axis}{token[0]}.pos_embed"


def _number_inverted_residual(key: str, has_expansion: bool) -> str:
    """Number the layers like the official nn.Sequential, in which activations have an index too."""
    first = 0 if has_expansion else -2
    positions = {"expand": first, "depthwise": first + 2, "reduce": first + 4}
    return re.sub(
        r"(smb\d\.layer\d+\.conv)\.(expand|depthwise|reduce)\.",
        lambda match: f"{match[1]}.{positions[match[2]]}.",
        key,
    )


def official_names(keys: Iterable[str], variant: Variant) -> dict[str, str]:
    """Map each of our state_dict keys to its official name.

    Names of segmentation checkpoints have the prefixes `backbone.` and `decode_head.`; names of
    classification checkpoints have none, so `backbone.` is removed if the keys belong to a
    classifier.

    `keys` are all keys of the model; the layer numbers depend on its variant.

    Raises:
        KeyError: as `seaformer.weights.tensor_names.rename`.
    """
    keys = list(keys)
    rules = _rules(variant)
    is_classifier = any(key.startswith("head.linear.") for key in keys)
    expanded = {key.rsplit(".expand.", 1)[0] for key in keys if ".expand." in key}

    def official_name(key: str) -> str:
        block = re.split(r"\.(?:expand|depthwise|reduce)\.", key)[0]
        return _number_inverted_residual(substitute(key, rules), has_expansion=block in expanded)

    names = rename(keys, official_name, ("backbone.", "decode_head.", "linear."))
    if is_classifier:
        return {key: name.removeprefix("backbone.") for key, name in names.items()}
    return names

"""The names of TopFormer's official checkpoints, and how ours map to them.

Source of the official names: hustvl/TopFormer, mmseg/models.
"""

import re
from collections.abc import Iterable

_RULES = (
    # Where a module stands.
    (r"^token_pyramid\.stem\.", "backbone.tpm.stem.0."),
    (r"^semantics_extractor\.(\d+)\.", r"backbone.trans.transformer_blocks.\1."),
    (r"^injections\.0\.", "backbone.SIM.1."),
    (r"^injections\.1\.", "backbone.SIM.2."),
    (r"^injections\.2\.", "backbone.SIM.3."),
    (r"^head\.fuse\.", "decode_head.linear_fuse."),
    (r"^head\.classifier\.", "decode_head.conv_seg."),
    # What it is called inside its block.
    (r"\.attention\.query\.", ".attn.to_q."),
    (r"\.attention\.key\.", ".attn.to_k."),
    (r"\.attention\.value\.", ".attn.to_v."),
    (r"\.attention\.projection\.", ".attn.proj.1."),
    (r"\.ffn\.expand\.", ".mlp.fc1."),
    (r"\.ffn\.depthwise\.", ".mlp.dwconv."),
    (r"\.ffn\.reduce\.", ".mlp.fc2."),
    (r"\.semantics_embedding\.", ".global_embedding."),
    (r"\.gate_embedding\.", ".global_act."),
    # mmcv's ConvModule, which injections and head are made of, has "conv", the rest "c".
    (r"\.norm\.", ".bn."),
    (r"^(backbone\.(?:tpm|trans)\..*)\.conv\.weight$", r"\1.c.weight"),
)

_BLOCK = re.compile(r"token_pyramid\.stages\.(\d+)\.(\d+)\.")


def official_names(keys: Iterable[str]) -> dict[str, str]:
    """Map each key of a `TopFormer`'s state_dict to its official name.

    Raises:
        KeyError: a key that no rule translates, or two that fall together. A bug here, not a
            user's error.
    """
    keys = list(keys)
    blocks = sorted({tuple(map(int, m.groups())) for m in map(_BLOCK.match, keys) if m})
    expanded = {key.partition(".expand.")[0] for key in keys if ".expand." in key}
    names = {}
    for key in keys:
        name = key
        if match := _BLOCK.match(key):
            stage, block = map(int, match.groups())
            layer = blocks.index((stage, block)) + 1
            part, _, rest = key[match.end() :].partition(".")
            # The official blocks are an nn.Sequential whose activations count as positions.
            first = 0 if match[0].rstrip(".") in expanded else -2
            position = first + {"expand": 0, "depthwise": 2, "reduce": 4}[part]
            name = f"backbone.tpm.layer{layer}.conv.{position}.{rest}"
        for pattern, replacement in _RULES:
            name = re.sub(pattern, replacement, name)
        if not name.startswith(("backbone.", "decode_head.")):
            raise KeyError(f"no rule of the key map translates '{key}'")
        names[key] = name
    if len(set(names.values())) != len(names):
        raise KeyError("two keys have the same official name")
    return names

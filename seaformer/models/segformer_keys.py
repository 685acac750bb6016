"""The names of SegFormer's released checkpoints, and how ours map to them.

Source of the released names: what Hugging Face transformers saves and loads, as for
nvidia/segformer-b0-finetuned-ade-512-512.
"""

import re
from collections.abc import Iterable

_ENCODER = "segformer.encoder."

_RULES = (
    # Where a module stands.
    (r"^stages\.(\d+)\.embedding\.", rf"{_ENCODER}patch_embeddings.\1."),
    (r"^stages\.(\d+)\.blocks\.", rf"{_ENCODER}block.\1."),
    (r"^stages\.(\d+)\.norm\.", rf"{_ENCODER}layer_norm.\1."),
    (r"^head\.embeddings\.(\d+)\.", r"decode_head.linear_c.\1.proj."),
    (r"^head\.fuse\.conv\.", "decode_head.linear_fuse."),
    (r"^head\.fuse\.norm\.", "decode_head.batch_norm."),
    (r"^head\.", "decode_head."),
    # What it is called inside.
    (r"(patch_embeddings\.\d+)\.conv\.", r"\1.proj."),
    (r"(patch_embeddings\.\d+)\.norm\.", r"\1.layer_norm."),
    (r"\.attention_norm\.", ".layer_norm_1."),
    (r"\.ffn_norm\.", ".layer_norm_2."),
    (r"\.attention\.reduction\.conv\.", ".attention.self.sr."),
    (r"\.attention\.reduction\.norm\.", ".attention.self.layer_norm."),
    (r"\.attention\.(query|key|value)\.", r".attention.self.\1."),
    (r"\.attention\.projection\.", ".attention.output.dense."),
    (r"\.ffn\.expand\.", ".mlp.dense1."),
    (r"\.ffn\.depthwise\.", ".mlp.dwconv.dwconv."),
    (r"\.ffn\.reduce\.", ".mlp.dense2."),
)


def official_names(keys: Iterable[str]) -> dict[str, str]:
    """Map each key of a `SegFormer`'s state_dict to its released name.

    Raises:
        KeyError: a key that no rule translates. A bug here, not a user's error.
    """
    names = {}
    for key in keys:
        name = key
        for pattern, replacement in _RULES:
            name = re.sub(pattern, replacement, name)
        if not name.startswith((_ENCODER, "decode_head.")):
            raise KeyError(f"no rule of the key map translates '{key}'")
        names[key] = name
    return names

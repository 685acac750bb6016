"""TopFormer checkpoints in the format of its authors' code, with weights of the golden recipe."""

from pathlib import Path

import official_recipe as recipe
import torch

from seaformer.tasks import Task

WIDTHS = {"tiny": (16, 32, 64, 96), "small": (24, 48, 96, 128), "base": (32, 64, 128, 160)}
HEAD = {"tiny": 128, "small": 192, "base": 256}
HEADS = {"tiny": 4, "small": 6, "base": 8}


def official_shapes(size: str) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a released checkpoint, transcribed from the official code."""
    shapes: dict[str, tuple[int, ...]] = {}

    def convolution(name: str, conv: str, *kernel: int) -> None:
        shapes[f"{name}.{conv}.weight"] = kernel
        for statistic in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.bn.{statistic}"] = kernel[:1]
        shapes[f"{name}.bn.num_batches_tracked"] = ()

    a, b, c, d = WIDTHS[size]
    rows = [(3, 1, 16), (3, 4, a), (3, 3, a), (5, 3, b), (5, 3, b), (3, 3, c), (3, 3, c)]
    rows += [(5, 6, d), (5, 6, d)] + ([] if size == "tiny" else [(3, 6, d)])
    convolution("backbone.tpm.stem.0", "c", 16, 3, 3, 3)
    width = 16
    for number, (kernel, expansion, channels) in enumerate(rows, start=1):
        layer, hidden = f"backbone.tpm.layer{number}.conv", width * expansion
        first = 0
        if expansion > 1:
            convolution(f"{layer}.0", "c", hidden, width, 1, 1)
            first = 2
        convolution(f"{layer}.{first}", "c", hidden, 1, kernel, kernel)
        convolution(f"{layer}.{first + 2}", "c", channels, hidden, 1, 1)
        width = channels
    total, keys = a + b + c + d, 16 * HEADS[size]
    for number in range(4):
        block = f"backbone.trans.transformer_blocks.{number}"
        convolution(f"{block}.attn.to_q", "c", keys, total, 1, 1)
        convolution(f"{block}.attn.to_k", "c", keys, total, 1, 1)
        convolution(f"{block}.attn.to_v", "c", 2 * keys, total, 1, 1)
        convolution(f"{block}.attn.proj.1", "c", total, 2 * keys, 1, 1)
        convolution(f"{block}.mlp.fc1", "c", 2 * total, total, 1, 1)
        shapes[f"{block}.mlp.dwconv.weight"] = (2 * total, 1, 3, 3)
        shapes[f"{block}.mlp.dwconv.bias"] = (2 * total,)
        convolution(f"{block}.mlp.fc2", "c", total, 2 * total, 1, 1)
    out = HEAD[size]
    for number, channels in ((1, b), (2, c), (3, d)):
        for part in ("local_embedding", "global_embedding", "global_act"):
            convolution(f"backbone.SIM.{number}.{part}", "conv", out, channels, 1, 1)
    convolution("decode_head.linear_fuse", "conv", out, 1 if size == "tiny" else out, 1, 1)
    shapes["decode_head.conv_seg.weight"] = (150, out, 1, 1)
    shapes["decode_head.conv_seg.bias"] = (150,)
    return shapes


def write_golden(path: Path, size: str, task: Task) -> Path:
    """Write a checkpoint as mmcv does, with the weights of the golden recipe."""
    state = {}
    for name, shape in official_shapes(size).items():
        if name.startswith("decode_head.conv_seg"):
            shape = (task.num_classes, *shape[1:])
        is_counter = name.endswith("tracked")
        state[name] = (
            torch.tensor(160_000) if is_counter else torch.from_numpy(recipe.fill(name, shape))
        )
    torch.save({"state_dict": state, "meta": {"CLASSES": task.labels}}, path)
    return path

"""Write a copy of the trained Tiny of `shapes` whose activations need more than 8 bits.

    PYTHONPATH=tests/support python -m bench.outlier_channels OUTPUT.safetensors

In three blocks every 16th output channel of the depth-wise convolution is scaled by 64, and the
weights of the next layer that read it by 1/64. In floating point the function is the same, as ReLU
is homogeneous. Such outlier channels also emerge in training.
"""

import argparse
from pathlib import Path

import torch

from seaformer.models.create import create_model
from seaformer.tasks import get_task
from seaformer.weights.saving import save_weights

BLOCKS = ("stage3.mobile_blocks.1", "stage4.mobile_blocks.0", "stage5.mobile_blocks.0")
EVERY, FACTOR = 16, 64.0


def main() -> None:
    """Write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    model = create_model("tiny", task="shapes", weights="shapes")
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for block in BLOCKS:
            parameters[f"context_branch.{block}.depthwise.norm.weight"][::EVERY] *= FACTOR
            parameters[f"context_branch.{block}.depthwise.norm.bias"][::EVERY] *= FACTOR
            parameters[f"context_branch.{block}.reduce.conv.weight"][:, ::EVERY] /= FACTOR
    save_weights(model, output, network="seaformer-tiny", task_json=get_task("shapes").to_json())


if __name__ == "__main__":
    main()

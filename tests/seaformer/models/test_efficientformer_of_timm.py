"""The backbone of CGRSeg compared with timm's EfficientFormerV2."""

import torch
from other_libraries import library

from seaformer.models.cgrseg import SPECS
from seaformer.models.efficientformer import EfficientFormer
from seaformer.weights.random_weights import fill_random
from seaformer.weights.tensor_names import substitute

timm = library("timm")

RULES = (
    (r"^stem\.(\d)\.", lambda match: f"stem.conv{int(match[1]) + 1}."),
    (r"^stages\.(\d)\.", r"stages.\1.blocks."),
    (r"^downsamplings\.(\d)\.", lambda match: f"stages.{int(match[1]) + 1}.downsample."),
    (r"\.convolution\.", ".conv."),
    (r"\.downsample\.attention\.coarsen\.", ".downsample.attn.q.local."),
    (r"\.downsample\.attention\.query\.", ".downsample.attn.q.proj."),
    (r"\.downsample\.attention\.", ".downsample.attn."),
    (r"\.attention\.", ".token_mixer."),
    (r"\.position\.table$", ".attention_biases"),
    (r"\.coarsen\.", ".stride_conv."),
    (r"\.mix_scores\.", ".talking_head1."),
    (r"\.mix_weights\.", ".talking_head2."),
    (r"\.query\.", ".q."),
    (r"\.key\.", ".k."),
    (r"\.value\.", ".v."),
    (r"\.(attn|token_mixer)\.local\.", r".\1.v_local."),
    (r"\.projection\.", ".proj."),
    (r"\.ffn\.expand\.", ".mlp.fc1."),
    (r"\.ffn\.depthwise\.", ".mlp.mid."),
    (r"\.ffn\.reduce\.", ".mlp.fc2."),
    (r"\.attention_scale\.scale$", ".ls1.gamma"),
    (r"\.ffn_scale\.scale$", ".ls2.gamma"),
    (r"\.norm\.", ".bn."),
)


def test_the_backbone_is_the_network_of_timm() -> None:
    """At the size that the position biases are made for, where none is interpolated."""
    ours = EfficientFormer(SPECS["tiny"].stages).eval()
    fill_random(ours)
    theirs = timm.create_model("efficientformerv2_s1", img_size=512, num_classes=0).eval()
    state = {
        substitute(name, RULES): tensor.flatten() if "_scale." in name else tensor
        for name, tensor in ours.state_dict().items()
    }
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name.startswith("norm.") for name in missing)
    image = torch.randn(1, 3, 512, 512, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        features = ours.double()(image)
        expected = theirs.double().forward_intermediates(image, intermediates_only=True)
    for feature, other in zip(features, expected, strict=True):
        torch.testing.assert_close(feature, other, rtol=0, atol=1e-11 * float(other.abs().max()))

"""The deployment form: mathematically equal to the training form, but efficient on a phone.

Every rewrite is exact algebra, done in float64 and rounded once at the end. Each is a file of this
folder whose docstring states the algebra; `deployment_form` applies them in the required order.
"""

import copy
from dataclasses import dataclass

import torch
from torch import nn

from seaformer.export.rewrite.argmax_inside import end_with_argmax, end_with_int32
from seaformer.export.rewrite.constant_positions import make_positions_constant
from seaformer.export.rewrite.defer_value_bias import defer_value_bias
from seaformer.export.rewrite.fold_attention_scale import fold_attention_scale
from seaformer.export.rewrite.fold_batch_norm import fold_batch_norm
from seaformer.export.rewrite.fold_gate import fold_gate
from seaformer.export.rewrite.fold_light_head import fold_light_head
from seaformer.export.rewrite.fold_scales import fold_scales
from seaformer.export.rewrite.joint_attention import join_attention
from seaformer.export.rewrite.merge_depthwise import merge_depthwise
from seaformer.export.rewrite.normalization import normalize_inside
from seaformer.export.rewrite.sites import RewriteReport
from seaformer.export.rewrite.static_upsampling import make_upsampling_static
from seaformer.models.efficientformer import PositionBias
from seaformer.models.inputs import input_shape
from seaformer.models.seaformer.attention import SqueezeEnhancedAxialAttention
from seaformer.models.seaformer.spatial_branch import FusionBlock
from seaformer.tasks import Preprocessing
from seaformer.tasks.output_meaning import LOGITS, OutputMeaning

__all__ = ["DeploymentForm", "RewriteReport", "deployment_form"]


@dataclass(frozen=True)
class DeploymentForm:
    """A rewritten model.

    Attributes:
        model: float32, eval mode, for one input size and a batch of one.
        reports: report of each rewrite, in order.
    """

    model: nn.Module
    reports: tuple[RewriteReport, ...]


def deployment_form(
    model: nn.Module,
    size: tuple[int, int],
    normalization: Preprocessing | None = None,
    head: str = "logits",
    meaning: OutputMeaning = LOGITS,
) -> DeploymentForm:
    """Rewrite a copy of `model` for one input size.

    Args:
        model: the training form, in eval mode. For models other than SeaFormer only the
            normalization changes; the reports list every rewrite that found nothing to do.
        size: height and width of the input.
        normalization: normalization of RGB in 0..255, to include in the graph; None for an input
            that is already normalized.
        head: head of the graph, see `seaformer.export.heads`.
        meaning: meaning of the output of the training form. Class ids become int32.
    """
    feature_sizes = _feature_sizes(model, size)
    model = copy.deepcopy(model).double().requires_grad_(False)
    reports = [
        fold_batch_norm(model),
        merge_depthwise(model),
        fold_scales(model),
        join_attention(model, feature_sizes),
        fold_attention_scale(model),
        defer_value_bias(model),
        fold_gate(model),
        fold_light_head(model),
        make_upsampling_static(model, feature_sizes),
        make_positions_constant(model, feature_sizes),
    ]
    if normalization is not None:
        reports.append(normalize_inside(model, normalization.mean, normalization.std, size[1]))
    if head != "logits":
        reports.append(end_with_argmax(model, size if head == "mask" else None, meaning))
    elif meaning.gives_ids:
        reports.append(end_with_int32(model))
    return DeploymentForm(model.float().eval(), tuple(reports))


@torch.no_grad()
def _feature_sizes(model: nn.Module, size: tuple[int, int]) -> dict[str, tuple[int, int]]:
    """Height and width of the first input of every module whose rewrite requires them.

    A module that is called with several sizes, as in a multi-scale model, has no entry.
    """
    sizes: dict[str, set[tuple[int, int]]] = {}

    def note(path: str):  # type: ignore[no-untyped-def]
        def hook(_module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            sizes.setdefault(path, set()).add((inputs[0].shape[2], inputs[0].shape[3]))

        return hook

    handles = [
        module.register_forward_pre_hook(note(path))
        for path, module in model.named_modules()
        if isinstance(module, SqueezeEnhancedAxialAttention | FusionBlock | PositionBias)
    ]
    if handles:
        model(torch.zeros(input_shape(model, size)))
    for handle in handles:
        handle.remove()
    return {path: size for path, (size, *others) in sizes.items() if not others}

"""The metadata of an exported file."""

import hashlib
from importlib.metadata import version

from seaformer.artifact.metadata import (
    FEATURES,
    PREPROCESSING,
    AcceleratorParity,
    Comparison,
    Input,
    Kind,
    Metadata,
    Output,
    Parity,
    Rewrite,
    title_of,
)
from seaformer.artifact.precisions import Format
from seaformer.export.export_context import Candidate, ExportContext
from seaformer.export.module_titles import titles_of
from seaformer.export.verify.thresholds import lowest_threshold
from seaformer.export.verify.verification import REFERENCE
from seaformer.models.contract import detection_output
from seaformer.models.inputs import input_shape

PACKAGES = (
    "seaformer",
    "torch",
    "onnx",
    "onnxslim",
    "onnxruntime",
    "onnx2tf",
    "tensorflow",
    "ai-edge-litert",
    "ai-edge-quantizer",
)


def describe(
    context: ExportContext,
    candidate: Candidate,
    comparisons: list[Comparison],
    accelerators: tuple[AcceleratorParity, ...],
) -> Metadata:
    """Create the metadata of a file that passed its verification.

    Args:
        context: the export that made it.
        candidate: the file.
        comparisons: results of its verification on the CPU.
        accelerators: results of its verification on the other accelerators.
    """
    source, request, task = context.source, context.request, context.source.task
    format, precision = candidate.format, candidate.precision
    threshold = lowest_threshold(comparisons, precision)
    kind: Kind = task.kind if source.contract.meaning.has_labels else FEATURES
    palette = task.palette if context.labels else None
    task_name = None if source.takes_features else task.name
    return Metadata(
        title=title_of(source.variant, source.factory, task_name, precision.name),
        name=source.name,
        variant=source.variant,
        model=source.factory,
        ablation=dict(source.ablation),
        task=task_name,
        kind=kind,
        format=format.name,
        precision=precision.name,
        head=request.head,
        input=_input(context, candidate),
        output=_output(context, candidate),
        labels=context.labels,
        palette=palette,
        weights=source.weights,
        detection=detection_output(source.model, source.contract, context.size),
        params=source.params,
        macs=context.macs,
        content_sha256=hashlib.sha256(candidate.content).hexdigest(),
        versions={name: version(name) for name in PACKAGES},
        rewrites=tuple(
            Rewrite(name=r.name, count=r.count, refusals=tuple(r.refusals))
            for r in context.form.reports
        ),
        operators=tuple(candidate.operators),
        modules=titles_of(
            context.form.model, source.model, (one.module for one in candidate.operators)
        ),
        quantization=candidate.quantization,
        parity=Parity(
            reference=REFERENCE,
            runtime=f"{format.runtime}, this computer's processor",
            min_sqnr_db=threshold.sqnr_db,
            min_argmax_agreement=threshold.agreement,
            is_of_float32=threshold.is_of_float32,
            max_score_loss_points=precision.max_miou_loss,
            comparisons=tuple(comparisons),
            passed=candidate.quantization is None or not candidate.quantization.accepted_loss,
        ),
        accelerators=accelerators,
    )


def _input(context: ExportContext, candidate: Candidate) -> Input:
    inside = context.request.normalize == "inside"
    unknown = set() if context.source.contract.knows_normalization else {"mean", "std"}
    return Input(
        name=context.input_name,
        shape=_arrange(input_shape(context.source.model, context.size), candidate.format),  # type: ignore[arg-type]
        dtype=candidate.ports[0].dtype,
        quantization=candidate.ports[0].scale,
        layout=candidate.format.layout,
        range=(0.0, 255.0) if inside else None,
        normalization="inside" if inside else "outside",
        **{
            name: getattr(context.source.task.preprocessing, name)
            for name in PREPROCESSING
            if not context.source.takes_features and name not in unknown
        },
    )


def _output(context: ExportContext, candidate: Candidate) -> Output:
    sample, format = context.samples[0], candidate.format
    head, meaning = context.request.head, context.source.contract.meaning
    shape = tuple(sample.reference.shape)
    has_grid = len(shape) == 4 or (len(shape) == 3 and meaning.has_classes)
    layouts = {1: "N", 2: "NC", 3: "NHW" if meaning.has_classes else "NLC", 4: format.layout}
    return Output(
        name=head,
        shape=shape if context.gives_ids else _arrange(shape, format),
        dtype="int32" if context.gives_ids else candidate.ports[1].dtype,
        quantization=candidate.ports[1].scale,
        layout=layouts[len(shape)],  # type: ignore[arg-type]
        stride=round(context.size[0] / shape[-2]) if has_grid else None,
        content=meaning.content if head == "logits" else head,  # type: ignore[arg-type]
        threshold=meaning.threshold if head == "logits" else None,
    )


def _arrange(shape: tuple[int, ...], format: Format) -> tuple[int, ...]:
    """Convert a channels-first shape to the format's layout."""
    if format.layout == "NHWC" and len(shape) == 4:
        return (shape[0], *shape[2:], shape[1])
    return shape

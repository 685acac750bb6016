"""The metadata of an exported file, put together from what the export knows."""

from importlib.metadata import version
from typing import Any

from seaformer.artifact import metadata as schema
from seaformer.artifact.precisions import Format
from seaformer.export.heads import HEADS
from seaformer.export.job import Candidate, Job
from seaformer.export.verify.verification import REFERENCE
from seaformer.imaging.input_size import input_shape
from seaformer.runtimes.metadata import FEATURES
from seaformer.tasks import Preprocessing

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
    job: Job, candidate: Candidate, comparisons: list[schema.Comparison]
) -> schema.Metadata:
    """Put together the metadata of a file that passed its verification.

    Args:
        job: the export that it comes from.
        candidate: the file.
        comparisons: its verification.
    """
    source, request, task = job.source, job.request, job.source.task
    format, precision = candidate.format, candidate.precision
    logits = job.samples[0].logits_shape
    kind: schema.Kind = "segmentation" if len(logits) == 4 else "classification"
    labels = tuple(f"class {index}" for index in range(logits[1]))
    palette = None
    if source.takes_features:
        kind, labels = FEATURES, ()
    elif logits[1] == task.num_classes:
        labels, palette = task.labels, task.palette
    return schema.Metadata(
        name=source.name,
        variant=source.variant,
        model=source.factory,
        ablation=dict(source.ablation),
        task=None if source.takes_features else task.name,
        kind=kind,
        format=format.name,
        precision=precision.name,
        head=request.head,
        input=_input(job, candidate),
        output=_output(job, candidate),
        labels=labels,
        palette=palette,
        weights=source.weights,
        params=source.params,
        macs=job.macs,
        content_sha256=candidate.content.sha256,
        versions={name: version(name) for name in PACKAGES},
        rewrites=tuple(
            schema.Rewrite(name=r.name, count=r.count, refusals=tuple(r.refusals))
            for r in job.form.reports
        ),
        operators=tuple(candidate.operators),
        quantization=candidate.quantization,
        parity=schema.Parity(
            reference=REFERENCE,
            runtime=f"{format.runtime}, this computer's processor",
            min_sqnr_db=precision.min_sqnr_db,
            min_argmax_agreement=precision.min_agreement,
            max_score_loss_points=precision.max_miou_loss,
            comparisons=tuple(comparisons),
            passed=candidate.quantization is None or not candidate.quantization.accepted_loss,
        ),
    )


def _input(job: Job, candidate: Candidate) -> schema.Input:
    inside = job.request.normalize == "inside"
    return schema.Input(
        name=job.input_name,
        shape=_arrange(input_shape(job.source.model, job.size), candidate.format),
        dtype=candidate.ports[0].dtype if candidate.ports else "float32",
        quantization=candidate.ports[0].scale if candidate.ports else None,
        layout=candidate.format.layout,
        range=(0.0, 255.0) if inside else None,
        normalization="inside" if inside else "outside",
        **({} if job.source.takes_features else _picture(job.source.task.preprocessing)),
    )


def _picture(preprocessing: Preprocessing) -> dict[str, Any]:
    """How a photograph becomes the input."""
    members = ("color_order", "mean", "std", "resize", "interpolation", "crop_fraction")
    return {name: getattr(preprocessing, name) for name in members}


def _output(job: Job, candidate: Candidate) -> schema.Output:
    sample, format = job.samples[0], candidate.format
    dtype = candidate.ports[1].dtype if candidate.ports else "float32"
    gives_classes = job.request.head != "logits"
    shape = tuple(sample.reference.shape)
    return schema.Output(
        name=job.request.head,
        shape=shape if gives_classes else _arrange(shape, format),
        dtype="int64" if gives_classes else dtype,
        quantization=candidate.ports[1].scale if candidate.ports else None,
        layout="NHW" if gives_classes else format.layout if len(shape) == 4 else "NC",
        stride=round(job.size[0] / shape[-2]) if len(sample.logits_shape) == 4 else None,
        content=FEATURES if job.source.takes_features else HEADS[job.request.head].name,
    )


def _arrange(shape: tuple[int, ...], format: Format) -> tuple[int, ...]:
    """A channels-first shape in the format's layout."""
    if format.layout == "NHWC" and len(shape) > 2:
        return (shape[0], *shape[2:], shape[1])
    return shape

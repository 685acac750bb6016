"""The metadata of an exported file, put together from what the export knows."""

from importlib.metadata import version

from seaformer.export import metadata as schema
from seaformer.export.formats import Format
from seaformer.export.heads import HEADS
from seaformer.export.job import Candidate, Job
from seaformer.export.onnx_graph import INPUT_NAME
from seaformer.export.verification import REFERENCE

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
    source, request = job.source, job.request
    task, preprocessing = source.task, source.task.preprocessing
    format, precision = candidate.format, candidate.precision
    channels_first = (1, 3, *job.size)
    inside = request.normalize == "inside"
    logits = job.samples[0].logits_shape
    labels_fit = logits[1] == task.num_classes
    return schema.Metadata(
        name=source.name,
        variant=source.variant,
        model=source.factory,
        ablation=dict(source.ablation),
        task=task.name,
        kind="segmentation" if len(logits) == 4 else "classification",
        format=format.name,
        precision=precision.name,
        head=request.head,
        input=schema.Input(
            name=INPUT_NAME,
            shape=_arrange(channels_first, format),
            dtype=candidate.ports[0].dtype if candidate.ports else "float32",
            quantization=candidate.ports[0].scale if candidate.ports else None,
            layout=format.layout,
            color_order=preprocessing.color_order,
            range=(0.0, 255.0) if inside else None,
            normalization="inside" if inside else "outside",
            mean=preprocessing.mean,
            std=preprocessing.std,
            resize=preprocessing.resize,
            interpolation=preprocessing.interpolation,
            crop_fraction=preprocessing.crop_fraction,
        ),
        output=_output(job, candidate),
        labels=task.labels if labels_fit else tuple(f"class {index}" for index in range(logits[1])),
        palette=task.palette if labels_fit else None,
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
        content=HEADS[job.request.head].name,
    )


def _arrange(shape: tuple[int, ...], format: Format) -> tuple[int, ...]:
    """A channels-first shape in the format's layout."""
    if format.layout == "NHWC" and len(shape) > 2:
        return (shape[0], *shape[2:], shape[1])
    return shape

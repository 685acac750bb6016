"""What of a request a network can have, once it is created and its contract is known."""

from dataclasses import replace

from seaformer.artifact.precisions import PRECISIONS
from seaformer.errors import UsageError
from seaformer.export.quantize.calibration import RANDOM
from seaformer.export.report import Report
from seaformer.export.request import Request
from seaformer.export.source import Source


def as_source_allows(request: Request, source: Source, report: Report) -> Request:
    """Return the request for this network; warn of what nobody said of it.

    Raises:
        UsageError: what is asked for does not go with what the network takes or gives.
    """
    contract = source.contract
    _check_head(request, source)
    quantized = [precision.name for precision in request.precisions if precision.is_quantized]
    if quantized:
        _check_quantized(request, source, quantized[0])
    is_known = contract.knows_normalization
    if contract.note:
        report.note(contract.note)
    if not source.takes_features and not is_known:
        report.warn(
            f"nothing says how an image becomes the input of '{source.network.name}'. The file "
            "takes an already normalised tensor and does not say how to make it; it is verified on "
            "images in -2..2. Say it with --input-range, --mean and --std, with --task, or in the "
            "network itself, see docs/own_networks.md."
        )
    if not contract.names_classes and contract.labels:
        report.warn(
            f"the {len(contract.labels)} classes of '{source.network.name}' have no names: "
            f"'{contract.labels[0]}' to '{contract.labels[-1]}'. Name them with --labels or --task."
        )
    inside = request.normalize if is_known and not source.takes_features else "outside"
    sizes = request.sizes or (source.task.preprocessing.input_size,)
    return replace(request, task=source.task, normalize=inside, sizes=sizes)


def _check_head(request: Request, source: Source) -> None:
    meaning = source.contract.meaning
    if request.head == "logits" or (meaning.gives_scores and source.task.is_segmentation):
        return
    gives = f"gives {meaning}"
    if source.takes_features:
        gives = "takes features, and what it gives is no class"
    elif meaning.gives_scores:
        gives = "classifies whole images"
    raise UsageError(
        f"--head {request.head} is for models of images that give a value for each class at "
        f"each position: '{source.network.name}' {gives}. Leave --head out."
    )


def _check_quantized(request: Request, source: Source, precision: str) -> None:
    name, contract = source.network.name, source.contract
    allowed = ", ".join(row.name for row in PRECISIONS.values() if not row.is_quantized)
    if source.takes_features:
        raise UsageError(
            f"precision {precision} is measured on images, and '{name}' takes features. Allowed: "
            f"{allowed}."
        )
    if contract.meaning.gives_ids:
        raise UsageError(
            f"precision {precision} is for networks that give numbers, and '{name}' gives class "
            "ids: they cannot be rounded. Leave the arg-max out of its forward; what uses the file "
            f"decides then. Allowed as it is: {allowed}."
        )
    if not contract.knows_normalization and request.quantization.calibration != RANDOM:
        raise UsageError(
            f"precision {precision} is calibrated with images, and nothing says how an image "
            f"becomes the input of '{name}'. Give --input-range, --mean and --std, or --task."
        )
    asked = request.quantization
    if not contract.meaning.has_classes and (asked.sensitivity or asked.is_mixed):
        raise UsageError(
            f"--sensitivity and --mixed-precision measure by classes, and '{name}' gives features. "
            "Leave them out."
        )

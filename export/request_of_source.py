"""Completing and checking a request once the network is created and its contract is known."""

from dataclasses import replace

from seaformer.artifact.precisions import PRECISIONS
from seaformer.errors import UsageError
from seaformer.export.quantize.calibration import RANDOM
from seaformer.export.report import Report
from seaformer.export.request import Request
from seaformer.export.source import Source


def complete_request(request: Request, source: Source, report: Report) -> Request:
    """Complete the request for this network; warn about unknown preprocessing and class names.

    Raises:
        UsageError: the request does not match the network's input or output.
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
            f"the preprocessing of '{source.network.name}' is unknown. The file takes an already "
            "normalized tensor, does not record the normalization, and is verified on inputs in "
            "-2..2. State it with --input-range, --mean and --std, with --task, or in the network "
            "itself, see docs/own_networks.md."
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
        gives = "takes features, and its output has no classes"
    elif meaning.gives_scores:
        gives = "classifies whole images"
    raise UsageError(
        f"--head {request.head} requires a model that takes images and outputs a value for each "
        f"class at each position: '{source.network.name}' {gives}. Omit --head."
    )


def _check_quantized(request: Request, source: Source, precision: str) -> None:
    name, contract = source.network.name, source.contract
    allowed = ", ".join(row.name for row in PRECISIONS.values() if not row.is_quantized)
    if source.takes_features:
        raise UsageError(
            f"precision {precision} is verified on images, but '{name}' takes features. Allowed: "
            f"{allowed}."
        )
    if contract.meaning.gives_ids:
        raise UsageError(
            f"precision {precision} is for networks with real-valued outputs, but '{name}' gives "
            "class ids, which cannot be rounded. Remove the arg-max from its forward and apply it "
            f"after inference. Allowed with the arg-max: {allowed}."
        )
    if not contract.knows_normalization and request.quantization.calibration != RANDOM:
        raise UsageError(
            f"precision {precision} is calibrated with images, but the preprocessing of '{name}' "
            "is unknown. Give --input-range, --mean and --std, or --task."
        )
    options = request.quantization
    if not contract.meaning.has_classes and (options.sensitivity or options.is_mixed):
        raise UsageError(
            f"--sensitivity and --mixed-precision compare classes, but '{name}' gives "
            f"{contract.meaning}. Omit them."
        )

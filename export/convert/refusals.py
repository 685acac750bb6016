"""Operators that cannot be exported: which one, in which module, and what to do instead."""

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import FrameType

import torch
from torch import nn

from seaformer.errors import SeaformerError
from seaformer.export.convert.input_dependence import EQUIVALENTS, is_of_library, place_of
from seaformer.export.convert.operator_map import module_path

WAYS_OUT: Mapping[str, str] = {
    "maxunpool": "Upsample with F.interpolate or nn.ConvTranspose2d instead",
    "kthvalue": "Take the last of torch.topk instead",
    "median": "Take the middle one of torch.topk instead",
    "quantile": "Take values of torch.topk instead",
    "cumprod": "For values above zero write x.log().cumsum(dim).exp()",
    "logcumsumexp": "Write x.exp().cumsum(dim).log()",
    "fft": "Write it as a product with the matrix of the transform",
    "erf": "nn.GELU() exports, as does torch.tanh",
    "atan2": "Write it with torch.atan and torch.where",
    "resize": "Interpolate two axes at a time: one of the two is one axis too many",
    "nonzero": "Its result has no fixed shape: leave it to the postprocessing",
    "nonmaxsuppression": "Its result has no fixed shape: leave it to the postprocessing",
    "lstm": "Export the network without it",
    "gru": "Export the network without it",
}
"""What the name of an operator has in it, in small letters without "_" -> a way out."""

OTHERWISE = "Write it with other operators, or leave it to what comes before or after the network"


class OperatorError(SeaformerError):
    """The conversion to TFLite failed at an operator.

    Attributes:
        operator: as ONNX calls it.
        node: name of the ONNX node; None if any of this operator can be meant.
        reason: why.
        is_missing: whether TFLite has no such operator, so that no other way to convert helps.
    """

    def __init__(
        self, operator: str, node: str | None, reason: str, is_missing: bool = False
    ) -> None:
        super().__init__(f"{operator} cannot be converted to TFLite: {reason}")
        self.operator, self.node, self.reason = operator, node, reason
        self.is_missing = is_missing

    def in_network(self, nodes: Iterable[str], modules: Collection[str]) -> SeaformerError:
        """Name the modules too.

        Args:
            nodes: names of the ONNX nodes that can be meant.
            modules: paths of all modules of the network.
        """
        where = in_modules(module_path(node, modules) for node in nodes)
        return SeaformerError(
            f"{self.operator}{where} cannot be converted to TFLite: {self.reason}. "
            f"{way_out(self.operator)}, or take --format onnx."
        )


def way_out(operator: str) -> str:
    """What to do instead of using an operator."""
    plain = operator.lower().replace("_", "")
    return next((way for part, way in WAYS_OUT.items() if part in plain), OTHERWISE)


def in_modules(paths: Iterable[str]) -> str:
    """Name modules in words, such as " of the module 'head.act'"."""
    named = [f"'{path}'" if path else "the network itself" for path in dict.fromkeys(paths)]
    if not named:
        return ""
    return f" of {'the module ' if named[0].startswith(chr(39)) else ''}{', '.join(named[:4])}"


def tracing_error(error: Exception, model: nn.Module) -> SeaformerError:
    """Build the error for a network that torch cannot trace or export.

    Torch's messages are about its intermediate representation. Which operator it was, where, is in
    the frames that the error came through.
    """
    paths = {id(module): path for path, module in model.named_modules()}
    path, operator, place = None, None, None
    for frame in _frames(error):
        module = frame.f_locals.get("self")
        if id(module) in paths:
            path, operator = paths[id(module)], type(module).__name__
        if path is not None and _is_of_network(frame.f_code.co_filename):
            place = place_of(frame.f_code.co_filename, frame.f_lineno)
        node = frame.f_locals.get("node")
        if isinstance(node, torch._C.Node):
            operator = node.kind().rpartition("::")[2]
            path = ".".join(s.rpartition("::")[2] for s in node.scopeName().split("/")[1:])
            lines = re.findall(r"^(.+)\((\d+)\): ", str(node.sourceRange()), re.MULTILINE)
            places = [place_of(file, int(line)) for file, line in lines if _is_of_network(file)]
            place = next(iter(places), None)
    where = "" if path is None else in_modules([path])
    where += f" ({place})" if place else ""
    if operator is None:
        return SeaformerError(f"the model cannot be traced to ONNX: {first_sentence(error)}")
    return SeaformerError(
        f"{operator}{where} cannot be exported to ONNX: {first_sentence(error)}. "
        f"{way_out(operator)}."
    )


def _is_of_network(file: str) -> bool:
    return not (is_of_library(file) or Path(file).is_relative_to(EQUIVALENTS))


def _frames(error: Exception) -> Iterable[FrameType]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


def first_sentence(error: BaseException) -> str:
    """What an error says: without torch's IR and requests to report it, and Keras' prelude."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    said = [line for line in lines if line and not line.startswith("Exception encountered when")]
    return re.split(r"\. |\s+\[Caused by", (said or lines)[0])[0].strip().rstrip(".")

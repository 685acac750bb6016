"""Errors for operators that cannot be exported: operator, module, and an alternative."""

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import FrameType

import torch
from torch import nn

from seaformer.errors import SeaformerError
from seaformer.export.convert.input_dependence import EQUIVALENTS, is_of_library, place_of
from seaformer.export.convert.operator_map import module_path

ALTERNATIVES: Mapping[str, str] = {
    "maxunpool": "Upsample with F.interpolate or nn.ConvTranspose2d instead",
    "kthvalue": "Use the last value of torch.topk instead",
    "median": "Use the middle value of torch.topk instead",
    "quantile": "Use values of torch.topk instead",
    "cumprod": "For positive values, write x.log().cumsum(dim).exp()",
    "logcumsumexp": "Write x.exp().cumsum(dim).log()",
    "fft": "Write it as a product with the matrix of the transform",
    "erf": "Use nn.GELU() or torch.tanh, which can be exported",
    "atan2": "Write it with torch.atan and torch.where",
    "resize": "Interpolate at most two axes at a time",
    "nonzero": "Its result has no fixed shape: move it to the post-processing",
    "nonmaxsuppression": "Its result has no fixed shape: move it to the post-processing",
    "lstm": "Export the network without it",
    "gru": "Export the network without it",
}
"""Substring of an operator's name, in lower case without "_" -> suggested alternative."""

OTHERWISE = "Replace it with other operators, or move it to the pre- or post-processing"


class OperatorError(SeaformerError):
    """The conversion to TFLite failed at an operator.

    Attributes:
        operator: its name in ONNX.
        node: name of the ONNX node; None if it is unknown which node of this operator.
        reason: why it failed.
        is_missing: whether TFLite has no such operator, so that trying other layouts is useless.
    """

    def __init__(
        self, operator: str, node: str | None, reason: str, is_missing: bool = False
    ) -> None:
        super().__init__(f"{operator} cannot be converted to TFLite: {reason}")
        self.operator, self.node, self.reason = operator, node, reason
        self.is_missing = is_missing

    def in_network(self, nodes: Iterable[str], modules: Collection[str]) -> SeaformerError:
        """Return the error with the names of the modules.

        Args:
            nodes: names of the ONNX nodes in question.
            modules: paths of all modules of the network.
        """
        where = in_modules(module_path(node, modules) for node in nodes)
        return SeaformerError(
            f"{self.operator}{where} cannot be converted to TFLite: {self.reason}. "
            f"{alternative_to(self.operator)}, or use --format onnx."
        )


def alternative_to(operator: str) -> str:
    """Return the suggested alternative to an operator."""
    plain = operator.lower().replace("_", "")
    return next((way for part, way in ALTERNATIVES.items() if part in plain), OTHERWISE)


def in_modules(paths: Iterable[str]) -> str:
    """Name modules as text, such as " of the module 'head.act'"."""
    named = [f"'{path}'" if path else "the network itself" for path in dict.fromkeys(paths)]
    if not named:
        return ""
    return f" of {'the module ' if named[0].startswith(chr(39)) else ''}{', '.join(named[:4])}"


def tracing_error(error: Exception, model: nn.Module) -> SeaformerError:
    """Build the error for a network that torch cannot trace or export.

    Torch's messages are about its intermediate representation. The operator and its location are
    found in the frames of the traceback.
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
        f"{alternative_to(operator)}."
    )


def _is_of_network(file: str) -> bool:
    return not (is_of_library(file) or Path(file).is_relative_to(EQUIVALENTS))


def _frames(error: Exception) -> Iterable[FrameType]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


def first_sentence(error: BaseException) -> str:
    """Return an error's message without torch's IR, requests to report it, and Keras' prelude."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    relevant = [
        line for line in lines if line and not line.startswith("Exception encountered when")
    ]
    return re.split(r"\. |\s+\[Caused by", (relevant or lines)[0])[0].strip().rstrip(".")

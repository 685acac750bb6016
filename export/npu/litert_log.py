"""Parsing the log of LiteRT's plugin for Qualcomm's NPUs for operators that it refuses.

QNN op validation failed: 'ElementWiseNeuron_69' (type=ElementWiseNeuron, operation=ReluMinMax)
  Inputs:
    [0] name="3_qnn" dtype=QNN_DATATYPE_SFIXED_POINT_16 dims=[1,8,128] per-tensor-quant
  Outputs:
LiteRT Op #51 'Add' (code=0) is not supported in Qualcomm Compiler.

Lines that Qualcomm's libraries write to another stream are interleaved with these.
"""

import re

from seaformer.export.npu.compiled import NO_REASON

_FAILED = re.compile(
    r"QNN op validation failed: '.*' \(type=(?P<type>\w+)(, operation=(?P<operation>\w+))?\)"
)
_TENSOR = re.compile(r"\s*\[\d+\] name=.* dtype=QNN_DATATYPE_(?P<dtype>\w+)")
_INPUTS_END = "  Outputs:"
_REFUSED = re.compile(r"LiteRT Op #(?P<index>\d{1,9}) '.*' .*is not supported")


def refusals(log: str) -> dict[int, str]:
    """Return index of an operator in the main subgraph -> why it is refused."""
    found: dict[int, str] = {}
    failed, dtypes = "", list[str]()
    is_reading = False
    for line in log.splitlines():
        if given := _FAILED.search(line):
            operation = given["operation"]
            failed = given["type"] if operation is None else f"{given['type']} ({operation})"
            dtypes, is_reading = [], True
        elif is_reading and line.startswith(_INPUTS_END):
            is_reading = False
        elif is_reading and (tensor := _TENSOR.match(line)):
            dtypes.append(tensor["dtype"])
        elif refused := _REFUSED.search(line):
            why = f"QNN does not support {failed} of {', '.join(dtypes)}" if failed else NO_REASON
            found.setdefault(int(refused["index"]), why)
            failed = ""
    return found

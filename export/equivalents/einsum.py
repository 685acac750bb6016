"""Einstein sums of two factors, as one matrix product.

    labels of both factors and the result    batch
    labels of both factors only              summed over
    labels of one factor and the result      rows or columns

The factors are permuted to [batch, rows, sum] and [batch, sum, columns], and the axes of the
product to the order of the result. Sums are not replaced if they have one factor or more than two,
an ellipsis, or a label that is repeated within a factor or occurs only once.
"""

import math
from typing import Any

import torch
from torch import Tensor

from seaformer.export.equivalents.static_shapes import static_shape


def einsum(equation: str, *operands: Any) -> Tensor:
    """Compute an Einstein sum, see `torch.einsum`."""
    given, arrow, result = equation.replace(" ", "").partition("->")
    left, _, right = given.partition(",")
    if not arrow or not _is_product(left, right, result):
        return torch.einsum(equation, *operands)
    lengths = dict(
        zip(left + right, (*static_shape(operands[0]), *static_shape(operands[1])), strict=True)
    )
    batch = [label for label in left if label in right and label in result]
    summed = [label for label in left if label in right and label not in result]
    rows = [label for label in left if label not in right]
    columns = [label for label in right if label not in left]

    def matrices(x: Tensor, labels: str, first: list[str], second: list[str]) -> Tensor:
        x = x.permute([labels.index(label) for label in (*batch, *first, *second)])
        groups = (batch, first, second)
        return x.reshape([math.prod(lengths[label] for label in group) for group in groups])

    product = matrices(operands[0], left, rows, summed) @ matrices(
        operands[1], right, summed, columns
    )
    order = [*batch, *rows, *columns]
    product = product.reshape([lengths[label] for label in order])
    return product.permute([order.index(label) for label in result])


def _is_product(left: str, right: str, result: str) -> bool:
    labels = (left, right, result)
    each_once = all(part.isalpha() and len(set(part)) == len(part) for part in labels)
    return each_once and all(sum(label in part for part in labels) > 1 for label in left + right)

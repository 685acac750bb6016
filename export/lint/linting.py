"""Applying the lint rules to a file."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from seaformer.artifact.accelerators import ACCELERATORS
from seaformer.artifact.metadata import MappedOperator
from seaformer.errors import look_up
from seaformer.export.lint.modules import modules_of
from seaformer.export.lint.rules import RULES, Rule
from seaformer.export.lint.tflite_operators import Operator, read_operators


@dataclass(frozen=True)
class Finding:
    """An operator that matches a rule.

    Attributes:
        operator: its position in execution order.
        type: its type, such as "BATCH_MATMUL"; for a custom operator, its name.
        module: path of its module; None if the file does not record it.
        inputs: shapes of its inputs, without absent ones.
        outputs: shapes of its outputs.
        rule: the rule that it matches.
    """

    operator: int
    type: str
    module: str | None
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    rule: Rule


def lint(
    model: bytes, accelerators: Collection[str] = tuple(ACCELERATORS), name: str = "the model"
) -> tuple[Finding, ...]:
    """Find operators of a .tflite file that an accelerator is known to compute wrongly or refuse.

    Nothing is run. The file is parsed in this process; use `lint_file` for untrusted files.

    Args:
        model: content of the file, with or without the appended metadata.
        accelerators: whose rules to apply.
        name: name of the file, for errors.

    Returns:
        The findings in execution order. An operator without finding is not guaranteed to be
        correct.

    Raises:
        UnknownNameError: there are no rules for an accelerator.
        SeaformerError: the file is damaged or is not a .tflite file.
    """
    rules = rules_of(accelerators)
    operators = read_operators(model, name)
    modules = modules_of(model, name)
    return tuple(
        _finding(operator, rule, modules)
        for operator in operators
        for rule in rules
        if rule.concerns(operator)
    )


def rules_of(accelerators: Collection[str]) -> tuple[Rule, ...]:
    """Return the rules that apply to any of these accelerators.

    Raises:
        UnknownNameError: there are no rules for one of them.
    """
    for accelerator in accelerators:
        look_up(ACCELERATORS, "accelerator", accelerator)
    return tuple(rule for rule in RULES if set(accelerators) & set(rule.accelerators))


def _finding(operator: Operator, rule: Rule, modules: Mapping[int, str]) -> Finding:
    return Finding(
        operator=operator.index,
        type=operator.custom or operator.type,
        module=modules.get(operator.index),
        inputs=tuple(tensor.shape for tensor in operator.given),
        outputs=tuple(tensor.shape for tensor in operator.outputs),
        rule=rule,
    )


def in_modules(
    findings: Iterable[Finding], operators: Iterable[MappedOperator]
) -> tuple[Finding, ...]:
    """Add the modules of `operators`, which a file does not record before it is finished."""
    modules = {mapped.index: mapped.module for mapped in operators}
    return tuple(replace(one, module=modules.get(one.operator, one.module)) for one in findings)

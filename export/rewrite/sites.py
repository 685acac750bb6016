"""Common parts of the rewrites: their report, and finding and replacing modules."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from torch import Tensor, nn

_Module = TypeVar("_Module", bound=nn.Module)


@dataclass
class RewriteReport:
    """The result of a rewrite.

    Attributes:
        name: the rewrite's name.
        count: number of modules rewritten.
        refusals: one sentence for each module not rewritten, with the reason.
    """

    name: str
    count: int = 0
    refusals: list[str] = field(default_factory=list)

    def refuse(self, path: str, reason: str) -> None:
        """Record that the module at `path` is not rewritten."""
        self.refusals.append(f"{path}: {reason}")

    def or_nothing(self, sought: str) -> "RewriteReport":
        """Return the report; if the model had no `sought` module, record that."""
        if not self.count and not self.refusals:
            self.refuse("model", f"it has no {sought}")
        return self


def sites(model: nn.Module, kind: type[_Module]) -> Iterator[tuple[str, _Module]]:
    """Every module of a class with its path, listed before any is replaced."""
    return iter([(path, m) for path, m in model.named_modules() if type(m) is kind])


def replace(model: nn.Module, path: str, module: nn.Module) -> None:
    """Replace the module at `path` by `module`, which keeps the path and so the node names."""
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, module)


def folded(module: nn.Module) -> tuple[nn.Conv2d, Tensor]:
    """Return a convolution with folded norm, and its bias.

    Raises:
        TypeError: `fold_batch_norm` has not run, which cannot happen in `deployment_form`.
    """
    if not isinstance(module, nn.Conv2d) or module.bias is None:
        raise TypeError(f"fold_batch_norm comes first, {type(module).__name__} is not folded")
    return module, module.bias


def replace_sized(
    model: nn.Module,
    kind: type[_Module],
    sizes: Mapping[str, tuple[int, int]],
    make: Callable[[_Module, tuple[int, int]], nn.Module],
    name: str,
) -> RewriteReport:
    """Replace every module of a class, given the size of its input.

    Args:
        model: contains the modules.
        kind: class of the modules.
        sizes: path -> height and width of the module's input, for those with a single size.
        make: returns the replacement of a module for a size.
        name: name of the rewrite.
    """
    report = RewriteReport(name)
    for path, module in sites(model, kind):
        if path not in sizes:
            report.refuse(path, "its input has no fixed size: it is called with several, or never")
            continue
        replace(model, path, make(module, sizes[path]))
        report.count += 1
    return report

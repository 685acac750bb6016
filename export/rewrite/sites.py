"""What every rewrite of the deployment form shares: its report, and the sites it looks for."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from torch import Tensor, nn

_Module = TypeVar("_Module", bound=nn.Module)


@dataclass
class RewriteReport:
    """What a rewrite did.

    Attributes:
        name: the rewrite's name.
        count: sites rewritten.
        refusals: one sentence per site left as it was, saying why.
    """

    name: str
    count: int = 0
    refusals: list[str] = field(default_factory=list)

    def refuse(self, path: str, reason: str) -> None:
        """Note that the site at `path` stays as it is."""
        self.refusals.append(f"{path}: {reason}")

    def or_nothing(self, sought: str) -> "RewriteReport":
        """Return the report, which says so if the model has none of what was `sought`."""
        if not self.count and not self.refusals:
            self.refuse("model", f"it has no {sought}")
        return self


def sites(model: nn.Module, kind: type[_Module]) -> Iterator[tuple[str, _Module]]:
    """Every module of a kind with its path, as the model stands before any is replaced."""
    return iter([(path, m) for path, m in model.named_modules() if type(m) is kind])


def replace(model: nn.Module, path: str, module: nn.Module) -> None:
    """Put `module` where the module at `path` stands; its path stays, and so does its scope."""
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, module)


def folded(module: nn.Module) -> tuple[nn.Conv2d, Tensor]:
    """A convolution that its norm has been folded into, and its bias.

    Raises:
        TypeError: `fold_batch_norm` has not run: an order that `deployment_form` never has.
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
    """Replace every module of a kind by what `make` makes of it and the size of its input.

    Args:
        model: where the modules stand.
        kind: of the modules.
        sizes: path -> height and width of the module's input, for those that have one size.
        make: the replacement of a module.
        name: of the rewrite.
    """
    report = RewriteReport(name)
    for path, module in sites(model, kind):
        if path not in sizes:
            report.refuse(path, "its input has no one size: it is called with several, or never")
            continue
        replace(model, path, make(module, sizes[path]))
        report.count += 1
    return report

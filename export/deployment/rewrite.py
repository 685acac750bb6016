"""What every rewrite of the deployment form shares: its report, and the sites it looks for."""

from collections.abc import Iterator
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


def nothing_to_do(name: str, what: str) -> RewriteReport:
    """Report of a rewrite whose pattern the model does not have."""
    return RewriteReport(name, refusals=[f"model: it has no {what}"])

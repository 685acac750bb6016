"""How a network is named: "seaformer-tiny" everywhere, and "tiny" where a variant is asked for.

Files that we write, exports and weights, store it in one of two members: `variant` of a SeaFormer,
`model` of any other network. The other member is null or missing.
"""

SEAFORMER = "seaformer"


def name_of_variant(variant: str) -> str:
    """Return the whole name of a SeaFormer: "tiny" -> "seaformer-tiny"."""
    return f"{SEAFORMER}-{variant}"


def variant_of(name: str) -> str | None:
    """Return the variant that a name stands for: "seaformer-tiny" -> "tiny"; None for another."""
    family, dash, size = name.partition("-")
    return size if dash and family == SEAFORMER else None


def stored_name(variant: str | None, model: str | None) -> str | None:
    """Return the name that a file stores in its members `variant` and `model`; None for no name.

    It is data: nothing may be imported because of it.
    """
    return model if variant is None else name_of_variant(variant)


def members(name: str) -> dict[str, str]:
    """Return the member of JSON that stores a name; `stored_name` reads it."""
    variant = variant_of(name)
    return {"model": name} if variant is None else {"variant": variant}


def option(name: str) -> str:
    """Return the option that asks for a network, such as "--variant tiny"."""
    variant = variant_of(name)
    return f"--model {name}" if variant is None else f"--variant {variant}"


def in_words(name: str) -> str:
    """Name a network in a sentence: "variant tiny", "model topformer-tiny"."""
    return option(name).removeprefix("--")


def factory_parts(name: str) -> tuple[str, str]:
    """Split "package.module:factory" or "FILE.py:factory"; the factory is "" in any other name."""
    file, is_file, function = name.partition(".py:")
    if is_file:
        return f"{file}.py", function
    module, _, function = name.partition(":")
    return module, function

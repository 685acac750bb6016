"""Names of networks: "seaformer-tiny" everywhere, and "tiny" where a variant is expected.

Our own files, exports and weights, store the name in one of two members: `variant` for a SeaFormer,
`model` for any other network. The other member is null or missing.
"""

SEAFORMER = "seaformer"


def name_of_variant(variant: str) -> str:
    """Return the full name of a SeaFormer: "tiny" -> "seaformer-tiny"."""
    return f"{SEAFORMER}-{variant}"


def variant_of(name: str) -> str | None:
    """Return the variant of a name: "seaformer-tiny" -> "tiny"; None for other networks.

    "seaformer-tiny-retinanet" is another network.
    """
    family, *sizes = name.split("-")
    return sizes[0] if family == SEAFORMER and len(sizes) == 1 else None


def stored_name(variant: str | None, model: str | None) -> str | None:
    """Return the name that a file stores in its members `variant` and `model`; None if neither.

    The name is untrusted: it must not cause anything to be imported.
    """
    return model if variant is None else name_of_variant(variant)


def members(name: str) -> dict[str, str]:
    """Return the JSON member that stores a name; `stored_name` reads it."""
    variant = variant_of(name)
    return {"model": name} if variant is None else {"variant": variant}


def option(name: str) -> str:
    """Return the option that selects a network, such as "--variant tiny"."""
    variant = variant_of(name)
    return f"--model {name}" if variant is None else f"--variant {variant}"


def in_words(name: str) -> str:
    """Return the name of a network for sentences: "variant tiny", "model topformer-tiny"."""
    return option(name).removeprefix("--")


def factory_parts(name: str) -> tuple[str, str]:
    """Split "package.module:factory" or "FILE.py:factory"; the factory is "" for other names."""
    file, is_file, function = name.partition(".py:")
    if is_file:
        return f"{file}.py", function
    module, _, function = name.partition(":")
    return module, function

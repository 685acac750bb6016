"""The compile-only Android framework: classes without code, and a list of their members."""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seaformer.cache import cache_folder
from seaformer.temporary_folders import temporary_folder
from smoke_build.tools import APKTOOL, CACHE, JADX, PACKAGES, debian, package, run

_PRIMITIVES = {"int": "I", "float": "F", "bool": "Z", "str": "java.lang.String"}
_ELEMENTS = {"Boolean": "Z", "Long": "J"} | {
    name: name[0] for name in ("Int", "Byte", "Float", "Double", "Short", "Char")
}
_ARRAYS = {f"JavaArrayJ{name}": f"[{letter}" for name, letter in _ELEMENTS.items()}

# The stubs have a single integer type, which is taken for a Java int. These fields are long.
_LONG = ("android.app.ActivityManager.MemoryInfo.totalMem",)


@dataclass(frozen=True)
class Framework:
    """The parts of Android's framework (API 31) that compilers and linkers need, and these tools.

    `stub` is a jar of classes without code, `members` the list of their members as written by
    FrameworkStub.java, `resources` a jar for aapt2, and `r8` the jar of D8 and R8.
    """

    stub: Path
    members: Path
    resources: Path
    aapt2: Path
    r8: Path


def framework(generator: Path) -> Framework:
    """Generate the stub with FrameworkStub.java, or take it from the cache.

    Raises:
        SeaformerError: a tool is missing or fails.
    """
    android, fields = package("android"), package("framework-fields")
    jars, apktool = android / JADX, android / APKTOOL
    digest = hashlib.sha256(generator.read_bytes())
    for name in ("android", "framework-fields"):
        digest.update(PACKAGES[name].sha256.encode())
    folder = cache_folder(CACHE) / f"framework-{digest.hexdigest()[:32]}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder("framework", folder.parent) as temporary:
            made = temporary / "made"
            made.mkdir()
            listed = made / "fields.txt"
            listed.write_text("\n".join(_fields(fields)) + "\n")
            classpath = ":".join(str(jar) for jar in sorted(jars.glob("*.jar")))
            run(
                debian("java"),
                *("-cp", classpath, generator, listed, made / "stub.jar", made / "members.txt"),
            )
            try:
                made.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
    return Framework(
        stub=folder / "stub.jar",
        members=folder / "members.txt",
        resources=apktool / "brut/androlib/android-framework.jar",
        aapt2=apktool / "prebuilt/linux/aapt2_64",
        r8=next(jars.glob("r8-*.jar")),
    )


def _fields(stubs: Path) -> Iterator[str]:
    """Read the framework's fields from type stubs: class, name, S or I, type; tab-separated."""
    for file in sorted(stubs.rglob("*.pyi")):
        parts = list(file.relative_to(stubs).with_suffix("").parts)
        parts[0] = parts[0].removesuffix("-stubs")
        module = ".".join(part for part in parts if part != "__init__")
        yield from _fields_of(ast.parse(file.read_text()).body, module, module)


def _fields_of(body: list[ast.stmt], owner: str, module: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _fields_of(node.body, f"{owner}.{node.name}", module)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            kind = "S" if "ClassVar" in ast.unparse(node.annotation) else "I"
            is_long = f"{owner}.{node.target.id}" in _LONG
            stored = "J" if is_long else _type(node.annotation, module)
            yield f"{owner}\t{node.target.id}\t{kind}\t{stored}"


def _type(node: ast.expr, module: str) -> str:
    """Convert an annotation to the form that FrameworkStub.java reads."""
    if isinstance(node, ast.Constant):
        return _type(ast.parse(str(node.value), mode="eval").body, module)
    if isinstance(node, ast.BinOp):  # "X | None", or a type and those convertible to it
        return _type(node.left, module)
    if isinstance(node, ast.Subscript):
        generic = ast.unparse(node.value).rpartition(".")[2]
        if generic == "JavaArray":
            return "[" + _type(node.slice, module)
        if generic in ("ClassVar", "Final"):
            return _type(node.slice, module)
        if isinstance(node.slice, ast.Tuple):  # several type arguments are not needed
            return _type(node.value, module)
        return f"{_type(node.value, module)}<{_type(node.slice, module)}>"
    text = ast.unparse(node)
    short = text.rpartition(".")[2]
    if text in _PRIMITIVES:
        return _PRIMITIVES[text]
    return _ARRAYS.get(short) or f"{text}|{module}.{text}"

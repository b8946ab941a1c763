"""Digest of the code behind a rule, so that a change of what it computes runs the rule again.

Snakemake's own code trigger compares the date of the rule's script: it misses the modules that the
script imports, and a ``git checkout`` or a corrected comment runs everything again. These digests
are parameters of the rules instead. They are made of the syntax tree, so that dates, comments,
docstrings and layout change nothing.
"""

import ast
import contextlib
import functools
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from blastfold.core.files import write_json

PACKAGE = "blastfold"

STORE = Path(__file__).parent / "__pycache__" / "modules.json"
"""What was read of files before, by the digest of their bytes: parsing takes a third of a plan."""

STORED = 2000
"""A store of more files than this starts again; the library has a tenth of them."""

WITHOUT_RESULTS = frozenset({"core.logs"})
"""Modules that decide what is logged and no result; a change of them runs nothing again."""


class Module(NamedTuple):
    """One Python file as the digests see it.

    Attributes:
        digest: SHA-256 of its syntax tree.
        imports: What it imports from the package, as names inside the package; names of functions
            are among them.
    """

    digest: str
    imports: frozenset[str]


def rule_digest(script: str | Path, folder: str | Path) -> str:
    """Digest a rule's script with every module of the library that it reaches by imports.

    Args:
        script: The rule's script.
        folder: Folder of the package.

    Returns:
        SHA-256 over the syntax trees of the script and of all modules reached.

    Raises:
        FileNotFoundError: When the script does not exist.
    """
    reached = modules_behind(script, folder)
    return _combine([("script", read_module(Path(script)).digest), *_digests(reached)])


def modules_behind(script: str | Path, folder: str | Path) -> dict[str, Path]:
    """Return the file of every module of the library that a script reaches, by name."""
    imported = _existing(read_module(Path(script)).imports, Path(folder))
    return reached_modules(imported, Path(folder))


def code_digest(modules: Iterable[str], folder: str | Path) -> str:
    """Digest modules of the library with every module of the library that they import.

    Args:
        modules: Names inside the package, for instance ``["training.trainer"]``.
        folder: Folder of the package.

    Returns:
        SHA-256 over the names and syntax trees of all modules reached.

    Raises:
        FileNotFoundError: When a named module does not exist.
    """
    return _combine(_digests(reached_modules(modules, Path(folder))))


def reached_modules(modules: Iterable[str], folder: Path) -> dict[str, Path]:
    """Follow imports inside the package, those inside functions too.

    Returns:
        The file of every module reached, by name.
    """
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found and name not in WITHOUT_RESULTS:
            found[name] = _file_of(name, folder)
            waiting += _existing(read_module(found[name]).imports, folder)
    return found


@functools.cache
def read_module(path: Path) -> Module:
    """Read one Python file; each is read once per process, and parsed once per content."""
    source = path.read_bytes()
    key, store = hashlib.sha256(source).hexdigest(), _read_store()
    if key not in store:
        module = parse_module(source)
        store[key] = [module.digest, sorted(module.imports)]
        # Next to byte code, which cannot be written everywhere either.
        with contextlib.suppress(OSError):
            write_json({"code": _own_digest(), "modules": store}, STORE)
    digest, imports = store[key]
    return Module(digest, frozenset(imports))


def parse_module(source: bytes) -> Module:
    """Digest the syntax tree of a Python file and collect its imports."""
    tree = ast.parse(source)
    pieces: list[str] = []
    _describe(tree, pieces)
    digest = hashlib.sha256("".join(pieces).encode()).hexdigest()
    return Module(digest, frozenset(_imports(tree)))


@functools.cache
def _read_store() -> dict[str, list]:
    """Return what this version of this module stored; empty when that cannot be read."""
    try:
        content = json.loads(STORE.read_text("utf-8"))
        if content["code"] == _own_digest() and len(content["modules"]) <= STORED:
            return content["modules"]
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return {}


@functools.cache
def _own_digest() -> str:
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def _describe(node: ast.AST, pieces: list[str]) -> None:
    """Append the pieces of a text that equal syntax trees share, without bare strings.

    ``ast.dump`` would print the fields that are empty too, and these differ between versions of
    Python. Bare strings are docstrings of modules, classes, functions and constants.
    """
    pieces.append(type(node).__name__)
    for name in node._fields:
        value = getattr(node, name, None)
        if value is None or value == []:
            continue
        pieces.append(f"({name}:")
        for item in value if isinstance(value, list) else (value,):
            if _is_bare_string(item):
                continue
            if isinstance(item, ast.AST):
                _describe(item, pieces)
            else:
                pieces.append(repr(item))
            pieces.append(",")
        pieces.append(")")


def _is_bare_string(node: object) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield what a syntax tree imports from the package, as names inside the package."""
    prefix = f"{PACKAGE}."
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            candidates = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from blastfold.x import y`: y may be a function of x or a module of its own.
            candidates = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name.removeprefix(prefix) for name in candidates if name.startswith(prefix))


def _combine(digests: Iterable[tuple[str, str]]) -> str:
    text = "".join(f"{name}\t{digest}\n" for name, digest in digests)
    return hashlib.sha256(text.encode()).hexdigest()


def _digests(reached: dict[str, Path]) -> list[tuple[str, str]]:
    return [(name, read_module(path).digest) for name, path in sorted(reached.items())]


def _existing(names: Iterable[str], folder: Path) -> list[str]:
    return [name for name in names if _exists(name, folder)]


@functools.cache
def _exists(name: str, folder: Path) -> bool:
    base = folder.joinpath(*name.split("."))
    return base.with_suffix(".py").is_file() or (base / "__init__.py").is_file()


def _file_of(name: str, folder: Path) -> Path:
    base = folder.joinpath(*name.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")

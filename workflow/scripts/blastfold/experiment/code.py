"""Digest of the library code behind a rule, so that a change of the code runs the rule again."""

import ast
import hashlib
from pathlib import Path

PACKAGE = "blastfold"


def code_digest(modules: list[str], folder: str | Path) -> str:
    """Digest modules of the library with everything of the library that they import.

    Snakemake notices a changed script, but not a changed module that the script imports. Given
    as a parameter of the rule, this digest closes the gap; touching a file changes nothing.

    Args:
        modules: Names inside the package, for instance ``["training"]``.
        folder: Folder of the package.

    Returns:
        SHA-256 over the names and texts of all modules reached.

    Raises:
        FileNotFoundError: When a named module does not exist.
    """
    digest = hashlib.sha256()
    for name, path in sorted(reached_modules(modules, Path(folder)).items()):
        digest.update(f"{name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def reached_modules(modules: list[str], folder: Path) -> dict[str, Path]:
    """Follow imports inside the package; returns the file of every module reached, by name."""
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = _file_of(name, folder)
        waiting += [
            imported
            for imported in _imports(found[name])
            if imported not in found and _exists(imported, folder)
        ]
    return found


def _imports(path: Path) -> set[str]:
    """Return what a file imports from the package, as names inside the package."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            candidates = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from blastfold.x import y`: y may be a function of x or a module of its own.
            candidates = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        prefix = f"{PACKAGE}."
        names |= {name.removeprefix(prefix) for name in candidates if name.startswith(prefix)}
    return names


def _exists(name: str, folder: Path) -> bool:
    base = folder.joinpath(*name.split("."))
    return base.with_suffix(".py").is_file() or (base / "__init__.py").is_file()


def _file_of(name: str, folder: Path) -> Path:
    base = folder.joinpath(*name.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")

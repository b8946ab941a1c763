"""What each rule's script imports, through every module of the library that it reaches."""

import ast
import functools
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.utils import canonicalize_name
from support.environment_files import SAME_PACKAGE
from support.repository import REPOSITORY, SCRIPTS

# A rule in a loop is deeper and may have its name inside.
RULE = re.compile(r"^( *)(?:rule|checkpoint)(?: (\w+))?:\n((?:(?:\1 +.*)?\n)*)", re.MULTILINE)
IMPORT = re.compile(r"^(?:from \S+ )?import (?:\([^)]*\)|.+)", re.MULTILINE)


def rule_files() -> list[Path]:
    """The Snakefile and the files that it includes."""
    return [REPOSITORY / "Snakefile", *sorted((REPOSITORY / "rules").glob("*.smk"))]


def stage_rules() -> dict[str, tuple[Path, Path]]:
    """Return rule -> (script, environment file) of every rule with a script.

    The text is read instead of Snakemake's own objects, which are private to it; snakefmt
    guarantees its form.
    """
    rules = {}
    for path in rule_files():
        for _, name, body in RULE.findall(path.read_text(encoding="utf-8")):
            places = dict(re.findall(r'^ +(script|conda):\n +"([^"]+)"', body, re.MULTILINE))
            if "script" in places:
                folder = path.parent
                rules[name or Path(places["script"]).stem] = tuple(
                    (folder / places[kind]).resolve() if kind in places else None
                    for kind in ("script", "conda")
                )
    return rules


def workflow_imports() -> dict[str, str]:
    """Return distribution -> file that imports it, for what Snakemake itself must have."""
    statements = {
        path: "\n".join(IMPORT.findall(path.read_text(encoding="utf-8"))) for path in rule_files()
    }
    return _collect([(path, ast.parse(text)) for path, text in statements.items()])


def script_imports(script: Path) -> dict[str, str]:
    """Return distribution -> file that imports it, for all that a script needs."""
    return _collect([(script, ast.parse(script.read_text(encoding="utf-8")))])


def _collect(pending: list[tuple[Path, ast.AST]]) -> dict[str, str]:
    """Follow imports until nothing of our own is left; name the distributions of the rest."""
    seen, found = set(), {}
    while pending:
        path, tree = pending.pop()
        for module in _imported_modules(tree):
            own = _own_files(module)
            pending += [(file, ast.parse(file.read_text("utf-8"))) for file in own - seen]
            seen |= own
            package = module.partition(".")[0]
            if not own and package not in sys.stdlib_module_names:
                found.setdefault(_distribution(package), str(path.relative_to(REPOSITORY)))
    return found


def _imported_modules(tree: ast.AST) -> list[str]:
    """Every module named by an import that is executed: type checkers' imports are not."""
    modules = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            modules += [node.module, *(name for name in inner if _own_files(name))]
        else:
            modules += _imported_modules(node)
    return modules


def _own_files(module: str) -> set[Path]:
    """The files of this repository that importing a module of its library executes."""
    parts = module.split(".")
    files = set()
    for length in range(1, len(parts) + 1):
        stem = SCRIPTS.joinpath(*parts[:length])
        here = [path for path in (stem / "__init__.py", stem.with_suffix(".py")) if path.exists()]
        if not here:
            return set()
        files.update(here)
    return files


def _distribution(package: str) -> str:
    """The distribution that brings a package; the package's own name when it is not installed."""
    name = canonicalize_name(_installed().get(package, [package])[0])
    return SAME_PACKAGE.get(name, name)


@functools.cache
def _installed() -> dict[str, list[str]]:
    """Package -> distributions; read once, for it walks through everything installed."""
    return packages_distributions()

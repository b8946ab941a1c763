"""The layout of the tests: rooms as in the library, and shared builders in one place."""

import ast

import pytest
from support.repository import REPOSITORY, SCRIPTS

TESTS = REPOSITORY / "tests"
FILES = sorted(TESTS.glob("**/*.py"))


def imported_modules(path):
    """Every module that a file imports, also inside functions; relative imports with their dots."""
    modules = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules.append("." * node.level + (node.module or ""))
            modules += [f"{modules[-1]}.{alias.name}" for alias in node.names]
    return modules


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_no_file_imports_a_test(path):
    names = [part for module in imported_modules(path) for part in module.split(".")]
    assert [name for name in names if name.startswith("test_") or name == "conftest"] == []
    assert not any(module.startswith((".", "tests")) for module in imported_modules(path))


def test_every_folder_of_unit_tests_is_a_room_of_the_library():
    library = SCRIPTS / "blastfold"
    rooms = {path.parent.relative_to(TESTS / "unit") for path in TESTS.glob("unit/**/test_*.py")}
    assert [str(room) for room in rooms if not (library / room / "__init__.py").is_file()] == []

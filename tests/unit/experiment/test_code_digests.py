"""The digest of the code behind a rule."""

import ast
import json

import pytest
from support.repository import SCRIPTS

from blastfold.experiment import code_digests as code


def write_package(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "__init__.py").write_text("")
    (folder / "top.py").write_text("from blastfold.middle import f\nimport numpy\n")
    (folder / "middle.py").write_text(
        "from blastfold import leaf\nfrom blastfold.sub import deep\n"
    )
    (folder / "leaf.py").write_text("import blastfold.top\n")
    (folder / "sub" / "deep.py").write_text("value = 1\n")
    (folder / "other.py").write_text("value = 1\n")


def test_code_digest_follows_imports(tmp_path):
    write_package(tmp_path)
    reached = code.reached_modules(["top"], tmp_path)
    assert sorted(reached) == ["leaf", "middle", "sub", "sub.deep", "top"]
    first = code.code_digest(["top"], tmp_path)
    (tmp_path / "other.py").write_text("value = 2\n")
    code.read_module.cache_clear()
    assert code.code_digest(["top"], tmp_path) == first
    (tmp_path / "sub" / "deep.py").write_text("value = 2\n")
    code.read_module.cache_clear()
    assert code.code_digest(["top"], tmp_path) != first
    with pytest.raises(FileNotFoundError):
        code.code_digest(["absent"], tmp_path)


SOURCE = """
def mean(values):
    return sum(values) / len(values)  # of numbers
"""

SAME = [
    '"""A module."""\n' + SOURCE,
    "# A comment.\n" + SOURCE.replace("    return", "    # Another one.\n\n    return"),
    SOURCE.replace("    return", '    """Return the mean."""\n    return'),
    SOURCE.replace("sum(values) / len(values)", "(sum(values) /\n            len(values))"),
    SOURCE + '"""What a constant is for."""\n',
]
OTHER = [
    SOURCE.replace("/", "//"),
    SOURCE.replace("mean", "average"),
    SOURCE + "LIMIT = 3\n",
    SOURCE.replace("(values):", "(values, weights=None):"),
    SOURCE.replace("return", "yield"),
]


def digest_of(text, tmp_path):
    (tmp_path / "module.py").write_text(text)
    code.read_module.cache_clear()
    return code.code_digest(["module"], tmp_path)


@pytest.mark.parametrize("text", SAME)
def test_what_python_does_not_run_is_no_change(text, tmp_path):
    assert digest_of(text, tmp_path) == digest_of(SOURCE, tmp_path)


@pytest.mark.parametrize("text", OTHER)
def test_a_change_of_what_is_computed_is_one(text, tmp_path):
    assert digest_of(text, tmp_path) != digest_of(SOURCE, tmp_path)


def test_constants_of_different_types_differ(tmp_path):
    digests = {digest_of(f"value = {text}\n", tmp_path) for text in ("1", "1.0", "True", "'1'")}
    assert len(digests) == 4


def test_a_string_is_data_unless_it_is_alone(tmp_path):
    assert digest_of("value = 'a'\n", tmp_path) != digest_of("value = 'b'\n", tmp_path)
    assert digest_of("print('a')\n", tmp_path) != digest_of("print('b')\n", tmp_path)


def test_rule_digest_holds_the_script_and_what_it_imports_inside_functions(tmp_path):
    library, script = tmp_path / "blastfold", tmp_path / "rule.py"
    (library / "core").mkdir(parents=True)
    write = {
        script: "with open('log'):\n    from blastfold.leaf import run\n    run()\n",
        library / "leaf.py": "def run():\n    from blastfold.core import logs, deep\n",
        library / "core" / "deep.py": "value = 1\n",
        library / "core" / "logs.py": "value = 1\n",
        library / "unrelated.py": "value = 1\n",
    }
    for path, text in write.items():
        path.write_text(text)
    first = code.rule_digest(script, library)
    for path, changes in [
        (script, True),
        (library / "leaf.py", True),
        (library / "core" / "deep.py", True),
        (library / "core" / "logs.py", False),
        (library / "unrelated.py", False),
    ]:
        before = path.read_text()
        path.write_text(before + "value = 2\n")
        code.read_module.cache_clear()
        assert (code.rule_digest(script, library) != first) == changes, path
        path.write_text(before)
        code.read_module.cache_clear()
    with pytest.raises(FileNotFoundError):
        code.rule_digest(tmp_path / "absent.py", library)


def test_a_module_is_the_same_however_its_syntax_tree_is_made(tmp_path):
    unparsed = ast.unparse(ast.parse(SOURCE))
    assert digest_of(unparsed, tmp_path) == digest_of(SOURCE, tmp_path)


def test_every_rule_of_the_workflow_reaches_its_library():
    library = SCRIPTS / "blastfold"
    scripts = sorted(SCRIPTS.glob("*.py"))
    digests = {script.stem: code.rule_digest(script, library) for script in scripts}
    assert len(set(digests.values())) == len(scripts) > 40
    reached = code.modules_behind(SCRIPTS / "train_model.py", library)
    assert {"training.fold_job", "training.device_tensorflow", "networks.layers"} <= set(reached)
    assert not any(name.startswith("reporting") for name in reached)


@pytest.mark.parametrize(
    "content", [None, "", "no JSON", "[]", '{"code": "other", "modules": {}}', "{}"]
)
def test_what_was_parsed_before_is_stored_and_a_store_of_others_is_not_used(
    tmp_path, monkeypatch, content
):
    monkeypatch.setattr(code, "STORE", tmp_path / "store" / "modules.json")
    code._read_store.cache_clear()
    path = tmp_path / "module.py"
    path.write_text(SOURCE)
    expected = code.parse_module(SOURCE.encode())
    if content is not None:
        code.STORE.parent.mkdir()
        code.STORE.write_text(content)
    for _ in range(2):
        code.read_module.cache_clear()
        assert code.read_module(path) == expected
        code._read_store.cache_clear()
    stored = json.loads(code.STORE.read_text())["modules"]
    assert [entry[0] for entry in stored.values()] == [expected.digest]
    path.write_text(SOURCE + "LIMIT = 3\n")
    code.read_module.cache_clear()
    assert code.read_module(path).digest != expected.digest
    code._read_store.cache_clear()


def test_a_folder_that_cannot_be_written_changes_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(code, "STORE", tmp_path / "file" / "modules.json")
    code._read_store.cache_clear()
    code.read_module.cache_clear()
    path = tmp_path / "module.py"
    path.write_text(SOURCE)
    assert code.read_module(path) == code.parse_module(SOURCE.encode())
    code._read_store.cache_clear()

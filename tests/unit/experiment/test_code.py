"""The digest of the code behind a rule."""

import pytest

from blastfold.experiment import code


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
    assert code.code_digest(["top"], tmp_path) == first
    (tmp_path / "sub" / "deep.py").write_text("value = 2\n")
    assert code.code_digest(["top"], tmp_path) != first
    with pytest.raises(FileNotFoundError):
        code.code_digest(["absent"], tmp_path)

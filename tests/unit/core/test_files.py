"""Files that appear whole, digests and named randomness."""

import hashlib

import numpy as np
import pytest

from blastfold.core import files, seeds


def _write_half(path):
    path.write_text("half of the n")
    raise OSError("disk full")


def test_written_whole_leaves_the_old_file_when_it_fails(tmp_path):
    path = tmp_path / "folder" / "table.tsv"
    with files.written_whole(path) as partial:
        partial.write_text("old")
    with pytest.raises(OSError, match="disk full"), files.written_whole(path) as partial:
        _write_half(partial)
    assert path.read_text() == "old"
    assert [entry.name for entry in path.parent.iterdir()] == ["table.tsv"]


def test_digests(tmp_path):
    (tmp_path / "file").write_bytes(b"abc" * 100_000)
    assert files.digest_file(tmp_path / "file") == hashlib.sha256(b"abc" * 100_000).hexdigest()
    assert files.digest_names(["b", "a"]) == files.digest_names(["a", "b"])
    assert files.digest_names(["a", "b"]) != files.digest_names(["ab"])
    assert files.digest_settings({"a": 1, "b": 2}) == files.digest_settings({"b": 2, "a": 1})


@pytest.mark.parametrize("name", ["x" * 300, "a/" * 3000, "nul\0", "", "absent"])
def test_names_that_no_file_can_have_are_no_files(tmp_path, name):
    assert not files.is_file(tmp_path / name)
    assert files.exists(tmp_path / name) == (name == "")


def test_streams_depend_on_their_names_alone():
    one = seeds.generator(1, "order", 3).uniform(size=5)
    np.testing.assert_array_equal(one, seeds.generator(1, "order", 3).uniform(size=5))
    others = [seeds.derive_seed(*names) for names in ((1, "order", 4), (2, "order", 3), (1, "or"))]
    assert seeds.derive_seed(1, "order", 3) not in others
    assert seeds.derive_seed(1, "ab", "c") != seeds.derive_seed(1, "a", "bc")

"""Files that appear whole, digests and named randomness."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from support.repository import SCRIPTS

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


def test_what_a_killed_process_left_is_removed_when_its_file_is_written_again(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for owner, name in ((ended.pid, "a[b].tsv"), (os.getppid(), "a[b].tsv"), (ended.pid, "c.tsv")):
        (tmp_path / f".{owner}.partial.{name}").write_text("half")
    with files.written_whole(tmp_path / "a[b].tsv") as partial:
        partial.write_text("whole")
    left = {f".{os.getppid()}.partial.a[b].tsv", f".{ended.pid}.partial.c.tsv", "a[b].tsv"}
    assert {entry.name for entry in tmp_path.iterdir()} == left


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


HOLDER = """
import pathlib, sys
from blastfold.core.files import claim_file
claim = claim_file({path!r})
print("claimed", flush=True)
sys.stdin.readline()
pathlib.Path({ended!r}).touch()
{last}
"""
WAITER = """
import pathlib
from blastfold.core.files import claim_file
claim = claim_file({path!r})
print(pathlib.Path({ended!r}).exists(), pathlib.Path({path!r}).exists())
"""


@pytest.mark.parametrize(
    "last",
    [
        "import os; os.kill(os.getpid(), 9)",
        "pathlib.Path({path!r}).unlink(); claim.close()",
        "claim.close()",
    ],
)
def test_a_claimed_file_is_free_when_its_process_ends(tmp_path, last):
    names = {"path": str(tmp_path / "folder" / "lock"), "ended": str(tmp_path / "ended")}
    programs = [HOLDER.format(**names, last=last.format(**names)), WAITER.format(**names)]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    started = []
    for program in programs:
        command = [sys.executable, "-c", program]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, env=environment, **pipes))
        if len(started) == 1:
            assert started[0].stdout.readline() == "claimed\n"
    holder, waiter = started
    holder.communicate("end\n")
    assert waiter.communicate()[0] == "True True\n"

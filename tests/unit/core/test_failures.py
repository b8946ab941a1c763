"""The list at the end of a run in which jobs failed."""

import os
import subprocess
import sys

import pytest
from support.repository import SCRIPTS

from blastfold.core.failures import (
    CONTINUE,
    CORRECT,
    KILLED,
    MAKE_ROOM,
    MORE_MEMORY,
    REPORT,
    FailedJob,
    advice,
    describe_failures,
    last_lines,
)

JOB = """
import errno, logging
from blastfold.core.errors import InputError
from blastfold.core.logs import log_to
with log_to({path!r}):
    logging.getLogger("blastfold").info("work has begun")
    {ending}
"""


def end_of_job(path, ending):
    """Run a job in a process of its own, since it redirects all that the process prints."""
    run = subprocess.run(
        [sys.executable, "-c", JOB.format(path=str(path), ending=ending)],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
    )
    return run, last_lines(path)


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        ("raise InputError('folds: received 1, expected at least 2')", CORRECT),
        ("raise InputError('stopped by a signal; the next attempt continues')", CONTINUE),
        ("raise OSError(errno.ENOSPC, 'No space left on device', 'images.npy')", MAKE_ROOM),
        ("raise OSError('write failed: errno = 28, No space left on device')", MAKE_ROOM),
        ("raise MemoryError('Unable to allocate 4.50 GiB')", MORE_MEMORY),
        ("1 / 0", REPORT),
        ("import os; os.kill(os.getpid(), 9)", KILLED),
    ],
)
def test_advice_follows_from_how_a_job_ends(tmp_path, ending, expected):
    run, lines = end_of_job(tmp_path / "logs" / "job.log", ending)
    assert run.returncode != 0
    assert advice(lines) == expected


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_full_disk_is_one_line_without_a_traceback(tmp_path, wrapped):
    ending = "raise OSError(errno.ENOSPC, 'No space left on device', 'images.npy')"
    if wrapped:
        ending = f"""
    try:
        {ending}
    finally:
        raise ValueError('cannot close the file')
"""
    run, lines = end_of_job(tmp_path / "job.log", ending)
    assert run.returncode == 1
    assert len(lines) == 2
    assert "The disk is full: 'images.npy' could not be written. Make room" in lines[1]
    assert lines[1] in run.stderr
    assert "Traceback" not in run.stderr


def test_an_error_of_the_program_leaves_its_traceback_in_the_log(tmp_path):
    run, lines = end_of_job(tmp_path / "job.log", "1 / 0")
    assert run.returncode == 1
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert "Traceback" in (tmp_path / "job.log").read_text("utf-8")
    assert run.stderr.count("Traceback") == 1


def test_every_failed_job_is_listed_once_with_its_log(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("first line\n10:00:00 ERROR the sheet has no column label\n")
    jobs = [
        FailedJob("train_model", {"dataset": "cells", "fold": "1"}, [str(tmp_path / "b.log")]),
        FailedJob("import_dataset", {"dataset": "cells"}, [str(path)]),
    ]
    text = describe_failures(jobs, 7)
    assert text.startswith("2 jobs failed; 7 jobs not run because of that:")
    assert text.index("import_dataset (dataset cells)") < text.index("train_model (dataset cells")
    assert "    10:00:00 ERROR the sheet has no column label\n  what to do: Correct" in text
    assert "first line" not in text
    assert "b.log (missing or empty)" in text
    assert "--set-resources train_model:mem_mb" in text
    assert text.endswith("start the same command again: all finished results are kept.")


def test_a_run_that_was_stopped_has_no_failed_jobs():
    assert describe_failures([], 1).startswith("The run was stopped; 1 job not run.")


def test_braces_in_names_and_logs_are_shown_as_they_are(tmp_path):
    path = tmp_path / "{rule}.log"
    path.write_text("10:00:00 ERROR expected {pretrained_on: name}\n")
    text = describe_failures([FailedJob("a", {"x": "{y}"}, [str(path)])], 0)
    assert "expected {pretrained_on: name}" in text
    assert "a (x {y})" in text


def test_last_lines_of_hostile_logs(tmp_path):
    path = tmp_path / "job.log"
    assert last_lines(path) == []
    assert last_lines(tmp_path) == []
    path.write_bytes(b"")
    assert last_lines(path) == []
    path.write_bytes(b"\xff\xfe\x00 no text \x1b[31m\n\n\n1/9\r2/9\r\n" + b"x" * 1000 + b"\n")
    shown = last_lines(path)
    assert len(shown) == 3
    assert "\x1b" not in shown[0]
    assert shown[1] == "2/9"
    assert shown[2] == "x" * 600 + " ..."
    path.write_text("old\n" * 200_000 + "new\n")
    assert last_lines(path) == ["old", "old", "old", "old", "new"]


def test_an_error_of_many_lines_is_shown_from_its_beginning(tmp_path):
    path = tmp_path / "a.log"
    rows = [f" row {number}" for number in range(40)]
    error = ["10:00:02 ERROR protocols.folds: leakage is forbid, but", *rows, "Expected none."]
    path.write_text("\n".join(["10:00:01 WARNING other", *error]) + "\n")
    text = describe_failures([FailedJob("audit_split", {}, [str(path)])], 1)
    shown = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    assert shown == [error[0], "row 0", "row 1", "...", "Expected none."]
    assert CORRECT in text
    # An error that is not the last message did not end the job.
    path.write_text("\n".join([*error, "10:00:03 INFO continues", *rows[:8]]) + "\n")
    text = describe_failures([FailedJob("audit_split", {}, [str(path)])], 1)
    assert "leakage is forbid" not in text
    assert "ends without an error" in text

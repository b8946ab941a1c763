"""Damaged files of every kind: each is read or refused with a message, within 5 s and 1 GB.

The same seed gives the same files everywhere. `make test` tries 300 per reader, `make test-faults`
2,000, and `make test-faults FULL=1` 20,000. Counts are written to the output.
"""

import collections
import json
import os
import signal
import subprocess
import sys

import pytest
from support.faults import choose
from support.repository import REPOSITORY, SCRIPTS

INPUTS = choose(short=300, long=2000, full=20000)
SEED = 13
WORKER = REPOSITORY / "tests" / "support" / "reader_worker.py"
READERS = (
    *("yaml", "svs", "hdf5", "bmp", "png", "jpeg", "tiff", "sheet", "xyc"),
    *("voc", "coco", "boxes"),
)
KILLED = {signal.SIGPROF: "hang", signal.SIGALRM: "hang"}


def run_worker(reader, first, count, folder, *seconds):
    """Read inputs from number ``first`` in a process; return its results and its exit status."""
    run = subprocess.run(
        [sys.executable, WORKER, reader, str(SEED), str(first), str(count), folder, *seconds],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(SCRIPTS), str(REPOSITORY / "tests"))),
            "OPENBLAS_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode <= 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()], -run.returncode


@pytest.mark.parametrize("fault", ["turn", "wait", "memory", "uncaught", "crash"])
def test_faults_of_a_reader_are_found(fault, tmp_path):
    results, status = run_worker(fault, 0, 1, tmp_path, "0.2")
    killed = {"turn": signal.SIGPROF, "wait": signal.SIGALRM, "crash": signal.SIGSEGV}
    assert status == killed.get(fault, 0)
    assert [result["outcome"] for result in results] == ([] if status else [fault])


def read_all(reader, folder):
    """Read all inputs; a process that is killed counts as one input and is started again."""
    results = []
    while len(results) < INPUTS:
        done, status = run_worker(reader, len(results), INPUTS - len(results), folder)
        results += done
        if status:
            results.append({"outcome": KILLED.get(status, "crash"), "detail": f"signal {status}"})
    return results


@pytest.mark.parametrize("reader", READERS)
def test_damaged_files_are_read_or_refused(reader, tmp_path):
    results = read_all(reader, tmp_path)
    counts = collections.Counter(result["outcome"] for result in results)
    print(f"\n{reader}: {len(results)} damaged files: {dict(sorted(counts.items()))}")
    faults = [
        (number, result)
        for number, result in enumerate(results)
        if result["outcome"] not in ("accepted", "refused")
    ]
    assert not faults, "\n".join(f"input {n}: {r['outcome']}: {r['detail']}" for n, r in faults[:5])
    assert len(results) == INPUTS
    # Neither are all files beyond repair, nor is all damage overlooked.
    assert 0 < counts["accepted"] < INPUTS

"""How much of the default experiment's time is nobody's work: planning, starting, waiting.

The experiment runs as a user starts it, in an empty folder. Snakemake's records say when it handed
out each job and when the job's outputs were complete; the job's log file, which a script opens
before anything else it does, says when it began its own work. The time in which at least one job
was at work is the length of the union of the intervals, and the rest of the wall time is overhead:

* of the workflow: no job was running (between handing out and completion);
* with start-up: no job was doing its own work, so that starting Python and importing the
  libraries that a script names on top counts as overhead too.

Run with ``-s`` to see both. BLASTFOLD_BENCHMARK_CONFIG=<file> takes another experiment.
"""

import json
import os
import subprocess
import time
from collections import defaultdict
from pathlib import Path

import pytest
from support.workflow import REPOSITORY, snakemake

CONFIG = Path(os.environ.get("BLASTFOLD_BENCHMARK_CONFIG", REPOSITORY / "config.yaml")).resolve()


def union_length(intervals):
    """Return how long at least one of the intervals (start, end) lasts."""
    length, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        length += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return length


def birth(path):
    """Return when a file was made; Python does not tell it on Linux."""
    shown = subprocess.run(["stat", "-c", "%.9W", path], capture_output=True, text=True, check=True)
    if float(shown.stdout) <= 0:
        pytest.skip("this file system does not keep when a file was made")
    return float(shown.stdout)


def read_jobs(folder):
    """Return (handed out, own work begun, complete) of every job, in seconds of the clock."""
    records = defaultdict(list)
    for path in (folder / ".snakemake/metadata").rglob("*"):
        if path.is_file():
            record = json.loads(path.read_text("utf-8"))
            records[tuple(record["log"])].append(record)
    assert () not in records, "a rule without a log"
    return [
        (
            min(record["starttime"] for record in outputs),
            birth(folder / logs[0]),
            max(record["endtime"] for record in outputs),
        )
        for logs, outputs in records.items()
    ]


def test_union_of_intervals():
    assert union_length([(0, 2), (1, 3), (5, 6), (5.2, 5.4)]) == 4
    assert union_length([]) == 0


def test_overhead_of_the_workflow(tmp_path):
    start = time.time()
    run = snakemake(tmp_path, config=CONFIG)
    end = time.time()
    assert run.returncode == 0, run.stdout
    jobs = read_jobs(tmp_path)
    assert all(start < out <= begun <= complete < end for out, begun, complete in jobs)
    wall = end - start
    running = union_length((out, complete) for out, _, complete in jobs)
    working = union_length((begun, complete) for _, begun, complete in jobs)
    first, last = min(job[0] for job in jobs) - start, end - max(job[2] for job in jobs)
    print(
        f"\n{CONFIG.name}, {len(jobs)} jobs, {wall:.0f} s: overhead of the workflow "
        f"{100 * (1 - running / wall):.1f} % (until the first job {first:.1f} s, after the last "
        f"{last:.1f} s); with start-up of Python and imports {100 * (1 - working / wall):.1f} %"
    )
    assert 1 - running / wall < 0.1

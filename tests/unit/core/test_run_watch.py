"""Jobs that end with the process that started them."""

import os
import select
import signal
import subprocess
import sys

import pytest
from support.repository import SCRIPTS

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="of Linux alone")

STARTER = """
import subprocess, sys
from blastfold.core.run_watch import announce_run
announce_run()
print(subprocess.Popen([sys.executable, "-c", {job!r}]).pid, flush=True)
sys.stdin.readline()
"""
JOB = """
import signal, time
from blastfold.core.run_watch import end_with_run
{handler}
end_with_run(grace=0.05)
print("watches", flush=True)
time.sleep(600)
"""
LATE = """
import os
from blastfold.core.run_watch import announce_run
announce_run()
print(os.environ["BLASTFOLD_RUN"])
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SCRIPTS)}


def start(program):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", program], env=ENVIRONMENT, **pipes)


@pytest.mark.parametrize(
    "handler", ["", "signal.signal(signal.SIGTERM, lambda number, frame: time.sleep(600))"]
)
def test_a_job_ends_when_its_snakemake_is_killed_also_one_that_does_not_stop(handler):
    starter = start(STARTER.format(job=JOB.format(handler=handler)))
    # Opened while the number is still the job's.
    job = os.pidfd_open(int(starter.stdout.readline()))
    assert starter.stdout.readline() == "watches\n"
    poll = select.poll()
    poll.register(job, select.POLLIN)
    assert poll.poll(0) == []
    # Not waited for: a process that has ended stays in the list until its parent asks for it.
    starter.kill()
    try:
        assert poll.poll(60_000), "the job still runs"
    finally:
        starter.wait()
        if not poll.poll(0):
            signal.pidfd_send_signal(job, signal.SIGKILL)


def test_a_job_does_not_begin_when_its_snakemake_has_ended():
    run = subprocess.run([sys.executable, "-c", LATE], env=ENVIRONMENT, capture_output=True)
    environment = {**ENVIRONMENT, "BLASTFOLD_RUN": run.stdout.decode().strip()}
    command = [sys.executable, "-c", JOB.format(handler="")]
    job = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert job.returncode == 1
    assert "Snakemake has ended before this job began" in job.stderr


@pytest.mark.parametrize("value", ["", "no number", "1 2 another", "1  ", "1 2 3 4"])
def test_a_process_without_an_announcement_runs_on(value):
    environment = {**ENVIRONMENT, "BLASTFOLD_RUN": value}
    program = JOB.format(handler="").replace("600", "0.2")
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True)
    assert (run.returncode, run.stdout) == (0, b"watches\n")

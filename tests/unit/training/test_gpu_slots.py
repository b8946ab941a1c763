"""Several GPUs on one workstation: real processes, pretended device files."""

import subprocess
import sys

import pytest
from support.repository import SCRIPTS

from blastfold.training import gpu_slots

JOB = """
import logging, os, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
from blastfold.training.gpu_slots import claim_gpu
gpu = claim_gpu(devices=sys.argv[1], locks=sys.argv[2])
assert claim_gpu(devices=sys.argv[1], locks=sys.argv[2]) == gpu
print("claimed", gpu, os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def workstation(tmp_path):
    """Start jobs on a workstation with some GPUs; whatever still runs is killed at the end."""
    devices, locks = tmp_path / "dev", tmp_path / "locks"
    for folder in (devices, locks):
        folder.mkdir()
    (devices / "nvidiactl").touch()
    jobs = []

    def start(gpus, visible=None):
        for number in range(gpus):
            (devices / f"nvidia{number}").touch()
        environment = {"PYTHONPATH": str(SCRIPTS)}
        if visible is not None:
            environment["CUDA_VISIBLE_DEVICES"] = visible
        jobs.append(
            subprocess.Popen(
                [sys.executable, "-u", "-c", JOB, str(devices), str(locks)],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return jobs[-1]

    yield start
    for job in jobs:
        job.kill()
        job.communicate()


def until(job, text):
    """Read what a job prints up to the line with a text, and return this line."""
    printed = []
    for line in job.stdout:
        printed.append(line)
        if text in line:
            return line.strip()
    raise AssertionError(f"{text!r} was never printed:\n{''.join(printed)}")


def test_jobs_take_different_gpus_and_one_too_many_waits(workstation):
    first = [workstation(3) for _ in range(3)]
    taken = [until(job, "claimed") for job in first]
    assert sorted(taken) == ["claimed 0 0", "claimed 1 1", "claimed 2 2"]
    late = workstation(3)
    assert "Every GPU (0, 1, 2) is used" in until(late, "waiting until one is free")
    first[1].communicate()
    assert first[1].returncode == 0
    assert until(late, "claimed") == taken[1]


def test_a_killed_job_frees_its_gpu(workstation):
    holder = workstation(1)
    assert until(holder, "claimed") == "claimed 0 0"
    waiting = workstation(1)
    until(waiting, "waiting until one is free")
    holder.kill()
    assert until(waiting, "claimed") == "claimed 0 0"


def test_many_jobs_that_start_at_once_never_share(workstation):
    jobs = [workstation(8) for _ in range(8)]
    assert sorted(until(job, "claimed") for job in jobs) == [
        f"claimed {gpu} {gpu}" for gpu in range(8)
    ]


def test_visible_devices_are_obeyed(workstation):
    taken = {until(workstation(4, "3,GPU-8f2c"), "claimed") for _ in range(2)}
    assert taken == {"claimed 3 3", "claimed GPU-8f2c GPU-8f2c"}
    until(workstation(4, "3,GPU-8f2c"), "waiting until one is free")
    # Handed out by SLURM, where every job may call its own GPU 0: no lock, no waiting.
    assert [until(workstation(4, "0"), "claimed") for _ in range(2)] == ["claimed 0 0"] * 2
    assert until(workstation(4, "-1"), "claimed") == "claimed None -1"
    assert until(workstation(4, ""), "claimed") == "claimed None"


def test_without_a_gpu_nothing_is_taken(workstation):
    assert until(workstation(0), "claimed") == "claimed None None"


def test_a_link_in_place_of_a_lock_file_is_not_followed(tmp_path):
    (tmp_path / "nvidia0").touch()
    (tmp_path / "blastfold-gpu-0.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"blastfold-gpu-0\.lock"):
        gpu_slots.claim_gpu({}, tmp_path, tmp_path)
    assert not (tmp_path / "elsewhere").exists()

"""The profile for SLURM on a real SLURM: what is asked for, who waits, what a cancelled job loses.

All jobs are submitted once, and every test reads what SLURM itself says about them.
"""

import itertools
import re
import subprocess
import time
from datetime import datetime
from types import SimpleNamespace

import pandas as pd
import pytest
from support.workflow import REPOSITORY, small_experiment, snakemake, snakemake_command, write_cells

FOLDS = "results/training/cells/subject_folds/simple_cnn/fold-{}"
EPOCHS = 60
MINUTES = 60.0

# What a user edits in the profile is nothing here: the partitions have its names. There is no
# conda on this machine; environment modules, which no rule uses, are asked for in its place.
ON_SLURM = [
    *("--workflow-profile", str(REPOSITORY / "profiles" / "slurm")),
    *("--software-deployment-method", "env-modules"),
    *("--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "5", "--seconds-between-status-checks", "5"),
]


def slurm_command(folder, *arguments, config):
    """As on the login node: no number of cores, no number of GPUs."""
    command = snakemake_command(folder, *arguments, *ON_SLURM, config=config)
    cut = command.index("--cores")
    assert command[cut : cut + 4] == ["--cores", "2", "--resources", "gpu=1"]
    return command[:cut] + command[cut + 4 :]


def slurm_jobs():
    """Read everything that SLURM knows about all jobs: one dict each, in order of submission."""
    shown = subprocess.run(
        ["scontrol", "--oneliner", "show", "job"], capture_output=True, text=True, check=True
    )
    jobs = []
    for line in shown.stdout.splitlines():
        fields = dict(re.findall(r"(\w[\w:/]*)=(\S*)", line))
        if "JobId" in fields:
            jobs.append(fields)
    return sorted(jobs, key=lambda job: int(job["JobId"]))


def of_rule(jobs, rule):
    return [job for job in jobs if rule in job["Comment"]]


def wait_for(condition, process, output, minutes=10.0):
    """Ask repeatedly until it holds; the workflow must keep running."""
    deadline = time.monotonic() + minutes * MINUTES
    while not (found := condition()):
        ended = process.poll()
        assert ended is None, f"snakemake ended with {ended}:\n{output.read_text()}"
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.2)
    return found


def training_under_way(folder):
    """The fold, the running job and the other training jobs, once five epochs are done."""
    for fold in (0, 1):
        log = folder / f"logs/train_model/cells/subject_folds/simple_cnn/fold-{fold}.log"
        if log.exists() and f"epoch 5/{EPOCHS}" in log.read_text():
            trainings = of_rule(slurm_jobs(), "train_model")
            running = [job for job in trainings if job["JobState"] == "RUNNING"]
            others = [job for job in trainings if job["JobState"] == "PENDING"]
            if running and others:
                return SimpleNamespace(fold=fold, running=running, others=others, log=log)
    return None


@pytest.fixture(scope="module")
def experiment(cluster, tmp_path_factory):
    """A training without its GPU; then two trainings, of which the first is cancelled half-way."""
    folder = tmp_path_factory.mktemp("experiment")
    write_cells(folder / "resources/raw/cells")
    config = small_experiment()
    config["models"]["simple_cnn"]["epochs"] = EPOCHS
    leakage = "results/folds/cells/subject_folds.leakage.tsv"
    prepared = snakemake(folder, leakage, config=config)
    assert prepared.returncode == 0, prepared.stdout

    demanded = subprocess.run(
        slurm_command(
            folder, f"{FOLDS.format(0)}/predictions.tsv", "--retries", "0", config=config
        ),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    log = folder / "logs/train_model/cells/subject_folds/simple_cnn/fold-0.log"
    demanded_log = log.read_text() if log.exists() else ""
    demanded_jobs = slurm_jobs()
    log.unlink(missing_ok=True)

    output = folder / "output.txt"
    with output.open("w") as file:
        process = subprocess.Popen(
            slurm_command(
                folder,
                *(f"{FOLDS.format(fold)}/predictions.tsv" for fold in (0, 1)),
                # The node's GPU is pretended: the jobs ask for it and train on the CPU.
                *("--config", "device=auto", "--set-resources", "train_model:gpu=1"),
                config=config,
            ),
            cwd=folder,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            seen = wait_for(lambda: training_under_way(folder), process, output)
            subprocess.run(["scancel", seen.running[0]["JobId"]], check=True)
            process.wait(timeout=15 * MINUTES)
        finally:
            process.kill()
    return SimpleNamespace(
        folder=folder,
        demanded=demanded,
        demanded_log=demanded_log,
        demanded_jobs=demanded_jobs,
        seen=seen,
        returncode=process.returncode,
        output=output.read_text(),
        jobs=[job for job in slurm_jobs() if job not in demanded_jobs],
    )


def test_gpu_rules_ask_for_exactly_one_gpu_and_others_for_none(experiment):
    trainings = of_rule(experiment.demanded_jobs, "train_model")
    assert [job["TresPerJob"] for job in trainings] == ["gres:gpu:1"], experiment.demanded.stdout
    assert {job["Partition"] for job in trainings} == {"gpu"}
    others = [job for job in experiment.demanded_jobs if job not in trainings]
    # The mean image at least.
    assert others
    for job in others:
        assert job["Partition"] == "cpu"
        assert "gpu" not in " ".join(value for name, value in job.items() if "TRES" in name.upper())


def test_a_job_whose_gpu_is_not_there_fails_and_names_what_it_was_given(experiment):
    assert experiment.demanded.returncode != 0
    assert "device: gpu, but" in experiment.demanded_log, experiment.demanded.stdout
    # SLURM has handed out its one GPU.
    assert "CUDA_VISIBLE_DEVICES='0'" in experiment.demanded_log


def test_folds_are_jobs_of_their_own_that_queue_on_the_one_gpu(experiment):
    assert len(experiment.seen.running) == 1
    assert len(experiment.seen.others) == 1
    assert {job["TresPerJob"] for job in experiment.seen.others} == {"gres:gpu:1"}
    assert experiment.seen.others[0]["Reason"] in ("Resources", "Priority")
    trainings = of_rule(experiment.jobs, "train_model")
    times = sorted(
        tuple(datetime.fromisoformat(job[name]) for name in ("StartTime", "EndTime"))
        for job in trainings
    )
    assert len(times) == 3, experiment.output
    for (_, end), (start, _) in itertools.pairwise(times):
        assert end <= start


def test_a_cancelled_training_is_submitted_again_and_continues(experiment):
    assert experiment.returncode == 0, experiment.output
    states = [job["JobState"] for job in of_rule(experiment.jobs, "train_model")]
    assert sorted(states) == ["CANCELLED", "COMPLETED", "COMPLETED"]
    log = experiment.seen.log.read_text()
    continued = re.search(rf"continuing after epoch (\d+)/{EPOCHS}", log)
    assert continued, log
    assert 5 <= int(continued[1]) < EPOCHS
    assert f"epoch 4/{EPOCHS}:" not in log
    for fold in (0, 1):
        history = pd.read_csv(experiment.folder / FOLDS.format(fold) / "history.tsv", sep="\t")
        assert history["epoch"].tolist() == list(range(1, EPOCHS + 1))
    assert not (experiment.folder / "results/unfinished_training").exists()


def test_the_next_attempt_gets_more_memory(experiment):
    trainings = of_rule(experiment.jobs, "train_model")
    memory = {
        job["JobState"] + job["JobId"]: int(job["MinMemoryNode"].removesuffix("M"))
        for job in trainings
    }
    cancelled = [value for name, value in memory.items() if name.startswith("CANCELLED")]
    others = sorted(value for name, value in memory.items() if not name.startswith("CANCELLED"))
    assert cancelled == [others[0]]
    assert others[1] == 2 * others[0]

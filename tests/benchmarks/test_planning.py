"""How long a dry run takes before the first job of a large experiment starts: under half a minute.

Most of it is Snakemake's own. The least of three runs counts: a machine whose host has other guests
was 15 % slower in one run than in the next, in processor time too.
"""

import resource
import subprocess
import sys

import yaml
from support.repository import REPOSITORY

RUNS = 3


def large_experiment(datasets=5, protocols=4, models=40, folds=10):
    """Models x protocols x folds: about 10,000 jobs, 8,000 of them trainings."""
    entries = {
        "datasets": {
            f"smears_{number}": {"format": "demo", "image_size": [64, 64]}
            for number in range(datasets)
        },
        "protocols": {
            f"folds_{number}": {"kind": "kfold", "folds": folds} for number in range(protocols)
        },
        "models": {
            f"simple_cnn_{number}": {"architecture": "simple_cnn", "epochs": 1 + number}
            for number in range(models)
        },
    }
    return entries | {"experiments": [{kind: list(names) for kind, names in entries.items()}]}


def test_ten_thousand_jobs_are_planned_within_half_a_minute(tmp_path):
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump(large_experiment()), "utf-8")
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "rules", "--cores", "2"]
    command += ["--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(tmp_path)]
    command += ["--configfile", str(path)]
    times = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        output = run.stdout + run.stderr
        assert run.returncode == 0, output[-2000:]
        # Time of the processor, so that other programs of this machine do not count.
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    jobs = int(output.split("total")[1].split()[0])
    shown = ", ".join(f"{seconds:.1f}" for seconds in times)
    print(f"\n{jobs} jobs planned in {shown} s, {after.ru_maxrss / 1024:.0f} MB")
    assert jobs > 9900
    assert min(times) < 30

"""Runs that are killed, full disks, files that change: the documented commands repair everything.

`make test` has a few rounds, `make test-faults` has 30 random kills.
"""

import datetime
import hashlib
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from support.repository import REPOSITORY
from support.workflow import draw_cell, run_snakemake, small_experiment, write_cells

from blastfold.training.feature_file import SPARE_BYTES

FULL = bool(os.environ.get("BLASTFOLD_FAULTS"))
EXPERIMENTS = 10 if FULL else 1
KILLS = 3 if FULL else 2
TARGET = "tables" if FULL else "models"
RESULT_BYTES = 2**26
"""More than all results of the miniature take."""

STAGES_IN_ORDER = ("training", "evaluation", "tables")

MOST_SECONDS = 25.0 if FULL else 12.0
"""A kill comes at the latest so many seconds after the start of a run."""

TIMED = re.compile(
    r"(^|/)(runs?|experiment|shared|fold-\d+|record|provenance)\.json$"
    r"|(^|/)history\.tsv$|compute_cost|network_cost|\.keras$|(^|/)\.snakemake_timestamp$"
)
"""Files that hold seconds or dates, or whose date alone counts."""


def miniature():
    """An experiment with every kind of job: import, audit, folds, features, heads, trainings."""
    config = small_experiment()
    config["datasets"]["cells"]["image_size"] = [32, 32]
    config["models"] = {
        "simple_cnn": {"architecture": "simple_cnn", "epochs": 3},
        "frozen": {
            **{"architecture": "MobileNetV2", "weights": "none", "train": "head"},
            **{"preprocessing": "mean_image", "epochs": 2},
        },
    }
    config["experiments"] = [
        {"datasets": ["cells"], "protocols": ["holdout"], "models": ["simple_cnn", "frozen"]}
    ]
    return config


def documented_commands():
    """The commands of docs/running.md after a kill: unlock, and start again."""
    text = (REPOSITORY / "docs" / "running.md").read_text("utf-8")
    section = text.split("\n## Interrupted runs\n")[1].split("\n## ")[0]
    lines = re.findall(r"^snakemake .*", section, re.MULTILINE)
    assert len(lines) == 2, section
    assert lines[0].endswith("--unlock")
    words = [shlex.split(line.replace("<config>", "experiment.yaml"))[1:] for line in lines]
    return [[word if word != "8" else "2" for word in command] for command in words]


UNLOCK, START = documented_commands()


class Folder:
    """A working directory with the miniature experiment.

    Args:
        path: An empty folder.
        config: The experiment.
    """

    def __init__(self, path, config):
        self.path = path
        write_cells(path / "resources/raw/cells")
        (path / "experiment.yaml").write_text(yaml.safe_dump(config), "utf-8")

    def arguments(self, command, *targets):
        place = ["--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(self.path)]
        return [*targets, *command, *place]

    def run(self, command, *targets):
        return run_snakemake(self.path, *self.arguments(command, *targets))

    def begin(self, *targets):
        """Start the documented command in a group of processes of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", *self.arguments(START, *targets)],
            cwd=self.path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def recover(self, *targets):
        """Do what is documented."""
        assert self.run(UNLOCK).returncode == 0
        run = self.run(START, *targets)
        assert run.returncode == 0, run.stdout[-5000:]
        return run

    def results(self):
        """Digest by path of all results that do not depend on time."""
        root = self.path / "results"
        files = [path for path in sorted(root.rglob("*")) if path.is_file()]
        names = {path: path.relative_to(root).as_posix() for path in files}
        return {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path, name in names.items()
            if not TIMED.search(name)
        }


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The results of an uninterrupted run."""
    folder = Folder(tmp_path_factory.mktemp("uninterrupted"), miniature())
    run = folder.run(START, TARGET)
    assert run.returncode == 0, run.stdout[-5000:]
    found = folder.results()
    assert sum(name.endswith("predictions.tsv") for name in found) >= 2
    assert any(name.endswith("shared.npy") or name.endswith("fold-0.npy") for name in found)
    return found


def jobs_of(process):
    """The processes of rules that a run has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            group = int((folder / "stat").read_text().rpartition(")")[2].split()[2])
        except OSError:
            continue
        if group == process.pid and any(b".snakemake/scripts/" in word for word in words[1:2]):
            found.append(int(folder.name))
    return found


def kill_something(process, draw):
    """Kill Snakemake, one of its jobs, or all of them at once, as SIGKILL does: without warning.

    No job may outlive its Snakemake: it would write on while the next run makes the same files.
    """
    what = draw.choice(["snakemake", "job", "all"])
    jobs = jobs_of(process)
    print(f"killed {what}, {len(jobs)} jobs running")
    if what == "all":
        os.killpg(process.pid, signal.SIGKILL)
    elif what == "job" and jobs:
        os.kill(draw.choice(jobs), signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    ends = time.monotonic() + MOST_SECONDS
    while jobs_of(process) and time.monotonic() < ends:
        time.sleep(0.05)
    assert jobs_of(process) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
@pytest.mark.parametrize("seed", range(EXPERIMENTS))
def test_killed_runs_end_with_the_same_results(tmp_path, expected, seed):
    draw = random.Random(seed)
    folder = Folder(tmp_path, miniature())
    kills = 0
    while kills < KILLS:
        process = folder.begin(TARGET)
        ends = time.monotonic() + draw.uniform(1.0, MOST_SECONDS)
        while process.poll() is None and time.monotonic() < ends:
            time.sleep(0.05)
        if process.poll() is None:
            kill_something(process, draw)
            kills += 1
        else:
            # Nothing was left to kill. A stage is lost with all that is made of it, so that there
            # is work again: Snakemake does not make again what nothing that is missing needs.
            assert process.returncode == 0
            for stage in STAGES_IN_ORDER[draw.randrange(len(STAGES_IN_ORDER)) :]:
                shutil.rmtree(tmp_path / "results" / stage)
        assert folder.run(UNLOCK).returncode == 0
    folder.recover(TARGET)
    assert folder.results() == expected


@pytest.fixture
def small_disk(tmp_path):
    """A small file system, and a function that fills it up but for some bytes.

    It holds the results, and what the extraction of features leaves free.
    """
    place = tmp_path / "disk"
    place.mkdir()
    size = f"size={SPARE_BYTES + RESULT_BYTES}"
    command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a file system can be mounted by root alone")

    def fill(left):
        free = shutil.disk_usage(place).free
        with (place / "ballast").open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, max(free - left, 1))

    yield place, fill
    subprocess.run(["umount", "--lazy", str(place)], check=True)


STAGES = {
    "import": ("datasets", [], 60_000),
    # Features are removed after the heads that learn from them, which are therefore wanted again.
    "features": ("models", ["results/features", "results/training/cells/holdout/frozen"], 60_000),
    "training": ("models", ["results/training/cells/holdout/simple_cnn"], 60_000),
    "tables": ("tables", ["results/tables"], 20_000),
}
"""Target, what its jobs must write again, and bytes that are left free, by stage."""

FULL_DISK = ("No space left", "disk is full", "GB are free")
"""What a user reads of a full disk, whoever finds it."""


@pytest.mark.parametrize("stage", STAGES if FULL else ["import"])
def test_a_full_disk_is_an_error_and_no_loss(small_disk, expected, stage):
    place, fill = small_disk
    target, written, left = STAGES[stage]
    folder = Folder(place, miniature())
    if written:
        assert folder.run(START, target).returncode == 0
    for name in written:
        shutil.rmtree(place / name, ignore_errors=name == "results/features")
    fill(left)
    run = folder.run(START, target)
    assert run.returncode == 1, run.stdout[-3000:]
    assert any(words in run.stdout for words in FULL_DISK), run.stdout[-3000:]
    assert "Bus error" not in run.stdout
    (place / "ballast").unlink()
    folder.recover(TARGET)
    assert folder.results() == expected


def test_a_raw_file_that_changes_during_its_import(tmp_path):
    folder = Folder(tmp_path / "changed", miniature())
    log = folder.path / "logs/import_dataset/cells.log"
    process = folder.begin("datasets")
    while process.poll() is None and not log.exists():
        time.sleep(0.002)
    change_image(folder.path)
    process.wait()
    folder.recover("datasets")
    other = Folder(tmp_path / "fresh", miniature())
    change_image(other.path)
    assert other.run(START, "datasets").returncode == 0
    assert folder.results() == other.results()


def change_image(folder):
    """Replace a picture by another one, as a user does who corrects it."""
    path = sorted((folder / "resources/raw/cells/blast").glob("*.png"))[-1]
    pixels = draw_cell(0, np.random.default_rng(9))
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


@pytest.mark.skipif(not FULL, reason="make test-faults sets the clock ahead")
def test_a_clock_that_was_a_year_ahead(tmp_path, expected):
    folder = Folder(tmp_path, miniature())
    assert folder.run(START, "folds").returncode == 0
    year = datetime.timedelta(days=365).total_seconds()
    for path in sorted((tmp_path / "results").rglob("*")):
        date = path.lstat().st_mtime + year
        os.utime(path, (date, date), follow_symlinks=False)
    folder.recover(TARGET)
    assert folder.results() == expected
    again = folder.run(START, TARGET)
    assert "Nothing to be done" in again.stdout, again.stdout[-3000:]

"""A small experiment that is finished as far as a plan can see, and what a change of it runs again.

Nothing is computed: every output is an empty file, and ``snakemake --touch`` records parameters and
inputs as a run does. A plan looks at dates, parameters and digests alone.
"""

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import yaml
from support.repository import REPOSITORY
from support.workflow import planned_jobs, run_snakemake

from blastfold.core.raw_files import digest_raw_folder
from blastfold.experiment.folders import record_experiment

PARTS = ("Snakefile", "config.yaml", "rules", "workflow", "envs", "resources", "profiles", "docs")


@contextlib.contextmanager
def folder_in_memory():
    """Yield an empty folder, on a file system in memory where there is one.

    On a disk, making and deleting thousands of small files takes as long as the plans.
    """
    memory = Path("/dev/shm")
    spacious = (
        memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**30
    )
    with tempfile.TemporaryDirectory(dir=memory if spacious else None) as folder:
        yield Path(folder)


class Finished:
    """A copy of the workflow and a finished experiment, side by side.

    Args:
        folder: An empty folder.
        config: The experiment.
    """

    def __init__(self, folder, config):
        self.workflow, self.original = folder / "workflow", folder / "original"
        self.place = folder / "changed"
        self.config = config
        self.edited = []
        for part in PARTS:
            copy(REPOSITORY / part, self.workflow / part)
        self.original.mkdir()

    def finish(self, sheets):
        """Write every output of the experiment, empty, and record it as made.

        Args:
            sheets: The sheet, or None, of each data set that is imported from raw files.
        """
        listed = self.run(self.original, self.config, "--summary").stdout
        for line in listed.partition("output_file\t")[2].splitlines()[1:]:
            path = self.original / line.split("\t")[0]
            # Folders are the only outputs without an ending.
            (path.parent if path.suffix else path).mkdir(parents=True, exist_ok=True)
            if path.suffix:
                path.touch()
        for name, sheet in sheets.items():
            raw = self.original / "resources" / "raw" / name
            digest = digest_raw_folder(raw, self.original.parent / "digests.json", sheet)
            summary = self.original / "results" / "datasets" / name / "dataset.json"
            summary.write_text(json.dumps({"raw_sha256": digest}))
        record_experiment(self.original / "results", ["experiment.yaml"])
        run = self.run(self.original, self.config, "--touch", "--forceall")
        assert run.returncode == 0, run.stdout

    def fresh(self):
        """Return a copy of the experiment to change, with all dates kept; restore the workflow."""
        for path in self.edited:
            copy(REPOSITORY / path, self.workflow / path)
        self.edited.clear()
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self.original, self.place, symlinks=True)
        return self.place

    def edit(self, path, old, new):
        """Replace a text in a file of the copied workflow."""
        self.edited.append(path)
        text = (self.workflow / path).read_text("utf-8")
        assert old in text, path
        (self.workflow / path).write_text(text.replace(old, new, 1), "utf-8")

    def run(self, folder, config, *arguments):
        """Run Snakemake with the copied workflow."""
        path = folder / "experiment.yaml"
        path.write_text(yaml.safe_dump(config), "utf-8")
        words = [*arguments, "--directory", folder, "--snakefile", self.workflow / "Snakefile"]
        words += ["--cores", "2", "--configfile", path]
        return run_snakemake(folder, *words)

    def planned(self, config):
        """Return how many jobs of each rule run for the changed experiment."""
        run = self.run(self.place, config, "--dry-run", "--quiet", "rules")
        assert run.returncode == 0, run.stdout
        if "Nothing to be done" in run.stdout:
            return {}
        jobs = planned_jobs(run)
        return {rule: count for rule, count in jobs.items() if rule not in ("all", "total")}


def copy(source, target):
    """Copy a file or a folder without what Python compiled."""
    if source.is_dir():
        shutil.copytree(
            source, target, ignore=shutil.ignore_patterns("__pycache__", "raw", "weights")
        )
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)

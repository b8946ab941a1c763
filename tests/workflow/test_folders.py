"""Where the files of an experiment are: by its name, in another folder, under a module's prefix."""

import json
import os
import subprocess
import sys

import pytest
import yaml
from support.repository import REPOSITORY
from support.workflow import planned_jobs, small_experiment, snakemake, write_cells


def write_config(folder, name, config):
    path = folder / name
    path.write_text(yaml.safe_dump(config), "utf-8")
    return path


def files_below(folder):
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and ".snakemake" not in path.parts
    )


def test_a_named_experiment_has_folders_of_its_own(tmp_path):
    write_cells(tmp_path / "resources" / "raw" / "cells")
    config = write_config(tmp_path, "mine.yaml", small_experiment(name="mine"))
    run = snakemake(tmp_path, "check", config=config)
    assert run.returncode == 0, run.stdout
    for path in (
        "results/mine/tables/leakage.md",
        "results/mine/folds/cells/holdout.tsv",
        "results/mine/datasets/cells/manifest.tsv",
        "logs/mine/assign_folds/cells/holdout.log",
        "benchmarks/mine/audit_dataset/cells.tsv",
    ):
        assert (tmp_path / path).is_file(), path
    record = json.loads((tmp_path / "results" / "mine" / "experiment.json").read_text("utf-8"))
    assert record["config"] == ["mine.yaml"]
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["mine"]
    # Another experiment next to it, and one without a name around both.
    other = write_config(tmp_path, "other.yaml", small_experiment(name="other"))
    assert planned_jobs(snakemake(tmp_path, "--dry-run", "folds", config=other))["assign_folds"]
    plain = write_config(tmp_path, "plain.yaml", small_experiment())
    assert planned_jobs(snakemake(tmp_path, "--dry-run", "folds", config=plain))["assign_folds"]


def test_two_experiments_are_not_mixed_in_one_folder(tmp_path):
    write_cells(tmp_path / "resources" / "raw" / "cells")
    first = write_config(tmp_path, "first.yaml", small_experiment())
    dry = snakemake(tmp_path, "--dry-run", config=first)
    assert dry.returncode == 0
    assert not (tmp_path / "results").exists()
    run = snakemake(tmp_path, "results/datasets/cells/images.npy", config=first)
    assert run.returncode == 0, run.stdout
    second = write_config(tmp_path, "second.yaml", small_experiment(seed=1))
    refused = snakemake(tmp_path, "--dry-run", config=second)
    assert refused.returncode != 0
    for text in ("first.yaml", "second.yaml", "the key name", "experiment.json"):
        assert text in refused.stdout
    assert "Traceback" not in refused.stdout
    # A changed setting of the same experiment is welcome.
    first.write_text(yaml.safe_dump(small_experiment(seed=1)), "utf-8")
    assert snakemake(tmp_path, "--dry-run", config=first).returncode == 0


def test_results_of_an_older_version_are_refused(tmp_path):
    place = tmp_path / "results" / "datasets" / "cells"
    place.mkdir(parents=True)
    (place / "dataset.json").write_text('{"normal": 3, "blast": 2}', "utf-8")
    run = snakemake(tmp_path, "--dry-run", config=small_experiment())
    assert run.returncode != 0
    assert "older version of Blastfold" in run.stdout


MODULE = """
configfile: "parent.yaml"


module blastfold:
    snakefile:
        "{snakefile}"
    config:
        config
    prefix:
        "leukaemia"


use rule * from blastfold as blastfold_*
"""


def test_the_workflow_is_a_module_with_a_prefix(tmp_path):
    write_cells(tmp_path / "leukaemia" / "resources" / "raw" / "cells")
    write_cells(tmp_path / "resources" / "raw" / "cells")
    write_config(tmp_path, "parent.yaml", small_experiment(name="mine"))
    parent = tmp_path / "Snakefile"
    parent.write_text(MODULE.format(snakefile=REPOSITORY / "Snakefile"), "utf-8")
    command = [sys.executable, "-m", "snakemake", "blastfold_folds", "--cores", "2"]
    run = subprocess.run(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    written = files_below(tmp_path / "leukaemia")
    assert "results/mine/folds/cells/subject_folds.tsv" in written
    assert "logs/mine/assign_folds/cells/subject_folds.log" in written
    assert not (tmp_path / "results").exists()


HOSTED = """
configfile: "parent.yaml"


module blastfold:
    snakefile:
        github("someone/blastfold", path="workflow/Snakefile", commit="{commit}")
    config:
        config


use rule * from blastfold
"""


def git(*words):
    command = ["git", "-C", str(REPOSITORY), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


@pytest.mark.skipif(not git("rev-parse", "HEAD"), reason="this is no git checkout")
def test_the_workflow_is_a_module_of_a_hosted_source(tmp_path):
    """As from GitHub: git takes this checkout for the address, and no file of it is used itself."""
    write_cells(tmp_path / "resources" / "raw" / "cells")
    write_config(tmp_path, "parent.yaml", small_experiment(name="mine"))
    commit = git("rev-parse", "HEAD")
    (tmp_path / "Snakefile").write_text(HOSTED.format(commit=commit), "utf-8")
    settings = {
        **{"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{REPOSITORY.as_uri()}.insteadOf"},
        "GIT_CONFIG_VALUE_0": "https://github.com/someone/blastfold",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", "folds", "--cores", "2", "--dry-run"],
        cwd=tmp_path,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    assert planned_jobs(run)["assign_folds"] == 2
    [unpacked] = (tmp_path / "cache").rglob("workflow/scripts/blastfold")
    assert commit in unpacked.parts


# A dry run prints the resources of a job only where its rule has no message.
WITHOUT_MESSAGES = """
include: "{snakefile}"


for declared in workflow.rules:
    declared.message = None
"""


def test_resources_of_a_rule_are_set_by_its_name(tmp_path):
    write_cells(tmp_path / "resources" / "raw" / "cells")
    config = small_experiment()
    config["models"]["simple_cnn"] = {"architecture": "vgg16", "train": "head", "epochs": 1}
    config["datasets"]["cells"]["image_size"] = [32, 32]
    silent = tmp_path / "Snakefile"
    silent.write_text(WITHOUT_MESSAGES.format(snakefile=REPOSITORY / "Snakefile"), "utf-8")
    chosen = ("--set-resources", "train_heads:mem_mb=9000", "--snakefile", str(silent))
    run = snakemake(tmp_path, "tables", "--dry-run", *chosen, config=config)
    # Protocols with one fold and with two have one rule.
    assert planned_jobs(run)["train_heads"] == 2
    jobs = run.stdout.split("rule train_heads:")[1:]
    resources = [line for job in jobs for line in job.split("\n\n")[0].splitlines()]
    assert sum("mem_mb=9000" in line for line in resources) == 2

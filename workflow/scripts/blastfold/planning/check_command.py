"""Import, split and audit an experiment, and print what a run would train: ``make check``.

Snakemake makes what the checks need. Then come the data, the leakage of every split, what looks
like a mistake, and what ``make results`` has to do.
"""

import argparse
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from blastfold.core.errors import BlastfoldError
from blastfold.core.names import GROUPINGS, TRAIN
from blastfold.core.plurals import agreeing
from blastfold.core.tables import read_table, read_text_table
from blastfold.datasets.accounting import describe_imports, odd_sentence
from blastfold.experiment.config import check_config
from blastfold.experiment.config_file import read_config_file
from blastfold.experiment.folders import experiment_folders
from blastfold.leakage.remedies import duplicates_of_subjects, remedy_of
from blastfold.planning.doctor import ROOT, check_weights
from blastfold.planning.machine_checks import OK, Machine
from blastfold.planning.run_plan import TRAINS

DEFAULT_CONFIG = "config.yaml"
"""The config that Snakemake takes without an option."""

HIDDEN = re.compile(
    r"Using workflow specific profile|Nothing to be done|[^ :]+: \d+ files found = "
)
"""Starts of lines of a run that say nothing about the experiment, or that are printed later."""

WIDTH = 100

RELATIONS = {
    "copy": "copy",
    "subject": "subject",
    "picture": "picture",
    "parent": "original",
    "leakage_group": "leakage group",
}
"""Columns of the table of leakage, in words."""


def main(arguments: list[str]) -> int:
    """Read the command line, run the checks and print them.

    Returns:
        0, or Snakemake's exit status where something failed.

    Raises:
        BlastfoldError: The config is wrong.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file of the experiment")
    parser.add_argument("--cores", default="all")
    given = parser.parse_args(arguments)
    schema = ROOT / "workflow" / "schemas" / "config.schema.yaml"
    config = check_config(read_config_file(given.config), schema, given.config)
    results = Path(experiment_folders(config.get("name"))["results"])
    snakemake = [sys.executable, "-m", "snakemake"]
    chosen = ["--cores", given.cores]
    if given.config != DEFAULT_CONFIG:
        chosen += ["--configfile", given.config]
    if failed := run_snakemake([*snakemake, "check", *chosen]):
        return failed
    print("\n".join(found_lines(config, results)), flush=True)
    planned = subprocess.run(
        [*snakemake, "--dry-run", "--quiet", "host", "rules", *chosen],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if planned.returncode:
        print(f"\n{planned.stdout}", file=sys.stderr)
        return planned.returncode
    print("\n" + "\n".join(plan_lines(planned_jobs(planned.stdout), given.config)))
    return 0


def run_snakemake(command: Sequence[str]) -> int:
    """Run Snakemake with its lines about itself left out, and return its exit status."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, text=True, errors="replace", **streams) as process:
        while True:
            try:
                line = process.stdout.readline()
            except KeyboardInterrupt:
                # Snakemake has got it too, and ends its jobs.
                continue
            if not line:
                break
            if not HIDDEN.match(line):
                print(line, end="", file=sys.stderr, flush=True)
    return process.returncode


def found_lines(config: Mapping, results: Path) -> list[str]:
    """Return the lines about data, leakage and doubts of an experiment whose splits are audited.

    Args:
        config: A config as :func:`blastfold.experiment.config.check_config` returns it.
        results: Its folder of results.
    """
    leakage = read_table(
        results / "tables" / "leakage.tsv",
        text=("dataset", "dataset_title", "protocol", "protocol_title", "against", "note"),
    )
    # A column without any number is read as text.
    leakage[list(RELATIONS)] = leakage[list(RELATIONS)].apply(pd.to_numeric)
    doubts = [
        *odd_imports(config, results),
        *unknown_subjects(config, results),
        *leaking_splits(config, leakage),
        *tied_subjects(config, results),
        *missing_weights(config, results),
    ]
    lines = [
        "",
        "Data",
        *(f"  {line}" for line in describe_imports(results, config["datasets"], False)),
    ]
    lines += [f"  not used, with reasons: {path}" for path in rejected_files(config, results)]
    lines += ["", "Leakage: test images that are related to other images of their fold"]
    lines += [f"  {line}" for line in leakage_lines(leakage)]
    if doubts:
        lines += ["", "Look at this before you train:"]
        lines += [f"  ! {doubt}" for doubt in doubts]
    return [agreeing(line) for line in lines]


def rejected_files(config: Mapping, results: Path) -> Iterator[Path]:
    """Yield the lists of rejected files of the data sets that have some."""
    for name in config["datasets"]:
        if _facts(results, name).get("files", {}).get("rejected"):
            yield results / "datasets" / name / "rejected.tsv"


def leakage_lines(leakage: pd.DataFrame) -> Iterator[str]:
    """Yield the rows of ``leakage.tsv`` as lines, one split after another."""
    splits = leakage.groupby(["dataset_title", "protocol_title"], sort=False, dropna=False)
    for (dataset, protocol), rows in splits:
        images, folds = int(rows["test_images"].iloc[0]), int(rows["folds"].iloc[0])
        yield f"{dataset}, {protocol}: {images} test images in {folds} fold{'s' * (folds != 1)}"
        for row in rows.to_dict("records"):
            counts = (_relation(row, column) for column in RELATIONS)
            yield f"  {row['against_title']:10}  {', '.join(counts)}"
        for note in dict.fromkeys(note for note in rows["note"] if note):
            yield f"  unknown: {note}"


def _relation(row: Mapping, column: str) -> str:
    count, share = row[column], row[f"{column}_share"]
    if pd.isna(count):
        return f"{RELATIONS[column]} unknown"
    in_percent = f" ({100 * share:.1f} %)" if count and not pd.isna(share) else ""
    return f"{RELATIONS[column]} {count:.0f}{in_percent}"


def odd_imports(config: Mapping, results: Path) -> Iterator[str]:
    """Yield what looks like a mistake in the imported data sets; generated ones are left out."""
    for name, entry in config["datasets"].items():
        facts = _facts(results, name)
        for odd in facts.get("odd", ()) if entry["format"] != "demo" else ():
            text = odd_sentence(odd)
            yield f"{name}: {text}{'' if text.endswith('?') else '.'}"


def leaking_splits(config: Mapping, leakage: pd.DataFrame) -> Iterator[str]:
    """Yield the splits that keep subjects or pictures together, and have related images apart."""
    for row in leakage.to_dict("records"):
        group_by = config["protocols"].get(row["protocol"], {}).get("group_by")
        kept_together = group_by in ("subject", "picture") and row["against"] == TRAIN
        if kept_together and row["leakage_group"] > 0:
            yield (
                f"{row['dataset']}, {row['protocol']}: {row['leakage_group']:.0f} of "
                f"{row['test_images']} test images are related to training images, although no "
                f"{group_by} is on both sides. group_by: group keeps related images together."
            )


def tied_subjects(config: Mapping, results: Path) -> Iterator[str]:
    """Yield the data sets whose subjects are tied by duplicates; generated ones are left out."""
    for name, entry in config["datasets"].items():
        place = results / "datasets" / name
        stored = [place / f"{table}.tsv" for table in ("duplicates", "manifest")]
        if entry["format"] == "demo" or "of" in entry or not all(map(Path.is_file, stored)):
            continue
        if text := duplicates_of_subjects(*map(read_text_table, stored)):
            yield f"{name}: images show the same cell ({stored[0]}). {text}"


def unknown_subjects(config: Mapping, results: Path) -> Iterator[str]:
    """Yield the data sets that runs are about and whose subjects are not all known."""
    asked = config.get("experiments", ())
    for name in dict.fromkeys(name for entry in asked for name in entry["datasets"]):
        facts = _facts(results, name)
        missing = facts.get("unnamed", {}).get("subject", 0)
        if not missing or config["datasets"][name].get("independent_images"):
            continue
        protocols = (p for entry in asked if name in entry["datasets"] for p in entry["protocols"])
        groups = {config["protocols"][protocol]["group_by"] for protocol in protocols}
        grouped = GROUPINGS[-1] in groups
        yield (
            f"{name}: the subject of {missing} of {facts['images']} images is unknown. "
            f"{remedy_of(GROUPINGS[-1] if grouped else GROUPINGS[0], False)}"
        )


def missing_weights(config: Mapping, results: Path) -> Iterator[str]:
    """Yield the start weights that a run has to fetch, or that are wrong, with the remedy."""
    for finding in check_weights(config, Machine(ROOT, Path(sys.prefix), results)):
        if finding.level != OK:
            yield f"{finding.text}: {finding.remedy}."


def planned_jobs(printed: str) -> dict[str, int]:
    """Return the jobs of a dry run by rule, from what Snakemake printed."""
    table = printed.partition("Job stats:")[2].partition("total")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


def plan_lines(jobs: Mapping[str, int], config: str) -> list[str]:
    """Return the lines about the jobs that are left, with the command that runs them.

    Args:
        jobs: Number of jobs by rule.
        config: The config file.
    """
    chosen = "" if config == DEFAULT_CONFIG else f" CONFIG={config}"
    if not jobs:
        return [f"Next: nothing is left to do. make report{chosen} writes the report."]
    trainings = sum(jobs.get(rule, 0) for rule in TRAINS)
    listed = ", ".join(f"{rule} {count}" for rule, count in jobs.items() if rule != "all")
    return [
        f"Next: make results{chosen}",
        f"  {sum(jobs.values())} jobs, {trainings} of them train networks. "
        f"make estimate{chosen} measures how long they take",
        *textwrap.wrap(listed, WIDTH, initial_indent="  ", subsequent_indent="  "),
    ]


def _facts(results: Path, name: str) -> dict:
    path = results / "datasets" / name / "dataset.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BlastfoldError as error:
        sys.exit(str(error))

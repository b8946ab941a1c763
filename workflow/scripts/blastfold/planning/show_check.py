"""Prints what the audits of an experiment found before any training: part of ``make check``."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from blastfold.core.errors import BlastfoldError
from blastfold.datasets.accounting import odd_sentence
from blastfold.experiment.config import check_config
from blastfold.experiment.config_file import read_config_file
from blastfold.experiment.folders import experiment_folders
from blastfold.planning.doctor import ROOT, check_weights
from blastfold.planning.machine_checks import OK, Machine


def main(config: str) -> None:
    """Print the table of leakage of an experiment whose splits are audited, and what looks odd.

    Args:
        config: Its config file.
    """
    schema = ROOT / "workflow" / "schemas" / "config.schema.yaml"
    checked = check_config(read_config_file(config), schema, config)
    results = Path(experiment_folders(checked.get("name"))["results"])
    print((results / "tables" / "leakage.md").read_text("utf-8"))
    print(f"Files that are not used: {results}/datasets/*/rejected.tsv")
    if doubts := [*odd_imports(checked, results), *missing_weights(checked, results)]:
        print("\nLook at this before you train:")
        print("\n".join(f"  ! {doubt}" for doubt in doubts))
    print("\nWhat make results runs next:")


def odd_imports(config: Mapping, results: Path) -> Iterator[str]:
    """Yield what looks like a mistake in the imported data sets; generated ones are left out."""
    for name, entry in config["datasets"].items():
        path = results / "datasets" / name / "dataset.json"
        facts = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        for odd in facts.get("odd", ()) if entry["format"] != "demo" else ():
            yield f"{name}: {odd_sentence(odd)}."


def missing_weights(config: Mapping, results: Path) -> Iterator[str]:
    """Yield the start weights that a run has to fetch, or that are wrong, with the remedy."""
    for finding in check_weights(config, Machine(ROOT, Path(sys.prefix), results)):
        if finding.level != OK:
            yield f"{finding.text}: {finding.remedy}."


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except BlastfoldError as error:
        sys.exit(str(error))

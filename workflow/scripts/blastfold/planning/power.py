"""Plans ahead: how many subjects a wanted difference needs, ``make power CONFIG=... DIFFERENCE=5``.

The variance components of a finished run are scaled to other numbers of subjects and repeats. The
parts between subjects fall with the number of subjects. The part between repeats falls with the
number of repeats alone: seeds do not change with more subjects. In truth they often matter less
with more training subjects, so that the numbers are rather too large.
"""

import argparse
import itertools
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from blastfold.core.errors import BlastfoldError, InputError
from blastfold.core.group_table import read_groups
from blastfold.core.names import PRIMARY_METRICS
from blastfold.core.predictions import primary_of, read_test_predictions
from blastfold.experiment.config import check_config
from blastfold.experiment.config_file import read_config_file
from blastfold.experiment.folders import experiment_folders
from blastfold.experiment.runs import Runs
from blastfold.statistics.power import detectable_multiple
from blastfold.statistics.procedure_variance import Variance, satterthwaite, variance
from blastfold.statistics.repeated import repeated_scores, subtract, summarise

ROOT = Path(__file__).resolve().parents[4]

REPEATS = (3, 5, 10, 20)
"""Numbers of repeats that are planned for."""

MOST_SUBJECTS = 100_000
"""More subjects are not planned for."""

SIGNIFICANCE = 0.05

EXPLAINED = (
    "Subjects are leakage groups, in the class ratio and with the images per subject of this run. "
    "The power is 80 % for each comparison, adjusted for {family} comparisons. Seeds and splits "
    "limit what repeats can show: '-' means that no number of subjects is enough with so few "
    "repeats. A difference of the size that this run happened to find is no plan: name the "
    "smallest one that matters."
)


@dataclass(frozen=True)
class Components:
    """The variance of a difference in a finished run.

    Attributes:
        subjects: Number of groups of the run.
        of_subjects: Variance between groups with the overlap.
        subjects_freedom: Its degrees of freedom.
        of_repeat: Variance of one repeat: seeds and splits.
    """

    subjects: int
    of_subjects: float
    subjects_freedom: float
    of_repeat: float

    def detectable(self, subjects: int, repeats: int, significance: float = SIGNIFICANCE) -> float:
        """Return the difference that a run of this size detects with a power of 80 %.

        Args:
            subjects: Number of groups.
            repeats: Number of repeats, two at least.
            significance: Of the test, after adjustment.
        """
        ratio = subjects / self.subjects
        total, freedom = satterthwaite(
            (self.of_subjects / ratio, max(self.subjects_freedom * ratio, 1.0)),
            (self.of_repeat / repeats, repeats - 1.0),
        )
        return math.sqrt(total) * detectable_multiple(freedom, significance)

    def subjects_for(
        self, difference: float, repeats: int, significance: float = SIGNIFICANCE
    ) -> int | None:
        """Return the fewest groups that detect a difference; None where no number is enough.

        Args:
            difference: Wanted, as a fraction.
            repeats: Number of repeats, two at least.
            significance: Of the test, after adjustment.
        """
        if not self.detectable(MOST_SUBJECTS, repeats, significance) <= difference:
            return None
        few, enough = 1, MOST_SUBJECTS
        while enough - few > 1:
            middle = (few + enough) // 2
            if self.detectable(middle, repeats, significance) <= difference:
                enough = middle
            else:
                few = middle
        return enough


def components_of(found: Variance, repeats: int, subjects: int) -> Components:
    """Return the components of a variance that was estimated with repeats.

    Args:
        found: From :func:`blastfold.statistics.procedure_variance.variance`.
        repeats: Number of repeats of the run.
        subjects: Number of its groups.

    Raises:
        InputError: The run has one repeat, or fewer than two groups of a class.
    """
    if math.isnan(found.repeats):
        raise InputError(
            "the run has one repeat, so that seeds and subjects cannot be distinguished; "
            "set 'repeats: 3' or more in the protocol and run it again"
        )
    of_subjects = found.procedure - found.repeats
    return Components(subjects, of_subjects, found.groups_freedom, found.repeats * repeats)


def plan_subjects(
    tested: Mapping[str, pd.DataFrame],
    groups: pd.Series,
    metric: str,
    difference: float,
    family: int = 1,
) -> pd.DataFrame:
    """Plan the number of subjects for every pair of models of one split.

    Args:
        tested: Model -> test predictions (image_id, repeat, fold, label, probability).
        groups: Leakage group by image_id.
        metric: A name of :data:`blastfold.core.names.PRIMARY_METRICS`.
        difference: Wanted, as a fraction.
        family: Number of comparisons that are declared together.

    Returns:
        One row per pair: first_model, second_model, subjects (of the run), detectable (fraction, as
        the run is) and ``repeats_<R>``: the subjects needed with R repeats, text.

    Raises:
        InputError: See :func:`components_of`.
    """
    summaries = {
        model: summarise(metric, repeated_scores(table, groups)) for model, table in tested.items()
    }
    rows = []
    for first, second in itertools.combinations(summaries, 2):
        both = subtract(summaries[first], summaries[second])
        found = components_of(variance(both, difference=True), both.repeats, len(both.names))
        row = {"first_model": first, "second_model": second, "subjects": found.subjects}
        significance = SIGNIFICANCE / family
        row["detectable"] = found.detectable(found.subjects, both.repeats, significance)
        for repeats in REPEATS:
            needed = found.subjects_for(difference, repeats, significance)
            row[f"repeats_{repeats}"] = "-" if needed is None else str(needed)
        rows.append(row)
    return pd.DataFrame(rows)


def plans(
    config: Mapping, results: str | Path, metric: str | None, difference: float
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield title and metric of every split with two models or more, and its plan.

    The metric is the primary one of the data set when None.

    Raises:
        InputError: Predictions are missing; names the file.
    """
    runs = Runs(config)
    for split in runs.compared_splits:
        folder = Path(results) / "evaluation" / split.dataset / split.protocol
        tested = {}
        for model in runs.models_of(*split):
            path = folder / model / "predictions.tsv"
            if not path.is_file():
                raise InputError(f"{path}: no such file; run the experiment first")
            tested[model] = read_test_predictions(path)
        groups = read_groups(Path(results) / "datasets" / split.dataset / "groups.tsv")
        title = ", ".join(runs.titles[kind][name] for kind, name in split._asdict().items())
        declared = metric or runs.primary_of(split.dataset)
        used = primary_of(declared, next(iter(tested.values())))
        plan = plan_subjects(tested, groups, used, difference, runs.declared)
        yield f"{title}: {used}", plan


def main(arguments: list[str]) -> None:
    """Read the command line, plan, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file of a finished experiment")
    parser.add_argument("--difference", type=float, required=True, help="wanted, in points")
    parser.add_argument("--metric", choices=PRIMARY_METRICS, help="in place of the primary metric")
    parser.add_argument("--results", help="folder of results, in place of the config's")
    chosen = parser.parse_args(arguments)
    if not 0 < chosen.difference < 100:
        raise InputError(f"difference: got {chosen.difference}, expected points from 0 to 100")
    schema = ROOT / "workflow" / "schemas" / "config.schema.yaml"
    config = check_config(read_config_file(chosen.config), schema, chosen.config)
    results = chosen.results or experiment_folders(config.get("name"))["results"]
    planned = list(plans(config, results, chosen.metric, chosen.difference / 100))
    if not planned:
        raise InputError(
            f"{chosen.config}: no data set has two models under one protocol, whose difference "
            "could be planned. Ask for two models of one data set in experiments."
        )
    print(f"Subjects for a difference of {chosen.difference:g} points, by repeats:")
    for title, plan in planned:
        shown = plan.assign(detectable=(100 * plan["detectable"]).map("{:.1f} points".format))
        print(f"\n{title}\n{shown.to_string(index=False)}")
    print("\n" + EXPLAINED.format(family=Runs(config).declared))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BlastfoldError as error:
        sys.exit(str(error))

"""Jobs of an experiment, other than its trainings, whose cost is measured.

Files of measurements stay when a config changes. A table of costs must not count those of jobs that
the experiment no longer has.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from blastfold.experiment.config_locked_tests import LOCKED, OPEN
from blastfold.experiment.feature_sets import depends_on_fold, feature_set_name
from blastfold.experiment.identity import DATASET, Identity
from blastfold.experiment.runs import Runs
from blastfold.experiment.training_inputs import SHARED, TrainingInputs

IMPORTING_RULES = {
    "grown": "grow_dataset",
    "selected": "select_tiles",
    "tiles": "import_tiles",
    "permuted": None,
    OPEN: None,
    LOCKED: None,
}
"""Rule that makes the data sets of a format, where it is measured; import_dataset makes all
others."""


class MeasuredJob(NamedTuple):
    """A job whose cost Snakemake measures.

    Attributes:
        rule: Its rule.
        dataset: The data set that its cost counts for; for a slide the slide.
        place: Path of its file of measurements, without the rule and the ending.
    """

    rule: str
    dataset: str
    place: str


def measured_jobs(runs: Runs, training: TrainingInputs) -> list[MeasuredJob]:
    """List every measured job of an experiment except the trainings.

    Args:
        runs: The runs of the experiment.
        training: What its trainings start from.
    """
    config = runs.config
    jobs = []
    entries = {dataset: config["datasets"][dataset] for dataset in runs.datasets}
    originals = [name for dataset in entries for name in _origins(config, dataset)]
    for dataset in dict.fromkeys([*entries, *originals]):
        rule = IMPORTING_RULES.get(config["datasets"][dataset]["format"], "import_dataset")
        if rule:
            jobs.append(MeasuredJob(rule, dataset, dataset))
        whole = any(
            entry["format"] == OPEN and entry["of"] == dataset for entry in entries.values()
        )
        if rule and (dataset in entries or whole):
            jobs.append(MeasuredJob("audit_dataset", dataset, dataset))
    for entries in Identity(runs).comparisons.values():
        for entry in entries:
            if entry["kind"] == DATASET:
                learnt, tested = entry["learnt_from"], entry["tested_on"]
                jobs.append(MeasuredJob("compare_datasets", learnt, f"{learnt}/{tested}"))
    for dataset, protocol in runs.splits:
        for stain in runs.stains_of(dataset, protocol):
            jobs.append(MeasuredJob("fit_stain", dataset, f"{dataset}/{protocol}/{stain}"))
    for run in runs.asked:
        model = config["models"][run.model]
        if run.model in runs.head_models:
            own = depends_on_fold(model)
            entry = config["datasets"][run.dataset]
            base = entry["of"] if entry["format"] == "permuted" and not own else run.dataset
            split = run.protocol if own else SHARED
            place = f"{base}/{feature_set_name(model)}/{split}"
            jobs.append(MeasuredJob("extract_features", base, place))
    for dataset, model in training.selections.items():
        base = config["datasets"][dataset]["of"]
        place = f"{base}/{feature_set_name(model)}/{SHARED}"
        jobs.append(MeasuredJob("extract_features", base, place))
    for run in runs.permuted:
        place = "/".join(run[kind] for kind in ("dataset", "protocol", "model"))
        jobs.append(MeasuredJob("train_permuted_heads", run["dataset"], place))
    for run in runs.external:
        place = "/".join(run[kind] for kind in ("dataset", "protocol", "model", "external"))
        jobs.append(MeasuredJob("apply_models", run["dataset"], place))
    for run in runs.attributions:
        place = "/".join(run[kind] for kind in ("dataset", "protocol", "external"))
        jobs.append(MeasuredJob("explain_networks", run["dataset"], place))
    return list(dict.fromkeys(jobs))


def _origins(config: Mapping, dataset: str) -> Iterator[str]:
    """Yield the data sets that a data set is made from, the nearest first."""
    while "of" in (entry := config["datasets"][dataset]):
        dataset = entry["of"]
        yield dataset

"""The plan that a run prints before anything starts, in ten lines at most."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from blastfold.core.console import Durations, PlannedJob, clock_text, expected_seconds
from blastfold.core.files import digest_settings
from blastfold.experiment.combinations import combinations, fold_count
from blastfold.experiment.known_counts import summary_of_import
from blastfold.planning.cost_model import count_images

MOST_DATASETS = 4
"""Data sets that the plan names; the others are counted."""

TRAINS = ("train_model", "train_folds", "train_heads", "train_permuted_heads")
"""Rules that train networks."""


def describe_plan(
    config: Mapping,
    known: Mapping,
    results: str | Path,
    jobs: Sequence[PlannedJob],
    machine: tuple[str, int],
    durations: Durations,
    command: str,
    request: Sequence[str] = (),
) -> list[str]:
    """Return the lines of the plan.

    Args:
        config: A config as :func:`blastfold.experiment.config.check_config` returns it.
        known: Counts of the public data sets by format (resources/datasets.yaml).
        results: Folder of results.
        jobs: Jobs that have to run.
        machine: The device in words, and the number of cores.
        durations: Seconds of earlier jobs.
        command: What estimates the hours of the experiment.
        request: Lines about photographs that a command names, in place of those about the
            experiment.
    """
    device, cores = machine
    trainings = sum(job.rule in TRAINS for job in jobs)
    of_experiment = [
        str(config.get("title") or config.get("name") or "Blastfold"),
        f"  data       {describe_data(config, known, results)}",
        f"  trainings  {describe_trainings(config)}",
    ]
    lines = [
        *(request or of_experiment),
        f"  device     {device}, {cores} core{'s' * (cores != 1)}",
        f"  to do      {len(jobs)} jobs, {trainings} of them train networks",
        f"  expected   {describe_time(jobs, durations, cores, command)}",
        f"  results    {results}",
        "  stop       Ctrl-C; the same command continues. --verbose prints every job",
    ]
    return ["", *lines, ""]


def describe_data(config: Mapping, known: Mapping, results: str | Path) -> str:
    """Return images and subjects of the data sets, as far as they are known before the import."""
    counts = count_images(config, known, results)
    texts = []
    for name, parts in counts.items():
        entry = config["datasets"][name]
        if entry["format"] == "permuted":
            continue
        found = summary_of_import(Path(results, "datasets", name, "dataset.json")) or {}
        images = (
            "images counted by the import" if parts is None else f"{sum(parts.values())} images"
        )
        subjects = _subjects(entry, found)
        texts.append(f"{entry.get('title') or name}: {images}{subjects and f', {subjects}'}")
    shown = texts[:MOST_DATASETS]
    if len(texts) > MOST_DATASETS:
        shown.append(f"{len(texts) - MOST_DATASETS} more data sets")
    return "; ".join(shown)


def _subjects(entry: Mapping, found: Mapping) -> str:
    if found:
        subjects = found.get("subjects")
        return f"{subjects} subjects" if subjects else "subjects unknown"
    return "" if entry["format"] == "demo" else "subjects known after the import"


def describe_trainings(config: Mapping) -> str:
    """Return protocols, models and folds that are asked for, in words."""
    runs = list(combinations(config))
    folds = sum(fold_count(config["protocols"][protocol]) for _, protocol, _ in runs)
    kinds = Counter()
    for kind, place in (("data set", 0), ("protocol", 1), ("model", 2)):
        kinds[kind] = len({run[place] for run in runs})
    parts = [f"{number} {kind}{'s' * (number != 1)}" for kind, number in kinds.items()]
    text = f"{len(runs)} run{'s' * (len(runs) != 1)} ({', '.join(parts)}), {folds} folds in all"
    return "".join([text, *(f"; {line}" for line in describe_equal_models(config))])


def describe_equal_models(config: Mapping) -> list[str]:
    """Return which models that are asked for have the same settings under several names."""
    asked = dict.fromkeys(model for _, _, model in combinations(config))
    alike: dict[str, list[str]] = {}
    for name in asked:
        settings = {**config["models"][name], "title": None}
        alike.setdefault(digest_settings(settings), []).append(name)
    return [
        f"{' and '.join(names)} have equal settings: one model against itself"
        for names in alike.values()
        if len(names) > 1
    ]


def describe_time(
    jobs: Iterable[PlannedJob], durations: Durations, cores: int, command: str
) -> str:
    """Return the expected time, where it comes from, and what it leaves out."""
    jobs = list(jobs)
    seconds, unknown = expected_seconds(jobs, durations, cores)
    missing = sum(unknown.values())
    if missing == len(jobs):
        return f"not known before the first run; {command} measures the networks"
    if missing:
        return (
            f"at least {clock_text(seconds)}, by the times of earlier runs; not known for "
            f"{missing} of {len(jobs)} jobs"
        )
    return f"at least {clock_text(seconds)}, by the times of earlier runs"

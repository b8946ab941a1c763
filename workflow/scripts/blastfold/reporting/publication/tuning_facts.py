"""What methods and checklists report of settings that were chosen in every fold."""

from collections import Counter
from collections.abc import Iterator

from blastfold.core.names import ALL_METRIC_FACTS
from blastfold.core.tuning_settings import BY_LOSS, TUNABLE, configuration_name
from blastfold.reporting.publication.records import Records, Run
from blastfold.reporting.publication.wording import count, grouped, listing, sentence

WORDS = {
    **{"learning_rate": "the learning rate", "schedule": "its schedule"},
    **{"epochs": "the number of epochs", "early_stopping": "early stopping"},
    **{"batch_size": "the batch size", "class_weights": "class weights"},
    **{"dropout": "the dropout rate", "batch_normalisation": "batch normalisation"},
    **{"stages": "the number of stages", "stage_learning_rate_factor": "their learning rates"},
}
"""What the text calls a key that is chosen."""


def chosen_keys(record: dict) -> list[str]:
    """Return the keys of a model that were chosen in the training of a fold."""
    tuning = record.get("tuning")
    found = tuning["configurations"][0]["settings"] if tuning else {}
    return [key for key in TUNABLE if key in found]


def tuning_sentences(records: Records) -> list[str]:
    """Report how many configurations were tried, what they were chosen by, and what was chosen."""
    tuned = [run for run in records.runs if run.record.get("tuning")]
    if not tuned:
        return []
    texts = [
        sentence(f"For {models}, {text}")
        for models, text in grouped(
            list({(run.model, _plan(run)): run for run in tuned}.values()),
            _plan,
            lambda run: records.title("model", run.model),
            "all networks",
        )
    ]
    texts.append("Test images were predicted after the choice, by the chosen network alone.")
    return [*texts, *_choices(records, tuned), *_not_tuned(records, tuned)]


def _plan(run: Run) -> str:
    tuning = run.record["tuning"]
    number, possible = len(tuning["configurations"]), tuning["possible"]
    drawn = f", drawn at random from {possible}," if number < possible else ""
    varied = listing(WORDS[key] for key in chosen_keys(run.record))
    by = "the smallest cross-entropy of"
    if tuning["criterion"] != BY_LOSS:
        by = f"the largest {ALL_METRIC_FACTS[tuning['criterion']].heading.removesuffix(' (%)')} of"
    return (
        f"{count(number, 'configuration')}{drawn} of {varied} were trained in every fold, and the "
        f"one with {by} the fold's validation images was kept"
    )


def _choices(records: Records, tuned: list[Run]) -> Iterator[str]:
    """Yield, for every run, how often each configuration was chosen."""
    runs: dict[tuple[str, str, str], Counter] = {}
    for run in tuned:
        tuning = run.record["tuning"]
        chosen = tuning["configurations"][tuning["chosen"] - 1]["settings"]
        runs.setdefault(run[:3], Counter())[configuration_name(chosen)] += 1
    for names, counts in runs.items():
        dataset, protocol, model = (
            records.title(kind, name)
            for kind, name in zip(("dataset", "protocol", "model"), names, strict=True)
        )
        chosen = listing(f"{name} in {count(number, 'fold')}" for name, number in counts.items())
        yield f"Chosen for {model} on {dataset}, {protocol}: {chosen}."


def _not_tuned(records: Records, tuned: list[Run]) -> Iterator[str]:
    """Yield which models had nothing to choose where others had."""
    splits = {run[:2] for run in tuned}
    names = {run.model for run in tuned}
    others = dict.fromkeys(
        records.title("model", run.model)
        for run in records.runs
        if run[:2] in splits and run.model not in names
    )
    if others:
        yield (
            f"The settings of {listing(others)} were given and not chosen, so that a difference "
            "from the other models is partly an effect of the choice."
        )

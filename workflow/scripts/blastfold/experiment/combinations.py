"""What the entries of ``experiments`` combine: runs, tests on other data sets, folds."""

from blastfold.core.names import LEAK_CONTRAST


def combinations(config: dict) -> list[tuple[str, str, str]]:
    """List every (data set, protocol, model) that the experiments ask for, each once, in order."""
    wanted = {
        (dataset, protocol, model): None
        for experiment in config["experiments"]
        for dataset in experiment["datasets"]
        for protocol in experiment["protocols"]
        for model in experiment["models"]
    }
    return list(wanted)


def external_runs(config: dict) -> list[dict[str, str]]:
    """List every test of trained networks on another data set, each once.

    Args:
        config: A config as :func:`check_config` returns it.

    Returns:
        Dicts with dataset (trained on), protocol, model and external (tested on). Canaries have
        no external test.
    """
    wanted = {
        (dataset, protocol, model, external): None
        for experiment in config["experiments"]
        for dataset in experiment["datasets"]
        if config["datasets"][dataset]["format"] != "permuted"
        for protocol in experiment["protocols"]
        for model in experiment["models"]
        for external in experiment["external_test"]
    }
    names = ("dataset", "protocol", "model", "external")
    return [dict(zip(names, run, strict=True)) for run in wanted]


def fold_count(protocol: dict) -> int:
    """Return the number of folds of all repeats of a protocol, known before any data are read."""
    return protocol.get("repeats", 1) * folds_per_repeat(protocol)


def folds_per_repeat(protocol: dict) -> int:
    """Return the number of folds of one repeat of a protocol.

    Fold f of repeat r has the number r * folds_per_repeat + f in all files.
    """
    if protocol["kind"] == "holdout":
        return 1
    if protocol["kind"] in ("kfold", LEAK_CONTRAST):
        return protocol["folds"]
    return len(protocol["test_parts"])

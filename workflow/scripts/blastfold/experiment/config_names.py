"""Names in the config that the files of an experiment cannot have.

Names become folders and files. A name that a pattern of the rules has in the same place would make
two rules write one file.
"""

from collections.abc import Iterator, Mapping

from blastfold.experiment.combinations import combinations
from blastfold.experiment.config_values import shown
from blastfold.experiment.folders import RESULTS, STAGES

RESERVED = {
    "datasets": {
        "ablations": "tables and figures of ablations",
        "slides": "figures of slides",
    },
    "protocols": {
        "architectures": "figures of networks",
        "shared": "features that all protocols share",
    },
    "models": {
        "attribution": "tables and figures of attributions",
        "attribution_checks": "tables of attributions",
        "calibration": "tables of calibrations",
        "class_comparisons": "tables of comparisons over all classes",
        "comparisons": "tables of comparisons",
        "decision_curve": "tables of net benefit",
        "deletion": "figures of deletion curves",
        "operating_points": "tables of operating points",
        "predictive_values": "tables of predictive values",
    },
}
"""Names by key of the config, with what has this name already.

``tests/unit/experiment/test_config_names.py`` derives them from the patterns of all rules.
"""

LONGEST_FILE_NAME = 255
"""Bytes of the longest name on the usual file systems."""

LONGEST_PATH = 4000
"""Bytes of a path; Linux allows 4095."""

PARTIAL = len(".1234567.partial.")
"""Characters that a file that is being written has in addition to its name."""

LONGEST_ENDING = len(".mean_image.npy")
"""Characters that a file has in addition to a name of the config."""

LONGEST_FIGURE = len("--_confusion_matrix.pdf")
"""Characters that a figure of the publication has in addition to data set, protocol and model."""

END_TAG = "</"

TITLES = ("title", "classes", "positive")
"""Keys whose texts are shown in the report."""

LONGEST_NAME = LONGEST_FILE_NAME - PARTIAL - LONGEST_ENDING


def check_names(config: dict) -> Iterator[str]:
    """Yield every name that is taken, or too long for a file.

    Args:
        config: A config that the schema has accepted, expanded.
    """
    if config.get("name") in STAGES:
        yield (
            f"name: received {config['name']!r}, but {RESULTS}/{config['name']} holds a stage of "
            "the experiments that have no name; choose another word"
        )
    for kind, names in RESERVED.items():
        for name, user in names.items():
            if name in config[kind]:
                yield f"{kind}.{name}: {user} have this name, expected another one"
    yield from _unsafe_titles(config)
    yield from _too_long(config)
    for key, path in _paths(config).items():
        parts = path.encode().split(b"/")
        if max(map(len, parts)) > LONGEST_FILE_NAME or sum(map(len, parts)) > LONGEST_PATH:
            yield f"{key}: received {shown(path)}, which is too long for the path of a file"


def _unsafe_titles(value: object, key: str = "") -> Iterator[str]:
    """Yield titles and names of classes with the beginning of an end tag of HTML.

    Snakemake's report has titles within a script, which ``</script>`` would end.
    """
    if isinstance(value, str):
        if END_TAG in value and key.rpartition(".")[2] in TITLES:
            yield f"{key}: received {shown(value)}; expected a text without {END_TAG}"
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield from _unsafe_titles(part, f"{key}.{name}".strip("."))
            if key.endswith(".classes"):
                yield from _unsafe_titles(name, key)
    elif isinstance(value, list):
        for part in value:
            yield from _unsafe_titles(part, key)


def _paths(config: Mapping) -> dict[str, str]:
    """Return every path that the config names, by key."""
    slides = config.get("slides", {})
    paths = {f"slides.{key}": slides.get(key) for key in ("sheet", "regions")}
    for name, entry in config["datasets"].items():
        paths |= {
            f"datasets.{name}.{key}": entry.get(key) for key in ("path", "sheet", "photographs")
        }
        paths[f"datasets.{name}.select.weights"] = entry.get("select", {}).get("weights")
    paths |= {
        f"models.{name}.weights": entry["weights"] for name, entry in config["models"].items()
    }
    return {key: path for key, path in paths.items() if isinstance(path, str)}


def _too_long(config: Mapping) -> Iterator[str]:
    named = {"name": config["name"]} if "name" in config else {}
    for kind in ("datasets", "protocols", "models", "pretraining", "ablations"):
        named |= {f"{kind}.{name}": name for name in config[kind]}
    for key, name in named.items():
        if len(name) > LONGEST_NAME:
            yield (
                f"{key}: the name has {len(name)} characters, too many for a file; "
                f"expected {LONGEST_NAME} at most"
            )
    longest = LONGEST_FILE_NAME - PARTIAL - LONGEST_FIGURE
    for run in combinations(config):
        if sum(map(len, run)) > longest and max(map(len, run)) <= LONGEST_NAME:
            yield (
                f"experiments: the names of data set, protocol and model {'/'.join(run)} have "
                f"{sum(map(len, run))} characters together, too many for the file of a figure; "
                f"expected {longest} at most"
            )
            return


def title_faults(config: Mapping) -> Iterator[str]:
    """Yield titles that two data sets, protocols or models have: tables could not be read."""
    for kind in ("datasets", "protocols", "models"):
        first: dict[str, str] = {}
        for name, entry in config[kind].items():
            title = " ".join(str(entry.get("title") or name).split())
            if first.setdefault(title, name) != name:
                yield (
                    f"{kind}.{name}.title: received {title!r}, which is also the title of "
                    f"{kind}.{first[title]}; expected another title"
                )

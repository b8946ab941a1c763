"""Names that no entry may have, derived from the files of all rules."""

import itertools
import re

import pytest
from support.repository import REPOSITORY, SCHEMA

from blastfold.core.errors import InputError
from blastfold.experiment.config import check_config
from blastfold.experiment.config_names import (
    LONGEST_ENDING,
    LONGEST_FIGURE,
    LONGEST_FILE_NAME,
    PARTIAL,
    RESERVED,
)

NAME = "[a-z][a-z0-9_]*"
KINDS = {
    **dict.fromkeys(("dataset", "external", "ablation", "protocol", "model", "source"), NAME),
    "slide": "[A-Za-z0-9][A-Za-z0-9_.-]*",
    "features": "[a-z0-9]+-[0-9a-f]{12}",
    "architecture": "[a-z0-9]+",
    "fold": "[0-9]+",
}
"""What a wildcard may be."""

STAINS = ("reinhard", "macenko")
SPLITS = ("{protocol}", "shared")
KEYS = {"dataset": "datasets", "external": "datasets", "protocol": "protocols", "model": "models"}
WILDCARD = re.compile(r"\{(\w+)\}")


def patterns():
    """Every path with wildcards that the rules write, log or measure."""
    text = "\n".join(path.read_text("utf-8") for path in sorted(REPOSITORY.glob("rules/*.smk")))
    found = set(re.findall(r'"(<(?:results|logs|benchmarks)>/[^"]+)"', text))
    for kind, endings in (("figure", ("pdf", "svg", "png")), ("table", ("tsv", "tex", "md"))):
        names = re.findall(rf'{kind}_files\(\s*"([^"]+)"', text)
        found |= {f"<results>/{kind}s/{name}.{end}" for name in names for end in endings}
    values = (
        ("{stain}", STAINS),
        ("{split}", SPLITS),
        ("datasets/{external}", ("datasets/{dataset}",)),
    )
    for wildcard, spellings in values:
        found = {path.replace(wildcard, spelling) for path in found for spelling in spellings}
    # Braces of Python, of helpers and input functions, are no wildcards.
    return sorted(path for path in found if {*WILDCARD.findall(path)} <= {*KINDS})


def parted(segment):
    """Text before the wildcard of a part of a path, the wildcard and the text after it."""
    match = WILDCARD.search(segment)
    if not match:
        return segment, None, ""
    return segment[: match.start()], match.group(1), segment[match.end() :]


def common(one, other):
    """What two parts of paths must be to be the same: values by wildcard, or None."""
    (before, wildcard, after), (before_2, wildcard_2, after_2) = parted(one), parted(other)
    if not wildcard and not wildcard_2:
        return {} if one == other else None
    if not wildcard:
        return common(other, one)
    if not wildcard_2:
        match = re.fullmatch(f"{re.escape(before)}({KINDS[wildcard]}){re.escape(after)}", other)
        return {wildcard: match.group(1)} if match else None
    if len(after) < len(after_2):
        return common(other, one)
    # The shorter text after the other wildcard leaves the rest to that wildcard.
    rest = after.removesuffix(after_2)
    fits = before == before_2 and after.endswith(after_2)
    possible = not rest or re.fullmatch(KINDS[wildcard_2], f"a{rest}")
    return {} if fits and possible else None


def meeting(one, other):
    """The values by which two patterns give one path, or one the folder of the other; or None."""
    values = {}
    for pair in zip(one.split("/"), other.split("/"), strict=False):
        found = common(*pair)
        if found is None:
            return None
        values |= found
    return values


def meetings():
    for one, other in itertools.combinations(patterns(), 2):
        values = meeting(one, other)
        if values is not None:
            yield one, other, values


def reserved_of(values):
    taken = [(KEYS.get(wildcard), value) for wildcard, value in values.items()]
    return {(key, value) for key, value in taken if value in RESERVED.get(key, ())}


def test_two_patterns_are_compared_as_files():
    assert meeting(
        "figures/{dataset}/architectures/{model}.svg", "figures/{dataset}/{protocol}/roc.svg"
    ) == {
        "protocol": "architectures",
        "model": "roc",
    }
    assert (
        meeting("folds/{dataset}/{protocol}.tsv", "folds/{dataset}/{protocol}.leakage.tsv") is None
    )
    assert meeting("a/{slide}.tsv", "a/{dataset}.leakage.tsv") == {}
    assert meeting("a/{dataset}", "a/{dataset}/images.npy") == {}
    assert meeting("a/slides/x.png", "a/{dataset}/{protocol}/x.png") is None


def test_patterns_are_found():
    assert len(patterns()) > 100
    assert "<results>/figures/{dataset}/{protocol}/roc.svg" in patterns()
    assert "<results>/folds/{dataset}/{protocol}.crossings.tsv" in patterns()


def test_no_two_rules_write_one_file_unless_a_name_is_reserved():
    unprotected = [found for found in meetings() if not reserved_of(found[2])]
    assert unprotected == []


def test_every_reserved_name_is_needed():
    alone = set().union(*(found for *_, v in meetings() if len(found := reserved_of(v)) == 1))
    assert alone == {(key, name) for key, names in RESERVED.items() for name in names}


def test_longest_ending_is_that_of_the_rules():
    parts = {part for path in patterns() for part in path.split("/") if "{" in part}
    assert max(len(WILDCARD.sub("", part)) for part in parts) == LONGEST_ENDING


def config_with(dataset="cells", protocol="split", model="cnn", **more):
    return {
        "datasets": {dataset: {"format": "folder"}},
        "protocols": {protocol: {"kind": "holdout"}},
        "models": {model: {"architecture": "simple_cnn"}},
        "experiments": [{"datasets": [dataset], "protocols": [protocol], "models": [model]}],
    } | more


@pytest.mark.parametrize("key", RESERVED)
def test_a_reserved_name_is_refused(key):
    for name in RESERVED[key]:
        with pytest.raises(
            InputError, match=rf"{key}\.{name}: .* have this name, expected another"
        ):
            check_config(config_with(**{key.removesuffix("s"): name}), SCHEMA)


def test_a_name_is_as_long_as_a_file_may_be():
    longest = LONGEST_FILE_NAME - PARTIAL - LONGEST_ENDING
    alone = {"datasets": {"cells": {"format": "folder"}, "x" * longest: {"format": "folder"}}}
    check_config(config_with() | alone, SCHEMA)
    alone["datasets"]["x" * (longest + 1)] = {"format": "folder"}
    with pytest.raises(InputError, match=rf"has {longest + 1} characters.*expected {longest}"):
        check_config(config_with() | alone, SCHEMA)


def test_names_together_are_as_long_as_a_figure_may_be():
    longest = LONGEST_FILE_NAME - PARTIAL - LONGEST_FIGURE
    third = longest // 3
    check_config(config_with("d" * third, "p" * third, "m" * (longest - 2 * third)), SCHEMA)
    long = config_with("d" * third, "p" * third, "m" * (longest - 2 * third + 1))
    with pytest.raises(InputError, match=f"have {longest + 1} characters together"):
        check_config(long, SCHEMA)


def test_a_made_name_counts_too():
    # A canary adds letters to the name of its data set.
    config = config_with("d" * 200)
    check_config(config, SCHEMA)
    config["experiments"][0]["canaries"] = True
    with pytest.raises(InputError, match="d_labels_permuted_by_subject: the name has 227 char"):
        check_config(config, SCHEMA)


@pytest.mark.parametrize("path", ["x" * 256, "ä" * 128 + "/x", "/".join(["x" * 200] * 21)])
def test_a_path_that_no_file_can_have_is_refused(path):
    for key, entry in (("path", {"path": path}), ("sheet", {"sheet": path})):
        config = config_with()
        config["datasets"]["cells"] |= entry
        with pytest.raises(InputError, match=rf"datasets\.cells\.{key}: received .* too long"):
            check_config(config, SCHEMA)
    config = config_with()
    config["models"]["cnn"]["weights"] = path
    with pytest.raises(InputError, match=r"models\.cnn\.weights: received .* too long"):
        check_config(config, SCHEMA)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"title": "A </script> B"}, "title"),
        ({"models": {"cnn": {"architecture": "simple_cnn", "title": "</b>"}}}, "models.cnn.title"),
        (
            {
                "datasets": {
                    "cells": {
                        "format": "folder",
                        "path": "cells",
                        "classes": {"a": ["a"], "</b": ["c"]},
                        "positive": ["a"],
                    }
                }
            },
            "datasets.cells.classes",
        ),
    ],
)
def test_titles_that_would_end_a_script_of_the_report_are_refused(change, key):
    with pytest.raises(
        InputError, match=rf"(?m)^[ -]*{key}: received .*expected a text without </"
    ):
        check_config(config_with() | change, SCHEMA)


def test_titles_may_have_signs_of_html():
    config = config_with() | {"title": "1 < 2 / 3 > <br/>"}
    check_config(config, SCHEMA)
    with pytest.raises(InputError, match="title"):
        check_config(config | {"title": "1 < 2 </script>"}, SCHEMA)


@pytest.mark.parametrize("kind", ["datasets", "protocols", "models"])
def test_two_entries_of_one_title_are_refused(kind):
    config = config_with()
    [(name, entry)] = config[kind].items()
    config[kind] |= {name: entry | {"title": "The same  one"}, "other": entry | {"title": "Other"}}
    check_config(config, SCHEMA)
    config[kind]["other"] |= {"title": "The same one"}
    message = rf"{kind}\.other\.title: received 'The same one', which is also .*{kind}\.{name};"
    with pytest.raises(InputError, match=message):
        check_config(config, SCHEMA)

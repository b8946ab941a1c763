"""Every fact of the vocabulary is written in one place: a search over the syntax tree."""

import ast

import pytest
import yaml
from support.repository import REPOSITORY, SCHEMA

from blastfold.core.names import (
    CELLS,
    GROUPINGS,
    LEUKAEMIA_CLASSES,
    METRICS,
    POOLED,
    PRIMARY_METRICS,
    ROLES,
)

SCRIPTS = REPOSITORY / "workflow" / "scripts"
NAMES = "blastfold/core/names.py"
TABLES = "blastfold/core/tables.py"

ALLOWED = {
    # The official names of PatchCamelyon's parts, which happen to be those of roles.
    ("blastfold/datasets/formats/pcam.py", "roles"),
}
"""Findings that are another fact: file and kind."""


def words_in(node):
    """The texts of a tuple, list, set or dict that is written out."""
    items = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", [])
    return {item.value for item in items if isinstance(item, ast.Constant)}


def is_collection(node):
    return isinstance(node, ast.Tuple | ast.List | ast.Set | ast.Dict)


def is_half(node):
    return isinstance(node, ast.Constant) and node.value == 0.5


def list_metrics(node):
    # A dict by metric holds something about each, such as its formula.
    sequence = is_collection(node) and not isinstance(node, ast.Dict)
    return sequence and len(words_in(node) & set(METRICS)) >= 3


def list_cells(node):
    return is_collection(node) and words_in(node) >= set(CELLS)


def list_classes(node):
    return is_collection(node) and words_in(node) >= set(LEUKAEMIA_CLASSES)


def list_groupings(node):
    return is_collection(node) and words_in(node) >= set(GROUPINGS)


def compare_roles(node):
    """A role that is compared, listed with another one, or given as a keyword."""
    if isinstance(node, ast.Compare):
        return any(
            isinstance(side, ast.Constant) and side.value in ROLES for side in node.comparators
        )
    if isinstance(node, ast.keyword):
        return node.arg == "role" and isinstance(node.value, ast.Constant)
    return is_collection(node) and len(words_in(node) & set(ROLES)) >= 2


def name_scope(node):
    return isinstance(node, ast.Constant) and node.value == POOLED


def set_threshold(node):
    """0.5 as the value of something called threshold, or a probability compared with it."""
    if isinstance(node, ast.Assign):
        named = [target.id for target in node.targets if isinstance(target, ast.Name)]
        return any("threshold" in name.lower() for name in named) and is_half(node.value)
    if isinstance(node, ast.arguments):
        positional = node.posonlyargs + node.args
        given = positional[len(positional) - len(node.defaults) :]
        pairs = [
            *zip(given, node.defaults, strict=True),
            *zip(node.kwonlyargs, node.kw_defaults, strict=True),
        ]
        return any("threshold" in argument.arg and is_half(value) for argument, value in pairs)
    if isinstance(node, ast.keyword):
        return "threshold" in (node.arg or "") and is_half(node.value)
    reached = isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.GtE)
    return reached and is_half(node.comparators[0])


def strip_names(node):
    return isinstance(node, ast.Constant) and node.value in ("[^a-z0-9]", "[_-]", "[^A-Za-z0-9]")


def read_tables(node):
    return isinstance(node, ast.Attribute) and node.attr == "read_csv"


def write_tables(node):
    return isinstance(node, ast.Attribute) and node.attr == "to_csv"


KINDS = {
    "metrics": (list_metrics, NAMES),
    "cells": (list_cells, NAMES),
    "classes": (list_classes, NAMES),
    "groupings": (list_groupings, NAMES),
    "roles": (compare_roles, NAMES),
    "scopes": (name_scope, NAMES),
    "threshold": (set_threshold, NAMES),
    "plain names": (strip_names, NAMES),
    "reading tables": (read_tables, TABLES),
    "writing tables": (write_tables, TABLES),
}
"""What is looked for, and the file where it belongs."""


def findings(source, path):
    """Kinds of facts in a source, each with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        for kind, (matches, _) in KINDS.items():
            if matches(node):
                found.append((kind, getattr(node, "lineno", 0)))
    return found


def sources():
    return {
        path.relative_to(SCRIPTS).as_posix(): path.read_text("utf-8")
        for path in sorted(SCRIPTS.rglob("*.py"))
    }


def test_every_fact_is_written_in_one_place():
    misplaced = [
        f"{path}:{line}: {kind} belong in {KINDS[kind][1]}"
        for path, source in sources().items()
        for kind, line in findings(source, path)
        if path != KINDS[kind][1] and (path, kind) not in ALLOWED
    ]
    assert misplaced == []


READERS = {
    *("read_manifest", "read_folds", "read_predictions", "read_intervals", "read_groups"),
    *("class_names", "plain_name", "fold_scopes", "link_or_copy", "written_whole"),
    *("compare_models", "compare_pairs", "signed_points", "metric_values"),
}
"""Functions that once had several definitions, or would be copied first."""


def definitions(sources):
    """Every definition of one of these functions, by name."""
    found = {}
    for path, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and node.name.lstrip("_") in READERS:
                found.setdefault(node.name.lstrip("_"), []).append(path)
    return found


def test_every_reader_is_defined_once():
    found = definitions(sources())
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}
    assert found.keys() == READERS


def test_a_second_definition_is_found():
    copied = {"one.py": "def read_folds(path): ...", "two.py": "def _read_folds(path): ..."}
    assert definitions(copied) == {"read_folds": ["one.py", "two.py"]}


PLANTED = {
    "metrics": 'SHOWN = ("auc", "accuracy", "sensitivity", "specificity")',
    "cells": 'COUNTS = ["true_negative", "false_positive", "false_negative", "true_positive"]',
    "classes": 'CLASSES = {"normal": 0, "blast": 1}',
    "groupings": 'ORDER = ("image", "picture", "subject", "group")',
    "roles": 'tested = table[table["role"] == "test"]',
    "scopes": 'POOLED = "pooled"',
    "threshold": "def count(probability, threshold=0.5): ...",
    "plain names": 'plain = re.sub("[^a-z0-9]", "", name.lower())',
    "reading tables": 'table = pd.read_csv(path, sep="\\t", dtype=str, keep_default_na=False)',
    "writing tables": 'table.to_csv(path, sep="\\t", index=False)',
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_duplicate_is_found(kind):
    assert (kind, 1) in [(found, 1) for found, _ in findings(PLANTED[kind], "planted.py")]


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("roles", 'for role in ("train", "validation"): ...'),
        ("roles", 'table.assign(role="test")'),
        ("threshold", "THRESHOLD = 0.5"),
        ("threshold", "predicted = probability >= 0.5"),
        ("threshold", "def count(probability, *, threshold: float = 0.5): ..."),
        ("threshold", "interval(metric, threshold=0.5)"),
        ("metrics", 'METRICS = ["accuracy", "auc", "mcc"]'),
    ],
)
def test_other_spellings_are_found_too(kind, source):
    assert kind in [found for found, _ in findings(source, "planted.py")]


def test_what_only_looks_similar_is_not_found():
    assert (
        findings('flipped = uniform < 0.5\nmodel["train"]\nshown = ("auc", "accuracy")', "") == []
    )


def test_every_metric_can_be_the_primary_one():
    schema = yaml.safe_load(SCHEMA.read_text("utf-8"))
    assert schema["properties"]["primary_metric"]["enum"] == [*PRIMARY_METRICS, None]

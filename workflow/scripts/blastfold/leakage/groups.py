"""Leakage groups of a data set, and what crosses from training to test in a split.

Images that share a subject, a picture, an original or a duplicate carry the same information, and
so do crops of photographs that overlap. A leakage group is a connected component over these; a
split that keeps groups together lets nothing through.
"""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from blastfold.core.errors import InputError
from blastfold.core.names import TEST, TRAIN, VALIDATION

REASONS = ("copy", "subject", "picture", "parent", "group")
SUMMARY = ["fold", "against", "reason", "test_images", "crossing", "share"]
CROSSINGS = ["fold", "against", "reason", "test_image", "other_image", "others"]


def leakage_groups(manifest: pd.DataFrame, duplicates: pd.DataFrame) -> pd.DataFrame:
    """Assign every image to its leakage group.

    A picture's name counts only within its subject where the subject is known (C-NMC numbers the
    pictures of each subject from 1); without a subject it counts everywhere. An empty field
    connects nothing. A parent connects an image with its original and with its siblings, also
    where the original itself is not in the data set.

    Args:
        manifest: Text columns image_id, subject, picture, parent; field where crops were looked for
            in photographs.
        duplicates: Columns first and second (image_id).

    Returns:
        image_id and group, in the manifest's order. A group is named after the smallest image_id
        in it, so that its name does not depend on the order of the rows.

    Raises:
        InputError: A column is missing, an image_id occurs twice or a duplicate is unknown.
    """
    keys = _keys(manifest)
    tokens = [keys[column] for column in ("subject", "picture")]
    if "field" in manifest:
        # Photographs that overlap show one field, whatever the pictures are called.
        tokens.append(manifest["field"].fillna("").astype(str).reset_index(drop=True))
    label = _components(keys, [*tokens, *_family(keys)], duplicates)
    smallest = keys["image_id"].groupby(label).transform("min")
    return pd.DataFrame({"image_id": keys["image_id"], "group": smallest})


def audit_folds(
    folds: pd.DataFrame, manifest: pd.DataFrame, groups: pd.DataFrame, duplicates: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Count, for every fold, the test images that are related to training or validation images.

    A copy of a copy counts as a copy: copies are connected components over the duplicates alone.

    Args:
        folds: Columns image_id, fold and role (train, validation or test).
        manifest: See :func:`leakage_groups`.
        groups: Columns image_id and group.
        duplicates: Columns first and second (image_id).

    Returns:
        The summary, one row for each fold, role it is held against (train, validation) and reason
        (one of REASONS): test_images, crossing (images, not pairs) and share (0-1; 0 for an empty
        test part). And the crossings, one row for each crossing image: other_image is one image
        it meets (a direct duplicate where there is one), others the number of images it meets.

    Raises:
        InputError: A column is missing or an image is not in the manifest or the groups.
    """
    labels = _labels(manifest, groups, duplicates)
    _require(folds, ("image_id", "fold", "role"), "folds")
    unknown = ~folds["image_id"].isin(labels.index)
    if unknown.any():
        raise InputError(
            f"folds: image_id {folds.loc[unknown, 'image_id'].iloc[0]!r} is not in the manifest"
        )
    partners = _direct_partners(duplicates)
    summary, crossings = [], []
    for fold, part in folds.groupby("fold", sort=True):
        test = part.loc[part["role"] == TEST, "image_id"]
        for against in (TRAIN, VALIDATION):
            others = part.loc[part["role"] == against, "image_id"]
            for reason in REASONS:
                found = _meet(labels[reason], test, others)
                if reason == "copy":
                    found = _prefer_direct(found, partners, set(others))
                share = len(found) / len(test) if len(test) else 0.0
                summary.append((fold, against, reason, len(test), len(found), share))
                crossings += [(fold, against, reason, *row) for row in found]
    return pd.DataFrame(summary, columns=SUMMARY), pd.DataFrame(crossings, columns=CROSSINGS)


def _require(table: pd.DataFrame, columns: tuple[str, ...], name: str) -> None:
    if missing := [column for column in columns if column not in table.columns]:
        raise InputError(f"{name}: column {missing[0]!r} is missing, got {list(table.columns)}")


def _keys(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return image_id, subject, picture and parent as text, pictures named within subjects."""
    columns = ("image_id", "subject", "picture", "parent")
    _require(manifest, columns, "manifest")
    keys = manifest[list(columns)].fillna("").astype(str).reset_index(drop=True)
    twice = keys["image_id"].duplicated()
    if twice.any():
        raise InputError(f"manifest: image_id {keys.loc[twice, 'image_id'].iloc[0]!r} occurs twice")
    # A tab cannot be in a field of the table, so that no two pairs give the same key.
    inside = keys["subject"] + "\t" + keys["picture"]
    keys["picture"] = inside.where(keys["picture"] != "", "")
    return keys


def _family(keys: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return the two keys that tie a family: an image's parent, and its own name as a parent."""
    # Two series, not one: an image may be a child and a parent at once.
    own_name = keys["image_id"].where(keys["image_id"].isin(keys["parent"]), "")
    return keys["parent"].rename("parent"), own_name.rename("parent")


def _components(
    keys: pd.DataFrame, tokens: list[pd.Series], duplicates: pd.DataFrame
) -> np.ndarray:
    """Number the connected components of images that share a token or are duplicates."""
    count = len(keys)
    if count == 0:
        return np.zeros(0, int)
    # Every distinct token is a node of its own, linked to the images that carry it.
    carried = [column[column != ""] for column in tokens]
    rows = [column.index.to_numpy() for column in carried]
    names = [column.name + "\t" + column for column in carried]
    nodes, distinct = pd.factorize(pd.concat(names)) if names else (np.zeros(0, int), [])
    first, second = _duplicate_rows(keys, duplicates)
    left = np.concatenate([*rows, first]).astype(int)
    right = np.concatenate([nodes + count, second]).astype(int)
    size = count + len(distinct)
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(size, size))
    return connected_components(graph, directed=False)[1][:count]


def _duplicate_rows(keys: pd.DataFrame, duplicates: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    _require(duplicates, ("first", "second"), "duplicates")
    position = pd.Series(np.arange(len(keys)), index=keys["image_id"])
    ends = []
    for column in ("first", "second"):
        rows = position.reindex(duplicates[column].astype(str))
        if rows.isna().any():
            unknown = rows.index[rows.isna()][0]
            raise InputError(f"duplicates: {column} {unknown!r} is not in the manifest")
        ends.append(rows.to_numpy(dtype=int))
    return ends[0], ends[1]


def _labels(manifest: pd.DataFrame, groups: pd.DataFrame, duplicates: pd.DataFrame) -> pd.DataFrame:
    """Return, for every image_id and reason, the label that two images must not share."""
    keys = _keys(manifest)
    _require(groups, ("image_id", "group"), "groups")
    group = groups.set_index("image_id")["group"].reindex(keys["image_id"])
    if group.isna().any():
        raise InputError(f"groups: image_id {group.index[group.isna()][0]!r} is missing")
    copy = pd.Series(_components(keys, [], duplicates)).astype(str)
    no_duplicates = duplicates.iloc[:0]
    family = pd.Series(_components(keys, list(_family(keys)), no_duplicates)).astype(str)
    labels = pd.DataFrame(
        {
            "copy": copy,
            "subject": keys["subject"],
            "picture": keys["picture"],
            "parent": family,
            "group": group.to_numpy(),
        }
    )
    return labels.set_index(keys["image_id"])


def _meet(labels: pd.Series, test: pd.Series, others: pd.Series) -> list[tuple[str, str, int]]:
    """Return (test image, first image it meets, number it meets) for every crossing image."""
    known = labels[others]
    known = known[known != ""]
    by_label = pd.Series(known.index, index=known.to_numpy()).groupby(level=0)
    first, size = by_label.first(), by_label.size()
    asked = labels[test]
    crossing = asked[asked.isin(size.index)]
    return [(name, first[label], int(size[label])) for name, label in crossing.items()]


def _direct_partners(duplicates: pd.DataFrame) -> dict[str, list[str]]:
    partners: dict[str, list[str]] = {}
    for first, second in zip(duplicates["first"], duplicates["second"], strict=True):
        partners.setdefault(first, []).append(second)
        partners.setdefault(second, []).append(first)
    return partners


def _prefer_direct(
    found: list[tuple[str, str, int]], partners: dict[str, list[str]], others: set[str]
) -> list[tuple[str, str, int]]:
    """Name a direct duplicate where the audit found one, not a copy of a copy."""
    named = []
    for name, other, count in found:
        direct = (partner for partner in partners.get(name, []) if partner in others)
        named.append((name, next(direct, other), count))
    return named

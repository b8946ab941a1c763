"""What an audit found, in numbers: crossing test images by split, duplicates by kind.

What the source of the images does not name is missing with a note, never 0.
"""

from collections.abc import Iterable

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.group_table import UNKNOWN
from blastfold.core.names import DUPLICATE_KINDS
from blastfold.core.notes import join_notes, make_note

OF_SUBJECTS = ("same_subject", "different_subjects")
OF_GROUPS = ("groups", "largest_group")
"""Counts that nobody knows where subjects are not named."""


def crossings_of_split(leakage: pd.DataFrame) -> pd.DataFrame:
    """Add up the crossing test images of all folds of one split.

    Args:
        leakage: fold, against (train or validation), reason, test_images, crossing (missing
            where it is unknown) and note, as :func:`blastfold.leakage.relations.mark_unknown`
            returns them.

    Returns:
        One row for training and one for validation: against, folds, test_images; for each reason
        the number of crossing test images ``<reason>`` (Int64) and their share ``<reason>_share``
        (0-1), the reason "group" under the name leakage_group; note (codes). What is unknown in
        every fold is missing, not 0.
    """
    note = join_notes(*leakage["note"])
    rows = []
    for against, part in leakage.groupby("against", sort=False):
        tested = int(part.groupby("fold")["test_images"].first().sum())
        row = {"against": against, "folds": part["fold"].nunique(), "test_images": tested}
        for reason, counts in part.groupby("reason", sort=False):
            name = "leakage_group" if reason == "group" else reason
            known = counts["crossing"].dropna()
            crossing = int(known.sum()) if len(known) else pd.NA
            row[name] = crossing
            row[f"{name}_share"] = crossing / tested if len(known) and tested else pd.NA
        rows.append(row | {"note": note if tested else make_note("no_test_images")})
    table = pd.DataFrame(rows)
    shares = [column for column in table if column.endswith("_share")]
    types = dict.fromkeys(shares, "Float64")
    types |= {column.removesuffix("_share"): "Int64" for column in shares}
    return table.astype(types)


def duplicate_counts(
    duplicates: pd.DataFrame, manifest: pd.DataFrame, groups: pd.DataFrame
) -> pd.DataFrame:
    """Count duplicates by kind.

    Args:
        duplicates: Text columns first, second and kind; one row per pair.
        manifest: Text columns image_id, subject and label.
        groups: image_id, group and relations of every image.

    Returns:
        One row per kind, then "any_kind" and "all_images": kind, pairs, images (in such
        pairs), same_subject, different_subjects, unknown_subject and different_classes (pairs),
        groups (leakage groups that hold such an image), largest_group (images in the largest
        of them) and note (codes). Where no subject is known, the subjects of pairs and the groups
        are missing; where some are not, groups are the most and the largest is the smallest
        possible.

    Raises:
        InputError: A pair names an image that is not in the manifest.
    """
    known = manifest.set_index("image_id")
    ends = pd.concat([duplicates["first"], duplicates["second"]])
    if not ends.isin(known.index).all():
        unknown = ends[~ends.isin(known.index)].iloc[0]
        raise InputError(f"duplicates: image_id {unknown!r} is not in the manifest")
    pairs = duplicates.assign(
        **{
            f"{end}_{column}": known[column].reindex(duplicates[end]).to_numpy()
            for end in ("first", "second")
            for column in ("subject", "label")
        }
    )
    kinds = list(dict.fromkeys([*DUPLICATE_KINDS, *duplicates["kind"]]))
    rows = [_count_pairs(kind, pairs[pairs["kind"] == kind], groups) for kind in kinds]
    rows.append(_count_pairs("any_kind", pairs, groups))
    everything = _count_pairs("all_images", pairs, groups) | {"images": len(manifest)}
    rows.append(everything | _group_sizes(groups, groups["image_id"]))
    return _hide_unknown(pd.DataFrame(rows), groups)


def _hide_unknown(counts: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """Replace counts that nobody can know by missing values, with the note that says why."""
    unknown = int((groups["relations"] == UNKNOWN).sum())
    counts = counts.astype(dict.fromkeys((*OF_SUBJECTS, *OF_GROUPS), "Int64")).assign(note="")
    if not unknown:
        return counts
    if unknown < len(groups):
        return counts.assign(note=make_note("images_without_subject", unknown, len(groups)))
    touched = counts["pairs"] > 0
    counts.loc[touched, list(OF_SUBJECTS)] = pd.NA
    counts.loc[touched | (counts["kind"] == "all_images"), list(OF_GROUPS)] = pd.NA
    hidden = counts[[*OF_SUBJECTS, *OF_GROUPS]].isna().any(axis=1)
    return counts.assign(note=hidden.map({True: make_note("no_subject_named"), False: ""}))


def _count_pairs(kind: str, pairs: pd.DataFrame, groups: pd.DataFrame) -> dict:
    images = pd.concat([pairs["first"], pairs["second"]]).unique()
    named = (pairs["first_subject"] != "") & (pairs["second_subject"] != "")
    same = pairs["first_subject"] == pairs["second_subject"]
    return {
        "kind": kind,
        "pairs": len(pairs),
        "images": len(images),
        "same_subject": int((named & same).sum()),
        "different_subjects": int((named & ~same).sum()),
        "unknown_subject": int((~named).sum()),
        "different_classes": int((pairs["first_label"] != pairs["second_label"]).sum()),
    } | _group_sizes(groups, images)


def _group_sizes(groups: pd.DataFrame, images: Iterable[str]) -> dict[str, int]:
    touched = groups.loc[groups["image_id"].isin(images), "group"].unique()
    sizes = groups["group"].value_counts().reindex(touched)
    return {"groups": len(sizes), "largest_group": int(sizes.max()) if len(sizes) else 0}

"""What an audit found, in numbers: crossing test images by split, duplicates by kind.

What the source of the images does not name is missing with a note, never 0.
"""

from collections.abc import Iterable

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.names import DUPLICATE_KINDS
from blastfold.core.notes import join_notes, make_note


def crossings_of_split(leakage: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """Add up the crossing test images of all folds of one split.

    Args:
        leakage: fold, against (train or validation), reason, test_images and crossing, as
            :func:`blastfold.leakage.groups.audit_folds` counts them.
        manifest: Text columns subject and picture of the whole data set.

    Returns:
        One row for training and one for validation: against, folds, test_images; for each reason
        the number of crossing test images ``<reason>`` (Int64) and their share ``<reason>_share``
        (0-1), the reason "group" under the name leakage_group; note (codes). What the manifest
        does not name is missing, not 0.
    """
    unnamed = {reason: _unnamed(manifest, reason) for reason in ("subject", "picture")}
    note = join_notes(*(text for text, _ in unnamed.values()))
    rows = []
    for against, part in leakage.groupby("against", sort=False):
        tested = int(part.groupby("fold")["test_images"].first().sum())
        row = {"against": against, "folds": part["fold"].nunique(), "test_images": tested}
        for reason, counts in part.groupby("reason", sort=False):
            name = "leakage_group" if reason == "group" else reason
            unknown = unnamed.get(reason, ("", False))[1]
            crossing = pd.NA if unknown else int(counts["crossing"].sum())
            row[name] = crossing
            row[f"{name}_share"] = pd.NA if unknown or not tested else crossing / tested
        rows.append(row | {"note": note if tested else make_note("no_test_images")})
    table = pd.DataFrame(rows)
    shares = [column for column in table if column.endswith("_share")]
    types = dict.fromkeys(shares, "Float64")
    types |= {column.removesuffix("_share"): "Int64" for column in shares}
    return table.astype(types)


def _unnamed(manifest: pd.DataFrame, reason: str) -> tuple[str, bool]:
    """Return a note on images whose subject or picture is not named, and whether none is."""
    missing = int((manifest[reason] == "").sum())
    if missing == len(manifest):
        return make_note(f"no_{reason}_named"), True
    if missing:
        return make_note(f"images_without_{reason}", missing, len(manifest)), False
    return "", False


def duplicate_counts(
    duplicates: pd.DataFrame, manifest: pd.DataFrame, groups: pd.DataFrame
) -> pd.DataFrame:
    """Count duplicates by kind.

    Args:
        duplicates: Text columns first, second and kind; one row per pair.
        manifest: Text columns image_id, subject and label.
        groups: image_id and group of every image.

    Returns:
        One row per kind, then "any_kind" and "all_images": kind, pairs, images (in such
        pairs), same_subject, different_subjects, unknown_subject and different_classes (pairs),
        groups (leakage groups that hold such an image) and largest_group (images in the largest
        of them).

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
    return pd.DataFrame(rows)


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

"""What a data set does not name of its images: subject, picture and parent.

A relation that is not named is unknown and not absent: images of one subject may be on both sides
of a split although nothing shows it. The config may declare that the images are independent.
"""

import pandas as pd

from blastfold.core.group_table import DECLARED, KNOWN, UNKNOWN
from blastfold.core.notes import make_note

RELATIONS = ("subject", "picture", "parent")
"""Columns of a manifest that tie images together."""

_HOW_TO_SUPPLY = (
    "Supply {0}s: a sheet with the columns path, label and {0}, or a pattern with {{{0}}} where "
    "names of files or folders contain them (see docs/your-data.md)."
)

SUPPLY = {
    "subject": _HOW_TO_SUPPLY.format("subject"),
    "picture": _HOW_TO_SUPPLY.format("picture"),
    "group": "The audit of the data set names the group of every image; run it again.",
}
"""How to supply what a protocol groups by and the data set does not name."""


NOT_KNOWN = {
    **dict.fromkeys(
        ("subject", "picture"),
        " If nobody knows them, group_by: group keeps together what is known to be related: "
        "copies, and images of one picture.",
    ),
    "group": "",
}
"""What a protocol can group by where the data set cannot name what it asks for."""


def relations_of(manifest: pd.DataFrame, independent: bool) -> pd.Series:
    """Return for every image whether what ties it to other images is known.

    The subject decides: two images of known subjects are related if these are equal.
    A picture alone is not enough, because a subject may have several.

    Args:
        manifest: Text column subject.
        independent: Whether the config declares the images as independent.

    Returns:
        One of ``known``, ``unknown`` and ``declared`` per image, in the manifest's order.
    """
    named = manifest["subject"].fillna("") != ""
    return named.map({True: KNOWN, False: DECLARED if independent else UNKNOWN}).astype(object)


def unknown_reasons(manifest: pd.DataFrame, independent: bool) -> dict[str, str]:
    """Return what is unknown of a data set, by the audit's name of the relation.

    Args:
        manifest: Text columns subject, picture and parent.
        independent: Whether the config declares the images as independent.

    Returns:
        The stored note of each reason (subject, picture, parent, group) whose count is unknown or
        the fewest possible; empty where everything is known or declared. A picture may be missing
        for some images; a parent only for all, because an original has none.
    """
    if independent:
        return {}
    notes = {}
    for reason in RELATIONS:
        missing = int((manifest[reason].fillna("") == "").sum())
        if missing == len(manifest):
            notes[reason] = make_note(f"no_{reason}_named")
        elif missing and reason != "parent":
            notes[reason] = make_note(f"images_without_{reason}", missing, len(manifest))
    if "subject" in notes:
        notes["group"] = notes["subject"]
    return notes


def mark_unknown(
    summary: pd.DataFrame, manifest: pd.DataFrame, independent: bool = False
) -> pd.DataFrame:
    """Replace every zero of an audit that nobody can know by a missing value with its note.

    What was found stays: it is the fewest possible, and has the note too.

    Args:
        summary: As :func:`blastfold.leakage.groups.audit_folds` returns it.
        manifest: Text columns subject, picture and parent of the whole data set.
        independent: Whether the config declares the images as independent.

    Returns:
        The same rows; crossing as Int64 and share as Float64, both missing where they are unknown;
        note (codes).
    """
    notes = unknown_reasons(manifest, independent)
    marked = summary.astype({"crossing": "Int64", "share": "Float64"})
    note = summary["reason"].map(notes).fillna("")
    hidden = (note != "") & (summary["crossing"] == 0)
    marked.loc[hidden, ["crossing", "share"]] = pd.NA
    return marked.assign(note=note.to_numpy(dtype=object))

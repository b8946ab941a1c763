"""What to change in a config whose splits leak, or whose subjects are unknown."""

from collections import Counter

import pandas as pd

from blastfold.core.names import GROUPINGS
from blastfold.core.plurals import agreeing

MOST_PAIRS = 6
"""Pairs of subjects with duplicates that are named."""

NAME_SUBJECTS = (
    "A result on new subjects needs the names of the subjects: the key pattern, or a column "
    "subject of the sheet"
)

KEEP_GROUPS = (
    "protocol with group_by: group keeps together what is known to be related: copies, images of "
    "one picture and of one subject"
)


def remedy_of(group_by: str, subjects_known: bool) -> str:
    """Return what to change, so that the results of a split can be quoted; empty for nothing.

    Args:
        group_by: What the protocol keeps on one side of a split.
        subjects_known: Whether the subject of every image is known.
    """
    texts = [] if subjects_known else [NAME_SUBJECTS]
    if group_by != GROUPINGS[-1]:
        texts.append(f"{'A' if subjects_known else 'Until then, a'} {KEEP_GROUPS}")
    return "".join(f"{text}. " for text in texts).strip()


def duplicates_of_subjects(duplicates: pd.DataFrame, manifest: pd.DataFrame) -> str:
    """Name the subjects that duplicates tie together, with what to do; empty for none.

    Args:
        duplicates: Text columns first and second.
        manifest: Text columns image_id and subject (empty where unknown).
    """
    subject = manifest.set_index("image_id")["subject"]
    ends = [duplicates[end].map(subject) for end in ("first", "second")]
    across = (ends[0] != ends[1]) & (ends[0] != "") & (ends[1] != "")
    found = Counter(
        tuple(sorted(pair)) for pair in zip(*(end[across] for end in ends), strict=True)
    )
    if not found:
        return ""
    named = [
        f"{' and '.join(pair)} ({number} pairs)" for pair, number in found.most_common(MOST_PAIRS)
    ]
    more = f" and {len(found) - MOST_PAIRS} more" if len(found) > MOST_PAIRS else ""
    return (
        f"Different subjects have such pairs: {agreeing(', '.join(named))}{more}. Look at the "
        "pairs: one person under two names needs one name, remove_duplicates: true uses one image "
        "of each copied cell, and small images of different cells may look alike."
    )

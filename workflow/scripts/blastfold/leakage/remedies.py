"""What to change in a config whose splits leak, or whose subjects are unknown."""

from blastfold.core.names import GROUPINGS

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

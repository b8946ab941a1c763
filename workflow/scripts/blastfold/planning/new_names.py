"""What names mean for a first config: photographs or persons, one class or two; its own name."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

import yaml

from blastfold.core.path_patterns import PathPattern
from blastfold.experiment.folders import RESULTS, STAGES

LONGEST_NAME = 60

PICTURE_WORDS = (
    *(
        "slide",
        "smear",
        "scan",
        "wsi",
        "image",
        "img",
        "im",
        "picture",
        "pict",
        "pic",
        "photograph",
    ),
    *("photo", "foto", "field", "fov", "view", "frame", "shot", "capture", "snapshot", "dsc"),
    *("dscn", "micrograph", "tile", "bild", "plate", "roi"),
)
"""Words that numbered photographs, slides and fields begin with."""

_PICTURE = re.compile(rf"({'|'.join(PICTURE_WORDS)})s?[\W_]*[0-9]*", re.IGNORECASE)


def judge_pattern(pattern: str, files: Iterable[str]) -> tuple[str, str]:
    """Return a proposed pattern with {picture} where its values are photographs; and a comment.

    Args:
        pattern: One with the field subject.
        files: Paths of the images, which it fits.
    """
    files = list(files)
    values = sorted({(PathPattern(pattern).read(file) or {}).get("subject", "") for file in files})
    before = pattern.partition("{subject}")[0].rpartition("/")[2].rpartition("*")[2].lstrip("_-. ")
    named = [value for value in values if _PICTURE.fullmatch(before + value)]
    if 2 * len(named) <= len(values):
        other = (
            ""
            if "{picture}" in pattern
            else (" If they are photographs, write {picture} here and group_by: picture below.")
        )
        return pattern, (
            f"{len(values)} subjects in {len(files)} images, such as {values[0]!r}?{other} If they "
            "are neither persons nor photographs, delete this line and write group_by: group below."
        )
    return pattern.replace("{picture}", "*").replace("{subject}", "{picture}"), (
        f"{(before + named[0])!r} looks like a photograph, not a person: {len(values)} of them in "
        f"{len(files)} images. If it is a person, write {{subject}} here and group_by: subject "
        "below."
    )


def whole_names(parts: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return parts of a text between commas as names, of which some have commas themselves.

    Args:
        parts: In their order.
        names: All names; case does not matter.

    Returns:
        The longest names that the parts make; a part that makes none stays as it is.
    """
    known = {re.sub(r"\s*,\s*", ",", name.strip()).casefold(): name for name in names}
    found, start = [], 0
    while start < len(parts):
        for end in range(len(parts), start, -1):
            joined = ",".join(part.strip() for part in parts[start:end]).casefold()
            if joined in known or end == start + 1:
                found.append(known.get(joined, parts[start]))
                start = end
                break
    return found


def advice_on_names(names: Sequence[str]) -> str:
    """Return how names are joined to one class, with those that look like one."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(re.sub(r"[\W_]+", "", name.casefold()).removesuffix("s"), []).append(name)
    doubtful = [group for group in alike.values() if len(group) > 1]
    if not doubtful:
        return "Several names in one list make one class."
    first, *others = doubtful[0]
    return (
        f"{', '.join(map(repr, doubtful[0]))} look like one class. To join them write "
        f"{first}: [{', '.join(doubtful[0])}] and leave out {', '.join(others)}, here and under "
        "positive."
    )


def plain_words(text: str) -> tuple[str, str]:
    """Return a text as the name of an experiment and a data set.

    Returns:
        The name; and why it begins with ``data_``, empty where it does not.
    """
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", letters.lower()).strip("_")[:LONGEST_NAME].strip("_")
    changed = f"data_{name}".strip("_")
    if name in STAGES:
        return changed, f"{RESULTS}/{name} holds a stage of experiments without a name"
    if not re.match(r"[a-z]", name):
        return changed, "names begin with a letter of a to z"
    if not isinstance(yaml.safe_load(name), str):
        return changed, f"{name} is no text in YAML"
    return name, ""

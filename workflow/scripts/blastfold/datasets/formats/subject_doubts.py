"""Subjects: names that look like one person, and names of files that look like subjects."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import pandas as pd

from blastfold.core.path_patterns import PathPattern
from blastfold.datasets.accounting import shorten
from blastfold.datasets.formats.listing import Listing

UNKNOWN_WORDS = frozenset(
    {"na", "n/a", "#n/a", "nan", "none", "null", "nil", "unknown", "missing", "?", "-", "--", "."}
)
"""Names in lower case that usually mean that the subject is unknown."""


NAMES_OF_PUBLIC_DATA = {
    # Subject, photograph, cell, class.
    re.compile(r"UID_H?[0-9]+_[0-9]+_[0-9]+_(all|hem)", re.IGNORECASE): (
        "C-NMC 2019",
        "UID_{subject}_{picture}_*",
    ),
}
"""Names whose parts are documented, each with the data set and its pattern."""


def check_subjects(listing: Listing) -> None:
    """Note subjects that look like another one, and names that usually mean unknown."""
    subjects = listing.records["subject"]
    counts = subjects[subjects != ""].value_counts()
    alike: dict[str, list[str]] = {}
    for name in sorted(counts.index):
        alike.setdefault(_comparable(name), []).append(name)
    doubtful = [names for names in alike.values() if len(names) > 1]
    if doubtful:
        flat = [name for names in doubtful for name in names]
        listing.doubt(
            "similar_subjects",
            subjects=len(flat),
            images=int(counts[flat].sum()),
            names=shorten(flat),
        )
    unknown = [name for name in counts.index if name.casefold() in UNKNOWN_WORDS]
    if unknown:
        images = int(counts[unknown].sum())
        listing.doubt("unknown_like_subjects", images=images, names=shorten(unknown))


def _comparable(name: str) -> str:
    folded = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", re.sub(r"[\s_.-]+", "", folded))


def propose_pattern(listing: Listing, class_folders: Sequence[str], classes: Iterable[str]) -> None:
    """Note a pattern where folders or names repeat as subjects would and no subject is known.

    Args:
        listing: The images of the data set.
        class_folders: The class folder of every record, as a path; empty where unknown.
        classes: Names of classes.
    """
    records = listing.records
    usable = records["problem"] == "" if "problem" in records else pd.Series(True, records.index)
    if (records["subject"] != "").any() or usable.sum() < 4:
        return
    files = records.loc[usable, "file"].to_list()
    if public := names_of_public_data(files):
        source, template, values = public
        listing.doubt(
            "names_with_subjects", source=source, pattern=template, values=values, images=len(files)
        )
        return
    folders = [folder for folder, used in zip(class_folders, usable, strict=True) if used]
    pattern = _from_folders(files, folders, classes) or _from_names(files)
    if pattern:
        template, place, values = pattern
        listing.doubt(
            "pattern_proposed", pattern=template, place=place, values=values, images=len(files)
        )


def _repeats(values: Sequence[str], images: int) -> bool:
    """Whether values could be subjects: several images each on average, numbered, more than two."""
    different = set(values)
    numbered = sum(any(map(str.isdigit, value)) for value in different)
    return 2 < len(different) <= images / 2 and numbered > len(different) / 2


def _from_folders(
    files: list[str], class_folders: list[str], classes: Iterable[str]
) -> tuple[str, str, int] | None:
    below = [
        PurePosixPath(file).relative_to(folder).parts[:-1] if folder else ()
        for file, folder in zip(files, class_folders, strict=True)
    ]
    if not below or min(map(len, below)) == 0:
        return None
    names = [parts[0] for parts in below]
    if not _repeats(names, len(files)):
        return None
    depths = set(map(len, below))
    uniform = {1: "*", 2: "{picture}/*"}.get(max(depths), "{picture}/**")
    rest = uniform if len(depths) == 1 else "**"
    found = _checked(f"{{class}}/{{subject}}/{rest}", files, classes)
    return found and (found[0], "folders", found[1])


def names_of_public_data(files: list[str]) -> tuple[str, str, int] | None:
    """Return the data set that all names are of, its pattern and its number of subjects."""
    stems = [PurePosixPath(file).stem for file in files]
    for name, (source, template) in NAMES_OF_PUBLIC_DATA.items():
        if all(map(name.fullmatch, stems)):
            pattern = PathPattern(template)
            return source, template, len({pattern.read(file)["subject"] for file in files})
    return None


def _from_names(files: list[str]) -> tuple[str, str, int] | None:
    stems = [PurePosixPath(file).stem for file in files]
    words = [re.split(r"[_\-. ]+", stem) for stem in stems]
    if len({len(parts) for parts in words}) != 1 or len(words[0]) < 2:
        return None
    separators = re.findall(r"[_\-. ]+", stems[0])
    for place in range(len(words[0]) - 1):
        values = [parts[place] for parts in words]
        if _repeats(values, len(files)):
            before = "".join(
                (words[0][number] if len({parts[number] for parts in words}) == 1 else "*")
                + separators[number]
                for number in range(place)
            )
            found = _checked(f"{before}{{subject}}{separators[place]}*", files)
            if found:
                return found[0], "parts of the names", found[1]
    return None


def _checked(
    template: str, files: list[str], classes: Iterable[str] = ()
) -> tuple[str, int] | None:
    """Return the template and its number of subjects where it fits all files."""
    pattern = PathPattern(template, classes)
    found = [pattern.read(file) for file in files]
    if any(fields is None for fields in found):
        return None
    subjects = {fields["subject"] for fields in found}
    return (template, len(subjects)) if len(subjects) <= len(files) / 2 else None

"""Your own images: one folder per class, a sheet that names every image, or boxes in photographs.

The generated demo data set has the same form, with the sheet ``cells.tsv``.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from blastfold.core.errors import InputError
from blastfold.core.names import LEUKAEMIA_CLASSES, PART_WORDS
from blastfold.core.path_patterns import IgnoreRules, PathPattern
from blastfold.core.raw_files import find_files
from blastfold.datasets.accounting import shorten
from blastfold.datasets.formats.boxes import list_boxes
from blastfold.datasets.formats.common import (
    DOCUMENT,
    IMAGE,
    OTHER,
    TABLE,
    class_labels,
    expected_names,
    is_image,
    kind_of_file,
    plain_value,
    records_table,
)
from blastfold.datasets.formats.file_index import FileIndex
from blastfold.datasets.formats.listing import Listing
from blastfold.datasets.formats.sheet import (
    FILE_COLUMNS,
    Sheet,
    read_records,
    require_one_label,
)
from blastfold.datasets.formats.subjects import check_subjects, propose_pattern

DEFAULT_CLASSES = dict(
    zip(
        LEUKAEMIA_CLASSES,
        (
            ("normal", "hem", "healthy", "benign", "negative"),
            ("blast", "all", "lymphoblast", "leukemia", "leukaemia", "malignant", "positive"),
        ),
        strict=True,
    )
)
"""Words of folders and sheets for each class."""

DEMO_SHEET = "cells.tsv"
NUMBERS = ("0", "1")
"""Labels that are numbers. Folders are numbered for other reasons too."""

PLACES = (
    *("slide", "smear", "image", "img", "photo", "picture", "field", "tile", "crop", "cell"),
    *("data", "scan", "series", "visit", "day", "original", "raw", "png", "jpg", "tif", "bmp"),
)
"""How folders begin that hold images without naming a kind of cell."""

NOT_IN_CLASS_FOLDER = "is not in a class folder"


class Source:
    """The files of a data set and the settings that decide about them.

    Attributes:
        root: The data set's folder.
        labels: Name of a class in lower case -> label.
        words: The same without numbers that the config does not name.
        ignore: Globs to leave out.
        pattern: What is read from paths; None for nothing.
        names_class: Whether the pattern reads the class.
        files: The files that are not ignored.
        listing: What is found, without images so far.
    """

    def __init__(self, root: Path, settings: Mapping):
        self.root = root
        self.labels = class_labels(settings.get("classes"), DEFAULT_CLASSES)
        self.ignore = IgnoreRules(settings.get("ignore"))
        given = settings.get("pattern")
        self.pattern = PathPattern(given, self.labels) if given else None
        named = [str(name) for names in (settings.get("classes") or {}).values() for name in names]
        self.names_class = bool(self.pattern) and "class" in self.pattern.fields
        self.words = {
            name: label
            for name, label in self.labels.items()
            if name not in NUMBERS or name in named
        }
        self.listing = Listing(records_table([]))
        self.files = []
        for file in find_files(root):
            if rule := self.ignore.rule_for(file):
                self.listing.ignored[file] = f"ignore:{rule}"
            else:
                self.files.append(file)

    def read_names(self, record: dict) -> dict:
        """Add what the pattern reads from a record's path, where nothing else is known."""
        fields = (self.pattern.read(record["file"]) if self.pattern else None) or {}
        new = {name: plain_value(text) for name, text in fields.items() if name != "class"}
        return record | {name: text for name, text in new.items() if not record.get(name)}

    def finish(self, records: list[dict], class_folders: list[str], **empty: object) -> Listing:
        """Return the listing of some images, with what looks like a mistake."""
        listing = self.listing
        listing.records = records_table(records, problem="", **empty)
        check_subjects(listing)
        propose_pattern(listing, class_folders, self.labels)
        if self.pattern:
            usable = [record["file"] for record in records if not record.get("problem")]
            unfit = [file for file in usable if self.pattern.read(file) is None]
            if unfit and len(unfit) == len(usable):
                raise InputError(
                    f"'{self.root}': the pattern {self.pattern.pattern!r} fits none of "
                    f"{len(unfit)} images, for instance '{unfit[0]}'. Correct the key 'pattern'."
                )
            if unfit:
                listing.doubt("pattern_unmatched", images=len(unfit), example=unfit[0])
        if unused := self.ignore.unused():
            listing.doubt("ignore_unused", names=shorten(unused))
        return listing


def list_images(root: Path, settings: Mapping) -> Listing:
    """List images by sheet, class folder or boxes (see :func:`datasets.formats.list_records`).

    Args:
        root: The data set's folder.
        settings: ``sheet``: name of a TSV or CSV file in the folder, with the columns path
            (relative to the folder) and label, and if known image_id, subject, picture, parent,
            part, mask and photograph (files, relative to the folder). ``boxes``: a folder or file
            of boxes, see :mod:`blastfold.datasets.formats.boxes`. Without them the nearest folder
            with a class name gives the label. ``classes``: the source's names of the classes.
            ``pattern``: what is read from paths. ``ignore``: globs of files and labels to leave
            out. ``conflicts``: ``report`` allows two labels for one file.

    Returns:
        The images with ``problem``. Without image_id it is the path without ending.

    Raises:
        InputError: Sheet, column, label, folder or file is not as expected; the message says where.
    """
    source = Source(root, settings)
    if settings.get("boxes"):
        records, columns = list_boxes(source, settings)
        return source.finish(records, [""] * len(records), **columns)
    if settings.get("sheet"):
        return _from_sheet(source, settings)
    return _from_folders(source)


def list_demo(root: Path, settings: Mapping) -> Listing:
    """List the cells of the generated demo data set by its sheet ``cells.tsv``.

    Args:
        root: The folder that the generator wrote.
        settings: As for :func:`list_images`.

    Returns:
        The images with ``problem``.
    """
    return list_images(root, {**settings, "sheet": settings.get("sheet") or DEMO_SHEET})


def _from_folders(source: Source) -> Listing:
    images, problems = _images_of(source)
    if not images:
        return source.listing
    folders = ClassFolders(source, images)
    records, class_folders, unknown = [], [], Counter()
    for file in images:
        found = folders.look_up(file)
        if found.unknown:
            unknown[found.unknown] += 1
            continue
        record = {"file": file, "image_id": _without_ending(file), "part": found.part}
        record |= {"label": found.label or 0}
        if found.label is None:
            record["problem"] = NOT_IN_CLASS_FOLDER
        records.append(source.read_names(record))
        class_folders.append(found.folder)
    if unknown:
        raise InputError(_unknown_folders(source, unknown))
    if all(record.get("problem") for record in records):
        raise InputError(_no_class_folders(source, len(records)))
    folders.note_doubts()
    _note_tables(source)
    if source.names_class:
        _compare_with_folders(source, records)
    records += problems
    return source.finish(records, [*class_folders, *[""] * len(problems)])


class Place(NamedTuple):
    """Where an image is.

    Attributes:
        label: Its label; None at the top of the data set, without a class folder.
        folder: Its class folder, relative to the data set's; empty for none.
        part: Its official part; empty for none.
        unknown: The folder or class that should be a class and is not; empty for none.
    """

    label: int | None
    folder: str
    part: str
    unknown: str


class ClassFolders:
    """The folders of a data set that are classes.

    Args:
        source: The files of the data set.
        images: Its images.
    """

    def __init__(self, source: Source, images: list[str]):
        self.source = source
        self.words = _class_words(source, images)
        self.containing = _containing_classes(self.words, images)
        self.kinds = set() if source.names_class else _kinds_below_classes(self.words, images)
        self.nested = 0
        self.below: Counter = Counter()
        self.images_below = 0

    def look_up(self, file: str) -> Place:
        """Return label, class folder and part of an image."""
        folders = PurePosixPath(file).parts[:-1]
        place, label = class_place(folders, self.words, self.containing)
        if folders and folders[-1].casefold() in self.kinds:
            place, label = None, None
        pattern = self.source.pattern
        named = (pattern.read(file) if pattern else None) or {}
        class_name = named.get("class", "")
        if class_name:
            label = self.source.labels.get(class_name.casefold())
        unknown = (class_name or folders[-1]) if label is None and (class_name or folders) else ""
        folder = "" if place is None else "/".join(folders[: place + 1])
        if place is not None and not unknown:
            self._count(folders, place, label)
        return Place(label, folder, named.get("part") or _part_of(folders, self.words), unknown)

    def _count(self, folders: tuple[str, ...], place: int, label: int) -> None:
        outer = [name.casefold() for name in folders[:place]]
        self.nested += any(self.words.get(name, label) != label for name in outer)
        words = [name for name in folders[place + 1 :] if _is_word(name)]
        if words and not self.source.names_class:
            self.below.update(words)
            self.images_below += 1

    def note_doubts(self) -> None:
        """Note classes within classes, and folders within a class that are no classes."""
        if self.nested:
            self.source.listing.doubt("nested_class_folders", images=self.nested)
        if self.below:
            names = shorten(sorted(self.below))
            self.source.listing.doubt(
                "folders_below_classes", images=self.images_below, names=names
            )


def _images_of(source: Source) -> tuple[list[str], list[dict]]:
    """Return the images, and the other files that no rule ignores, with their problem."""
    images, problems, endings = [], [], Counter()
    for file in source.files:
        kind, reason = kind_of_file(source.root, file)
        if kind in (DOCUMENT, TABLE):
            source.listing.ignored[file] = kind
            continue
        if not is_image(file):
            endings[PurePosixPath(file).suffix.lower() or "no ending"] += 1
        if kind == IMAGE:
            images.append(file)
        elif kind == OTHER:
            problems.append({"file": file, "image_id": file, "label": 0, "problem": reason})
    if endings:
        names = ", ".join(f"{ending} ({number})" for ending, number in endings.most_common())
        source.listing.doubt("other_endings", names=names)
    return images, problems


def _class_words(source: Source, images: list[str]) -> Mapping[str, int]:
    """Return the names of class folders; 0 and 1 only where no folder has another class name."""
    named = any(
        folder.casefold() in source.words
        for file in images
        for folder in PurePosixPath(file).parts[:-1]
    )
    return source.words if named else source.labels


def _containing_classes(words: Mapping[str, int], images: list[str]) -> set[tuple[str, ...]]:
    """Return the class folders with another class folder in them: their names are no labels."""
    containing = set()
    for file in images:
        folders = PurePosixPath(file).parts[:-1]
        places = [place for place, name in enumerate(folders) if name.casefold() in words]
        containing |= {folders[: place + 1] for place in places[:-1]}
    return containing


def class_place(
    folders: tuple[str, ...], words: Mapping[str, int], containing: set
) -> tuple[int | None, int | None]:
    """Return which folder of a path is its class folder, and the label; None where none is."""
    for place in reversed(range(len(folders))):
        if folders[place].casefold() in words:
            nearest = place == len(folders) - 1
            if nearest or folders[: place + 1] not in containing:
                return place, words[folders[place].casefold()]
            return None, None
    return None, None


def _kinds_below_classes(words: Mapping[str, int], images: list[str]) -> set[str]:
    """Return names of folders that divide the images of several subjects of a class into kinds.

    ``leukemia/<patient>/neutrophil`` of two patients: the distant parent is a diagnosis, and what
    the folder holds is another kind of cell. A folder that appears once may be a subject's name.
    """
    parents: dict[str, set] = {}
    for file in images:
        folders = PurePosixPath(file).parts[:-1]
        places = [place for place, name in enumerate(folders) if name.casefold() in words]
        if places and len(folders) - places[-1] > 2 and _is_kind(folders[-1]):
            parents.setdefault(folders[-1].casefold(), set()).add(folders[:-1])
    return {name for name, found in parents.items() if len(found) > 1}


def _is_kind(name: str) -> bool:
    return _is_word(name) and not name.casefold().startswith(PLACES)


def _part_of(folders: tuple[str, ...], words: Mapping[str, int]) -> str:
    names = (name.casefold() for name in folders)
    return next((name for name in names if name in PART_WORDS and name not in words), "")


def _is_word(name: str) -> bool:
    """Whether a folder is named by words alone: numbered folders are subjects or slides."""
    return not any(map(str.isdigit, name)) and name.casefold() not in PART_WORDS


def _without_ending(file: str) -> str:
    return str(PurePosixPath(file).with_suffix(""))


def _unknown_folders(source: Source, unknown: Counter) -> str:
    listing = "\n".join(
        f"  {name}: {number} image{'s' * (number != 1)}" for name, number in unknown.most_common()
    )
    first = unknown.most_common(1)[0][0]
    return (
        f"'{source.root}': {unknown.total()} images are in folders that are not classes:\n"
        f"{listing}\n"
        f"Expected {expected_names(source.labels)}. Enter each folder under the key 'classes', for "
        f"instance classes: {{{LEUKAEMIA_CLASSES[0]}: ['{first}'], {LEUKAEMIA_CLASSES[1]}: [...]}},"
        f" or leave its images out with ignore: ['{first}']. If a folder above them is the class, "
        "give its place with the key 'pattern', for instance pattern: '{class}/*/*/*'."
    )


def _no_class_folders(source: Source, images: int) -> str:
    normal, blast = LEUKAEMIA_CLASSES
    return (
        f"'{source.root}': {images} images are directly in this folder and none is in a class "
        f"folder. Put them into one folder per class, for instance {normal}/ and {blast}/, or "
        "enter a table under the key 'sheet' with one row per image:\n"
        f"  path,label,subject\n  cell_1.png,{normal},S1\n  cell_2.png,{blast},S2\n"
        "or read the class from the names with the key 'pattern'."
    )


def _note_tables(source: Source) -> None:
    tables = sorted(
        file
        for file, rule in source.listing.ignored.items()
        if rule == TABLE and file.lower().endswith((".csv", ".tsv", ".xlsx", ".xls", ".ods"))
    )
    if tables:
        source.listing.doubt("unread_tables", names=shorten(tables))


def _from_sheet(source: Source, settings: Mapping) -> Listing:
    sheet = Sheet(source.root / settings["sheet"])
    index = FileIndex(source.root, [*source.files, *source.listing.ignored])
    rows = list(read_records(sheet, index, source.labels, source.ignore))
    if settings.get("conflicts") != "report":
        require_one_label(sheet, rows)
    records = [source.read_names(record) for _, record in rows]
    given = [name for name in FILE_COLUMNS if any(name in record for record in records)]
    listing = source.finish(records, [""] * len(records), **dict.fromkeys(given, ""))
    _ignore_unlisted(source, settings["sheet"], records)
    _compare_with_folders(source, records)
    _note_columns(source, sheet, records)
    return listing


def _ignore_unlisted(source: Source, sheet: str, records: list[dict]) -> None:
    """Enter the rule of every file that the sheet does not list as an image."""
    rules = {PurePosixPath(sheet).as_posix(): "sheet"}
    for record in records:
        rules |= {record[name]: name for name in FILE_COLUMNS if record.get(name)}
    listed = {record["file"] for record in records}
    unlisted = 0
    for file in source.files:
        if file in listed:
            continue
        kind = kind_of_file(source.root, file)[0]
        rule = rules.get(file) or (kind if kind in (DOCUMENT, TABLE) else "unlisted")
        source.listing.ignored[file] = rule
        unlisted += rule == "unlisted" and kind == IMAGE
    if unlisted:
        source.listing.doubt("unlisted_images", images=unlisted)


def _compare_with_folders(source: Source, records: list[dict]) -> None:
    """Note images whose folder is named after another class than the one that the sheet gives."""
    pairs = []
    for record in records:
        _, label = class_place(PurePosixPath(record["file"]).parts[:-1], source.words, set())
        if label is not None:
            pairs.append((record["file"], label == record["label"]))
    other = [file for file, agrees in pairs if not agrees]
    if other:
        source.listing.doubt("folder_and_label", images=len(other), of=len(pairs), example=other[0])


def _note_columns(source: Source, sheet: Sheet, records: list[dict]) -> None:
    if not sheet.unread:
        return
    source.listing.doubt("unread_columns", names=shorten(sheet.unread))
    if any(record.get("subject") for record in records):
        return
    rows = [row for _, row in sheet.named_rows()]
    for name in sheet.unread:
        values = {row[name] for row in rows}
        numbered = sum(any(map(str.isdigit, value)) for value in values)
        if len(LEUKAEMIA_CLASSES) < len(values) <= len(rows) / 2 and numbered > len(values) / 2:
            source.listing.doubt(
                "subject_like_column", name=name, values=len(values), images=len(rows)
            )

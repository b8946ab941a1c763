"""Your own images: one folder per class, a sheet that names every image, or boxes in photographs.

The generated demo data set has the same form, with the sheet ``cells.tsv``.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from blastfold.core.errors import InputError
from blastfold.core.files import is_file
from blastfold.core.names import LEUKAEMIA_CLASSES
from blastfold.core.path_patterns import IgnoreRules, PathPattern
from blastfold.core.raw_files import find_files
from blastfold.datasets.accounting import shorten
from blastfold.datasets.formats.boxes import list_boxes
from blastfold.datasets.formats.class_folders import ClassFolders, class_place, folder_classes
from blastfold.datasets.formats.common import (
    DOCUMENT,
    IMAGE,
    OTHER,
    TABLE,
    Classes,
    advice_on_classes,
    classes_of,
    expected_names,
    is_image,
    kind_of_file,
    named_classes,
    near_name,
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
from blastfold.datasets.formats.subject_doubts import check_subjects, propose_pattern

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

NOT_IN_CLASS_FOLDER = "is not in a class folder"


class Source:
    """The files of a data set and the settings that decide about them.

    Attributes:
        root: The data set's folder.
        classes: The classes.
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
        self.ignore = IgnoreRules(settings.get("ignore"))
        self.listing = Listing(records_table([]))
        self._own_classes = bool(settings.get("own_classes"))
        given = settings.get("classes") or {}
        self._template = settings.get("pattern")
        self._set_classes(
            Classes((), {}) if self._own_classes else named_classes(given, DEFAULT_CLASSES)
        )
        self.names_class = bool(self.pattern) and "class" in self.pattern.fields
        if self.classes.names == LEUKAEMIA_CLASSES:
            named = {str(name) for names in given.values() for name in names}
            numbers = set(NUMBERS) - named
            self.words = {name: label for name, label in self.labels.items() if name not in numbers}
        self.files = []
        for file in find_files(root):
            if rule := self.ignore.rule_for(file):
                self.listing.ignored[file] = f"ignore:{rule}"
            else:
                self.files.append(file)

    @property
    def labels(self) -> Mapping[str, int]:
        """Name of a class in lower case -> label."""
        return self.classes.labels

    def _set_classes(self, classes: Classes) -> None:
        self.classes = classes
        self.listing.classes = classes.names
        self.words = dict(classes.labels)
        # Where a template fits in several ways, the classes decide.
        self.pattern = PathPattern(self._template, classes.labels) if self._template else None

    def take_classes(self, texts: Iterable[str]) -> None:
        """Take labels or folders as the classes, where the settings say that they are.

        Raises:
            InputError: See :func:`blastfold.datasets.formats.common.classes_of`.
        """
        if self._own_classes:
            self._set_classes(classes_of(texts, self.root))

    def require_listed(self, name: str, key: str) -> None:
        """Refuse a file of the config whose changes no plan would see.

        Raises:
            InputError: It is there, but not among the files of the data set.
        """
        file = PurePosixPath(name).as_posix()
        if file not in {*self.files, *self.listing.ignored} and is_file(self.root / file):
            raise InputError(
                f"'{self.root / name}' (key '{key}') is outside the data set's folder, hidden, or "
                "reached through a link, so that no plan would see that it has changed. Put it "
                f"into '{self.root}'."
            )

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
        if not self.pattern or not {"subject", "picture"} & {*self.pattern.fields}:
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
            out. ``conflicts``: ``report`` allows two labels for one file. ``own_classes``: the
            labels or the outermost folders are the classes.

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
    source.take_classes(folder_classes(source, images))
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


def _without_ending(file: str) -> str:
    return str(PurePosixPath(file).with_suffix(""))


def _unknown_folders(source: Source, unknown: Counter) -> str:
    listing = "\n".join(
        f"  {name}: {number} image{'s' * (number != 1)}" for name, number in unknown.most_common()
    )
    first = unknown.most_common(1)[0][0]
    names = source.classes.names
    return (
        f"'{source.root}': {unknown.total()} images are in folders that are not classes:\n"
        f"{listing}\n"
        f"Expected {expected_names(source.classes)}"
        f"{near_name(first, source.classes)} Enter each folder under the key 'classes', "
        f"for instance classes: {{{names[0]}: ['{first}'], {names[1]}: [...]}},"
        f" or leave its images out with ignore: ['{first}']. If a folder above them is the class, "
        "give its place with the key 'pattern', for instance pattern: '{class}/*/*/*'."
        + advice_on_classes(source.classes)
    )


def _no_class_folders(source: Source, images: int) -> str:
    normal, blast = (source.classes.names or LEUKAEMIA_CLASSES)[:2]
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
    source.require_listed(settings["sheet"], "sheet")
    sheet = Sheet(source.root / settings["sheet"])
    index = FileIndex(source.root, [*source.files, *source.listing.ignored])
    source.take_classes(sheet.labels(source.ignore))
    rows = list(read_records(sheet, index, source.classes, source.ignore))
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
        several = len(source.classes.names) < len(values) <= len(rows) / 2
        if several and numbered > len(values) / 2:
            source.listing.doubt(
                "subject_like_column", name=name, values=len(values), images=len(rows)
            )

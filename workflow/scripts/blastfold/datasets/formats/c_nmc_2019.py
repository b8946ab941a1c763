"""C-NMC 2019 as distributed by The Cancer Imaging Archive (doi:10.7937/tcia.2019.dc64i46r).

Training images are in ``fold_0`` to ``fold_2``, each with ``all`` and ``hem``; the preliminary
test images are in one folder and are named and labelled by a CSV file. The final test images
have no public labels and are left out. The folders may be anywhere below the data set's path.
"""

import csv
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.raw_files import find_files, refuse_special
from blastfold.datasets.formats.common import is_image, records_table

LABELS = {"hem": 0, "all": 1}
PARTS = ("fold_0", "fold_1", "fold_2", "preliminary")
PRELIMINARY_FOLDER = "C-NMC_test_prelim_phase_data"
PRELIMINARY_LABELS = "C-NMC_test_prelim_phase_data_labels.csv"
PRELIMINARY_COLUMNS = ("Patient_ID", "new_names", "labels")

_NAME = re.compile(r"UID_(H?\d+)_(\d+)_(\d+)_(all|hem)", re.IGNORECASE)

logger = logging.getLogger(__name__)


def list_images(root: Path, settings: Mapping) -> pd.DataFrame:
    """List training and preliminary test images (see :func:`datasets.formats.list_records`).

    Args:
        root: The data set's folder; ``fold_<n>`` may be this folder itself.
        settings: ``parts`` chooses among fold_0, fold_1, fold_2 and preliminary (default all).

    Returns:
        The table of images with ``problem``. Subjects are in upper case (``h3`` is ``H3``); a
        picture is the subject with the image number, for instance ``H3_12``.

    Raises:
        InputError: An unknown part is asked for, or the CSV file is not as expected.
    """
    parts = list(settings.get("parts") or PARTS)
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise InputError(f"Key 'parts': unknown {unknown}; expected some of {', '.join(PARTS)}.")
    files = find_files(root)
    images = [file for file in files if is_image(file)]
    records = [*_training(root, images), *_preliminary(root, files, images)]
    left_out = len(set(images) - {record["file"] for record in records})
    if left_out:
        logger.info("%d images outside the labelled folders are left out.", left_out)
    return records_table((record for record in records if record["part"] in parts), problem="")


def _training(root: Path, images: list[str]) -> Iterator[dict]:
    above = PurePosixPath(root.absolute().as_posix())
    for file in images:
        # The path itself counts too: it may be the folder of one fold or one class.
        fold, class_name = ("", *(above / file).parts)[-3:-1]
        fold, class_name = fold.lower(), class_name.lower()
        if class_name in LABELS and fold in PARTS:
            named = _read_name(PurePosixPath(file).stem, LABELS[class_name])
            yield {**named, "file": file, "part": fold}


def _preliminary(root: Path, files: list[str], images: list[str]) -> Iterator[dict]:
    sheets = [
        file for file in files if PurePosixPath(file).name.lower() == PRELIMINARY_LABELS.lower()
    ]
    if len(sheets) > 1:
        raise InputError(f"'{root}' holds the preliminary labels twice: {sheets[0]}, {sheets[1]}.")
    if not sheets:
        return
    folder_of_sheet = PurePosixPath(sheets[0]).parent
    found = {}
    for file in images:
        folder = PurePosixPath(file).parent
        if folder == folder_of_sheet or folder.name.lower() == PRELIMINARY_FOLDER.lower():
            found.setdefault(PurePosixPath(file).stem, []).append(file)
    if not found:
        logger.warning("%s is there, but not one of its images.", PRELIMINARY_LABELS)
        return
    yield from _join_labels(read_labels(root / sheets[0]), found)


def _join_labels(labels: dict[str, tuple[str, int]], found: dict) -> Iterator[dict]:
    for stem, (original, label) in labels.items():
        named = {**_read_name(PurePosixPath(original).stem, label), "part": "preliminary"}
        for file in found.get(stem, ()):
            yield {**named, "file": file}
        if stem not in found:
            problem = f"listed in {PRELIMINARY_LABELS}, but the file is missing"
            yield {**named, "file": f"{stem}.bmp", "problem": problem}
    for stem in sorted(found.keys() - labels.keys()):
        problem = f"not listed in {PRELIMINARY_LABELS}"
        for file in found[stem]:
            yield {
                "image_id": file,
                "file": file,
                "label": 0,
                "part": "preliminary",
                "problem": problem,
            }


def read_labels(sheet: Path) -> dict[str, tuple[str, int]]:
    """Read the labels of the preliminary test images.

    Args:
        sheet: The CSV file.

    Returns:
        Name of the file without ending -> its original name and its label.

    Raises:
        InputError: The file is no table, lacks a column, or has an unknown label.
    """
    refuse_special(sheet)
    try:
        with sheet.open(encoding="utf-8-sig", newline="") as stream:
            return _labels_of(sheet, csv.DictReader(stream, restval=""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"'{sheet}' cannot be read as a table: {error}.") from error


def _labels_of(sheet: Path, reader: csv.DictReader) -> dict[str, tuple[str, int]]:
    missing = [name for name in PRELIMINARY_COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(
            f"'{sheet}' lacks the column {missing[0]}; its columns are {reader.fieldnames}."
        )
    labels = {}
    for row in reader:
        original, new_name, label = (row[name] for name in PRELIMINARY_COLUMNS)
        if label not in ("0", "1"):
            raise InputError(
                f"'{sheet}', line {reader.line_num}, column labels: {label!r}; "
                "expected 1 (ALL) or 0 (HEM)."
            )
        labels[PurePosixPath(new_name.strip()).stem] = (original.strip(), int(label))
    return labels


def _read_name(stem: str, label: int) -> dict:
    """Read subject, image and cell from ``UID_<subject>_<image>_<cell>_<all|hem>``."""
    record = {"image_id": stem, "label": label}
    match = _NAME.fullmatch(stem)
    if match is None:
        problem = f"the name '{stem}' is not UID_<subject>_<image>_<cell>_<all|hem>"
        return {**record, "problem": problem}
    subject, picture, _, class_name = match.groups()
    record |= {"subject": subject.upper(), "picture": f"{subject.upper()}_{picture}"}
    if LABELS[class_name.lower()] != label:
        given = next(name for name, value in LABELS.items() if value == label)
        record["problem"] = f"its name says '{class_name}', its folder or label '{given}'"
    return record

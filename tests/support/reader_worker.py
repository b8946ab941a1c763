"""Read damaged files one after another; run by tests/faults/test_readers.py as a process.

    python reader_worker.py READER SEED FIRST COUNT FOLDER [SECONDS]

Writes one line of JSON per input: what became of it. Each input may take 5 s of processor time and
1 GB of memory; the system kills the process that takes more time. Reading that waits for
something is killed after a minute.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path

from support import damaged_files as damaged
from support.repository import SCHEMA, SCHEMAS

from blastfold.core.errors import BlastfoldError

SECONDS = 5
WAITING = 12
"""How many times as long reading may take that waits for something, or for a busy machine."""

MEMORY = 10**9


def read_image(path):
    from blastfold.images.decoding import decode_image

    image = decode_image(path)
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.dtype.name == "uint8"


def read_slide(path):
    import numpy as np

    from blastfold.slides.reading import open_slide
    from blastfold.slides.streaming import stream_boxes

    with open_slide(path) as slide:
        for level in slide.levels:
            across = range(0, min(level.width, 500), 100)
            boxes = np.array(
                [(x, y, 100, 100) for y in range(0, min(level.height, 500), 100) for x in across]
            )
            for _, box in stream_boxes(level, boxes, np.copy):
                assert box is None or box.shape == (100, 100, 3)


def read_patches(path):
    from blastfold.datasets.formats import list_records, row_reader

    folder = path.parent / "patches"
    folder.mkdir(exist_ok=True)
    for ending in "xy":
        target = folder / f"camelyonpatch_level_2_split_train_{ending}.h5"
        target.unlink(missing_ok=True)
        target.symlink_to(path)
    records = list_records("pcam", folder, {})
    with contextlib.ExitStack() as opened:
        read = row_reader("pcam", folder, records, opened)
        # The import rejects these rows with the reason.
        with contextlib.suppress(OSError):
            read(folder / records["file"].iloc[0], 0, len(records))


def read_centroids(path):
    import pandas as pd

    from blastfold.datasets.formats.all_idb import read_centroids

    pd.DataFrame(read_centroids(path), columns=["x", "y"]).astype("int64")


def read_sheets(path):
    """The file as each of the sheets that a user writes."""
    from blastfold.datasets.formats import c_nmc_2019, list_records, pcam
    from blastfold.datasets.formats.boxes import read_box_file
    from blastfold.experiment.slide_sheet import read_regions, read_slides

    slides = dict.fromkeys(("s1", "s2"))
    (path.parent / "a").mkdir(exist_ok=True)
    for number in range(6):
        (path.parent / "a" / f"{number}.png").touch()
    readers = (
        lambda sheet: list_records("folder", sheet.parent, {"sheet": sheet.name}),
        read_box_file,
        c_nmc_2019.read_labels,
        lambda sheet: pcam.read_slides(sheet, 2),
        lambda sheet: read_slides(sheet, SCHEMAS / "slides.schema.yaml"),
        lambda sheet: read_regions(sheet, slides),
    )
    refused = []
    for read in readers:
        try:
            read(path)
        except BlastfoldError as error:
            refused.append(error)
    unnamed = [error for error in refused if str(path.parent) not in str(error)]
    assert not unnamed, f"the file is not named: {unnamed}"
    if len(refused) == len(readers):
        raise refused[0]


BOX_CLASSES = {"normal": ["rbc"], "blast": ["wbc"]}


def read_boxes(path, name):
    """The file as the boxes of a data set with two photographs, as an import lists them."""
    from blastfold.core.tables import write_table
    from blastfold.datasets.formats import list_files

    root = path.parent / f"boxes of {path.suffix[1:]}"
    for place in (root / name, *(root / "a" / f"{number}.png" for number in range(2))):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    (root / name).write_bytes(path.read_bytes())
    boxes = "xml" if name.endswith(".xml") else name
    found = list_files("folder", root, {"boxes": boxes, "classes": BOX_CLASSES, "crop": [9, 9]})
    write_table(found.records, path.parent / "records.tsv")


def read_voc(path):
    read_boxes(path, "xml/0.xml")


def read_coco(path):
    read_boxes(path, "boxes.json")


def read_box_sheet(path):
    read_boxes(path, "boxes.csv")


def read_config(path):
    from blastfold.experiment.config import check_config
    from blastfold.experiment.config_file import read_config_file

    check_config(read_config_file(path), SCHEMA)


def turn_for_ever(path):
    while path.read_bytes():
        pass


def wait_for_ever(path):
    path.with_suffix(".pipe").unlink(missing_ok=True)
    os.mkfifo(path.with_suffix(".pipe"))
    path.with_suffix(".pipe").read_bytes()


def take_much(path):
    try:
        bytes(2 * MEMORY)
    except MemoryError as error:
        raise BlastfoldError("the file cannot be read") from error


def raise_nothing_known(path):
    raise KeyError(path)


def kill_itself(path):
    os.kill(os.getpid(), signal.SIGSEGV)


FAULTY = {
    "turn": (lambda: [], lambda *_: b"x", turn_for_ever),
    "wait": (lambda: [], lambda *_: b"x", wait_for_ever),
    "memory": (lambda: [], lambda *_: b"x", take_much),
    "uncaught": (lambda: [], lambda *_: b"x", raise_nothing_known),
    "crash": (lambda: [], lambda *_: b"x", kill_itself),
}
"""Readers as none may be, to test that their faults are found."""

READERS = {
    "bmp": (damaged.bmp_files, damaged.damage, read_image),
    "png": (damaged.png_files, damaged.damage_png, read_image),
    "jpeg": (damaged.jpeg_files, damaged.damage, read_image),
    "tiff": (damaged.tiff_files, damaged.damage, read_image),
    "svs": (damaged.slide_files, damaged.damage, read_slide),
    "hdf5": (damaged.hdf5_files, damaged.damage, read_patches),
    "xyc": (damaged.centroid_files, damaged.damage_text, read_centroids),
    "sheet": (damaged.sheet_files, damaged.damage_text, read_sheets),
    "voc": (damaged.voc_files, damaged.damage_markup, read_voc),
    "coco": (damaged.coco_files, damaged.damage_markup, read_coco),
    "boxes": (damaged.box_sheets, damaged.damage_text, read_box_sheet),
    "yaml": (damaged.config_files, damaged.damage_text, read_config),
}


def limit_memory():
    """Let the process take 1 GB more than it has now."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def outcome_of(read, path):
    try:
        read(path)
    except BlastfoldError as error:
        if _of_memory(error):
            return {"outcome": "memory", "detail": str(error)}
        return (
            {"outcome": "refused"}
            if len(str(error)) > 10
            else {"outcome": "unexplained", "detail": str(error)}
        )
    except MemoryError:
        return {"outcome": "memory", "detail": traceback.format_exc()}
    except Exception:
        return {"outcome": "uncaught", "detail": traceback.format_exc()}
    return {"outcome": "accepted"}


def _of_memory(error):
    while error is not None:
        text = str(error).lower()
        if isinstance(error, MemoryError) or "insufficient memory" in text or "to allocate" in text:
            return True
        error = error.__cause__
    return False


def main(reader, seed, first, count, folder, seconds=SECONDS):
    write, change, read = (READERS | FAULTY)[reader]
    files = write()
    path = Path(folder) / f"input.{reader}"
    for whole in files:
        # Modules are loaded and whole files read before memory is limited.
        path.write_bytes(whole)
        with contextlib.suppress(BlastfoldError):
            read(path)
    limit_memory()
    for data in damaged.inputs(files, change, seed, int(first), int(count)):
        path.write_bytes(data)
        signal.setitimer(signal.ITIMER_PROF, float(seconds))
        signal.setitimer(signal.ITIMER_REAL, float(seconds) * WAITING)
        result = outcome_of(read, path)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

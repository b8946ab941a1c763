"""Import a data set: decode every image once into one array, and list the images.

The store is a plain NumPy file. It is written from front to back, so that memory does not grow with
the data set. It is opened without being read (``np.load(mmap_mode="r")``).
"""

import collections
import contextlib
import dataclasses
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import written_together
from blastfold.core.manifest import COLUMNS, OPTIONAL_COLUMNS, SOURCE_DIGEST, class_names
from blastfold.core.predictions import require_positive
from blastfold.core.progress import Progress
from blastfold.core.raw_files import RawContent, find_files, find_ignored, require_content
from blastfold.core.tables import write_table
from blastfold.datasets.accounting import (
    MISTAKES,
    account_for_files,
    describe_account,
    odd_sentence,
)
from blastfold.datasets.formats import list_files, row_reader
from blastfold.datasets.formats.listing import Listing
from blastfold.datasets.photographs import PhotographFolder, locate_crops
from blastfold.datasets.pixel_checks import (
    conflicting_pairs,
    note_conflicts,
    note_masks,
    pixel_code,
    what_it_shows,
)
from blastfold.datasets.summary import compare_counts, count_images
from blastfold.experiment.known_counts import growth_problems
from blastfold.images.decoding import (
    ImageError,
    StoreWriter,
    cut_box,
    decode_image,
    fit_image,
    one_opencv_thread,
)
from blastfold.images.limits import read_bytes

ROWS_AT_ONCE = 256
MANY_REJECTED = 0.05
"""A larger share of rejected files is noted."""

SECONDS_BETWEEN_REPORTS = 5.0

logger = logging.getLogger(__name__)


def import_dataset(
    name: str,
    path: str | os.PathLike,
    settings: Mapping,
    expected: Mapping | None,
    raw: RawContent | None,
    images: str | os.PathLike,
    manifest: str | os.PathLike,
    rejected: str | os.PathLike,
    summary: str | os.PathLike,
    threads: int = 1,
    grown: Mapping[str, Mapping] | None = None,
    photographs: PhotographFolder | None = None,
    positive: Sequence[str] | None = None,
) -> None:
    """Import a data set into the image store.

    A fault of the data set as a whole is an error before the first image is decoded. An
    image that cannot be used is written to ``rejected`` with its reason and left out.

    Args:
        name: The data set's name in the config.
        path: Its folder, or a link to it.
        settings: Its entry in the config: ``format`` and ``image_size`` (height, width), and
            where given ``crop`` (height, width) and what the format reads.
        expected: What the public data set holds, from resources/datasets.yaml, or None:
            images, normal, blast, subjects, pictures, and the same for each of ``parts``. A
            difference is a warning.
        raw: What the folder held when the import was planned; None for files that another rule
            has written.
        images: Written: uint8 (images, height, width, 3), RGB, NumPy format.
        manifest: Written: TSV, row i describes images[i].
        rejected: Written: TSV with the columns file and reason.
        summary: Written: JSON with counts, sizes and digests.
        threads: Threads that decode.
        grown: The entry ``grow`` of each data set that is grown from this one, by its name.
        photographs: Where to look for the photographs of the crops; None looks for none.
        positive: Names of the positive classes; None for the last of two.

    Raises:
        InputError: See :func:`datasets.formats.list_files`; or no image of a class is left; or
            the folder does not hold what it held when the import was planned; or two images with
            equal pixels have different labels and ``conflicts`` is not ``report``; or something
            looks like a mistake and ``suspicious`` is ``error``; or a data set that is grown from
            this one is to have fewer images than it; or the positive classes are not known.
    """
    sheet = settings.get("sheet") or settings.get("boxes")
    require_content(path, raw, sheet, "since this import was planned")
    if photographs:
        require_content(*photographs, None, "since this import was planned")
    listing = list_files(settings["format"], path, settings)
    records = listing.records
    _require_positive(name, listing.classes, positive)
    logger.info("%s: %d images found in '%s'", name, len(records), path)
    with written_together(images, manifest, rejected, summary) as (store, table, bad, digest):
        outcomes, images_digest = _fill_store(name, Path(path), records, settings, store, threads)
        kept, refused = _split_records(records, outcomes)
        _require_all_classes(name, records, kept, refused)
        _check_pixels(listing, kept, outcomes, settings, store)
        _require_growth(kept, grown or {})
        found, unread = {}, refused[:0]
        if photographs:
            kept, unread, found = locate_crops(kept, Path(path), photographs, threads)
        write_table(kept, table)
        write_table(pd.concat([refused, unread]), bad)
        facts = describe_manifest(kept, settings, len(refused))
        facts |= _account(listing, Path(path), kept, refused)
        facts["photographs"] = found or None
        _require_no_mistake(name, listing, settings)
        for difference in compare_counts(facts, expected):
            logger.warning("%s: %s", name, difference)
        facts |= {
            "images_sha256": images_digest,
            "manifest_sha256": hashlib.sha256(table.read_bytes()).hexdigest(),
            "raw_sha256": raw.digest if raw else None,
        }
        text = json.dumps({"name": name, **facts}, indent=2, ensure_ascii=False)
        digest.write_text(text + "\n", encoding="utf-8")
        require_content(path, raw, sheet, "while it was imported")
        if photographs:
            require_content(*photographs, None, "while crops were looked for in them")
    for odd in listing.odd:
        logger.warning("%s: %s", name, odd_sentence(odd))
    logger.info("%s: %s", name, describe_account(facts))


def describe_manifest(manifest: pd.DataFrame, settings: Mapping, rejected: int) -> dict:
    """Count what a manifest holds, for the summary.

    Args:
        manifest: Table with the columns of :data:`blastfold.core.manifest.COLUMNS`.
        settings: The data set's entry in the config.
        rejected: Number of rejected images.

    Returns:
        format, rejected, image_size ([height, width]), asked_parts (the parts that the config asks
        for; empty for all) and the counts of :func:`blastfold.datasets.summary.count_images`.
    """
    return {
        "format": settings["format"],
        **count_images(manifest),
        "rejected": rejected,
        "image_size": [int(length) for length in settings["image_size"]],
        "asked_parts": list(settings.get("parts") or []),
    }


@dataclasses.dataclass(slots=True)
class _Outcome:
    """What became of one record: an image with its facts, or the reason for rejecting it."""

    image: np.ndarray | None = None
    sha256: str = ""
    height: int = 0
    width: int = 0
    reason: str = ""
    shows: str = ""
    code: int = 0
    source_sha256: str = ""


@dataclasses.dataclass(slots=True)
class _Batch:
    """Consecutive records of one file, which is read and decoded once for all of them."""

    file: Path
    boxes: list[tuple[int, int, int, int] | None]
    problem: str = ""
    first_row: int | None = None


def _fill_store(
    name: str, root: Path, records: pd.DataFrame, settings: Mapping, store: Path, threads: int
) -> tuple[list[_Outcome], str]:
    """Decode all records into the store; return what became of each, and the store's SHA-256."""
    image_size, crop = settings["image_size"], settings.get("crop")
    progress = Progress(len(records), logger.info, "images read", SECONDS_BETWEEN_REPORTS)
    outcomes = []
    with (
        contextlib.ExitStack() as opened,
        StoreWriter(store, (len(records), *image_size, 3)) as writer,
        one_opencv_thread(),
        ThreadPoolExecutor(max(1, threads)) as pool,
    ):
        read_rows = row_reader(settings["format"], root, records, opened)

        def read(batch: _Batch) -> list[_Outcome]:
            if batch.first_row is not None:
                return _read_rows(read_rows, batch, image_size, crop)
            return _read_file(batch, image_size, crop)

        for done in _in_order(pool, read, _batches(root, records), ahead=2 * max(1, threads)):
            for outcome in done:
                if outcome.image is not None:
                    writer.append(outcome.image)
                    outcome.image = None
            outcomes += done
            rejected = len(outcomes) - writer.count
            progress.advance(len(done), f"{name}: {rejected} rejected, ")
        digest = writer.finish()
    return outcomes, digest


def _batches(root: Path, records: pd.DataFrame) -> Iterator[_Batch]:
    count = len(records)
    files = records["file"].to_list()
    problems = records["problem"].to_list() if "problem" in records else [""] * count
    rows = records["row"].to_list() if "row" in records else None
    boxes = [None] * count
    if "crop_width" in records:
        corners = records[["crop_x", "crop_y", "crop_width", "crop_height"]].to_numpy().tolist()
        boxes = [tuple(box) if box[2] > 0 else None for box in corners]
    start = 0
    for stop in range(1, count + 1):
        same_file = stop < count and files[stop] == files[start] and not problems[stop]
        follows = rows is None or (
            stop - start < ROWS_AT_ONCE and stop < count and rows[stop] == rows[stop - 1] + 1
        )
        if same_file and not problems[start] and follows:
            continue
        first_row = None if rows is None or problems[start] else rows[start]
        yield _Batch(root / files[start], boxes[start:stop], problems[start], first_row)
        start = stop


def _read_file(batch: _Batch, image_size: tuple, crop: tuple | None) -> list[_Outcome]:
    if batch.problem:
        return [_Outcome(reason=batch.problem)]
    try:
        data = read_bytes(batch.file)
        picture = decode_image(data)
    except ImageError as error:
        return [_Outcome(reason=str(error)) for _ in batch.boxes]
    digest = hashlib.sha256(data).hexdigest()
    outcomes = [_take(picture, digest, box, image_size, crop) for box in batch.boxes]
    for outcome, box in zip(outcomes, batch.boxes, strict=True):
        outcome.source_sha256 = digest if box is not None else ""
    shows = what_it_shows(picture)
    for outcome in outcomes:
        if outcome.image is not None:
            outcome.shows, outcome.code = shows, pixel_code(outcome.image)
    return outcomes


def _take(
    picture: np.ndarray, digest: str, box: tuple | None, image_size: tuple, crop: tuple | None
) -> _Outcome:
    height, width = picture.shape[:2]
    try:
        if box is not None:
            picture = np.ascontiguousarray(cut_box(picture, *box))
            # Cells of one photograph must not look like copies of one file.
            digest = hashlib.sha256(picture).hexdigest()
        return _Outcome(fit_image(picture, image_size, crop), digest, height, width)
    except ImageError as error:
        return _Outcome(reason=str(error))


def _read_rows(
    read: Callable, batch: _Batch, image_size: tuple, crop: tuple | None
) -> list[_Outcome]:
    first, count = batch.first_row, len(batch.boxes)
    try:
        block = read(batch.file, first, first + count)
    except Exception as error:
        # h5py raises nearly any exception for a damaged file; most rows may still be whole.
        if count > 1:
            rows = [_Batch(batch.file, [None], first_row=first + row) for row in range(count)]
            return [_read_rows(read, row, image_size, crop)[0] for row in rows]
        return [_Outcome(reason=f"row {first} cannot be read: {error}")]
    return [
        _take(patch, hashlib.sha256(patch).hexdigest(), None, image_size, crop) for patch in block
    ]


def _in_order(
    pool: ThreadPoolExecutor, function: Callable, items: Iterable, ahead: int
) -> Iterator:
    """Yield function(item) in the items' order, with at most ``ahead`` results in memory."""
    pending = collections.deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


def _split_records(
    records: pd.DataFrame, outcomes: list[_Outcome]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    reasons = pd.Series([outcome.reason for outcome in outcomes], index=records.index, dtype=object)
    kept = records[reasons == ""].assign(
        sha256=[outcome.sha256 for outcome in outcomes if not outcome.reason],
        width=[outcome.width for outcome in outcomes if not outcome.reason],
        height=[outcome.height for outcome in outcomes if not outcome.reason],
    )
    sources = [outcome.source_sha256 for outcome in outcomes if not outcome.reason]
    if any(sources):
        kept = kept.assign(**{SOURCE_DIGEST: sources})
    refused = records[["file"]].assign(reason=reasons)[reasons != ""]
    columns = [*COLUMNS, *(name for name in OPTIONAL_COLUMNS if name in kept)]
    return kept[columns].reset_index(drop=True), refused.reset_index(drop=True)


def _check_pixels(
    listing: Listing, kept: pd.DataFrame, outcomes: list[_Outcome], settings: Mapping, store: Path
) -> None:
    """Note masks and images with two labels; rows of larger files are not looked at."""
    if settings["format"] not in ("folder", "demo"):
        return
    taken = [outcome for outcome in outcomes if not outcome.reason]
    shown = [outcome.shows for outcome in taken]
    note_masks(listing, kept, shown)
    images = np.load(store, mmap_mode="r")
    pairs = conflicting_pairs(kept, [outcome.code for outcome in taken], shown, images)
    note_conflicts(listing, kept, pairs, refused=settings.get("conflicts") != "report")


def _account(listing: Listing, root: Path, kept: pd.DataFrame, refused: pd.DataFrame) -> dict:
    """Return what became of every file, and what looks odd."""
    left_out = find_ignored(root)
    files = account_for_files(
        {*find_files(root), *left_out}, kept["file"], refused, {**left_out, **listing.ignored}
    )
    if files["rejected"] > MANY_REJECTED * files["found"]:
        listing.doubt("rejected_share", rejected=files["rejected"], files=files["found"])
    return {"files": files, "odd": listing.odd}


def _require_no_mistake(name: str, listing: Listing, settings: Mapping) -> None:
    mistakes = [odd_sentence(odd) for odd in listing.odd if odd["code"] in MISTAKES]
    if mistakes and settings.get("suspicious") == "error":
        raise InputError(
            f"Data set '{name}' (suspicious: error): " + ".\n".join(mistakes) + ".\nCorrect the "
            "data or the config, or set suspicious: warn."
        )


def _require_positive(name: str, classes: Sequence[str], positive: Sequence[str] | None) -> None:
    """Stop here what would fail after the trainings."""
    if not classes:
        return
    try:
        require_positive(classes, positive)
    except InputError as error:
        raise InputError(f"Data set '{name}': {error}") from None


def _require_growth(kept: pd.DataFrame, grown: Mapping[str, Mapping]) -> None:
    """Stop here what would fail after the first trainings."""
    counts = {name: int((kept["class"] == name).sum()) for name in class_names(kept)}
    for name, grow in grown.items():
        for problem in growth_problems(f"datasets.{name}.grow", grow, counts):
            raise InputError(problem)


def _require_all_classes(
    name: str, records: pd.DataFrame, kept: pd.DataFrame, refused: pd.DataFrame
) -> None:
    usable = records[records["problem"] == ""] if "problem" in records else records
    for class_name in usable["class"].unique():
        if not (kept["class"] == class_name).any():
            of_class = refused["file"].isin(records.loc[records["class"] == class_name, "file"])
            first = refused[of_class].iloc[0]
            raise InputError(
                f"Data set '{name}': no {class_name} image is left, all {of_class.sum()} were "
                f"rejected. The first: '{first['file']}': {first['reason']}"
            )

"""From one slide to its tiles: choose, cut, measure and store them, and keep every reason."""

import dataclasses
import logging
import os
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import digest_file, digest_settings, written_whole
from blastfold.core.tables import write_table
from blastfold.images.decoding import one_opencv_thread
from blastfold.slides.grid import TilePlan, plan_tiles, tile_grid, to_level_zero
from blastfold.slides.reading import Slide, UnusableSlideError, open_slide
from blastfold.slides.resampling import shrink
from blastfold.slides.streaming import stream_boxes
from blastfold.slides.thumbnail import make_thumbnail
from blastfold.slides.tissue import covered_fraction, find_tissue, sharpness

COLUMNS = {
    "x": "int64",
    "y": "int64",
    "width": "int64",
    "height": "int64",
    "level": "int64",
    "tissue_fraction": "float64",
    "pen_fraction": "float64",
    "sharpness": "float64",
    "kept": "int64",
    "reason": "object",
    "row": "int64",
}
"""Columns of ``tiles.tsv``, one row for every place of the grid."""

PEN_STROKE = 1 / 6
"""Least width of a pen mark, as a share of a tile's width."""

REASONS = ("pen", "background", "blurred", "damaged")
"""Why a tile is rejected; the first that holds."""

logger = logging.getLogger(__name__)


@dataclasses.dataclass
class Tiling:
    """What is known of a slide before its tiles are cut."""

    plan: TilePlan
    boxes: np.ndarray
    table: pd.DataFrame
    thumbnail: dict[str, np.ndarray]


def tile_slide(
    slide: str,
    row: Mapping,
    settings: Mapping,
    outputs: Mapping[str, str | os.PathLike],
    threads: int = 1,
) -> None:
    """Cut a slide into tiles and store those that show sharp tissue.

    Args:
        slide: The slide's name.
        row: Its row of the sheet: path and mpp. Labels are given to tiles when they are imported,
            so that a corrected label cuts no slide again.
        settings: The config's ``slides``: tile_size, overlap, unit, mpp, edges,
            tissue_threshold, minimum_tissue, minimum_sharpness, maximum_pen, when_empty.
        outputs: ``tiles`` (HDF5: ``tiles`` uint8 (n, h, w, 3), RGB, a tile a chunk, its origin in
            the attributes), ``table`` (TSV, see ``COLUMNS``; row is -1 for rejected tiles,
            sharpness empty where it was not measured) and ``thumbnail`` (.npz: thumbnail, tissue,
            pen, step).
        threads: Threads that decode.

    Raises:
        InputError: The slide cannot be read or gives no tile, and ``when_empty`` is error; or
            settings and slide do not go together.
    """
    with ThreadPoolExecutor(1) as pool:
        digest = pool.submit(_digest, row["path"])
        try:
            with open_slide(row["path"]) as opened:
                tiling = prepare(opened, row, settings, threads)
                _store(slide, opened, tiling, settings, digest, outputs, threads)
        except InputError as error:
            fault = f"slide '{slide}' of the sheet: {error}"
            unusable = isinstance(error, UnusableSlideError)
            if settings["when_empty"] == "error" or not unusable:
                raise InputError(fault) from error
            logger.warning("excluded: %s", fault)
            _store_nothing(slide, str(error), settings, digest.result(), outputs)


def prepare(opened: Slide, row: Mapping, settings: Mapping, threads: int = 1) -> Tiling:
    """Lay the grid and reject what shows no tissue, before any tile is cut.

    Args:
        opened: The open slide.
        row: Its row of the sheet.
        settings: The config's ``slides``.
        threads: Threads that decode.

    Returns:
        The plan, the boxes in pixels of the plan's level, the table (without sharpness and row)
        and the arrays of the thumbnail's file.

    Raises:
        InputError: Settings and slide do not go together.
        UnusableSlideError: No tile fits on the slide.
    """
    mpp = row["mpp"] or opened.mpp
    plan = plan_tiles(settings, mpp, [level.downsample for level in opened.levels])
    level = opened.levels[plan.level]
    boxes = tile_grid(
        (level.width, level.height), (plan.window,) * 2, (plan.spacing,) * 2, settings["edges"]
    )
    if not len(boxes):
        raise UnusableSlideError(
            f"the level of {level.width} x {level.height} pixels is smaller than one tile of "
            f"{plan.window} x {plan.window}; choose a smaller slides.tile_size or edges: pad."
        )
    places = to_level_zero(boxes, plan)
    pixels, step = make_thumbnail(opened, places[0, 2], threads)
    stroke = max(1, round(PEN_STROKE * places[0, 2] / step))
    tissue, pen, threshold = find_tissue(pixels, settings["tissue_threshold"], stroke)
    logger.info("tissue has a saturation above %d (of 255)", threshold)
    table = pd.DataFrame(places, columns=["x", "y", "width", "height"])
    table["level"] = plan.level
    table["tissue_fraction"] = covered_fraction(tissue, places, step)
    table["pen_fraction"] = covered_fraction(pen, places, step)
    table["sharpness"] = np.nan
    table["reason"] = np.select(
        [
            table["pen_fraction"] > settings["maximum_pen"],
            table["tissue_fraction"] < settings["minimum_tissue"],
        ],
        ["pen", "background"],
        "",
    )
    thumbnail = {"thumbnail": pixels, "tissue": tissue, "pen": pen, "step": np.float64(step)}
    return Tiling(plan, boxes, table, thumbnail)


def _store(
    slide: str,
    opened: Slide,
    tiling: Tiling,
    settings: Mapping,
    digest: Future,
    outputs: Mapping,
    threads: int,
) -> None:
    table, plan = tiling.table, tiling.plan
    with written_whole(outputs["tiles"]) as partial:
        # HDF5's newer file formats store the time, and the same tiles would give other bytes.
        with h5py.File(partial, "w") as archive:
            _cut_tiles(archive, opened, tiling, settings, threads)
            facts = {
                "slide": slide,
                "slide_sha256": digest.result(),
                "slide_mpp": opened.mpp if opened.mpp is not None else np.nan,
                "mpp": plan.mpp if plan.mpp is not None else np.nan,
                "level": plan.level,
                "downsample": plan.downsample,
                "ratio": plan.ratio,
                "excluded": "",
            }
            archive["tiles"].attrs.update(facts | _settings_facts(settings))
        counts = table["reason"].value_counts().to_dict()
        kept = counts.pop("", 0)
        found = ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "none"
        logger.info("%s: %d of %d tiles kept; rejected: %s", slide, kept, len(table), found)
        if not kept:
            raise UnusableSlideError(
                f"none of the {len(table)} tiles is left, rejected are {found}; look at the "
                "slide, or change slides.minimum_tissue, minimum_sharpness or maximum_pen."
            )
        _write_table(table, outputs["table"])
        _write_arrays(tiling.thumbnail, outputs["thumbnail"])


def _cut_tiles(
    archive: h5py.File, opened: Slide, tiling: Tiling, settings: Mapping, threads: int
) -> None:
    """Write what is sharp, tile by tile, and complete the table."""
    table, plan = tiling.table, tiling.plan
    candidates = np.flatnonzero(table["reason"] == "")
    size = plan.tile_size
    stored = archive.create_dataset(
        "tiles",
        shape=(len(candidates), size, size, 3),
        maxshape=(None, size, size, 3),
        chunks=(1, size, size, 3),
        dtype=np.uint8,
    )

    def finish(window: np.ndarray) -> tuple[np.ndarray, float]:
        tile = np.ascontiguousarray(shrink(window, size, plan.ratio))
        return tile, sharpness(tile)

    values, reasons = table["sharpness"].to_numpy(copy=True), table["reason"].to_numpy(copy=True)
    rows = np.full(len(table), -1)
    count = 0
    level, boxes = opened.levels[plan.level], tiling.boxes[candidates]
    with one_opencv_thread():
        for number, result in stream_boxes(level, boxes, finish, threads):
            place = candidates[number]
            if result is None:
                reasons[place] = "damaged"
                continue
            tile, values[place] = result
            if values[place] < settings["minimum_sharpness"]:
                reasons[place] = "blurred"
                continue
            # A chunk is a tile, and is written as it is: nothing is copied or compressed.
            stored.id.write_direct_chunk((count, 0, 0, 0), tile.data)
            rows[place] = count
            count += 1
    stored.resize(count, axis=0)
    table["sharpness"], table["reason"], table["row"] = values, reasons, rows
    table["kept"] = (rows >= 0).astype(np.int64)


def _store_nothing(
    slide: str, reason: str, settings: Mapping, digest: str, outputs: Mapping
) -> None:
    """Write the files of a slide that is excluded, with the reason."""
    with written_whole(outputs["tiles"]) as partial, h5py.File(partial, "w") as archive:
        stored = archive.create_dataset("tiles", shape=(0, 1, 1, 3), dtype=np.uint8)
        facts = {"slide": slide, "slide_sha256": digest, "excluded": reason}
        stored.attrs.update(facts | _settings_facts(settings))
    _write_table(pd.DataFrame(columns=list(COLUMNS)), outputs["table"])
    blank = {"thumbnail": np.full((1, 1, 3), 255, dtype=np.uint8), "step": np.float64(1)}
    blank |= {name: np.zeros((1, 1), dtype=bool) for name in ("tissue", "pen")}
    _write_arrays(blank, outputs["thumbnail"])


def _settings_facts(settings: Mapping) -> dict:
    facts = {key: value for key, value in settings.items() if value is not None}
    return {**facts, "settings_sha256": digest_settings(dict(settings))}


def _write_table(table: pd.DataFrame, path: str | os.PathLike) -> None:
    write_table(table.astype(COLUMNS)[list(COLUMNS)], path, float_format="%.6g")


def _write_arrays(arrays: Mapping[str, np.ndarray], path: str | os.PathLike) -> None:
    with written_whole(path) as partial, Path(partial).open("wb") as file:
        np.savez_compressed(file, **arrays)


def _digest(path: str | os.PathLike) -> str:
    try:
        return digest_file(path)
    except OSError:
        return ""

"""Duplicate audit of a data set: which images show the same cell, and how sure that is.

Four steps: equal pixels by their digest, exact flips and turns by their colour histogram,
candidates by what is the same in a shifted, turned and scaled copy
(:mod:`blastfold.leakage.duplicate_candidates`), and a proof on pixels for each candidate
(:mod:`blastfold.leakage.duplicate_verification`).
"""

import hashlib
import itertools
import logging
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.group_table import UNKNOWN
from blastfold.core.manifest import read_manifest
from blastfold.core.names import DUPLICATE_KINDS
from blastfold.core.tables import write_table
from blastfold.images.decoding import one_opencv_thread
from blastfold.leakage.duplicate_candidates import find_candidates
from blastfold.leakage.duplicate_images import REFERENCE_SIZE, orient, orientations_of
from blastfold.leakage.duplicate_maps import MAP
from blastfold.leakage.duplicate_verification import (
    Placement,
    compare_views,
    name_kind,
    name_transform,
    view_image,
)
from blastfold.leakage.groups import leakage_groups
from blastfold.leakage.relations import relations_of

logger = logging.getLogger(__name__)

COLUMNS = ["first", "second", "kind", "transform", "similarity"]
# Beyond this many pairs, copies of copies are linked to one of them instead of each to each.
MOST_PAIRS_OF_COPIES = 1000
IMAGES_AT_ONCE = 128


@dataclass(frozen=True)
class DuplicateSettings:
    """When two images count as near duplicates: the config's ``duplicates`` of a data set.

    Attributes:
        minimum_similarity: Correlation of the inner detail, 0-1.
        minimum_overlap: Share of the picture area two crops must have in common, 0-1.
        candidates: The most pairs that are checked on pixels for one image.
    """

    minimum_similarity: float
    minimum_overlap: float
    candidates: int


def find_duplicates(
    images: np.ndarray,
    image_ids: Sequence[str],
    settings: DuplicateSettings,
    threads: int = 1,
) -> pd.DataFrame:
    """Find identical and nearly identical images.

    Args:
        images: uint8 (n, height, width, 3) RGB, may be memory-mapped.
        image_ids: The n names, in the order of ``images``.
        settings: See :class:`DuplicateSettings`.
        threads: Worker threads.

    Returns:
        One row per pair, in the order of the images: first, second (image_id), kind (one of
        DUPLICATE_KINDS), transform (turns the first image into the second, see
        :func:`blastfold.leakage.duplicate_verification.name_transform`) and similarity (0-1; 1 is
        exact).

    Raises:
        InputError: The images have another shape or type, or not one name each.
    """
    _check_images(images, image_ids)
    if len(images) < 2:
        return pd.DataFrame(columns=COLUMNS).astype({"similarity": float})
    with one_opencv_thread():
        return _as_table(_find_pairs(images, settings, threads), image_ids)


def _find_pairs(images: np.ndarray, settings: DuplicateSettings, threads: int) -> list[tuple]:
    """Return first and second row, kind, transform and similarity of every pair, unsorted."""
    copies = _group_equal(images, threads)
    rows = np.array(sorted(copies))
    pairs = [
        (first, second, "identical", "identity", 1.0)
        for members in copies.values()
        for first, second in _some_pairs(members)
    ]
    turned = list(_find_turned(images, rows, threads))
    near = list(_find_near(images, rows, settings, threads, {pair[:2] for pair in turned}))
    for first, second, *evidence in turned + near:
        links = [(first, second)]
        if len(copies[first]) * len(copies[second]) <= MOST_PAIRS_OF_COPIES:
            links = itertools.product(copies[first], copies[second])
        pairs += [(one, other, *evidence) for one, other in links]
    return pairs


def _check_images(images: np.ndarray, image_ids: Sequence[str]) -> None:
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        raise InputError(
            f"images: {images.dtype} {images.shape}, expected uint8 (n, height, width, 3)"
        )
    if len(image_ids) != len(images):
        raise InputError(f"image_ids: {len(image_ids)} names for {len(images)} images")
    if len(set(image_ids)) != len(image_ids):
        raise InputError("image_ids: a name occurs twice, expected one name per image")


def _group_equal(images: np.ndarray, threads: int) -> dict[int, list[int]]:
    """Return the rows of equal pixels under the first of them."""
    first_row: dict[bytes, int] = {}
    copies: dict[int, list[int]] = defaultdict(list)
    for row, key in enumerate(_digests(images, range(len(images)), np.ascontiguousarray, threads)):
        copies[first_row.setdefault(key, row)].append(row)
    return copies


def _digests(
    images: np.ndarray,
    rows: Sequence[int],
    content: Callable[[np.ndarray], np.ndarray],
    threads: int,
) -> Iterable[bytes]:
    """Yield the digests of some content of the images."""

    def digest(start: int) -> list[bytes]:
        return [
            hashlib.blake2b(content(images[row]), digest_size=16).digest()
            for row in rows[start : start + IMAGES_AT_ONCE]
        ]

    with ThreadPoolExecutor(max(1, threads)) as workers:
        for part in workers.map(digest, range(0, len(rows), IMAGES_AT_ONCE)):
            yield from part


def _some_pairs(members: list[int]) -> Iterable[tuple[int, int]]:
    """Yield every pair of the members, or a star when these are too many to write down."""
    if len(members) * (len(members) - 1) // 2 <= MOST_PAIRS_OF_COPIES:
        return itertools.combinations(members, 2)
    logger.warning("duplicates: %d images have the same pixels", len(members))
    return ((members[0], other) for other in members[1:])


def _find_turned(images: np.ndarray, rows: np.ndarray, threads: int) -> Iterable[tuple]:
    """Yield exact flips and turns: only images of one colour histogram are compared."""
    alike: dict[bytes, list[int]] = defaultdict(list)
    for row, key in zip(rows, _digests(images, rows, _histograms, threads), strict=True):
        alike[key].append(int(row))
    orientations = orientations_of(*images.shape[1:3])[1:]
    for members in alike.values():
        for first, second in itertools.combinations(members, 2):
            for orientation in orientations:
                if np.array_equal(orient(images[first], orientation), images[second]):
                    transform = name_transform(Placement(orientation))
                    yield first, second, "flipped_or_turned", transform, 1.0
                    break


def _histograms(image: np.ndarray) -> np.ndarray:
    """Return the counts of values, float32 (3, 256), of a uint8 (height, width, 3) image."""
    image = np.ascontiguousarray(image)
    return np.stack(
        [cv2.calcHist([image], [channel], None, [256], [0, 256]) for channel in range(3)]
    )


def _find_near(
    images: np.ndarray,
    rows: np.ndarray,
    settings: DuplicateSettings,
    threads: int,
    known: set[tuple[int, int]],
) -> Iterable[tuple]:
    """Yield the candidate pairs that pass the proof on pixels."""
    if len(rows) < 2:
        return
    candidates = find_candidates(images, rows, threads, settings.candidates)
    logger.info("duplicates: checking %d candidates on pixels", len(candidates))
    # Neighbouring rows are checked together, so that a view is prepared once.
    candidates = candidates.sort_values(["first", "second"])
    longer = min(REFERENCE_SIZE, max(images.shape[1:3]))
    scale = max(images.shape[1:3]) / longer
    view = lru_cache(maxsize=2048)(lambda row: view_image(images[row]))

    def check(first: int, second: int, votes: float, *numbers: float) -> tuple | None:
        shares = np.array(numbers).reshape(2, 3)
        limits = settings.minimum_similarity, settings.minimum_overlap
        evidence = compare_views(view(first), view(second), shares, votes, *limits)
        if evidence is None:
            return None
        transform = name_transform(evidence.placement, scale)
        return first, second, name_kind(evidence), transform, min(evidence.similarity, 1.0)

    columns = ["first", "second", "votes", *MAP]
    tasks = [
        pair
        for pair in candidates[columns].itertuples(index=False, name=None)
        if pair[:2] not in known
    ]
    with ThreadPoolExecutor(max(1, threads)) as workers:
        yield from filter(None, workers.map(lambda task: check(*task), tasks, chunksize=16))


def _as_table(pairs: list[tuple], image_ids: Sequence[str]) -> pd.DataFrame:
    ordered = []
    for first, second, kind, transform, similarity in sorted(pairs, key=lambda pair: pair[:2]):
        names = str(image_ids[first]), str(image_ids[second])
        ordered.append((*names, kind, transform, round(similarity, 4)))
    return pd.DataFrame(ordered, columns=COLUMNS).astype({"similarity": float})


def audit_dataset(
    images: str | os.PathLike,
    manifest: str | os.PathLike,
    duplicates: str | os.PathLike,
    groups: str | os.PathLike,
    settings: Mapping[str, float],
    threads: int = 1,
    independent: bool = False,
) -> None:
    """Write a data set's duplicates and its leakage groups.

    Args:
        images: ``images.npy``, uint8 (n, height, width, 3).
        manifest: ``manifest.tsv``, one row per image.
        duplicates: Output, the table of :func:`find_duplicates`.
        groups: Output, the table of :func:`blastfold.leakage.groups.leakage_groups` with
            ``relations``, see :func:`blastfold.leakage.relations.relations_of`.
        settings: Values of :class:`DuplicateSettings` by name.
        threads: Worker threads.
        independent: Whether the config declares the images as independent.

    Raises:
        InputError: The manifest and the images do not belong together.
    """
    array = np.load(images, mmap_mode="r")
    table = read_manifest(manifest)
    if len(table) != len(array):
        raise InputError(f"{manifest}: {len(table)} rows, but {images} has {len(array)} images")
    names = table["image_id"].tolist()
    found = find_duplicates(array, names, DuplicateSettings(**settings), threads)
    assigned = leakage_groups(table, found).assign(
        relations=relations_of(table, independent).to_numpy()
    )
    counts = found["kind"].value_counts()
    logger.info(
        "duplicates: %d pairs (%s); %s leakage groups among %d images",
        len(found),
        ", ".join(f"{kind} {counts.get(kind, 0)}" for kind in DUPLICATE_KINDS),
        _known_groups(assigned),
        len(table),
    )
    if unknown := int((assigned["relations"] == UNKNOWN).sum()):
        logger.warning(
            "The subject of %d of %d images is unknown, and with it their true leakage groups: "
            "only duplicates and named pictures are kept together. Supply subjects, or declare "
            "independent_images: true if no two images are related.",
            unknown,
            len(table),
        )
    _warn_of_conflicts(found, table)
    write_table(found, duplicates)
    write_table(assigned, groups)


def _known_groups(assigned: pd.DataFrame) -> str:
    """Return the number of leakage groups for a message; without subjects it is not known."""
    unknown = assigned["relations"] == UNKNOWN
    if len(assigned) and unknown.all():
        return "an unknown number of"
    return f"{'at most ' if unknown.any() else ''}{assigned['group'].nunique()}"


def _warn_of_conflicts(duplicates: pd.DataFrame, manifest: pd.DataFrame) -> None:
    """Warn of pairs that show the same cell and have different labels."""
    labels = manifest.set_index("image_id")["label"]
    pairs = duplicates[["first", "second"]].apply(lambda column: column.map(labels))
    conflicts = duplicates[pairs["first"] != pairs["second"]]
    if len(conflicts):
        first, second = conflicts.iloc[0][["first", "second"]]
        logger.warning(
            "%d pairs of duplicates have different labels, for instance %s (label %s) and %s "
            "(label %s)",
            *(len(conflicts), first, labels[first], second, labels[second]),
        )

"""Tiles whose label a linear probe finds most probable, and a matched random control.

The thesis trains on discriminative patches. Their effect is known only in comparison with
the same number of random tiles of the same slides, which the method ``random`` gives.

A tile's score is the probability of its own label by a probe that saw neither the tile nor its
slide. The selection uses all labels nevertheless: its tiles are for pre-training, and results on
them are too good.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from blastfold.core.arrays import create_array
from blastfold.core.errors import InputError
from blastfold.core.files import digest_file, link_or_copy, written_whole
from blastfold.core.manifest import class_names, read_manifest
from blastfold.core.seeds import derive_seed, generator
from blastfold.core.tables import write_table
from blastfold.datasets.summary import write_derived

FOLDS = 5
"""Folds of the probe's cross-validation, or as many as there are slides of the rarer class."""

INVERSE_PENALTY = 0.001
"""scikit-learn's C of the probe. It learns from slides, not from tiles: with less penalty it
fits the training slides too closely, and finds fewer discriminative tiles on others."""

BLOCK = 64
"""Images that are copied at once."""

POSITION = re.compile(r".*-x(\d+)-y(\d+)")
"""End of a tile's image_id: pixels from the slide's left and upper edge."""

logger = logging.getLogger(__name__)


class ProbeFolds(NamedTuple):
    """How the probe is cross-validated.

    Attributes:
        number: Fold that each image is scored in, from 0, shape (n,).
        unit: What is never on both sides: slide, subject, image or part of a slide.
        note: What this leaves open; empty for slides and subjects.
    """

    number: np.ndarray
    unit: str
    note: str


def select_tiles(
    base: Mapping[str, str],
    features: str | None,
    outputs: Mapping[str, str],
    name: str,
    settings: Mapping,
    seed: int,
) -> None:
    """Write a data set with a share of another one's images, and how each image was ranked.

    Args:
        base: Paths ``images``, ``manifest`` and ``summary`` of the data set to choose from.
        features: Features of its images, float32 (views, n, d) as .npy, view 0 being the
            unchanged images; None unless the method is discriminative.
        outputs: Paths ``images``, ``manifest``, ``rejected``, ``summary`` and ``tiles``, the last
            a table of all images of the base, in their order: image_id, picture, label, score
            (empty unless discriminative), rank (among the images of its slide and class, from 1)
            and kept (1 or 0).
        name: The new data set's name.
        settings: Its entry: ``format``, ``of`` (the base's name) and ``select`` with
            ``method`` (discriminative, random or none), ``share`` and ``architecture``.
        seed: The experiment's seed.

    Raises:
        InputError: The features are not those of the images, or a class has too few images.
    """
    manifest, select = read_manifest(base["manifest"]), settings["select"]
    method, of = select["method"], settings["of"]
    share = 1.0 if method == "none" else select["share"]
    record = {"method": method, "share": share, "images": len(manifest)}
    scores = np.full(len(manifest), np.nan)
    if method == "discriminative":
        labels = manifest["label"].astype(int).to_numpy()
        folds = assign_probe_folds(manifest, derive_seed(seed, "select_tiles", of))
        scores = score_tiles(read_features(features, len(manifest)), labels, folds.number)
        record |= {"architecture": select["architecture"], "weights": select["weights"]}
        record |= {"kept_apart": folds.unit, "folds": len(np.unique(folds.number))}
        record |= {"auc": probe_auc(labels, scores), "note": folds.note}
        shown = "of two classes only" if record["auc"] is None else f"{record['auc']:.3f}"
        logger.info("%s: out-of-fold AUC %s by %s %s", name, shown, *folds[1:])
    order = -scores if method == "discriminative" else random_order(manifest, method, of, seed)
    table = rank_tiles(manifest, order, share).assign(score=scores)
    columns = ["image_id", "picture", "label", "class", "score", "rank", "kept"]
    write_table(table[columns], outputs["tiles"])
    rows = np.flatnonzero(table["kept"])
    if len(rows) == len(manifest) and share < 1:
        raise InputError(
            f"datasets.{name}.select.share: received {share:g}, but no slide of {of} has images of "
            "one class to leave any of them out, for one of each is kept; expected slides "
            f"(column 'picture' of {base['manifest']}) of at least two images of a class"
        )
    copy_images(base["images"], rows, outputs["images"])
    facts = {"name": name, "format": settings["format"]}
    facts |= {"images_sha256": digest_file(outputs["images"]), "selection": record}
    facts["derived"] = describe(len(rows), of, record)
    write_derived(manifest.iloc[rows], base["summary"], facts, outputs)
    logger.info("%s: %s", name, facts["derived"])


def read_features(path: str, images: int) -> np.ndarray:
    """Read the features of unchanged images, (images, d).

    Raises:
        InputError: The file has another shape, or a feature is not finite.
    """
    stored = np.load(path, mmap_mode="r")
    if stored.ndim != 3 or stored.shape[1] != images or 0 in stored.shape:
        raise InputError(
            f"{path}: received features of shape {stored.shape}, expected (views, {images}, "
            "features), one row for each image of the manifest"
        )
    features = np.asarray(stored[0])
    if not np.isfinite(features).all():
        row = int(np.flatnonzero(~np.isfinite(features).all(axis=1))[0])
        raise InputError(f"{path}: row {row} has a feature that is not finite")
    return features


def assign_probe_folds(manifest: pd.DataFrame, seed: int) -> ProbeFolds:
    """Choose what the probe is cross-validated by.

    All slides (pictures) of a subject are kept together; slides alone where a class has a single
    subject; and images where nothing is known of either. A class with a single slide leaves no
    slide to learn it from. Then each slide is cut into parts, and scored by the other parts.

    Args:
        manifest: Text columns image_id, label, subject and picture.
        seed: Seed of the draw.

    Raises:
        InputError: A class has fewer than two images.
    """
    labels = manifest["label"].astype(int).to_numpy()
    for label, class_name in enumerate(class_names(manifest)):
        number = int((labels == label).sum())
        if number < 2:
            raise InputError(
                f"discriminative selection: received {number} {class_name} images to choose from, "
                "expected at least 2, so that each is scored by a probe that has seen its class"
            )
    for groups, unit, note in _groupings(manifest):
        folds = _split_groups(labels, groups, seed)
        if folds is not None:
            return ProbeFolds(folds, unit, note)
    note = f"{_alone(unit)}, and neighbouring tiles may have been learnt"
    return ProbeFolds(cut_slides(manifest), f"part of a {unit}", note)


def cut_slides(manifest: pd.DataFrame) -> np.ndarray:
    """Cut the tiles of each class on every slide into parts, and number the parts as folds.

    Args:
        manifest: Text columns image_id, label, subject and picture. Parts are strips across the
            longer side where image ids end in ``-x<x>-y<y>``; else consecutive rows.

    Returns:
        Fold of each image, shape (n,). Both classes are in at least two folds.
    """
    folds = np.empty(len(manifest), dtype=int)
    parts = min(FOLDS, manifest["label"].value_counts().min())
    slides = manifest.groupby(_strata(manifest))
    # Slides of few tiles do not all begin with the same fold.
    begin = slides.ngroup().groupby(manifest["label"]).rank("dense").astype(int).to_numpy()
    for rows in slides.indices.values():
        matches = [POSITION.fullmatch(name) for name in manifest["image_id"].iloc[rows]]
        if all(matches):
            places = np.array([[int(text) for text in match.groups()] for match in matches])
            longer = int(np.ptp(places[:, 1]) > np.ptp(places[:, 0]))
            rows = rows[np.lexsort([places[:, 1 - longer], places[:, longer]])]
        folds[rows] = (np.arange(len(rows)) * parts // len(rows) + begin[rows]) % parts
    return folds


def probe_auc(labels: np.ndarray, scores: np.ndarray) -> float | None:
    """Return the AUC of the probe's scores; None for more than two classes.

    Args:
        labels: Index of the class, shape (n,).
        scores: Probability of the image's own label, shape (n,).
    """
    if labels.max() > 1:
        return None
    return float(roc_auc_score(labels, np.where(labels == 1, scores, 1 - scores)))


def score_tiles(features: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Score each image by a linear probe that was fitted on the other folds.

    Args:
        features: Shape (n, d).
        labels: Index of the class, shape (n,).
        folds: Fold of each image, shape (n,).

    Returns:
        Probability of the image's own label, float64 (n,). Scaling and probe are fitted without
        the fold that is scored; both classes weigh the same.
    """
    scores = np.empty(len(labels))
    for fold in np.unique(folds):
        scored = folds == fold
        regression = LogisticRegression(C=INVERSE_PENALTY, class_weight="balanced", max_iter=1000)
        probe = make_pipeline(StandardScaler(), regression)
        probe.fit(features[~scored].astype(np.float64), labels[~scored])
        probabilities = probe.predict_proba(features[scored].astype(np.float64))
        columns = np.searchsorted(probe.classes_, labels[scored])
        # A class that the other folds lack is one that the probe finds impossible.
        known = np.isin(labels[scored], probe.classes_)
        columns = np.minimum(columns, len(probe.classes_) - 1)
        found = probabilities[np.arange(scored.sum()), columns]
        scores[scored] = np.where(known, found, 0)
    return scores


def random_order(manifest: pd.DataFrame, method: str, of: str, seed: int) -> np.ndarray:
    """Return what ``random`` ranks by, shape (n,); ``none`` keeps the order of the rows.

    The draw depends on the base's name alone, so that a larger share only adds images.
    """
    if method == "none":
        return np.arange(len(manifest))
    return generator(seed, "select_tiles", of, "random").permutation(len(manifest))


def rank_tiles(manifest: pd.DataFrame, order: np.ndarray, share: float) -> pd.DataFrame:
    """Rank the images of each slide and class, and keep a share of them.

    Args:
        manifest: Text columns label, subject and picture.
        order: The smaller, the better; shape (n,). Ties go to the earlier row.
        share: Share to keep, above 0 and up to 1.

    Returns:
        The manifest with rank (from 1) and kept (1 or 0). How many are kept depends on the number
        of images alone: the rounded share (half is rounded up), at least one of each slide and
        class.
    """
    strata = [*_strata(manifest)]
    rank = pd.Series(order, index=manifest.index).groupby(strata).rank("first").astype(int)
    size = rank.groupby(strata).transform("size")
    wanted = np.maximum(1, np.floor(share * size + 0.5 + 1e-9))
    return manifest.assign(rank=rank, kept=(rank <= wanted).astype(int))


def copy_images(source: str, rows: np.ndarray, target: str) -> None:
    """Write chosen rows of an image store, some at a time; all of them are linked instead."""
    images = np.load(source, mmap_mode="r")
    if len(rows) == len(images):
        link_or_copy(source, target)
        return
    with written_whole(target) as partial:
        shape = (len(rows), *images.shape[1:])
        store = create_array(partial, shape, images.dtype)
        for start in range(0, len(rows), BLOCK):
            store[start : start + BLOCK] = images[rows[start : start + BLOCK]]
        store.flush()


def describe(kept: int, of: str, record: Mapping) -> str:
    """Describe in sentences how a data set was chosen."""
    if record["method"] == "none":
        return f"It holds all {kept} images of {of}; nothing was selected."
    chosen = (
        f"{kept} of the {record['images']} images of {of} were kept, "
        f"{100 * record['share']:g} % of each slide and class (at least one of each), "
    )
    if record["method"] == "random":
        return chosen + "drawn at random."
    note = f" ({record['note']})" if record["note"] else ""
    return chosen + (
        f"those whose label a linear probe on features of {record['architecture']} found most "
        f"probable. Each was scored by a probe that had not seen its {record['kept_apart']}{note}. "
        "The labels of all images took part in the choice, so that results on these images are too "
        "good."
    )


def _groupings(manifest: pd.DataFrame) -> Iterator[tuple[pd.Series, str, str]]:
    """Yield what may be kept together, the best first, with its name and what it leaves open."""
    subject, picture = manifest["subject"], manifest["picture"]
    named = picture.where(picture != "", manifest["image_id"])
    slides = subject + "\x1f" + named
    if (subject != "").all() and slides.nunique() > subject.nunique():
        yield subject, "subject", ""
        if (picture != "").all():
            yield slides, "slide", _alone("subject")
    elif (subject == "").all() and (picture == "").all():
        yield slides, "image", "neither slides nor subjects are known"
    else:
        yield subject.where(subject != "", named), "slide", ""


def _alone(unit: str) -> str:
    return f"a class has a single {unit}, so that scores may tell {unit}s apart instead of classes"


def _split_groups(labels: np.ndarray, groups: pd.Series, seed: int) -> np.ndarray | None:
    """Give folds to groups so that both classes are in at least two; None where that cannot be."""
    found = np.unique(labels)
    fewest = min(groups[labels == label].nunique() for label in found)
    for number in range(min(FOLDS, fewest), 1, -1):
        folds = np.empty(len(labels), dtype=int)
        splitter = StratifiedGroupKFold(number, shuffle=True, random_state=seed)
        for fold, (_, scored) in enumerate(splitter.split(labels, labels, groups)):
            folds[scored] = fold
        if all(len(np.unique(folds[labels == label])) > 1 for label in found):
            return folds
    return None


def _strata(manifest: pd.DataFrame) -> list[pd.Series]:
    """Return what an image shares with those that it competes with: slide and class."""
    # Names of pictures may repeat from subject to subject.
    return [manifest["subject"], manifest["picture"], manifest["label"]]

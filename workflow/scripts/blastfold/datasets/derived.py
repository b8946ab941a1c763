"""Data sets made from another data set: which copies it grows by, and labels permuted as a canary.

A derived data set has the same files as an imported one, so that splits, training, evaluation,
tables and figures treat both alike. The pixels of grown copies are made in
:mod:`blastfold.networks.grown_datasets`; everything here needs no network library.
"""

import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import digest_file, write_json, written_whole
from blastfold.core.seeds import generator

CLASS_NAMES = {0: "normal", 1: "blast"}

logger = logging.getLogger(__name__)


def permute_labels(
    base: Mapping[str, str], outputs: Mapping[str, str], name: str, settings: Mapping, seed: int
) -> None:
    """Write a copy of a data set whose labels are permuted; the images are linked, not copied.

    Args:
        base: Paths ``images``, ``manifest``, ``summary``, ``duplicates`` and ``groups`` of the
            data set it is made from.
        outputs: Paths to write: the same, and ``rejected``.
        name: The derived data set's name.
        settings: Its entry: ``title``, ``format``, ``of`` (the base's name) and
            ``permute_among`` (subject or image).
        seed: The experiment's seed.

    Raises:
        InputError: Labels are to be permuted among subjects, and an image has no subject or a
            subject has images of both classes.
    """
    manifest = read_manifest(base["manifest"])
    among, original = settings["permute_among"], settings["of"]
    units = manifest["image_id"]
    if among == "subject":
        require_labelled_subjects(manifest, original)
        units = manifest["subject"]
    true = manifest["label"].astype(int).groupby(units, sort=False).first()
    random = generator(seed, "permute_labels", original, among)
    given = pd.Series(permute(true.to_numpy(), random), index=true.index)
    manifest["label"] = units.map(given).astype(str)
    changed = int((given != true).sum())
    logger.info("%s: %d of %d %ss have another label", name, changed, len(true), among)
    # Neither the images nor what they have in common depends on labels.
    for kind in ("images", "duplicates", "groups"):
        link_or_copy(base[kind], outputs[kind])
    facts = {key: settings[key] for key in ("title", "format")}
    facts["derived"] = f"The labels of {original} are permuted among {among}s."
    write_description(manifest, base["summary"], {"name": name, **facts}, outputs)


def permute(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Permute labels so that new and old ones agree no more often than by chance.

    Among few subjects, a permutation drawn from all may keep most labels, and with them the
    disease. So it is drawn from those that give the same share of blasts to both old classes, as
    nearly as whole numbers allow.

    Args:
        labels: 0 and 1, one for each subject or image, shape (n,).
        random: Generator that draws.

    Returns:
        Labels with the same number of ones, shape (n,). They are never the old ones unless all
        of these are equal.
    """
    blasts = random.permutation(np.flatnonzero(labels == 1))
    normals = random.permutation(np.flatnonzero(labels == 0))
    kept = round(len(blasts) ** 2 / len(labels))
    permuted = np.zeros_like(labels)
    permuted[blasts[:kept]] = 1
    permuted[normals[: len(blasts) - kept]] = 1
    return permuted


def require_labelled_subjects(manifest: pd.DataFrame, dataset: str) -> None:
    """Check that every image has a subject, and every subject images of one class.

    Args:
        manifest: Text columns image_id, label and subject.
        dataset: The data set's name, for the message.

    Raises:
        InputError: Names the key ``canaries``, the data set and what was found.
    """
    advice = f"Expected {{}}; take {dataset!r} out of the experiment entry with canaries: true."
    unknown = manifest.loc[manifest["subject"] == "", "image_id"]
    if len(unknown):
        raise InputError(
            f"experiments: canaries: true permutes labels among subjects, but {len(unknown)} of "
            f"the {len(manifest)} images of data set {dataset!r} have no subject (the first: "
            f"{unknown.iloc[0]!r}). " + advice.format("a subject for every image")
        )
    classes = manifest.groupby("subject")["label"].nunique()
    mixed = list(classes.index[classes > 1])
    if mixed:
        raise InputError(
            f"experiments: canaries: true permutes labels among subjects, but {len(mixed)} of the "
            f"{len(classes)} subjects of data set {dataset!r} have images of both classes (the "
            f"first: {mixed[0]!r}). " + advice.format("one class for each subject")
        )


def plan_copies(
    manifest: pd.DataFrame, wanted: Mapping[str, int], key: str, seed: int
) -> pd.DataFrame:
    """Spread the copies that are missing for the wanted numbers evenly over the originals.

    No original gets more than one copy more than another one of its class. Which ones get it is
    drawn, and a larger wanted number only adds copies to those of a smaller one.

    Args:
        manifest: Column label, one row an original.
        wanted: Wanted number of images of each class, ``normal`` and ``blast``.
        key: The config's key of ``wanted``, for messages and for the name of the draw.
        seed: The experiment's seed.

    Returns:
        Table of copies: row (of the original, from 0) and copy (number of the original's copy,
        from 1), by copy and then by row.

    Raises:
        InputError: There are more originals than wanted, or none to copy.
    """
    parts = []
    for label, name in CLASS_NAMES.items():
        rows = np.flatnonzero(manifest["label"].astype(int) == label)
        if not 0 < len(rows) <= wanted[name]:
            raise InputError(
                f"{key}.{name}: received {wanted[name]}, but the data set has {len(rows)} {name} "
                f"images; growing keeps all of them, expected at least {len(rows)} (and one image)"
            )
        # Round after round over all originals in one random order.
        order = generator(seed, key, name).permutation(rows)
        places = np.arange(wanted[name] - len(rows))
        parts.append(
            pd.DataFrame({"row": order[places % len(rows)], "copy": places // len(rows) + 1})
        )
    return pd.concat(parts).sort_values(["copy", "row"], ignore_index=True)


def grow_manifest(manifest: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Return the manifest of a grown data set: the originals as they are, then the copies.

    Args:
        manifest: Manifest of the originals.
        plan: See :func:`plan_copies`.

    Returns:
        Manifest. A copy is named after its original, ``<image_id>-copy-01``, has it as parent,
        and inherits everything else, so that it also stands for the same source file.

    Raises:
        InputError: A copy would have the name of another image.
    """
    copies = manifest.iloc[plan["row"]].reset_index(drop=True)
    digits = max(2, len(str(plan["copy"].max()))) if len(plan) else 2
    copies["parent"] = copies["image_id"]
    copies["image_id"] += "-copy-" + plan["copy"].astype(str).str.zfill(digits)
    taken = copies["image_id"].isin(manifest["image_id"])
    if taken.any():
        name = copies.loc[taken, "image_id"].iloc[0]
        raise InputError(
            f"the data set to grow has an image named {name!r}, which is the name of a copy to "
            "be made; rename that image"
        )
    return pd.concat([manifest, copies], ignore_index=True)


def read_manifest(path: str | os.PathLike) -> pd.DataFrame:
    """Read a manifest; every column is text, and what is missing is empty."""
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


def link_or_copy(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Put a file to a second place without its bytes where the file system can do that.

    The link is symbolic and relative. A hard link would share its time with the original, which
    Snakemake renews for every output: all that was made from the original would look outdated.

    Args:
        source: The file.
        target: Where it shall also be; its folder is made when it does not exist.
    """
    with written_whole(target) as partial:
        # What a link leads to is counted from the real place of the link's folder.
        there = os.path.relpath(Path(source).resolve(), partial.parent.resolve())
        try:
            partial.symlink_to(there)
        except OSError:
            shutil.copyfile(source, partial)


def write_description(
    manifest: pd.DataFrame,
    base_summary: str | os.PathLike,
    facts: Mapping,
    outputs: Mapping[str, str],
) -> None:
    """Write manifest, rejected files (none) and summary of a derived data set.

    Args:
        manifest: The manifest to write.
        base_summary: Summary of the data set it is made from.
        facts: What differs from that summary, apart from counts and the manifest's digest:
            name, title, format, derived (a sentence that says how it was made), and
            images_sha256 where the images are others.
        outputs: Paths ``manifest``, ``rejected`` and ``summary``.
    """
    with written_whole(outputs["manifest"]) as partial:
        manifest.to_csv(partial, sep="\t", index=False)
    with written_whole(outputs["rejected"]) as partial:
        pd.DataFrame(columns=["file", "reason"]).to_csv(partial, sep="\t", index=False)
    summary = json.loads(Path(base_summary).read_text(encoding="utf-8"))
    summary |= {**facts, **count_images(manifest), "rejected": 0}
    summary["manifest_sha256"] = digest_file(outputs["manifest"])
    # What the public data set holds is compared with the base alone.
    summary |= {"expected": None, "differences": []}
    write_json(summary, outputs["summary"])


def count_images(manifest: pd.DataFrame) -> dict:
    """Count what a manifest holds, as the import of a data set does.

    Args:
        manifest: Text columns label, subject, picture, height and width.

    Returns:
        images, normal, blast, subjects, pictures and source_sizes ([height, width, images], the
        most frequent first).
    """
    numbers = manifest[["height", "width"]].astype(int)
    sizes = numbers.groupby(["height", "width"]).size()
    sizes = sizes.sort_values(ascending=False, kind="stable")
    labels = manifest["label"].astype(int)
    return {
        "images": len(manifest),
        **{name: int((labels == label).sum()) for label, name in CLASS_NAMES.items()},
        "subjects": manifest["subject"].replace("", None).nunique(),
        "pictures": manifest["picture"].replace("", None).nunique(),
        "source_sizes": [[height, width, int(n)] for (height, width), n in sizes.items()],
    }

"""The tables of the leakage audit: what crosses a split, duplicates, and fitted artefacts.

:mod:`leakage.groups` and :mod:`leakage.duplicates` find leakage; this module summarises
their findings for readers. A value that the source of the images does not name is ``n/a`` with a
note, never 0.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import digest_names
from blastfold.reporting.tables.writing import MISSING, write_table

AGAINST_TITLES = {"train": "training", "validation": "validation"}
"""The roles whose images a test image may be related to, by their name in the table of folds."""

KIND_TITLES = {
    "identical": "Identical pixels",
    "flipped_or_turned": "Flipped or turned",
    "recompressed": "Recompressed",
    "brightness_contrast": "Brightness or contrast",
    "shifted": "Shifted crop",
}
"""The kinds of duplicates, from the plainest to the most changed."""

FITTING_ROLES = (("train",), ("validation",), ("train", "validation"))
"""The parts of a fold that something may be fitted on."""

NO_TEST_IMAGE = "no test image"

Paths = Iterable[str | os.PathLike]


def tabulate_leakage(
    leakage: Paths,
    manifests: Mapping[str, str | os.PathLike],
    splits: Sequence[tuple[str, str]],
    titles: dict[str, dict],
    paths: Paths,
) -> None:
    """Write what crosses from test to training and validation in every split.

    Args:
        leakage: ``<protocol>.leakage.tsv`` of each split.
        manifests: Manifest by name of the data set.
        splits: Names of the data set and the protocol of each split, in the same order.
        titles: Titles by name under ``"dataset"`` and ``"protocol"``.
        paths: Tables to write (see :func:`blastfold.reporting.tables.writing.write_table`).
    """
    known = {name: _read(path) for name, path in manifests.items()}
    tables = []
    for path, (dataset, protocol) in zip(leakage, splits, strict=True):
        table = leakage_rows(pd.read_csv(path, sep="\t"), known[dataset])
        names = {"dataset": dataset, "dataset_title": titles["dataset"][dataset]}
        names |= {"protocol": protocol, "protocol_title": titles["protocol"][protocol]}
        for place, (column, name) in enumerate(names.items()):
            table.insert(place, column, name)
        tables.append(table)
    caption = (
        "Test images that are related to training or validation images: those with a copy, "
        "their subject, their picture, their original (parent) or any image of their leakage "
        "group there. Test images are counted over all folds."
    )
    table = pd.concat(tables, ignore_index=True)
    _write_both(table, _with_shares(table), paths, caption, "tab:leakage")


def leakage_rows(leakage: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """Sum up the folds of one split.

    Args:
        leakage: fold, against (train or validation), reason, test_images and crossing, as
            :func:`blastfold.leakage.groups.audit_folds` counts them.
        manifest: Text columns subject and picture of the whole data set.

    Returns:
        One row for training and one for validation: against, against_title, folds, test_images;
        for each reason the number of crossing test images ``<reason>`` (Int64) and their share
        ``<reason>_share`` (0-1), the reason "group" under the name leakage_group; note. What the
        manifest does not name is missing, not 0.
    """
    unnamed = {reason: _unnamed(manifest, reason) for reason in ("subject", "picture")}
    note = " ".join(text for text, _ in unnamed.values() if text)
    rows = []
    for against, part in leakage.groupby("against", sort=False):
        tested = int(part.groupby("fold")["test_images"].first().sum())
        row = {"against": against, "against_title": AGAINST_TITLES[against]}
        row |= {"folds": part["fold"].nunique(), "test_images": tested}
        for reason, counts in part.groupby("reason", sort=False):
            name = "leakage_group" if reason == "group" else reason
            unknown = unnamed.get(reason, ("", False))[1]
            crossing = pd.NA if unknown else int(counts["crossing"].sum())
            row[name] = crossing
            row[f"{name}_share"] = pd.NA if unknown or not tested else crossing / tested
        rows.append(row | {"note": note if tested else "no test image"})
    table = pd.DataFrame(rows)
    shares = [column for column in table if column.endswith("_share")]
    types = dict.fromkeys(shares, "Float64")
    types |= {column.removesuffix("_share"): "Int64" for column in shares}
    return table.astype(types)


def _unnamed(manifest: pd.DataFrame, reason: str) -> tuple[str, bool]:
    """Return a note on images whose subject or picture is not named, and whether none is."""
    missing = int((manifest[reason] == "").sum())
    if missing == len(manifest):
        return f"The source does not name its {reason}s.", True
    if missing:
        return f"{missing} of {len(manifest)} images have no {reason}; these count as new.", False
    return "", False


def _with_shares(table: pd.DataFrame) -> pd.DataFrame:
    """Put counts and shares into one cell for print."""
    shown = table.copy()
    for share in [column for column in table if column.endswith("_share")]:
        column = share.removesuffix("_share")
        shown[column] = [
            MISSING if pd.isna(count) or pd.isna(part) else f"{count} ({100 * part:.1f} %)"
            for count, part in zip(table[column], table[share], strict=True)
        ]
    shown = shown.rename(columns={"against": "known_to", "against_title": "known_to_title"})
    return shown.drop(columns=[column for column in shown if column.endswith("_share")])


def tabulate_duplicates(
    duplicates: str | os.PathLike,
    manifest: str | os.PathLike,
    groups: str | os.PathLike,
    title: str,
    label: str,
    paths: Paths,
) -> None:
    """Write how many duplicates of each kind a data set has.

    Args:
        duplicates: ``duplicates.tsv`` of the data set.
        manifest: ``manifest.tsv`` of the data set.
        groups: ``groups.tsv`` of the data set.
        title: Title of the data set.
        label: LaTeX label.
        paths: Tables to write.
    """
    table = duplicate_counts(*map(_read, (duplicates, manifest, groups)))
    caption = (
        f"Duplicates in {title}: pairs of images that show the same cell, the images in them, and "
        "the leakage groups that hold them (images tied by subject, picture, original or "
        "duplicates). The last row counts all images and all their leakage groups."
    )
    write_table(table, paths, caption, label)


def duplicate_counts(
    duplicates: pd.DataFrame, manifest: pd.DataFrame, groups: pd.DataFrame
) -> pd.DataFrame:
    """Count duplicates by kind.

    Args:
        duplicates: Text columns first, second and kind; one row per pair.
        manifest: Text columns image_id, subject and label.
        groups: image_id and group of every image.

    Returns:
        One row per kind, then "any_kind" and "all_images": kind, kind_title, pairs, images (in such
        pairs), same_subject, different_subjects, unknown_subject and different_classes (pairs),
        groups (leakage groups that hold such an image) and largest_group (images in the largest
        of them).

    Raises:
        InputError: A pair names an image that is not in the manifest.
    """
    known = manifest.set_index("image_id")
    ends = pd.concat([duplicates["first"], duplicates["second"]])
    if not ends.isin(known.index).all():
        unknown = ends[~ends.isin(known.index)].iloc[0]
        raise InputError(f"duplicates: image_id {unknown!r} is not in the manifest")
    pairs = duplicates.assign(
        **{
            f"{end}_{column}": known[column].reindex(duplicates[end]).to_numpy()
            for end in ("first", "second")
            for column in ("subject", "label")
        }
    )
    kinds = list(dict.fromkeys([*KIND_TITLES, *duplicates["kind"]]))
    rows = [_count_pairs(kind, pairs[pairs["kind"] == kind], groups) for kind in kinds]
    rows.append(_count_pairs("any_kind", pairs, groups))
    everything = _count_pairs("all_images", pairs, groups) | {"images": len(manifest)}
    rows.append(everything | _group_sizes(groups, groups["image_id"]))
    return pd.DataFrame(rows)


def _count_pairs(kind: str, pairs: pd.DataFrame, groups: pd.DataFrame) -> dict:
    images = pd.concat([pairs["first"], pairs["second"]]).unique()
    named = (pairs["first_subject"] != "") & (pairs["second_subject"] != "")
    same = pairs["first_subject"] == pairs["second_subject"]
    return {
        "kind": kind,
        "kind_title": KIND_TITLES.get(kind, kind.replace("_", " ").capitalize()),
        "pairs": len(pairs),
        "images": len(images),
        "same_subject": int((named & same).sum()),
        "different_subjects": int((named & ~same).sum()),
        "unknown_subject": int((~named).sum()),
        "different_classes": int((pairs["first_label"] != pairs["second_label"]).sum()),
    } | _group_sizes(groups, images)


def _group_sizes(groups: pd.DataFrame, images: Iterable[str]) -> dict[str, int]:
    touched = groups.loc[groups["image_id"].isin(images), "group"].unique()
    sizes = groups["group"].value_counts().reindex(touched)
    return {"groups": len(sizes), "largest_group": int(sizes.max()) if len(sizes) else 0}


def tabulate_fitted(
    artefacts: Sequence[dict],
    folds: Mapping[tuple[str, str], str | os.PathLike],
    titles: dict[str, dict],
    paths: Paths,
) -> None:
    """Write what every fitted artefact was fitted on, and stop when that is not shown.

    Args:
        artefacts: Dicts with dataset, protocol, artefact (its name) and path, a JSON record as
            :func:`read_fitted` reads it.
        folds: Table of folds by names of data set and protocol.
        titles: Titles by name under ``"dataset"`` and ``"protocol"``.
        paths: Tables to write.

    Raises:
        InputError: An artefact was not fitted on exactly the training or validation images.
    """
    records = [entry | record for entry in artefacts for record in read_fitted(entry["path"])]
    tables = {
        names: pd.read_csv(path, sep="\t", dtype={"image_id": str}, keep_default_na=False)
        for names, path in folds.items()
    }
    table = check_fitted(tables, records)
    wrong = table[table["verdict"] != NO_TEST_IMAGE]
    if len(wrong):
        raise InputError(
            f"{len(wrong)} of {len(table)} fitted artefacts were not fitted on exactly the "
            f"training or validation images of their fold:\n{wrong.to_string(index=False)}"
        )
    for kind in ("protocol", "dataset"):
        place = table.columns.get_loc(kind) + 1
        table.insert(place, f"{kind}_title", table[kind].map(titles[kind]))
    caption = (
        "What every fitted artefact was fitted on: the digest of its image ids is that of exactly "
        "these images of its fold, and no test image is among them."
    )
    _write_both(table, _fold_ranges(table), paths, caption, "tab:fitted-artefacts")


def read_fitted(path: str | os.PathLike) -> list[dict]:
    """Read from a JSON record what was fitted on which images.

    A record is any object, however deep in the file, with the key ``fitted_on`` (or
    ``trained_on``, of a network): a digest by :func:`core.files.digest_names`. It may name
    its artefact; its fold is its own key ``fold``, that of the object around it, or a key such as
    ``fold-0`` above it, or in the path.

    Returns:
        Dicts with fold (int), fitted_on and, where the record names it, artefact.

    Raises:
        InputError: The file holds no such record, or one without a fold.
    """
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    in_path = re.findall(r"fold-(\d+)", str(path))
    records = list(_find_fitted(content, int(in_path[-1]) if in_path else None))
    if not records:
        raise InputError(f"{path}: no key 'fitted_on', expected a digest of image ids")
    if any(record["fold"] is None for record in records):
        raise InputError(f"{path}: a record with 'fitted_on' has no 'fold', expected its number")
    return records


def _find_fitted(content: object, fold: int | None) -> Iterator[dict]:
    if isinstance(content, list):
        for value in content:
            yield from _find_fitted(value, fold)
    if not isinstance(content, dict):
        return
    fold = content.get("fold", fold)
    digest = content.get("fitted_on", content.get("trained_on"))
    if isinstance(digest, str):
        named = {"artefact": content["artefact"]} if "artefact" in content else {}
        yield {"fold": fold, "fitted_on": digest} | named
    for key, value in content.items():
        number = re.fullmatch(r"fold-(\d+)", key)
        yield from _find_fitted(value, int(number[1]) if number else fold)


def check_fitted(
    folds: Mapping[tuple[str, str], pd.DataFrame], records: Iterable[Mapping]
) -> pd.DataFrame:
    """Find which images of its fold every artefact was fitted on.

    A digest proves it: that of the artefact is compared with those of the fold's parts.

    Args:
        folds: By names of data set and protocol, the columns image_id, fold (int) and role.
        records: Dicts with dataset, protocol, artefact, fold and fitted_on.

    Returns:
        One row per record: dataset, protocol, artefact, fold, fitted_on, fitted_part (empty when
        the digest is that of no part), images (their number) and verdict: "no test image", or
        what is wrong.

    Raises:
        InputError: A record names a fold that the table of folds does not have.
    """
    rows = []
    for record in records:
        table = folds[record["dataset"], record["protocol"]]
        table = table[table["fold"] == record["fold"]]
        if table.empty:
            raise InputError(
                f"{record['artefact']}: fitted in fold {record['fold']}, which "
                f"{record['dataset']}/{record['protocol']} does not have"
            )
        row = {name: record[name] for name in ("dataset", "protocol", "artefact", "fold")}
        rows.append(row | {"fitted_on": record["fitted_on"]} | _judge(table, record["fitted_on"]))
    columns = ["dataset", "protocol", "artefact", "fold", "fitted_on"]
    return pd.DataFrame(rows, columns=[*columns, "fitted_part", "images", "verdict"])


def _judge(table: pd.DataFrame, digest: str) -> dict:
    if digest == digest_names([]):
        # A temperature or a threshold without a validation part keeps its default.
        return {"fitted_part": "none", "images": 0, "verdict": NO_TEST_IMAGE}
    tested = set(table.loc[table["role"] == "test", "image_id"])
    for roles in FITTING_ROLES:
        fitted = table.loc[table["role"].isin(roles), "image_id"]
        if len(fitted) and digest_names(fitted) == digest:
            shared = len(tested.intersection(fitted))
            verdict = f"{shared} test images" if shared else NO_TEST_IMAGE
            return {"fitted_part": " + ".join(roles), "images": len(fitted), "verdict": verdict}
    if digest_names(tested) == digest:
        verdict = "fitted on the test images"
        return {"fitted_part": "test", "images": len(tested), "verdict": verdict}
    return {"fitted_part": "", "images": 0, "verdict": "fitted on other images than any part's"}


def _fold_ranges(table: pd.DataFrame) -> pd.DataFrame:
    """Put the folds of one artefact into one row for print."""
    names = ["dataset", "dataset_title", "protocol", "protocol_title", "artefact"]
    parts = table.groupby([*names, "fitted_part", "verdict"], sort=False)
    shown = parts.agg(
        folds=("fold", "nunique"), images_min=("images", "min"), images_max=("images", "max")
    )
    order = [*names, "folds", "fitted_part", "images_min", "images_max", "verdict"]
    return shown.reset_index()[order]


def _write_both(
    table: pd.DataFrame, shown: pd.DataFrame, paths: Paths, caption: str, label: str
) -> None:
    """Write the whole table as TSV, and the one for readers in all other formats."""
    for path in paths:
        chosen = table if Path(path).suffix == ".tsv" else shown
        write_table(chosen, [path], caption, label)


def _read(path: str | os.PathLike) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)

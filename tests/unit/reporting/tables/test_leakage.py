"""Tables of the leakage audit: counts by hand and by NumPy, and proofs of what was fitted."""

import numpy as np
import pandas as pd
import pytest

from blastfold.core import names
from blastfold.core.errors import InputError
from blastfold.leakage import groups, relations
from blastfold.leakage.summaries import crossings_of_split, duplicate_counts
from blastfold.reporting.tables import leakage as leakage_tables

TITLES = {"dataset": {"d": "Data & more"}, "protocol": {"k": "K folds"}}
ENDINGS = ("tsv", "tex", "md")


def write(table, path):
    table.to_csv(path, sep="\t", index=False)
    return path


def manifest(ids, subjects, pictures=None, labels=None):
    empty = [""] * len(ids)
    columns = {"image_id": ids, "subject": subjects, "picture": pictures or empty}
    columns |= {"parent": empty, "label": labels or ["0"] * len(ids)}
    return pd.DataFrame(columns, dtype=str)


def grouped_by(table, found, independent=False):
    """Leakage groups as the audit of a data set stores them."""
    known = relations.relations_of(table, independent).to_numpy()
    return groups.leakage_groups(table, found).assign(relations=known)


def pairs(*rows):
    return pd.DataFrame(rows, columns=["first", "second", "kind", "transform", "similarity"])


# --- Leakage


@pytest.fixture
def audited():
    """A random data set of two folds, audited, with all that the audit was made from."""
    random = np.random.default_rng(3)
    ids = [f"i{number}" for number in range(60)]
    subjects = [f"s{number}" for number in random.integers(0, 25, 60)]
    table = manifest(ids, subjects, [f"p{number}" for number in random.integers(0, 3, 60)])
    found = pairs(("i0", "i1", "identical", "identity", 1.0), ("i7", "i9", "shifted", "x", 0.9))
    grouped = groups.leakage_groups(table, found)
    folds = pd.concat(
        pd.DataFrame({"image_id": ids, "fold": fold, "role": roles})
        for fold, roles in enumerate(random.choice(["train", "validation", "test"], (2, 60)))
    )
    leakage = relations.mark_unknown(groups.audit_folds(folds, table, grouped, found)[0], table)
    return leakage, table, folds


def test_leakage_of_all_folds_is_counted_as_by_brute_force(audited):
    leakage, table, folds = audited
    rows = crossings_of_split(leakage).set_index("against")
    subject = dict(zip(table["image_id"], table["subject"], strict=True))
    for against in ("train", "validation"):
        crossing = tested = 0
        for _, part in folds.groupby("fold"):
            known = {subject[name] for name in part.loc[part["role"] == against, "image_id"]}
            test = part.loc[part["role"] == "test", "image_id"]
            crossing += sum(subject[name] in known for name in test)
            tested += len(test)
        row = rows.loc[against]
        assert (row["folds"], row["test_images"], row["subject"]) == (2, tested, crossing)
        assert 0 < crossing < tested
        assert row["subject_share"] == pytest.approx(crossing / tested)
        assert row["leakage_group"] >= row["subject"] >= row["picture"]


def test_what_the_source_does_not_name_is_unknown_and_not_zero(audited, tmp_path):
    leakage, table, _ = audited
    assert leakage.loc[leakage["reason"] == "parent", ["crossing", "share"]].isna().all().all()
    counted = leakage.assign(
        crossing=leakage["crossing"].where(leakage["reason"].isin(["copy", "picture"]), 0)
    )
    unnamed = relations.mark_unknown(counted, table.assign(subject=""))
    rows = crossings_of_split(unnamed)
    for name in ("subject", "subject_share", "leakage_group", "leakage_group_share", "parent"):
        assert rows[name].isna().all()
    assert (rows["note"] == "no_subject_named; no_parent_named").all()
    assert rows["picture"].notna().all()
    partly = table.assign(picture=["", *table["picture"][1:]], parent="i0")
    rows = crossings_of_split(relations.mark_unknown(leakage, partly))
    assert rows["picture"].notna().all()
    assert (rows["note"] == "images_without_picture:1:60").all()


def test_a_number_that_was_found_stays_although_more_may_be_unknown(audited):
    leakage, table, _ = audited
    partly = table.assign(subject=["", *table["subject"][1:]])
    marked = relations.mark_unknown(leakage, partly)
    found = leakage["crossing"].fillna(0) > 0
    assert marked.loc[found, "crossing"].equals(leakage.loc[found, "crossing"])
    assert marked.loc[~found & (leakage["reason"] == "subject"), "crossing"].isna().all()
    notes = marked.loc[marked["reason"].isin(["subject", "group"]), "note"]
    assert (notes == "images_without_subject:1:60").all()


def test_images_declared_as_independent_have_zeros(audited):
    leakage, table, _ = audited
    zeros = leakage.assign(crossing=0, share=0.0)
    marked = relations.mark_unknown(zeros, table.assign(subject="", picture=""), independent=True)
    assert (marked["crossing"] == 0).all()
    assert (marked["note"] == "").all()


def test_leakage_table_shows_counts_with_shares_and_keeps_both_apart_in_tsv(audited, tmp_path):
    leakage, table, _ = audited
    paths = [tmp_path / f"t.{ending}" for ending in ENDINGS]
    hidden = leakage.assign(crossing=leakage["crossing"].where(leakage["reason"] != "subject", 0))
    marked = relations.mark_unknown(hidden, table.assign(subject=""))
    leakage_tables.tabulate_leakage(
        [write(marked, tmp_path / "l.tsv")],
        [("d", "k")],
        TITLES,
        paths,
    )
    exact = pd.read_csv(paths[0], sep="\t")
    assert exact["against"].tolist() == ["train", "validation"]
    assert exact["subject"].isna().all()
    first = exact.iloc[0]
    lines = paths[2].read_text().splitlines()
    assert lines[2].startswith("| Data set | Protocol | Related to | Folds | Test images | Copy |")
    cells = [cell.strip() for cell in lines[4].split("|")[1:-1]]
    assert cells[:3] == ["Data & more", "K folds", "training"]
    assert cells[5] == f"{first['copy']} ({100 * first['copy'] / first['test_images']:.1f} %)"
    assert cells[6] == "unknown<sup>a</sup>"
    assert any(
        line.startswith("<sup>a</sup> the source does not name its subjects") for line in lines
    )
    assert "nan" not in paths[2].read_text().lower()
    assert "Data \\& more" in paths[1].read_text()


def test_a_split_without_test_images_has_no_share_but_a_note():
    leakage = pd.DataFrame(
        [(0, against, reason, 0, 0, 0.0) for against in ("train",) for reason in groups.REASONS],
        columns=groups.SUMMARY,
    )
    leakage = relations.mark_unknown(leakage, manifest(["a"], ["s"], ["p"]))
    row = crossings_of_split(leakage).iloc[0]
    assert row["note"] == "no_test_images"
    assert pd.isna(row["copy_share"])


# --- Duplicates


def test_kinds_are_those_of_the_audit():
    assert tuple(leakage_tables.KIND_TITLES) == names.DUPLICATE_KINDS


def test_duplicates_are_counted_by_kind_subject_and_class():
    table = manifest(
        ["NA", "b", "c", "d", "e", "f"],
        ["s1", "s1", "s2", "", "s3", "s4"],
        labels=["0", "0", "1", "1", "0", "0"],
    )
    found = pairs(
        ("NA", "b", "identical", "identity", 1.0),
        ("NA", "c", "shifted", "identity shift (1, 2)", 0.9),
        ("c", "d", "shifted", "identity shift (1, 2)", 0.9),
        ("NA", "d", "mirrored_twice", "identity", 0.9),
    )
    counts = duplicate_counts(found, table, grouped_by(table, found)).set_index("kind")
    assert (counts["note"] == "images_without_subject:1:6").all()
    columns = ["pairs", "images", "same_subject", "different_subjects", "unknown_subject"]
    columns += ["different_classes", "groups", "largest_group"]
    shown = counts[columns].T.to_dict("list")
    assert shown["identical"] == [1, 2, 1, 0, 0, 0, 1, 4]
    assert shown["shifted"] == [2, 3, 0, 1, 1, 1, 1, 4]
    assert shown["mirrored_twice"] == [1, 2, 0, 0, 1, 1, 1, 4]
    assert shown["recompressed"] == [0] * 8
    assert shown["any_kind"] == [4, 4, 1, 1, 2, 2, 1, 4]
    assert shown["all_images"] == [4, 6, 1, 1, 2, 2, 3, 4]


def test_duplicates_table_reads_names_that_look_like_missing_values(tmp_path):
    table = manifest(["NA", "null", "007"], ["", "", ""])
    found = pairs(("NA", "007", "identical", "identity", 1.0))
    paths = [tmp_path / f"t.{ending}" for ending in ENDINGS]
    leakage_tables.tabulate_duplicates(
        write(found, tmp_path / "d.tsv"),
        write(table, tmp_path / "m.tsv"),
        write(grouped_by(table, found), tmp_path / "g.tsv"),
        "A_B",
        "tab:d",
        paths,
    )
    counts = pd.read_csv(paths[0], sep="\t").set_index("kind")
    # No subject is named: neither the groups nor what the pair shares are known.
    assert pd.isna(counts.at["all_images", "groups"])
    assert pd.isna(counts.at["identical", "same_subject"])
    assert counts.at["shifted", "same_subject"] == 0
    assert counts.at["identical", "unknown_subject"] == 1
    row = next(line for line in paths[2].read_text().splitlines() if "All images" in line)
    assert row.count("unknown") == 4
    assert "A\\_B" in paths[1].read_text()
    assert counts.at["flipped_or_turned", "kind_title"] == "Flipped or turned"
    assert counts.at["any_kind", "kind_title"] == "Any kind"


def test_data_set_without_duplicates_has_a_table_of_zeros():
    table = manifest(["a", "b"], ["s", "s"])
    counts = duplicate_counts(pairs(), table, grouped_by(table, pairs()))
    counts = counts.set_index("kind")
    assert counts.drop(columns="note").loc["any_kind"].eq(0).all()
    assert counts.loc["all_images", ["images", "groups", "largest_group"]].tolist() == [2, 1, 2]


def test_a_duplicate_of_an_unknown_image_is_named():
    table = manifest(["a"], ["s"])
    found = pairs(("a", "lost", "identical", "identity", 1.0))
    with pytest.raises(InputError, match="'lost' is not in the manifest"):
        duplicate_counts(found, table, table)

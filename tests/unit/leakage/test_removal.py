"""Duplicates that are removed: the first image of every cell stays, and no other."""

import numpy as np
import pandas as pd
import pytest

from blastfold.core.errors import InputError
from blastfold.folds.assignment import assign_folds
from blastfold.leakage.removal import find_removed, without_duplicates


def pairs_of(*rows):
    return pd.DataFrame(rows, columns=["first", "second"], dtype=str)


def test_the_first_of_a_chain_of_copies_stays():
    manifest = pd.DataFrame({"image_id": ["z", "b", "a", "c", "d"]})
    # a, c and z are one cell, though no pair holds both c and z.
    removed = find_removed(manifest, pairs_of(("a", "z"), ("c", "a")))
    assert removed.to_dict("records") == [
        {"image_id": "a", "kept": "z"},
        {"image_id": "c", "kept": "z"},
    ]
    assert find_removed(manifest, pairs_of()).empty


@pytest.mark.parametrize("seed", range(5))
def test_what_stays_is_one_image_of_every_component(seed):
    """The oracle joins sets of images by hand."""
    random = np.random.default_rng(seed)
    names = [f"image {number}" for number in random.permutation(40)]
    ends = random.integers(0, 40, (25, 2))
    pairs = [(names[one], names[other]) for one, other in ends if one != other]
    cells = [{name} for name in names]
    for pair in pairs:
        joined = set().union(*(cell for cell in cells if cell & set(pair)))
        cells = [cell for cell in cells if not cell & joined] + [joined]
    removed = find_removed(pd.DataFrame({"image_id": names}), pairs_of(*pairs))
    expected = {next(name for name in names if name in cell) for cell in cells}
    assert set(names) - set(removed["image_id"]) == expected


def test_an_unknown_duplicate_and_a_lost_class_are_errors():
    manifest = pd.DataFrame({"image_id": ["a", "b"], "class": ["normal", "blast"]})
    with pytest.raises(InputError, match="'x' is not in the manifest"):
        find_removed(manifest, pairs_of(("a", "x")))
    with pytest.raises(InputError, match="cells: remove_duplicates leaves no image of the class b"):
        without_duplicates(manifest, pairs_of(("a", "b")), "cells", ("normal", "blast"))


def test_duplicates_take_no_part_in_a_split(tmp_path):
    names = [f"cell {number}" for number in range(40)]
    table = pd.DataFrame({"image_id": names, "label": [0, 1] * 20, "class": ["n", "b"] * 20})
    table = table.assign(subject="", picture="", parent="", part="", group=names)
    table.to_csv(tmp_path / "manifest.tsv", sep="\t", index=False)
    table[["image_id", "group"]].to_csv(tmp_path / "groups.tsv", sep="\t", index=False)
    # Pairs of one class: images 0 and 2, 4 and 6 and so on; the second of each goes.
    pairs = pairs_of(*((names[row], names[row + 2]) for row in range(0, 40, 4)))
    pairs.to_csv(tmp_path / "duplicates.tsv", sep="\t", index=False)
    places = [str(tmp_path / f"{name}.tsv") for name in ("manifest", "groups", "folds")]
    protocol = {"name": "folds", "kind": "kfold", "folds": 5, "group_by": "image"}
    protocol |= {"validation_fraction": 0, "training_share": 1}
    assign_folds(*places, protocol, 7, str(tmp_path / "duplicates.tsv"))
    folds = pd.read_csv(tmp_path / "folds.tsv", sep="\t")
    tested = folds.loc[folds["role"] == "test", "image_id"].tolist()
    assert sorted(tested) == sorted(set(names) - set(pairs["second"]))
    assert set(folds["image_id"]) == set(tested)

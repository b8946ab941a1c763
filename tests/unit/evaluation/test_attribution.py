"""Shares and checks of attributions of hand-made maps."""

import json

import numpy as np
import pandas as pd
import pytest

from blastfold.core.attribution_table import DRAWN_COLUMNS, read_maps
from blastfold.core.cell_masks import MaskWriter
from blastfold.core.errors import InputError
from blastfold.core.tables import read_table
from blastfold.evaluation.attribution import evaluate_attribution

FALLING = np.ones((4, 2, 9), np.float32)
"""Of each cell the probability 1, which falls to 0 with the first eighth of the attribution."""
FALLING[:, 0, 1:] = 0


def write_attribution(folder, maps, note=""):
    """Four cells of 4x4 pixels, the left half of each; of two classes, one of them wrong."""
    drawn = pd.DataFrame(
        {
            **{"model": "net", "repeat": 0, "fold": 0, "image_id": list("abcd"), "row": range(4)},
            **{"label": [0, 0, 1, 1], "predicted": [0, 0, 1, 0], "weight": [1.0, 3.0, 2.0, 1.0]},
        }
    )
    if maps:
        maps = {"deletion": FALLING, **maps}
    maps = {f"net.{kind}": values for kind, values in maps.items()}
    drawn = drawn if maps else drawn.head(0)
    drawn[list(DRAWN_COLUMNS)].to_csv(folder / "cells.tsv", sep="\t", index=False)
    np.savez(folder / "maps.npz", **maps)
    size = [2, 2] if maps else []
    about = {"model": "net", "layer": "last" if maps else "", "size": size, "note": note}
    (folder / "record.json").write_text(json.dumps({"models": [about]}))
    writer = MaskWriter((4, 4))
    for found_by in ("mask", "mask", "stain", "mask"):
        writer.append(np.arange(16).reshape(4, 4) % 4 < 2, found_by)
    writer.write(folder / "masks.npz")
    groups = pd.DataFrame({"image_id": list("abcd"), "group": list("xyzx"), "relations": "known"})
    groups.to_csv(folder / "groups.tsv", sep="\t", index=False)
    (folder / "dataset.json").write_text(json.dumps({"classes": ["normal", "blast"]}))


def evaluated(folder):
    stored = {name: folder / f"{name}.tsv" for name in ("cells", "groups")}
    stored |= {name: folder / f"{name}.npz" for name in ("maps", "masks")}
    stored |= {name: folder / f"{name}.json" for name in ("record", "dataset")}
    outputs = {name: folder / f"{name}.tsv" for name in ("measured", "shares", "checks", "curves")}
    evaluate_attribution(**stored, outputs=outputs)
    return [read_table(path) for path in outputs.values()]


def columns(left, right):
    """A map of 2x2 places with these columns."""
    return np.array([[left, right], [left, right]], dtype=np.float32)


def test_shares_and_their_means_are_those_of_hand_made_maps(tmp_path):
    # The first map is even, the second on the cell, the third outside, the fourth empty.
    trained = np.stack([columns(1, 1), columns(1, 0), columns(-1, 1), columns(-1, -2)])
    turned = trained[:, :, ::-1]
    write_attribution(tmp_path, {"trained": trained, "new_head": trained, "new_weights": turned})
    measured, shares, checks, curves = evaluated(tmp_path)
    # Between the centres of two places the map falls from 1 to 0: 1, 0.75, 0.25, 0.
    assert measured["on_cell"].tolist()[:3] == pytest.approx([0.5, 0.875, 0.125])
    assert measured["ratio"].tolist()[:3] == pytest.approx([1, 1.75, 0.25])
    assert np.isnan(measured["ratio"].iloc[3])
    rows = shares.set_index(["class", "outcome"])
    assert rows.loc[("normal", "all"), "ratio"] == pytest.approx((1 * 1 + 3 * 1.75) / 4)
    assert rows.loc[("normal", "all"), "groups"] == 2
    assert rows.loc[("blast", "all"), ["cells", "empty_maps"]].tolist() == [2, 1]
    assert rows.loc[("blast", "right"), "ratio"] == pytest.approx(0.25)
    assert rows.loc[("blast", "wrong"), "note"] == "no_attribution; empty_maps:1:1"
    assert ("normal", "wrong") not in rows.index
    [check] = checks.to_dict("records")
    assert check["places"] == "2x2"
    assert check["found_by"] == "mask 3, stain 1"
    # The even map has no ranks; the others agree with themselves and are turned round.
    assert check["new_head"] == pytest.approx(1)
    assert check["new_weights"] == pytest.approx(-1)
    assert check["check"] == "passes"
    # One triangle of an eighth in place of the whole square; the empty map is left out.
    assert measured["deletion"].tolist()[:3] == pytest.approx([15 / 16] * 3)
    assert np.isnan(measured["deletion"].iloc[3])
    assert [check[f"deletion{end}"] for end in ("", "_lower", "_upper")] == [15 / 16] * 3
    assert check["deletion_outcome"] == "sooner"
    assert curves["removed"].tolist() == [eighth / 8 for eighth in range(9)]
    assert curves["attribution"].tolist() == [1, *[0] * 8]
    assert set(curves["chance"]) == {1}
    assert set(curves["cells"]) == {3}


@pytest.mark.parametrize(("turned", "outcome"), [([0, 1, 2], "later"), ([0, 2], "same")])
def test_the_words_on_deletion_follow_the_interval(tmp_path, turned, outcome):
    maps = np.stack([columns(1, 1), columns(1, 0), columns(-1, 1), columns(-1, -2)])
    curves = FALLING.copy()
    curves[turned] = curves[turned, ::-1]
    kinds = dict.fromkeys(("trained", "new_head", "new_weights"), maps)
    write_attribution(tmp_path, {**kinds, "deletion": curves})
    assert evaluated(tmp_path)[2]["deletion_outcome"].tolist() == [outcome]


def test_maps_that_do_not_depend_on_the_weights_fail(tmp_path):
    maps = np.random.default_rng(0).random((4, 2, 2)).astype("float32")
    write_attribution(tmp_path, {"trained": maps, "new_head": -maps, "new_weights": maps})
    _, _, checks, _ = evaluated(tmp_path)
    assert checks["check"].tolist() == ["fails"]
    assert checks["new_head"].tolist() == pytest.approx([-1])


def test_maps_that_show_nothing_are_not_checked(tmp_path):
    maps = -np.random.default_rng(0).random((4, 2, 2)).astype("float32")
    write_attribution(tmp_path, {"trained": maps, "new_head": maps, "new_weights": maps[::-1]})
    _, _, checks, curves = evaluated(tmp_path)
    assert len(curves) == 0
    assert checks["deletion_outcome"].fillna("").tolist() == [""]
    assert checks["empty_maps"].tolist() == [4]
    assert checks["check"].fillna("").tolist() == [""]


def test_a_network_without_maps_keeps_its_rows_with_a_note(tmp_path):
    write_attribution(tmp_path, {}, note="no_maps")
    measured, shares, checks, curves = evaluated(tmp_path)
    assert len(measured) == len(curves) == 0
    assert shares[["class", "note"]].to_numpy().tolist() == [
        *(["normal", "no_maps"], ["blast", "no_maps"])
    ]
    assert checks[["cells", "note"]].to_numpy().tolist() == [[0, "no_maps"]]


def test_maps_of_other_cells_are_an_error(tmp_path):
    np.savez(tmp_path / "maps.npz", **{"net.trained": np.zeros((3, 2, 2))})
    with pytest.raises(InputError, match=r"holds 3 of the 4 maps 'net.trained'"):
        read_maps(tmp_path / "maps.npz", "net", "trained", 4)
    with pytest.raises(InputError, match=r"holds none of the 4 maps 'other.trained'"):
        read_maps(tmp_path / "maps.npz", "other", "trained", 4)

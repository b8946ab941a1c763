"""Selection of tiles against planted data: discriminative ones, and a matched random control."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from blastfold.core.errors import InputError
from blastfold.core.manifest import COLUMNS, read_manifest
from blastfold.datasets import importing, tile_selection
from blastfold.reporting.figures.selection import (
    choose_extremes,
    extreme_tiles,
    plot_selected_tiles,
)

SLIDES = {f"slide-{number}": int(number > 5) for number in range(1, 11)}
DISCRIMINATIVE = 0.4
"""Share of the planted tiles that differ between the classes."""


def manifest_of(slides, each=30, subject=lambda slide: "", columns=6):
    rows = [
        {
            "image_id": f"{slide}-x{64 * (tile % columns)}-y{64 * (tile // columns)}",
            **{"file": f"{slide}.tif", "label": str(label), "class": ["normal", "blast"][label]},
            **{"subject": subject(slide), "picture": slide, "parent": "", "part": ""},
            **{"sha256": f"{slide}{tile}", "width": "64", "height": "64"},
        }
        for slide, label in slides.items()
        for tile in range(each)
    ]
    return pd.DataFrame(rows)[list(COLUMNS)]


def plant_features(manifest, seed=0, size=40):
    """Features of noise and slides; those of the planted tiles also tell their class."""
    random = np.random.default_rng(seed)
    planted = random.random(len(manifest)) < DISCRIMINATIVE
    slides = manifest["picture"].astype("category").cat.codes.to_numpy()
    features = random.normal(size=(len(manifest), size))
    features += random.normal(0, 0.3, (slides.max() + 1, size))[slides]
    sides = 2 * manifest["label"].astype(int).to_numpy() - 1
    features[:, :4] += 3.5 * (sides * planted)[:, None]
    return features.astype(np.float32), planted


def scores_of(manifest, features):
    labels = manifest["label"].astype(int).to_numpy()
    folds = tile_selection.assign_probe_folds(manifest, seed=3)
    return tile_selection.score_tiles(features, labels, folds.number), folds


@pytest.fixture
def base(tmp_path):
    """The files of a data set of ten slides, with planted features."""
    folder = tmp_path / "base"
    folder.mkdir()
    manifest = manifest_of(SLIDES)
    images = np.random.default_rng(0).integers(0, 256, (len(manifest), 8, 8, 3), dtype=np.uint8)
    np.save(folder / "images.npy", images)
    manifest.to_csv(folder / "manifest.tsv", sep="\t", index=False)
    summary = {"name": "base", "format": "tiles", "image_size": [8, 8]}
    (folder / "dataset.json").write_text(json.dumps(summary), "utf-8")
    features, planted = plant_features(manifest)
    np.save(folder / "shared.npy", np.stack([features, features + 1]))
    np.save(folder / "planted.npy", planted)
    names = {"images": "images.npy", "manifest": "manifest.tsv", "summary": "dataset.json"}
    return {name: str(folder / file) for name, file in names.items()}


def select(base, method, share=0.25, name="chosen", seed=1):
    folder = Path(base["images"]).parents[1] / name
    names = {"images": "images.npy", "summary": "dataset.json", "tiles": "tiles_selected.tsv"}
    names |= {kind: f"{kind}.tsv" for kind in ("manifest", "rejected")}
    outputs = {kind: str(folder / file) for kind, file in names.items()}
    settings = {"method": method, "share": share, "architecture": "mobilenet_v2"}
    entry = {"format": "selected", "of": "base"}
    entry["select"] = settings | {"weights": "none"}
    features = None
    if method == "discriminative":
        features = str(Path(base["images"]).with_name("shared.npy"))
    tile_selection.select_tiles(base, features, outputs, name, entry, seed)
    tiles = pd.read_csv(outputs["tiles"], sep="\t")
    return outputs, tiles, json.loads(Path(outputs["summary"]).read_text("utf-8"))


def planted_share(base, tiles):
    planted = np.load(Path(base["images"]).with_name("planted.npy"))
    return planted[tiles["kept"] == 1].mean()


def test_discriminative_tiles_are_found(base):
    _, tiles, summary = select(base, "discriminative")
    assert planted_share(base, tiles) > 0.9
    assert abs(planted_share(base, select(base, "random")[1]) - DISCRIMINATIVE) < 0.15
    record = summary["selection"]
    assert (record["kept_apart"], record["folds"], record["note"]) == ("slide", 5, "")
    labels = tiles["label"].to_numpy()
    blast = np.where(labels == 1, tiles["score"], 1 - tiles["score"])
    assert record["auc"] == pytest.approx(roc_auc_score(labels, blast), abs=1e-9)


def test_recall_of_planted_tiles_at_their_own_share(base):
    _, tiles, _ = select(base, "discriminative", share=DISCRIMINATIVE)
    planted = np.load(Path(base["images"]).with_name("planted.npy"))
    recall = (planted & (tiles["kept"] == 1)).sum() / planted.sum()
    # Slides have between 30 and 50 % planted tiles, and 40 % of each are kept.
    assert recall > 0.85


@pytest.mark.parametrize("share", [0.25, 0.07, 1.0])
def test_random_control_is_matched_in_slides_and_classes(base, share):
    kept = {}
    for method in ("discriminative", "random"):
        tiles = select(base, method, share, name=method)[1]
        kept[method] = tiles[tiles["kept"] == 1].groupby(["picture", "label"]).size()
    pd.testing.assert_series_equal(kept["discriminative"], kept["random"])
    assert kept["random"].tolist() == [{0.25: 8, 0.07: 2, 1.0: 30}[share]] * 10


def test_tiles_of_both_classes_on_one_slide_keep_their_share():
    manifest = manifest_of({"a": 0, "b": 1}, each=20)
    manifest.loc[:4, ["label", "class"]] = ["1", "blast"]
    ranked = tile_selection.rank_tiles(manifest, np.arange(40)[::-1], 0.25)
    kept = ranked[ranked["kept"] == 1].groupby(["picture", "label"]).size()
    # 3.75 and 1.25 of slide a, 5 of slide b.
    assert kept.to_dict() == {("a", "0"): 4, ("a", "1"): 1, ("b", "1"): 5}
    assert ranked["rank"].iloc[19] == 1
    assert ranked["rank"].iloc[5] == 15


def test_at_least_one_tile_of_each_slide_is_kept():
    manifest = manifest_of({"a": 0, "b": 1}, each=3)
    ranked = tile_selection.rank_tiles(manifest, np.zeros(6), 0.01)
    assert ranked["kept"].tolist() == [1, 0, 0, 1, 0, 0]


def test_a_slide_has_no_part_in_its_own_score():
    manifest = manifest_of(SLIDES)
    features, planted = plant_features(manifest)
    honest, _ = scores_of(manifest, features)
    lied = manifest.copy()
    of_slide = (manifest["picture"] == "slide-2").to_numpy()
    lied.loc[of_slide, ["label", "class"]] = ["1", "blast"]
    scores, folds = scores_of(lied, features)
    assert honest[of_slide & planted].mean() > 0.53
    # A probe that had seen these labels would find them.
    assert scores[of_slide & planted].mean() < 0.47
    for fold in np.unique(folds.number):
        inside = set(manifest.loc[folds.number == fold, "picture"])
        assert not inside & set(manifest.loc[folds.number != fold, "picture"])


def test_scores_say_nothing_where_there_is_nothing_to_learn():
    manifest = manifest_of(SLIDES, each=60)
    features = np.random.default_rng(4).normal(size=(len(manifest), 40))
    labels = manifest["label"].astype(int).to_numpy()
    scores, _ = scores_of(manifest, features)
    blast = np.where(labels == 1, scores, 1 - scores)
    # 300 against 300: the standard error of a chance AUC is 0.024.
    assert roc_auc_score(labels, blast) == pytest.approx(0.5, abs=0.1)


def test_slides_of_one_subject_stay_together():
    manifest = manifest_of(SLIDES, subject=lambda slide: str(int(slide[6:]) // 2))
    folds = tile_selection.assign_probe_folds(manifest, seed=0)
    assert folds.unit == "subject"
    assert manifest.assign(fold=folds.number).groupby("subject")["fold"].nunique().max() == 1


def test_slides_of_a_single_subject_are_distinguished_with_a_note():
    manifest = manifest_of(SLIDES, subject=lambda slide: str(SLIDES[slide]))
    folds = tile_selection.assign_probe_folds(manifest, seed=0)
    assert folds.unit == "slide"
    assert folds.note.startswith("a class has a single subject")
    assert manifest.assign(fold=folds.number).groupby("picture")["fold"].nunique().max() == 1


def test_images_of_subjects_without_pictures_stay_with_their_subject():
    manifest = manifest_of(SLIDES, subject=lambda slide: slide).assign(picture="")
    folds = tile_selection.assign_probe_folds(manifest, seed=0)
    assert (folds.unit, folds.note) == ("subject", "")
    assert manifest.assign(fold=folds.number).groupby("subject")["fold"].nunique().max() == 1
    alone = manifest_of({"a": 0, "b": 1}, subject=lambda slide: slide).assign(picture="")
    assert tile_selection.assign_probe_folds(alone, seed=0).unit == "part of a subject"


def test_images_without_slides_are_scored_by_image_with_a_note():
    manifest = manifest_of(SLIDES).assign(picture="")
    folds = tile_selection.assign_probe_folds(manifest, seed=0)
    assert (folds.unit, folds.note) == ("image", "neither slides nor subjects are known")
    assert np.bincount(folds.number).tolist() == [60] * 5


def test_single_slides_are_cut_into_strips():
    manifest = manifest_of({"a": 0, "b": 1}, each=60, columns=4)
    folds = tile_selection.assign_probe_folds(manifest, seed=0)
    assert folds.unit == "part of a slide"
    assert "a class has a single slide" in folds.note
    places = manifest["image_id"].str.extract(r"-x(\d+)-y(\d+)$").astype(int)
    # Fifteen rows of four tiles: strips across the longer side, three rows each.
    for _, rows in manifest.groupby("picture").indices.items():
        strips = places[1].iloc[rows].groupby(folds.number[rows])
        assert strips.size().tolist() == [12] * 5
        assert (strips.max() - strips.min()).tolist() == [128] * 5
    labels = manifest["label"].astype(int).to_numpy()
    for fold in range(5):
        assert set(labels[folds.number == fold]) == {0, 1}


def test_tiles_without_positions_are_cut_by_rows():
    manifest = manifest_of({"a": 0, "b": 1}, each=20)
    manifest["image_id"] = [f"tile-{number}" for number in range(40)]
    folds = tile_selection.cut_slides(manifest)
    assert (np.diff(folds[:20]) != 0).sum() == 4
    assert (np.diff(folds[20:]) != 0).sum() == 4


@pytest.mark.parametrize("slides", [{"a": 0, "b": 1, "c": 1, "d": 1}, {"a": 1, "b": 0, "c": 0}])
@pytest.mark.parametrize("each", [1, 2, 3, 7])
def test_every_fold_of_parts_is_scored_by_both_classes(slides, each):
    manifest = manifest_of(slides, each=each)
    single = manifest_of({"z": int(manifest["label"].iloc[0])}, each=2)
    manifest = pd.concat([manifest.iloc[each:], single], ignore_index=True)
    folds = tile_selection.cut_slides(manifest.assign(label=manifest["label"].astype(str)))
    labels = manifest["label"].astype(int).to_numpy()
    for fold in np.unique(folds):
        assert set(labels[folds != fold]) == {0, 1}


def test_a_class_of_one_image_cannot_be_scored():
    manifest = manifest_of({"a": 0, "b": 0, "c": 0}, each=4)
    manifest.loc[0, ["label", "class"]] = ["1", "blast"]
    with pytest.raises(InputError, match=r"received 1 blast images to choose from"):
        tile_selection.assign_probe_folds(manifest, seed=0)


def test_files_of_a_selected_data_set(base):
    outputs, tiles, summary = select(base, "discriminative")
    manifest, images = read_manifest(outputs["manifest"]), np.load(outputs["images"])
    rows = np.flatnonzero(tiles["kept"])
    assert len(rows) == 80
    np.testing.assert_array_equal(images, np.load(base["images"])[rows])
    expected = read_manifest(base["manifest"]).iloc[rows].reset_index(drop=True)
    pd.testing.assert_frame_equal(manifest, expected)
    counts = manifest.astype({"label": int, "width": int, "height": int})
    described = importing.describe_manifest(
        counts, {"format": "selected", "image_size": [8, 8]}, rejected=0
    )
    assert {key: summary[key] for key in described} == described
    assert summary["images_sha256"] == tile_selection.digest_file(outputs["images"])
    assert summary["name"] == "chosen"
    assert summary["derived"].startswith("80 of the 300 images of base were kept, 25 % of each")
    assert "results on these images are too good" in summary["derived"]
    assert Path(outputs["rejected"]).read_text("utf-8") == "file\treason\n"
    expected = ["image_id", "picture", "label", "class", "score", "rank", "kept"]
    assert tiles.columns.tolist() == expected
    best = tiles[tiles["kept"] == 1].groupby("picture")["score"].min()
    rest = tiles[tiles["kept"] == 0].groupby("picture")["score"].max()
    assert (best >= rest).all()


def test_none_keeps_all_images_where_they_are(base):
    outputs, tiles, summary = select(base, "none")
    assert Path(outputs["images"]).is_symlink()
    np.testing.assert_array_equal(np.load(outputs["images"]), np.load(base["images"]))
    assert tiles["kept"].all()
    assert tiles["score"].isna().all()
    assert summary["images"] == 300
    assert summary["derived"] == "It holds all 300 images of base; nothing was selected."


def test_random_choice_depends_on_the_seed_and_grows_with_the_share(base):
    first = select(base, "random")[1]["kept"]
    assert select(base, "random", name="other")[1]["kept"].equals(first)
    assert not select(base, "random", seed=2)[1]["kept"].equals(first)
    assert (select(base, "random", share=0.5)[1]["kept"] >= first).all()


def test_a_choice_that_leaves_nothing_out_is_an_error(base):
    manifest = read_manifest(base["manifest"])
    manifest["picture"] = manifest["image_id"]
    manifest.to_csv(base["manifest"], sep="\t", index=False)
    with pytest.raises(InputError, match=r"datasets\.chosen\.select\.share: received 0\.25"):
        select(base, "random")


@pytest.mark.parametrize("shape", [(300, 40), (2, 299, 40), (0, 300, 40), (1, 300, 0)])
def test_features_of_other_images_are_an_error(tmp_path, shape):
    np.save(tmp_path / "shared.npy", np.zeros(shape, np.float32))
    with pytest.raises(InputError, match=r"shared\.npy: received features of shape"):
        tile_selection.read_features(str(tmp_path / "shared.npy"), 300)


def test_features_that_are_not_finite_are_an_error(tmp_path):
    features = np.zeros((1, 5, 3), np.float32)
    features[0, 3, 1] = np.nan
    np.save(tmp_path / "shared.npy", features)
    with pytest.raises(InputError, match=r"shared\.npy: row 3 has a feature that is not finite"):
        tile_selection.read_features(str(tmp_path / "shared.npy"), 5)


def test_constant_features_give_even_scores():
    manifest = manifest_of(SLIDES)
    scores, _ = scores_of(manifest, np.ones((300, 7), np.float32))
    np.testing.assert_allclose(scores, 0.5, atol=1e-6)


def test_figure_shows_the_best_and_the_worst(base, tmp_path):
    outputs, tiles, _ = select(base, "discriminative")
    paths = [tmp_path / f"figure.{ending}" for ending in ("pdf", "svg", "png")]
    plot_selected_tiles(base["images"], outputs["tiles"], paths)
    text = paths[1].read_text("utf-8")
    for label in (0, 1):
        scores = tiles.loc[tiles["label"] == label, "score"].sort_values()
        assert f"{scores.iloc[-1]:.2f}, kept" in text
        assert f"{scores.iloc[0]:.2f}, left out" in text
    for name in ("Normal, best", "Normal, worst", "Blast, best", "Blast, worst"):
        assert name in text


def test_rows_of_a_small_class_do_not_overlap():
    table = pd.DataFrame({"label": [0, 0, 0, 1], "score": [0.3, 0.9, 0.5, 0.7]})
    table["class"] = ["normal", "normal", "normal", "blast"]
    rows = choose_extremes(table.assign(kept=1, picture=""), 6)
    assert rows["Normal, best"].index.tolist() == [1]
    assert rows["Normal, worst"].index.tolist() == [0]
    assert rows["Blast, best"].index.tolist() == rows["Blast, worst"].index.tolist() == [3]
    images = {name: np.zeros((len(chosen), 8, 8, 3), np.uint8) for name, chosen in rows.items()}
    figure = extreme_tiles(images, rows)
    assert [axes.get_title() for axes in figure.axes] == [
        *("0.90, kept", "0.30, kept", "0.70, kept", "0.70, kept")
    ]

"""Tiles of slides as a data set like any other, and the figure of a slide."""

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
from support import damaged_files as damaged

from blastfold.core.errors import InputError
from blastfold.datasets.formats import list_records
from blastfold.datasets.importing import import_dataset
from blastfold.reporting.figures.slides import (
    COLOURS,
    KEPT,
    plot_slide,
    slide_figure,
    tile_counts,
)
from blastfold.slides.generated_slide import draw_slide
from blastfold.slides.tiling import REASONS, tile_slide

SETTINGS = {
    "tile_size": 64,
    "overlap": 0,
    "unit": "pixels",
    "mpp": None,
    "edges": "drop",
    "tissue_threshold": None,
    "minimum_tissue": 0.5,
    "maximum_pen": 0.05,
    "minimum_sharpness": 0,
    "when_empty": "exclude",
}


OUTPUTS = {"tiles": "tiles.h5", "table": "tiles.tsv", "thumbnail": "thumbnail.npz"}


def write_slide(root, slide, image):
    path = root.parent / f"{slide}.tif"
    tifffile.imwrite(path, image, tile=(64, 64), photometric="rgb")
    outputs = {kind: root / slide / name for kind, name in OUTPUTS.items()}
    tile_slide(slide, {"path": path, "mpp": None}, SETTINGS, outputs)


def whole_region(label, x, width):
    return {"label": label, "x": x, "y": 0, "width": width, "height": 10_000}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Three slides with tissue and one without."""
    root = tmp_path_factory.mktemp("slides") / "results"
    random = np.random.default_rng(0)
    for slide in ("one", "two", "three"):
        write_slide(root, slide, draw_slide(random, (384, 448), 0.5)[0])
    write_slide(root, "empty", np.full((300, 300, 3), 240, dtype=np.uint8))
    return root


LABELS = {"one": "normal", "two": "tumour", "three": "", "empty": "normal"}
REGIONS = {"three": [whole_region("blast", 128, 64), whole_region("normal", 256, 64)]}


def entry(*slides, **changes):
    """Two slides with a label, one with labelled regions alone, one without any tissue."""
    rows = {
        slide: {
            "subject": f"s-{slide}",
            "picture": slide,
            "label": LABELS[slide],
            "regions": REGIONS.get(slide, []),
        }
        for slide in slides
    }
    return {"format": "tiles", "image_size": [64, 64], "slides": rows} | changes


def table_of(root, slide):
    return pd.read_csv(root / slide / "tiles.tsv", sep="\t", keep_default_na=False)


def imported(root, folder, settings):
    outputs = {
        "images": folder / "images.npy",
        "manifest": folder / "manifest.tsv",
        "rejected": folder / "rejected.tsv",
        "summary": folder / "dataset.json",
    }
    import_dataset("tiles", root, settings, None, None, **outputs, threads=2)
    text = {"sep": "\t", "dtype": str, "keep_default_na": False}
    manifest = pd.read_csv(outputs["manifest"], **text)
    return np.load(outputs["images"]), manifest, pd.read_csv(outputs["rejected"], **text)


def test_every_kept_tile_is_an_image_with_its_origin(root, tmp_path):
    images, manifest, rejected = imported(root, tmp_path, entry("one", "two"))
    expected = pd.concat(
        [table_of(root, slide).query("kept == 1").assign(slide=slide) for slide in ("one", "two")]
    )
    names = expected["slide"] + "-x" + expected["x"].astype(str) + "-y" + expected["y"].astype(str)
    assert manifest["image_id"].tolist() == names.tolist()
    assert manifest["picture"].tolist() == expected["slide"].tolist()
    assert manifest["subject"].tolist() == ("s-" + expected["slide"]).tolist()
    assert (
        manifest["label"].tolist() == (expected["slide"] == "two").astype(int).astype(str).tolist()
    )
    assert len(rejected) == 0
    stored = []
    for slide in ("one", "two"):
        with h5py.File(root / slide / "tiles.h5") as archive:
            stored.append(archive["tiles"][:])
    np.testing.assert_array_equal(images, np.concatenate(stored))


def test_tiles_of_length_zero_are_glass_and_no_images(root, tmp_path):
    folder = tmp_path / "slides" / "results"
    tissue = np.random.default_rng(2).integers(60, 200, (256, 256, 3), dtype=np.uint8)
    for slide, empty in (("one", (3, 12)), ("two", (5,))):
        path = folder.parent / f"{slide}.tif"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(damaged.sparse_tiff(tissue, empty=empty))
        outputs = {kind: folder / slide / name for kind, name in OUTPUTS.items()}
        tile_slide(slide, {"path": path, "mpp": None}, SETTINGS, outputs)
    images, manifest, rejected = imported(folder, tmp_path, entry("one", "two"))
    # Four tiles of 64 pixels a row; two of the first slide and one of the second were not scanned.
    kept = {
        slide: {f"{slide}-x{64 * (n % 4)}-y{64 * (n // 4)}" for n in range(16) if n not in empty}
        for slide, empty in (("one", (3, 12)), ("two", (5,)))
    }
    assert set(manifest["image_id"]) == kept["one"] | kept["two"]
    assert len(rejected) == 0
    for image, name in zip(images, manifest["image_id"], strict=True):
        x, y = (int(text[1:]) for text in name.split("-")[1:])
        np.testing.assert_array_equal(image, tissue[y : y + 64, x : x + 64])
    reasons = table_of(folder, "one").set_index(["x", "y"])["reason"]
    assert reasons[192, 0] == reasons[0, 192] == "background"


def test_tiles_are_brought_to_the_image_size(root, tmp_path):
    images, manifest, _ = imported(root, tmp_path, entry("one", "two", image_size=[32, 40]))
    assert images.shape == (len(manifest), 32, 40, 3)
    assert set(manifest["width"]) == {"64"}


def test_labels_of_regions_and_tiles_without_any_label(root, tmp_path):
    images, manifest, rejected = imported(root, tmp_path, entry("three"))
    table = table_of(root, "three").query("kept == 1")
    labelled = table[table["x"].between(96, 159) | table["x"].between(224, 287)]
    # Rows of the archive that do not follow each other: every image is still its own.
    assert (labelled["row"].diff().dropna() > 1).any()
    assert len(manifest) == len(labelled)
    with h5py.File(root / "three" / "tiles.h5") as archive:
        np.testing.assert_array_equal(images, archive["tiles"][:][labelled["row"]])
    blast = labelled["x"] < 200
    assert (manifest["label"] == "1").tolist() == blast.tolist()
    missing = len(table) - len(labelled)
    assert rejected["reason"].tolist() == [
        f"{missing} tiles are in no region, and the slide has no label"
    ]


def test_a_corrected_label_needs_no_new_tiles(root, tmp_path):
    settings = entry("one", "two")
    settings["slides"]["one"]["label"], settings["slides"]["two"]["label"] = "tumour", "normal"
    _, manifest, _ = imported(root, tmp_path, settings)
    assert set(manifest.loc[manifest["picture"] == "one", "label"]) == {"1"}
    assert set(manifest.loc[manifest["picture"] == "two", "label"]) == {"0"}


def test_regions_that_disagree_name_the_slide(root):
    settings = entry("one", "two")
    settings["slides"]["one"]["regions"] = [
        whole_region("blast", 0, 10_000),
        whole_region("normal", 0, 10_000),
    ]
    with pytest.raises(InputError, match=r"slide .one.: the tile at .* is in regions of the"):
        list_records("tiles", root, settings)


def test_excluded_slide_is_listed_with_its_reason(root, tmp_path):
    _, manifest, rejected = imported(root, tmp_path, entry("empty", "one", "two"))
    assert "empty" not in set(manifest["picture"])
    assert rejected["file"].tolist() == ["empty/tiles.h5"]
    assert rejected["reason"].iloc[0].startswith("none of the 16 tiles is left")


def test_unknown_label_is_an_error_and_can_be_declared(root):
    classes = {"normal": ["normal"], "blast": ["tumour"]}
    assert len(list_records("tiles", root, entry("one", "two", classes=classes)))
    with pytest.raises(InputError, match="slide 'two': the label 'tumour' of the sheet"):
        list_records("tiles", root, entry("one", "two", classes=dict(classes, blast=["grade 4"])))


def test_one_class_alone_is_an_error(root):
    with pytest.raises(InputError, match="no image of the class 'blast' was found"):
        list_records("tiles", root, entry("one", "empty"))


# The figure.


def test_figure_counts_and_colours_every_tile(root):
    table = table_of(root, "one")
    with np.load(root / "one" / "thumbnail.npz") as stored:
        arrays = {name: stored[name] for name in ("thumbnail", "tissue", "pen")}
        figure = slide_figure(table, float(stored["step"]), **arrays)
    counts = tile_counts(table)
    assert sum(counts.values()) == len(table)
    assert counts[KEPT] == table["kept"].sum()
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [f"{name.capitalize()}: {counts[name]}" for name in COLOURS if name in counts]
    slide, tissue, tiles = (axes.images[0].get_array() for axes in figure.axes)
    assert slide.shape == tissue.shape == tiles.shape
    assert ((tissue != 255).any(axis=2) == (arrays["tissue"] | arrays["pen"])).all()
    # Green prevails in the middle of a kept tile alone; a pen mark's blue has more blue.
    for row in table.itertuples():
        red, green, blue = tiles[row.y + 32, row.x + 32].astype(int).tolist()
        assert (green > max(red + 40, blue)) == bool(row.kept)


def test_every_reason_has_a_colour():
    assert set(COLOURS) == {KEPT, *REASONS}


def test_figure_of_an_excluded_slide(root, tmp_path):
    paths = [tmp_path / f"empty.{ending}" for ending in ("pdf", "svg", "png")]
    plot_slide(root / "empty" / "tiles.tsv", root / "empty" / "thumbnail.npz", paths)
    assert all(path.stat().st_size > 1000 for path in paths)
    first = paths[2].read_bytes()
    plot_slide(root / "empty" / "tiles.tsv", root / "empty" / "thumbnail.npz", paths)
    assert paths[2].read_bytes() == first

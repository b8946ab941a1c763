"""From slide to archive: pixels, reasons, resampling, damaged and empty slides."""

import time

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile

from blastfold.core.errors import InputError
from blastfold.core.files import digest_file
from blastfold.datasets.formats.tiles import label_tiles
from blastfold.slides.generated_slide import draw_slide, generate_slide, write_pyramid
from blastfold.slides.reading import open_slide
from blastfold.slides.thumbnail import make_thumbnail
from blastfold.slides.tiling import COLUMNS, tile_slide
from blastfold.slides.tissue import sharpness

EVERYTHING = {"minimum_tissue": 0, "maximum_pen": 1, "minimum_sharpness": 0}


def settings(**changes):
    return {
        "tile_size": 96,
        "overlap": 0,
        "unit": "pixels",
        "mpp": None,
        "edges": "drop",
        "tissue_threshold": None,
        "minimum_tissue": 0.5,
        "maximum_pen": 0.05,
        "minimum_sharpness": 60,
        "when_empty": "error",
    } | changes


def cut(folder, path, threads=2, declared=None, **changes):
    """Tile a slide; its tiles, table, attributes and thumbnail."""
    outputs = {
        "tiles": folder / "tiles.h5",
        "table": folder / "tiles.tsv",
        "thumbnail": folder / "thumbnail.npz",
    }
    row = {"path": path, "mpp": declared}
    tile_slide("one", row, settings(**changes), outputs, threads)
    with h5py.File(outputs["tiles"]) as archive:
        tiles, facts = archive["tiles"][:], dict(archive["tiles"].attrs)
    table = pd.read_csv(
        outputs["table"], sep="\t", keep_default_na=False, na_values={"sharpness": [""]}
    )
    with np.load(outputs["thumbnail"]) as stored:
        arrays = {name: stored[name] for name in stored}
    return tiles, table, facts, arrays


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slide")
    chosen = {"size": [1024, 1024], "lesion_share": 0.5}
    generate_slide("blast-01", "blast", chosen, 2022, folder / "slide.tif", folder / "truth.npz")
    with np.load(folder / "truth.npz") as stored:
        truth = {name: stored[name] for name in stored}
    return folder / "slide.tif", truth


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tile_size": 256, "overlap": 0},
        {"tile_size": 100, "overlap": 33},
        {"tile_size": 300, "overlap": -40, "edges": "pad"},
    ],
)
def test_tiles_read_back_are_the_slides_pixels(tmp_path, slide, changes):
    path, _ = slide
    tiles, table, _, _ = cut(tmp_path, path, **EVERYTHING | changes)
    pixels = np.pad(tifffile.imread(path), ((0, 400), (0, 400), (0, 0)), constant_values=255)
    assert table["kept"].all()
    assert len(tiles) == len(table) > 3
    for x, y, width, height, row in table[["x", "y", "width", "height", "row"]].to_numpy():
        np.testing.assert_array_equal(tiles[row], pixels[y : y + height, x : x + width])


@pytest.mark.parametrize("name", ["CMU-1-Small-Region.svs", "tcga-cr-7395-01a-01-ts1.svs"])
def test_tiles_of_real_slides_are_their_pixels(tmp_path, test_data, name):
    path = test_data / "slides" / name
    tiles, table, facts, _ = cut(tmp_path, path, tile_size=224, overlap=24)
    pixels = tifffile.imread(path)
    kept = table[table["kept"] == 1]
    assert len(kept) == len(tiles) > 30
    for x, y, row in kept[["x", "y", "row"]].to_numpy():
        np.testing.assert_array_equal(tiles[row], pixels[y : y + 224, x : x + 224])
    assert facts["slide_sha256"] == digest_file(path)


def test_lower_level_is_read_for_its_mpp(tmp_path, slide):
    path, _ = slide
    tiles, table, facts, _ = cut(tmp_path, path, mpp=2.0, **EVERYTHING)
    pixels = tifffile.imread(path, level=1)
    assert (facts["level"], facts["downsample"], facts["mpp"]) == (1, 4, 2.0)
    assert table["width"].eq(384).all()
    for x, y, row in table[["x", "y", "row"]].to_numpy():
        expected = pixels[y // 4 : y // 4 + 96, x // 4 : x // 4 + 96]
        np.testing.assert_array_equal(tiles[row], expected)


@pytest.mark.parametrize("wanted", [0.65, 1.0, 1.5])
def test_resampled_tiles_show_exactly_the_requested_mpp(tmp_path, slide, wanted):
    """Reference: means over the area that each new pixel covers, from sums of the whole slide."""
    path, _ = slide
    tiles, table, facts, _ = cut(tmp_path, path, mpp=wanted, **EVERYTHING)
    assert facts["mpp"] == wanted
    sums = np.pad(tifffile.imread(path).astype(float), ((1, 0), (1, 0), (0, 0)))
    sums = sums.cumsum(axis=0).cumsum(axis=1)
    ratio = wanted / 0.5
    at = np.arange(sums.shape[0])

    def interpolate(axis_sums, places, axis):
        return np.apply_along_axis(lambda line: np.interp(places, at, line), axis, axis_sums)

    for x, y, row in table[["x", "y", "row"]].to_numpy()[[0, len(table) // 2, -1]]:
        edges = np.arange(97) * ratio
        area = interpolate(interpolate(sums, y + edges, 0), x + edges, 1)
        means = np.diff(np.diff(area, axis=0), axis=1) / ratio**2
        assert np.abs(tiles[row] - means).max() <= 0.51


def test_declared_mpp_goes_before_the_recorded_one(tmp_path, slide):
    path, _ = slide
    _, _, facts, _ = cut(tmp_path, path, declared=1.0, unit="micrometres", tile_size=96)
    assert (facts["slide_mpp"], facts["mpp"]) == (0.5, 1.0)
    tiles, _, _, _ = cut(tmp_path, path, unit="micrometres", tile_size=48)
    assert tiles.shape[1:] == (96, 96, 3)


def test_reasons_agree_with_the_truth(tmp_path, slide):
    path, truth = slide
    _, table, _, _ = cut(tmp_path, path)

    def share(name, row):
        part = truth[name][row.y : row.y + row.height, row.x : row.x + row.width]
        return part.mean()

    shares = pd.DataFrame(
        {name: [share(name, row) for row in table.itertuples()] for name in truth}
    )
    assert np.abs(shares["tissue"] - table["tissue_fraction"]).max() < 0.05
    # The edge of a stroke mixes with the glass at low magnification.
    assert np.abs(shares["pen"] - table["pen_fraction"]).max() < 0.04
    assert set(table["reason"]) == {"", "pen", "background", "blurred"}
    pen = table["reason"] == "pen"
    assert shares.loc[pen, "pen"].gt(0.01).all()
    assert shares.loc[~pen, "pen"].lt(0.09).all()
    background = table["reason"] == "background"
    assert shares.loc[background, "tissue"].lt(0.52).all()
    rest = ~pen & ~background
    assert shares.loc[rest, "tissue"].gt(0.48).all()
    blurred = table["reason"] == "blurred"
    assert shares.loc[blurred, "blurred"].gt(0.5).all()
    assert shares.loc[rest & ~blurred, "blurred"].lt(0.95).all()
    assert (table["kept"] == (table["reason"] == "")).all()


def test_table_and_archive_belong_together(tmp_path, slide):
    path, _ = slide
    tiles, table, facts, arrays = cut(tmp_path, path)
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == (1024 // 96) ** 2
    kept = table[table["kept"] == 1]
    assert kept["row"].tolist() == list(range(len(tiles)))
    assert table.loc[table["kept"] == 0, "row"].eq(-1).all()
    for row in kept.itertuples():
        assert sharpness(tiles[row.row]) == pytest.approx(row.sharpness, rel=1e-5)
    assert table.loc[table["reason"].isin(["pen", "background"]), "sharpness"].isna().all()
    assert facts["slide"] == "one"
    assert facts["tile_size"] == 96
    assert facts["slide_sha256"] == digest_file(path)
    assert len(facts["settings_sha256"]) == 64
    assert facts["excluded"] == ""
    assert arrays["thumbnail"].shape[:2] == arrays["tissue"].shape == arrays["pen"].shape


def test_same_slide_same_bytes_whatever_time_and_threads(tmp_path, slide):
    path, _ = slide
    digests = []
    for threads in (1, 3):
        # The archive's clock ticks in seconds.
        started = int(time.time())
        while int(time.time()) == started and threads == 3:
            time.sleep(0.05)
        folder = tmp_path / str(threads)
        cut(folder, path, threads=threads)
        digests.append([digest_file(file) for file in sorted(folder.iterdir())])
    assert digests[0] == digests[1]


def test_without_a_pyramid_the_mask_is_made_from_level_zero(tmp_path, slide):
    path, _ = slide
    flat = tmp_path / "flat.tif"
    tifffile.imwrite(flat, tifffile.imread(path), tile=(128, 128), photometric="rgb")
    with_pyramid = cut(tmp_path, path)[1]
    without = cut(tmp_path, flat)[1]
    assert np.abs(with_pyramid["tissue_fraction"] - without["tissue_fraction"]).max() < 0.02
    agree = (with_pyramid["reason"] == without["reason"]).mean()
    assert agree >= 0.98
    with open_slide(flat) as opened:
        thumbnail, step = make_thumbnail(opened, 96)
    pixels = tifffile.imread(flat).astype(float)
    step = int(step)
    means = pixels.reshape(1024 // step, step, 1024 // step, step, 3).mean(axis=(1, 3))
    assert np.abs(thumbnail - means).max() <= 0.51


def test_thumbnail_is_no_larger_than_its_limit(tmp_path, slide, monkeypatch):
    path, _ = slide
    monkeypatch.setattr("blastfold.slides.thumbnail.LONGEST_SIDE", 100)
    with open_slide(path) as opened:
        thumbnail, step = make_thumbnail(opened, 16)
    assert max(thumbnail.shape) <= 101
    assert abs(thumbnail.shape[0] * step - 1024) <= step


def test_regions_label_the_tiles_whose_centre_they_hold(tmp_path, slide):
    path, _ = slide
    region = {"label": "blast", "x": 96, "y": 0, "width": 192, "height": 96}
    _, table, _, _ = cut(tmp_path, path, **EVERYTHING)
    places = table[["x", "y", "width", "height"]].to_numpy()
    labels = label_tiles(places, "normal", [region])
    assert places[labels == "blast", :2].tolist() == [[96, 0], [192, 0]]
    assert set(labels) == {"blast", "normal"}


def test_regions_that_disagree_are_an_error():
    places = np.array([[0, 0, 10, 10]])
    region = {"x": 0, "y": 0, "width": 10, "height": 10}
    same = [dict(region, label="a"), dict(region, label="a")]
    assert label_tiles(places, "s", same).tolist() == ["a"]
    with pytest.raises(InputError, match="regions of the labels 'a' and 'b'"):
        label_tiles(places, "s", [dict(region, label="a"), dict(region, label="b")])


# Slides that give nothing.


def test_tile_larger_than_the_slide(tmp_path, slide):
    with pytest.raises(InputError, match="smaller than one tile"):
        cut(tmp_path, slide[0], tile_size=2000)
    assert list(tmp_path.iterdir()) == []


def test_black_slide_has_no_tissue(tmp_path):
    path = tmp_path / "zeros.tif"
    tifffile.imwrite(path, np.zeros((400, 400, 3), np.uint8), tile=(64, 64), photometric="rgb")
    with pytest.raises(InputError, match="slide 'one' of the sheet: none of the 16 tiles is left"):
        cut(tmp_path, path)
    tiles, table, facts, _ = cut(tmp_path, path, when_empty="exclude")
    assert len(tiles) == len(table) == 0
    assert facts["excluded"].startswith("none of the 16 tiles is left, rejected are 16 ")


def test_damaged_slide_is_an_error_or_an_exclusion_with_its_reason(tmp_path, slide):
    path = tmp_path / "short.tif"
    path.write_bytes(slide[0].read_bytes()[:60_000])
    with pytest.raises(InputError, match=r"slide 'one' of the sheet: .*truncated"):
        cut(tmp_path, path)
    _, _, facts, arrays = cut(tmp_path, path, when_empty="exclude")
    assert "truncated" in facts["excluded"]
    assert arrays["thumbnail"].shape == (1, 1, 3)


def test_settings_that_do_not_fit_are_errors_also_when_slides_may_be_excluded(tmp_path, slide):
    flat = tmp_path / "flat.tif"
    tifffile.imwrite(flat, tifffile.imread(slide[0]), tile=(128, 128), photometric="rgb")
    with pytest.raises(InputError, match=r"slide 'one' of the sheet: slides\.mpp: 1 needs"):
        cut(tmp_path, flat, when_empty="exclude", mpp=1.0)


def test_tiles_on_a_damaged_segment_are_rejected_with_that_reason(tmp_path, slide):
    path = tmp_path / "slide.tif"
    content = bytearray(slide[0].read_bytes())
    with tifffile.TiffFile(slide[0]) as tiff:
        page = tiff.pages[0]
        start, count = page.dataoffsets[5], page.databytecounts[5]
    content[start : start + count] = bytes(count)
    path.write_bytes(content)
    tiles, table, _, _ = cut(tmp_path, path, **EVERYTHING | {"tile_size": 128})
    damaged = table[table["reason"] == "damaged"]
    assert damaged[["x", "y"]].to_numpy().tolist() == [
        [256, 256],
        [384, 256],
        [256, 384],
        [384, 384],
    ]
    assert len(tiles) == 64 - 4
    assert table.loc[table["kept"] == 1, "row"].tolist() == list(range(60))


# The generated slides themselves.


def test_generated_slide_depends_on_seed_and_name_alone(tmp_path):
    chosen = {"size": [300, 280], "lesion_share": 0.5}
    digests = {}
    for number, (name, seed) in enumerate([("a-1", 1), ("a-1", 1), ("a-2", 1), ("a-1", 2)]):
        path = tmp_path / f"{number}.tif"
        generate_slide(name, "blast", chosen, seed, path, tmp_path / f"{number}.npz")
        digests.setdefault((name, seed), set()).add(digest_file(path))
    assert [len(found) for found in digests.values()] == [1, 1, 1]
    assert len(set.union(*digests.values())) == 3


def test_only_blast_slides_have_a_lesion_of_the_wanted_share(tmp_path):
    for share in (0.0, 0.3):
        _, masks = draw_slide(np.random.default_rng(0), (400, 500), share)
        tissue = masks["tissue"] | masks["pen"]
        assert masks["lesion"].sum() / tissue.sum() == pytest.approx(share, abs=0.08)
        assert not (masks["lesion"] & ~masks["tissue"]).any()
        assert masks["tissue"].mean() > 0.25
        assert not (masks["tissue"] & masks["pen"]).any()


def test_small_images_have_a_pyramid_too(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (40, 10, 3), dtype=np.uint8)
    write_pyramid(tmp_path / "tiny.tif", image)
    with open_slide(tmp_path / "tiny.tif") as opened:
        assert (opened.width, opened.height) == (10, 40)

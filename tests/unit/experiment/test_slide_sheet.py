"""The sheet of slides, the regions and the config's key slides: every fault is reported."""

import pytest
from support.repository import SCHEMA, SCHEMAS

from blastfold.core.errors import InputError
from blastfold.experiment.config import check_config
from blastfold.experiment.slide_sheet import (
    check_chosen_slides,
    demo_slides,
    read_regions,
    read_slides,
)

HEADER = "slide\tpath\tlabel\tsubject\tmpp\tpicture\n"


def read(folder, text):
    (folder / "slides.tsv").write_text(text, "utf-8")
    return read_slides(folder / "slides.tsv", SCHEMAS / "slides.schema.yaml")


def test_rows_by_slide(tmp_path):
    text = HEADER + "a-1.x\tdata/a 1.svs\tnormal\tp1\t0.25\tblock\n\nb_2\t/b.tif\tblast\tp2\n"
    assert read(tmp_path, text) == {
        "a-1.x": {
            "path": "data/a 1.svs",
            "label": "normal",
            "subject": "p1",
            "picture": "block",
            "mpp": 0.25,
        },
        "b_2": {"path": "/b.tif", "label": "blast", "subject": "p2", "picture": "b_2", "mpp": None},
    }


def test_columns_may_be_in_any_order_and_optional_ones_absent(tmp_path):
    rows = read(tmp_path, "\ufeffsubject\tlabel\tpath\tslide\np\tblast\tx.svs\tx\n")
    assert rows["x"]["mpp"] is None
    assert rows["x"]["picture"] == "x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER, "lists no slide"),
        ("", "the column 'slide' is missing"),
        ("slide,path,label,subject\n", "the column 'slide' is missing; .* separated by tabs"),
        ("slide\tpath\tlabel\n", "the column 'subject' is missing"),
        ("slide\tslide\tpath\tlabel\tsubject\n", "the column 'slide' is there twice"),
        (HEADER.replace("mpp", "MPP"), r"unknown column 'MPP'; expected \['slide'"),
        (HEADER + "a\tx\tl\ts\t1\tp\textra\n", "row 2: 7 cells for 6 columns"),
        (HEADER + "a\tx\tl\ts\na\ty\tl\ts\n", "row 3: slide 'a' is listed twice"),
        (HEADER + "a\tx\tl\ts\nb\tx\tl\ts\n", "'a' and 'b' are the same file 'x'"),
        (HEADER + "a/b\tx\tl\ts\n", "row 2, column slide: received 'a/b', expected: the slide's"),
        (HEADER + "\tx\tl\ts\n", "row 2, column slide: received ''"),
        (HEADER + "a\t\tl\ts\n", "row 2, column path: received ''"),
        (HEADER + "a\tx\tl\ts\thalf\n", "column mpp: received 'half', expected: micrometres"),
        (HEADER + "a\tx\tl\ts\t0.0\n", "column mpp: received '0.0'"),
        (HEADER + "a\tx\tl\ts\t-0.25\n", "column mpp: received '-0.25'"),
        (HEADER + "a\tx\tl\ts\t0,25\n", "column mpp: received '0,25'"),
        (HEADER + "a\tx\tl\ts\tnan\n", "column mpp: received 'nan'"),
    ],
)
def test_what_is_wrong_with_a_sheet(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


@pytest.mark.parametrize("mpp", ["0.25", "1", "10", ".5", "20.0", "0.0625"])
def test_ways_to_write_mpp(tmp_path, mpp):
    assert read(tmp_path, HEADER + f"a\tx\tl\ts\t{mpp}\n")["a"]["mpp"] == float(mpp)


def test_sheet_that_is_missing_or_no_text(tmp_path):
    with pytest.raises(InputError, match=r"does not exist \(key slides\.sheet\)"):
        read_slides(tmp_path / "no.tsv", SCHEMAS / "slides.schema.yaml")
    (tmp_path / "slides.tsv").write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(InputError, match="cannot be read as UTF-8 text"):
        read_slides(tmp_path / "slides.tsv", SCHEMAS / "slides.schema.yaml")


REGIONS = "slide\tlabel\tx\ty\twidth\theight\n"


def test_regions_by_slide(tmp_path):
    (tmp_path / "regions.tsv").write_text(REGIONS + "a\tblast\t10\t-5\t100.5\t20\n")
    assert read_regions(tmp_path / "regions.tsv", {"a": {}}) == {
        "a": [{"label": "blast", "x": 10, "y": -5, "width": 100.5, "height": 20}]
    }


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("b\tblast\t1\t1\t1\t1", "row 2: slide 'b' is not in the sheet"),
        ("a\t\t1\t1\t1\t1", "column label: is empty"),
        ("a\tblast\tone\t1\t1\t1", "column x: received 'one'"),
        ("a\tblast\t1\t1\t0\t1", "column width: received '0', expected a positive number"),
        ("a\tblast\t1\t1\t1\t-4", "column height: received '-4', expected a positive number"),
        ("a\tblast\t1\t1\t1", "column height: received ''"),
    ],
)
def test_what_is_wrong_with_regions(tmp_path, row, message):
    (tmp_path / "regions.tsv").write_text(REGIONS + row + "\n")
    with pytest.raises(InputError, match=message):
        read_regions(tmp_path / "regions.tsv", {"a": {}})


def test_demo_has_both_classes_in_turn():
    rows = demo_slides({"slides": 5}, "made")
    assert list(rows) == ["normal-01", "blast-01", "normal-02", "blast-02", "normal-03"]
    assert rows["blast-02"]["path"] == "made/blast-02.tif"
    assert len({row["subject"] for row in rows.values()}) == 5


# The config.


def checked(settings=None, **dataset):
    config = {
        "datasets": {"tiles": {"format": "tiles"} | dataset},
        "protocols": {"holdout": {"kind": "holdout"}},
        "models": {"cnn": {"architecture": "simple_cnn"}},
        "experiments": [{"datasets": ["tiles"], "protocols": ["holdout"], "models": ["cnn"]}],
    }
    if settings is not None:
        config["slides"] = settings
    return check_config(config, SCHEMA)


def test_defaults_of_the_config():
    slides = checked({"demo": {}})["slides"]
    assert slides["demo"] == {"slides": 4, "size": [1024, 1024], "lesion_share": 0.5}
    assert (slides["tile_size"], slides["unit"], slides["when_empty"]) == (256, "pixels", "error")
    assert "slides" not in checked(format="demo")


@pytest.mark.parametrize(
    ("slides", "message"),
    [
        (None, r"datasets\.tiles\.format: tiles needs the top-level key slides"),
        ({}, "slides: received neither of sheet and demo"),
        ({"sheet": "a.tsv", "demo": {}}, "slides: received both of sheet and demo"),
        ({"demo": {}, "overlap": 256}, r"slides\.overlap: received 256, expected less than"),
        ({"demo": {}, "overlap": 300.5}, r"slides\.overlap: received 300\.5"),
        ({"demo": {}, "mpp": "0.5"}, r"slides\.mpp: received '0\.5'"),
        ({"demo": {}, "mpp": 0}, r"slides\.mpp: received 0"),
        ({"demo": {}, "tile_size": 0}, r"slides\.tile_size"),
        ({"demo": {}, "unit": "mm"}, r"slides\.unit: received 'mm', expected one of"),
        ({"demo": {}, "tilesize": 3}, r"slides\.tilesize: unknown key; did you mean 'tile_size'"),
        ({"demo": {}, "tissue_threshold": 255}, r"slides\.tissue_threshold"),
        ({"demo": {"slides": 1}}, r"slides\.demo\.slides"),
    ],
)
def test_what_is_wrong_with_the_config(slides, message):
    with pytest.raises(InputError, match=message):
        checked(slides)


def test_slides_of_a_data_set_belong_to_its_format_and_to_the_sheet():
    with pytest.raises(InputError, match=r"datasets\.tiles\.slides: belongs to format tiles"):
        checked({"demo": {}}, format="demo", slides=["a"])
    check_chosen_slides({"tiles": {"slides": ["a"]}}, {"a": {}, "b": {}})
    with pytest.raises(InputError, match=r"datasets\.tiles\.slides: received 'c', .* a, b"):
        check_chosen_slides({"tiles": {"slides": ["a", "c"]}}, {"a": {}, "b": {}})

"""Slides as scanners and faults leave them: sparse, transparent, cut, in circles."""

import os
import struct

import numpy as np
import pytest
import tifffile
from support import damaged_files as damaged
from support.tiff_surgery import directory_of, with_count, with_link, with_segment, with_values

from blastfold.images import jpeg
from blastfold.slides.reading import UnusableSlideError, open_slide
from blastfold.slides.streaming import stream_boxes


@pytest.fixture(scope="module")
def picture():
    return damaged.draw(150, 210)


def write(folder, data, name="slide.tif"):
    path = folder / name
    path.write_bytes(data)
    return path


def read_level(level, side=50):
    """Put a level together; what is damaged is black."""
    boxes = np.array(
        [
            (x, y, side, side)
            for y in range(0, level.height, side)
            for x in range(0, level.width, side)
        ]
    )
    image = np.zeros((level.height + side, level.width + side, 3), dtype=np.uint8)
    for number, part in stream_boxes(level, boxes, np.copy):
        x, y = boxes[number, :2]
        image[y : y + side, x : x + side] = 0 if part is None else part
    return image[: level.height, : level.width]


def test_tiles_of_length_zero_are_background(tmp_path, picture, caplog):
    path = write(tmp_path, damaged.sparse_tiff(picture, empty=(1, 4, 11)))
    expected = picture.copy()
    # Four tiles of 64 pixels a row, the last narrower.
    expected[:64, 64:128] = expected[64:128, :64] = expected[128:, 192:] = 255
    with open_slide(path) as slide:
        np.testing.assert_array_equal(read_level(slide.levels[0]), expected)
    assert "3 of the 12 pieces" in caplog.text


def test_a_slide_of_empty_tiles_alone_is_refused(tmp_path, picture):
    data = damaged.encode_tiff(picture, tile=(64, 64), compression="deflate")
    path = write(tmp_path, with_values(data, 325, [0] * 12))
    with pytest.raises(UnusableSlideError, match="12 of the 12 pieces"), open_slide(path):
        pass


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
@pytest.mark.parametrize("layout", ["contig", "separate"])
def test_an_opaque_alpha_channel_is_dropped(tmp_path, picture, kind, layout):
    opaque = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    if layout == "separate":
        opaque = np.ascontiguousarray(np.moveaxis(opaque, -1, 0))
    options = {"tile": (64, 64), "extrasamples": [kind], "planarconfig": layout}
    path = write(tmp_path, damaged.encode_tiff(opaque, compression="deflate", **options))
    with open_slide(path) as slide:
        np.testing.assert_array_equal(read_level(slide.levels[0]), picture)


def test_what_was_never_scanned_is_background(tmp_path, picture):
    alpha = np.full(picture.shape[:2], 255, np.uint8)
    alpha[20:90, 30:170] = 0
    image = np.dstack([np.where(alpha[..., None], picture, 0), alpha])
    path = write(tmp_path, damaged.encode_tiff(image, tile=(64, 64), extrasamples=["unassalpha"]))
    expected = picture.copy()
    expected[20:90, 30:170] = 255
    with open_slide(path) as slide:
        np.testing.assert_array_equal(read_level(slide.levels[0]), expected)


def test_partly_transparent_pixels_are_refused_or_damaged(tmp_path, picture, caplog):
    alpha = np.full(picture.shape[:2], 255, np.uint8)
    alpha[0, 0] = 100
    image = np.dstack([picture, alpha])
    path = write(tmp_path, damaged.encode_tiff(image, tile=(64, 64), extrasamples=["unassalpha"]))
    with open_slide(path) as slide:
        assert (read_level(slide.levels[0])[:64, :64] == 0).all()
    assert "row 0, column 0 is damaged: partly transparent" in caplog.text
    image[75, 105, 3] = 100
    path = write(tmp_path, damaged.encode_tiff(image, tile=(64, 64), extrasamples=["unassalpha"]))
    message = "4 samples of uint8, partly transparent"
    with pytest.raises(UnusableSlideError, match=message), open_slide(path):
        pass


def philips(picture, spacing):
    text = damaged.PHILIPS.replace('"0.000243" "0.000243"', spacing)
    return damaged.encode_tiff(picture, tile=(64, 64), software="Philips DP v1.0", description=text)


@pytest.mark.parametrize(
    ("spacing", "mpp"),
    [
        ('"0.000227273" "0.000227273"', 0.227273),
        ('"0.000243902" "0.000243094"', 0.243094),
        ('"0.000227273" "0.000454546"', None),
        ('"0" "0"', None),
        ("none", None),
        ('"0.000227273"', None),
    ],
)
def test_mpp_of_philips(tmp_path, picture, spacing, mpp):
    path = write(tmp_path, philips(picture, spacing))
    with open_slide(path) as slide:
        assert slide.mpp == (pytest.approx(mpp, rel=1e-4) if mpp else None)


def test_a_pyramid_that_ends_after_its_first_page_is_refused(tmp_path, picture):
    half = picture[::2, ::2]
    whole = damaged.encode_tiff(picture, half, tile=(64, 64), compression="jpeg")
    for length in (directory_of(whole, 1), directory_of(whole, 1) + 20):
        path = write(tmp_path, whole[:length])
        with pytest.raises(UnusableSlideError, match="truncated"), open_slide(path):
            pass


def test_an_ome_tiff_that_ends_after_its_first_page_is_refused(tmp_path, picture):
    whole = damaged.ome_tiff(picture, np.ascontiguousarray(picture[::2, ::2]))
    path = write(tmp_path, whole, "slide.ome.tif")
    with tifffile.TiffFile(path) as tiff:
        sub_image = tiff.pages[0].pages[0]
        lengths = (sub_image.offset, sub_image.offset + 4, sub_image.dataoffsets[-1])
    for length in lengths:
        write(tmp_path, whole[:length], "slide.ome.tif")
        with pytest.raises(UnusableSlideError, match="truncated"), open_slide(path):
            pass


@pytest.mark.parametrize(("pages", "target"), [(1, 0), (3, 0), (120, 60)])
def test_pages_in_a_circle_are_refused(tmp_path, picture, pages, target):
    data = damaged.encode_tiff(*[picture[:70, :70]] * pages, tile=(64, 64))
    path = write(tmp_path, with_link(data, pages - 1, directory_of(data, target)))
    with pytest.raises(UnusableSlideError, match="circle"), open_slide(path):
        pass


def test_missing_tiles_are_refused(tmp_path, picture):
    data = damaged.encode_tiff(picture, tile=(64, 64), compression="lzw")
    path = write(tmp_path, with_count(with_count(data, 324, 7), 325, 7))
    with pytest.raises(UnusableSlideError, match="5 of the 12 pieces"), open_slide(path):
        pass


def claim(segment):
    start = segment.index(b"\xff\x4f\xff\x51")
    return segment[: start + 12] + struct.pack(">I", 3_997_760) + segment[start + 16 :]


def cut(segment):
    return segment[: jpeg.read_header(segment).scan + 60] + b"\xff\xd9"


@pytest.mark.parametrize(
    ("compression", "change", "reason"),
    [
        ("jpeg2000", claim, "JPEG 2000 segment of"),
        ("jpeg", cut, "end marker comes before its last pixels"),
    ],
)
def test_a_bad_segment_is_damaged_and_the_others_are_read(
    tmp_path, picture, caplog, compression, change, reason
):
    data = damaged.encode_tiff(picture, tile=(64, 64), compression=compression)
    path = write(tmp_path, with_segment(data, 5, change))
    with open_slide(write(tmp_path, data, "whole.tif")) as slide:
        expected = read_level(slide.levels[0], side=64)
    expected[64:128, 64:128] = 0
    with open_slide(path) as slide:
        np.testing.assert_array_equal(read_level(slide.levels[0], side=64), expected)
    assert reason in caplog.text


def test_pipes_are_refused_at_once(tmp_path):
    for name in ("slide.svs", "slide.mrxs", "slide.png"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(UnusableSlideError, match="a pipe"), open_slide(tmp_path / name):
            pass

"""Every format of slides against tifffile's and OpenSlide's own reading; hostile files."""

import cv2
import numpy as np
import openslide
import pytest
import tifffile

from blastfold.core.errors import InputError
from blastfold.slides.generated_slide import draw_slide, write_pyramid
from blastfold.slides.reading import UnusableSlideError, open_slide
from blastfold.slides.streaming import reading_order, stream_boxes

SVS = ["CMU-1-Small-Region.svs", "tcga-cr-7395-01a-01-ts1.svs"]


@pytest.fixture(scope="module")
def picture():
    image, _ = draw_slide(np.random.default_rng(0), (300, 410), 0.5)
    return image


def read_level(level, threads=2, side=97):
    """Put a level together from boxes that match none of its segments."""
    boxes = [
        (x, y, min(side, level.width - x), min(side, level.height - y))
        for y in range(0, level.height, side)
        for x in range(0, level.width, side)
    ]
    image = np.zeros((level.height, level.width, 3), dtype=np.uint8)
    for number, part in stream_boxes(level, np.array(boxes), np.copy, threads):
        x, y, width, height = boxes[number]
        image[y : y + height, x : x + width] = part
    return image


def assert_reads_as_tifffile(path, series=0):
    with tifffile.TiffFile(path) as tiff, open_slide(path) as slide:
        levels = tiff.series[series].levels
        assert len(slide.levels) == len(levels)
        for ours, theirs in zip(slide.levels, levels, strict=True):
            np.testing.assert_array_equal(read_level(ours), theirs.asarray())


@pytest.mark.parametrize("compression", [None, "jpeg", "deflate", "lzw", "jpeg2000", "webp"])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_tiled_tiff_of_every_compression(tmp_path, picture, compression, bigtiff):
    path = tmp_path / "slide.tif"
    tifffile.imwrite(
        path, picture, tile=(64, 48), photometric="rgb", compression=compression, bigtiff=bigtiff
    )
    assert_reads_as_tifffile(path)
    if compression not in ("jpeg", "jpeg2000", "webp"):
        with open_slide(path) as slide:
            np.testing.assert_array_equal(read_level(slide.levels[0]), picture)


def test_predictor_planes_and_grey(tmp_path, picture):
    path = tmp_path / "slide.tif"
    tifffile.imwrite(
        path, picture, tile=(64, 48), photometric="rgb", compression="lzw", predictor=True
    )
    with open_slide(path) as slide:
        np.testing.assert_array_equal(read_level(slide.levels[0]), picture)
    planes = np.moveaxis(picture, -1, 0)
    tifffile.imwrite(path, planes, tile=(64, 48), photometric="rgb", planarconfig="separate")
    with open_slide(path) as slide:
        np.testing.assert_array_equal(read_level(slide.levels[0]), picture)
    tifffile.imwrite(path, picture[..., 1], tile=(64, 48), compression="deflate")
    with open_slide(path) as slide:
        grey = picture[..., 1:2].repeat(3, axis=2)
        np.testing.assert_array_equal(read_level(slide.levels[0]), grey)


def test_pyramid_with_mpp_and_its_levels(tmp_path, picture):
    path = tmp_path / "slide.tif"
    write_pyramid(path, picture)
    assert_reads_as_tifffile(path)
    with open_slide(path) as slide, openslide.OpenSlide(path) as theirs:
        assert slide.mpp == pytest.approx(float(theirs.properties["openslide.mpp-x"]), rel=1e-4)
        sizes = [(level.width, level.height) for level in slide.levels]
        assert sizes == list(theirs.level_dimensions)
        assert [level.downsample for level in slide.levels] == [1, 4, 16]
        pixels = np.asarray(theirs.read_region((0, 0), 0, theirs.dimensions))[..., :3]
        difference = np.abs(read_level(slide.levels[0]).astype(int) - pixels)
        # Two JPEG libraries interpolate colours in their own way.
        assert difference.mean() < 1.5


def test_sub_images_as_levels_of_ome_tiff_with_mpp(tmp_path, picture):
    path = tmp_path / "slide.ome.tif"
    half = cv2.resize(picture, (205, 150), interpolation=cv2.INTER_AREA)
    options = {"tile": (64, 64), "photometric": "rgb", "compression": "deflate"}
    with tifffile.TiffWriter(path, ome=True) as writer:
        metadata = {
            "axes": "YXS",
            "PhysicalSizeX": 250.0,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 0.25,
        }
        writer.write(picture, subifds=1, metadata=metadata, **options)
        writer.write(half, subfiletype=1, **options)
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.25)
        assert [level.downsample for level in slide.levels] == [1, 2]
        np.testing.assert_array_equal(read_level(slide.levels[0]), picture)
        np.testing.assert_array_equal(read_level(slide.levels[1]), half)


@pytest.mark.parametrize("compression", ["jpeg", "APERIO_JP2000_RGB", "APERIO_JP2000_YCBC"])
def test_aperio_svs(tmp_path, picture, compression):
    path = tmp_path / "slide.svs"
    description = "Aperio Image Library v11\n410x300 (64x64) |AppMag = 40|MPP = 0.2525"
    stored = picture
    if compression == "APERIO_JP2000_YCBC":
        stored = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]]
    tifffile.imwrite(
        path,
        stored,
        tile=(64, 64),
        photometric="rgb",
        compression=compression,
        description=description,
        metadata=None,
    )
    with open_slide(path) as slide:
        assert slide.mpp == 0.2525
        ours = read_level(slide.levels[0]).astype(int)
    if compression == "jpeg":
        assert np.abs(ours - picture).mean() < 6
    else:
        # Lossless except for the rounding of YCbCr.
        assert np.abs(ours - picture).max() <= 2
        with openslide.OpenSlide(path) as theirs:
            pixels = np.asarray(theirs.read_region((0, 0), 0, theirs.dimensions))[..., :3]
        assert np.abs(ours - pixels).max() <= 3


@pytest.mark.parametrize("name", SVS)
def test_real_svs_as_tifffile_and_openslide_read_it(test_data, name):
    path = test_data / "slides" / name
    assert_reads_as_tifffile(path)
    with open_slide(path) as slide, openslide.OpenSlide(path) as theirs:
        assert (slide.width, slide.height) == theirs.dimensions
        pixels = np.asarray(theirs.read_region((0, 0), 0, theirs.dimensions))[..., :3]
        assert np.abs(read_level(slide.levels[0]).astype(int) - pixels).mean() < 1.5
        if name.startswith("CMU"):
            assert slide.mpp == pytest.approx(0.499)
            assert [level.downsample for level in slide.levels] == [1]
        else:
            assert slide.mpp is None
            assert [level.downsample for level in slide.levels] == [1, 2]


@pytest.mark.parametrize("ending", [".png", ".bmp", ".jpg", ".tif"])
def test_flat_photographs(tmp_path, picture, ending):
    path = tmp_path / f"smear {ending}"
    path.write_bytes(cv2.imencode(ending, picture[..., ::-1])[1].tobytes())
    with open_slide(path) as slide:
        assert slide.mpp is None
        image = read_level(slide.levels[0])
    if ending == ".jpg":
        assert np.abs(image.astype(int) - picture).mean() < 6
    else:
        np.testing.assert_array_equal(image, picture)


def test_strips_are_read_as_segments(tmp_path, picture, monkeypatch):
    path = tmp_path / "strips.tif"
    tifffile.imwrite(path, picture, photometric="rgb", rowsperstrip=37, compression="deflate")
    monkeypatch.setattr("blastfold.slides.reading.MAX_PIXELS", 1000)
    with open_slide(path) as slide:
        assert slide.levels[0].segment_height == 37
        np.testing.assert_array_equal(read_level(slide.levels[0]), picture)


@pytest.mark.parametrize(
    ("unit", "resolution", "mpp"),
    [("CENTIMETER", 40_000, 0.25), ("INCH", 50_800, 0.5), ("INCH", 72, None), ("NONE", 4, None)],
)
def test_mpp_from_resolution_tags_but_not_a_printers(tmp_path, picture, unit, resolution, mpp):
    path = tmp_path / "slide.tif"
    tifffile.imwrite(
        path,
        picture,
        tile=(64, 64),
        photometric="rgb",
        resolution=(resolution, resolution),
        resolutionunit=unit,
    )
    with open_slide(path) as slide:
        assert slide.mpp == (pytest.approx(mpp) if mpp else None)


@pytest.mark.parametrize("description", ["Aperio |MPP = .", "Aperio |MPP = 0.2.5", "Aperio |MPP=0"])
def test_mpp_that_cannot_be_read_is_unknown(tmp_path, picture, description):
    path = tmp_path / "slide.svs"
    tiled(path, picture, description=description, metadata=None)
    with open_slide(path) as slide:
        assert slide.mpp is None


@pytest.mark.parametrize("resolution", [(0, 1), (1, 0), (0, 0)])
def test_resolution_of_nothing_is_unknown(tmp_path, picture, resolution):
    path = tmp_path / "slide.tif"
    tiled(path, picture, resolutionunit="CENTIMETER", resolution=(1234, 1234))
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[0].tags["XResolution"].valueoffset
    content = bytearray(path.read_bytes())
    content[place : place + 8] = np.array(resolution, dtype="<u4").tobytes()
    path.write_bytes(content)
    with open_slide(path) as slide:
        assert slide.mpp is None


def test_pixels_that_are_not_square_have_no_mpp(tmp_path, picture):
    path = tmp_path / "slide.tif"
    resolution = {"resolution": (40_000, 20_000), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(path, picture, tile=(64, 64), photometric="rgb", **resolution)
    with open_slide(path) as slide:
        assert slide.mpp is None


def test_segments_are_decoded_once_and_boxes_beyond_the_edge_are_white(tmp_path, picture):
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, picture, tile=(64, 48), photometric="rgb")
    with open_slide(path) as slide:
        level = slide.levels[0]
        decoded = []
        counting = type(level)(
            level.width,
            level.height,
            level.segment_width,
            level.segment_height,
            lambda row, column: decoded.append((row, column)) or level.decode(row, column),
        )
        boxes = np.array([(x, y, 60, 60) for y in range(0, 300, 30) for x in range(0, 410, 30)])
        parts = dict(stream_boxes(counting, boxes, np.copy, 2))
    assert len(decoded) == len(set(decoded)) == 5 * 9
    padded = np.full((400, 500, 3), 255, dtype=np.uint8)
    padded[:300, :410] = picture
    for number, (x, y, width, height) in enumerate(boxes.tolist()):
        np.testing.assert_array_equal(parts[number], padded[y : y + height, x : x + width])


def test_very_wide_levels_are_read_in_columns(picture):
    level = type("Wide", (), {"segment_height": 256, "width": 10**6})()
    boxes = np.array([(x, y, 256, 256) for y in range(0, 1024, 256) for x in range(0, 10**6, 256)])
    order = boxes[reading_order(level, boxes)]
    # A row of boxes within a column holds at most 2**28 bytes of its segments.
    turns = np.flatnonzero(np.diff(order[:, 1]) > 0)
    assert order[: turns[0], 0].max() * 512 * 3 <= 2**28
    assert sorted(map(tuple, order)) == sorted(map(tuple, boxes))


# Hostile files.


def tiled(path, picture, **options):
    tifffile.imwrite(path, picture, tile=(64, 64), photometric="rgb", **options)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("compression", [None, "jpeg", "deflate"])
def test_truncated_tiff(tmp_path, picture, share, compression):
    path = tmp_path / "slide.tif"
    tiled(path, picture, compression=compression)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UnusableSlideError, match="truncated"), open_slide(path):
        pass


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bytes(5000), r"is not a slide: it starts with b'\\x00"),
        (b"", "is not a slide"),
        (b"II*\x00" + bytes(5000), "truncated or damaged|holds no flat colour image"),
        (b"II*\x00", "truncated or damaged"),
        (b"<html>", "is not a slide: it starts with b'<html>'"),
    ],
)
def test_files_that_are_no_slides(tmp_path, content, message):
    path = tmp_path / "slide.tif"
    path.write_bytes(content)
    with pytest.raises(UnusableSlideError, match=message), open_slide(path):
        pass


def test_jpeg_named_svs(tmp_path, picture):
    path = tmp_path / "slide.svs"
    path.write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
    message = r"named '\.svs', but holds a JPEG"
    with pytest.raises(UnusableSlideError, match=message), open_slide(path):
        pass


def test_missing_file(tmp_path):
    with pytest.raises(UnusableSlideError, match="No such file"), open_slide(tmp_path / "no.svs"):
        pass


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda image: image.astype(np.uint16), "3 samples of uint16"),
        (lambda image: image.astype(np.float32), "3 samples of float32"),
        (lambda image: np.dstack([image, image[..., :1]]), "4 samples of uint8"),
    ],
)
def test_samples_that_are_not_8_bit_colours(tmp_path, picture, make, message):
    path = tmp_path / "slide.tif"
    tiled(path, make(picture))
    with pytest.raises(UnusableSlideError, match=message), open_slide(path):
        pass


def test_stack_of_pages(tmp_path, picture):
    path = tmp_path / "slide.tif"
    tiled(path, np.stack([picture, picture]))
    with pytest.raises(UnusableSlideError, match="no flat colour image"), open_slide(path):
        pass


def test_turned_slide(tmp_path, picture):
    path = tmp_path / "slide.tif"
    tiled(path, picture, extratags=[(274, "H", 1, 6, False)])
    with pytest.raises(UnusableSlideError, match="orientation"), open_slide(path):
        pass


def test_piece_too_large_for_memory(tmp_path, picture, monkeypatch):
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, picture, photometric="rgb", rowsperstrip=300)
    monkeypatch.setattr("blastfold.slides.reading.MAX_PIXELS", 1000)
    monkeypatch.setattr("blastfold.slides.reading.LARGEST_SEGMENT", 1000)
    with pytest.raises(UnusableSlideError, match="tiled TIFF"), open_slide(path):
        pass


def test_damaged_segment_gives_no_box_and_the_others_are_read(tmp_path, picture, caplog):
    path = tmp_path / "slide.tif"
    tiled(path, picture, compression="deflate")
    with tifffile.TiffFile(path) as tiff:
        start, count = tiff.pages[0].dataoffsets[8], tiff.pages[0].databytecounts[8]
    content = bytearray(path.read_bytes())
    content[start : start + count] = bytes(count)
    path.write_bytes(content)
    with open_slide(path) as slide:
        boxes = np.array([(x, y, 64, 64) for y in range(0, 256, 64) for x in range(0, 384, 64)])
        parts = dict(stream_boxes(slide.levels[0], boxes, np.copy, 2))
    # Seven segments a row, six boxes: segment 8 is row 1, column 1.
    assert [number for number, part in parts.items() if part is None] == [7]
    assert "row 1, column 1 is damaged" in caplog.text


def test_vendor_format_without_openslide_names_what_to_do(tmp_path, picture, monkeypatch):
    path = tmp_path / "slide.mrxs"
    path.write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
    with pytest.raises(UnusableSlideError, match="OpenSlide cannot read it"), open_slide(path):
        pass

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("blastfold.slides.reading.importlib.import_module", missing)
    with pytest.raises(InputError, match="Install openslide-python"), open_slide(path):
        pass


def test_openslide_reads_what_tifffile_reads(tmp_path, picture, monkeypatch):
    """A vendor's format cannot be written here; a TIFF goes the same way by its ending."""
    path = tmp_path / "slide.scn"
    write_pyramid(path, cv2.resize(picture, (1300, 900)))
    with open_slide(path) as slide, tifffile.TiffFile(path) as tiff:
        assert slide.mpp == pytest.approx(0.5)
        for ours, theirs in zip(slide.levels[:2], tiff.series[0].levels, strict=False):
            difference = np.abs(read_level(ours).astype(int) - theirs.asarray())
            assert difference.mean() < 1.5

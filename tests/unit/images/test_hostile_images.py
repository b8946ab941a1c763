"""Images that were cut, that claim what they do not have, or that are no files."""

import gc
import io
import os
import socket
import struct
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image
from support import damaged_files as damaged
from support.tiff_surgery import directory_of, entry_of, with_count, with_link, with_segment

from blastfold.images import jpeg, limits
from blastfold.images.decoding import ImageError, decode_image

SHARES = (0.25, 0.5, 0.75, 0.9)


def cut(data, share):
    """Keep the header and a share of the rest, and close it as if it were whole."""
    start = jpeg.read_header(data).scan + 20
    return data[: start + int(share * (len(data) - start))] + b"\xff\xd9"


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"mode": "L"},
        {"mode": "L", "progressive": True},
        {"subsampling": 0, "restart_marker_rows": 1},
        {"quality": 30},
        {"keep_rgb": True},
    ],
)
def test_a_cut_jpeg_with_an_end_marker_is_rejected(options, share):
    data = damaged.encode(damaged.draw(113, 97), "JPEG", **options)
    assert decode_image(data).shape == (113, 97, 3)
    with pytest.raises(ImageError, match=r"end marker comes before|damaged JPEG"):
        decode_image(cut(data, share))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
def test_any_number_of_damaged_files_can_be_rejected(kind):
    whole = damaged.encode(damaged.draw(), kind)
    # What earlier tests left would be freed in between.
    gc.collect()
    before = sys.getrefcount(None)
    for _ in range(1000):
        with pytest.raises(ImageError):
            decode_image(whole[: len(whole) // 2])
    # Python 3.11 aborts when a library has given up all references to None.
    assert sys.getrefcount(None) > before - 200


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_cut_jpeg_is_found_whatever_its_orientation(orientation):
    exif = Image.Exif()
    exif[274] = orientation
    data = damaged.encode(damaged.draw(64, 96), "JPEG", exif=exif)
    with pytest.raises(ImageError, match="end marker"):
        decode_image(cut(data, 0.6))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"mode": "L"}, {"subsampling": 2}])
def test_grey_corners_of_whole_jpegs_are_no_damage(options):
    image = damaged.draw(80, 80)
    image[40:, 40:] = 128
    data = damaged.encode(image, "JPEG", quality=100, **options)
    assert (decode_image(data)[-1, -1] == 128).all()
    assert decode_image(damaged.encode(np.full((9, 9, 3), 128, np.uint8), "JPEG")).shape == (
        9,
        9,
        3,
    )


def test_data_after_the_end_marker_of_a_jpeg_are_no_damage():
    image = np.full((16, 16, 3), 128, np.uint8)
    assert decode_image(damaged.encode(image, "JPEG") + b"a maker's notes").shape == (16, 16, 3)


@pytest.mark.parametrize("layout", [{"tile": (32, 32)}, {"rowsperstrip": 16}])
def test_a_cut_jpeg_segment_of_a_tiff_is_rejected(layout):
    data = damaged.encode_tiff(damaged.draw(64, 64), compression="jpeg", **layout)
    assert decode_image(data).shape == (64, 64, 3)
    with pytest.raises(ImageError, match="end marker"):
        decode_image(with_segment(data, 1, lambda segment: cut(segment, 0.3)))


def test_progressive_jpegs_with_endless_scans_are_rejected():
    data = damaged.encode(damaged.draw(), "JPEG", progressive=True)
    start = data.index(b"\xff\xda")
    scan = data[start : data.index(b"\xff", start + 16)]
    with pytest.raises(ImageError, match="scans"):
        decode_image(data[:-2] + 500 * scan + b"\xff\xd9")


@pytest.mark.parametrize("layout", [{"rowsperstrip": 8}, {"tile": (16, 16)}])
@pytest.mark.parametrize("compression", [None, "lzw", "jpeg"])
@pytest.mark.parametrize("kept", [1, 2])
def test_tiffs_that_list_fewer_segments_than_they_need_are_rejected(layout, compression, kept):
    data = damaged.encode_tiff(damaged.draw(40, 48), compression=compression, **layout)
    for tag in (324, 325) if "tile" in layout else (273, 279):
        data = with_count(data, tag, kept)
    with pytest.raises(ImageError, match="image data are missing"):
        decode_image(data)


def test_tiffs_with_short_segments_are_rejected():
    image = damaged.draw(64, 64)
    for data in (damaged.encode_tiff(image), damaged.encode_tiff(image, image[::2, ::2])):
        content = bytearray(data)
        struct.pack_into("<I", content, entry_of(data, 279) + 8, image.size // 2)
        with pytest.raises(ImageError, match="image data are missing"):
            decode_image(bytes(content))


def test_tiffs_with_empty_segments_are_rejected():
    with pytest.raises(ImageError, match="image data are missing"):
        decode_image(damaged.sparse_tiff(damaged.draw(150, 210)))


@pytest.mark.parametrize(
    ("pages", "last", "target"), [(1, 0, 0), (2, 1, 0), (3, 2, 1), (150, 149, 3)]
)
def test_chains_of_pages_that_run_in_a_circle_are_rejected(pages, last, target):
    data = damaged.encode_tiff(*[damaged.draw(8, 8)] * pages)
    with pytest.raises(ImageError, match="circle"):
        decode_image(with_link(data, last, directory_of(data, target)))


def test_sub_images_that_run_in_a_circle_are_rejected():
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(damaged.draw(16, 16), photometric="rgb", subifds=1)
        writer.write(damaged.draw(8, 8), photometric="rgb", subfiletype=1)
    content = bytearray(stream.getvalue())
    assert decode_image(bytes(content)).shape == (16, 16, 3)
    for place, reason in ((directory_of(content), "circle"), (2 * len(content), "sub-image")):
        struct.pack_into("<I", content, entry_of(content, 330) + 8, place)
        with pytest.raises(ImageError, match=reason):
            decode_image(bytes(content))


def test_endless_chains_of_pages_are_rejected():
    data = damaged.encode_tiff(*[damaged.draw(1, 1)] * 1100)
    with pytest.raises(ImageError, match="1001 pages"):
        decode_image(data)


@pytest.mark.parametrize("bigtiff", [False, True])
def test_a_tiff_that_ends_after_its_first_page_is_rejected(bigtiff):
    image = damaged.draw()
    whole = damaged.encode_tiff(image, image[::2, ::2], bigtiff=bigtiff)
    with tifffile.TiffFile(io.BytesIO(whole)) as tiff:
        end = tiff.pages[1].offset
    assert decode_image(whole).shape == image.shape
    for length in (end, end + 1, end + 30):
        with pytest.raises(ImageError, match=r"truncated or damaged TIFF file: "):
            decode_image(whole[:length])


def claim_jpeg2000(segment):
    start = segment.index(b"\xff\x4f\xff\x51")
    return segment[: start + 12] + struct.pack(">I", 3_997_760) + segment[start + 16 :]


def claim_many_components(segment):
    start = segment.index(b"\xff\x4f\xff\x51")
    return segment[: start + 40] + struct.pack(">H", 16_000) + segment[start + 42 :]


def claim_jpeg(segment):
    start = jpeg.read_header(segment).scan
    frame = segment.index(b"\xff\xc0")
    assert frame < start
    return segment[: frame + 5] + struct.pack(">HH", 65_000, 65_000) + segment[frame + 9 :]


def claim_webp(segment):
    return segment[:26] + struct.pack("<HH", 16_383, 16_383) + segment[30:]


@pytest.mark.parametrize(
    ("compression", "claim", "reason"),
    [
        ("jpeg2000", claim_jpeg2000, "249860 tiles"),
        ("jpeg2000", claim_many_components, "16000 components"),
        ("jpeg", claim_jpeg, "claims 65000 x 65000"),
        ("webp", claim_webp, "claims 16383 x 16383"),
    ],
)
def test_segments_that_claim_more_than_their_file_are_rejected(compression, claim, reason):
    options = {"compressionargs": {"lossless": False}} if compression == "webp" else {}
    data = damaged.encode_tiff(
        damaged.draw(32, 48), compression=compression, tile=(16, 16), **options
    )
    with pytest.raises(ImageError, match=reason):
        decode_image(with_segment(data, 2, claim))


def test_compressions_without_a_bound_are_rejected_by_name():
    data = damaged.encode_tiff(damaged.draw(32, 48), compression="jpegxl")
    with pytest.raises(ImageError, match="JPEGXL"):
        decode_image(data)


def test_deflate_bombs_take_no_more_than_their_segment():
    packed = io.BytesIO()
    tifffile.imwrite(
        packed, np.zeros((4096, 4096), np.uint8), compression="deflate", rowsperstrip=4096
    )
    content = bytearray(packed.getvalue())
    for tag in (256, 257, 278):
        struct.pack_into("<I", content, entry_of(content, tag) + 8, 16)
    with pytest.raises(ImageError, match="INSUFFICIENT_SPACE"):
        decode_image(bytes(content))


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [("PNG", "1", {}), ("PNG", "P", {"bits": 1}), ("BMP", "1", {}), ("TIFF", "1", {})],
)
def test_one_bit_images_are_rejected_whatever_the_format(kind, mode, options):
    picture = Image.fromarray(damaged.draw()).convert("1")
    picture = picture.convert("L").quantize(2) if mode == "P" else picture
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    with pytest.raises(ImageError, match="1-bit"):
        decode_image(stream.getvalue())


@pytest.mark.parametrize(
    ("bits", "colour", "side"), [(16, 2, 11_000), (16, 6, 9_500), (8, 6, 11_500)]
)
def test_images_that_need_too_much_memory_are_rejected_by_their_header(bits, colour, side):
    header = bytearray(damaged.encode(damaged.draw(), "PNG"))
    header[16:26] = struct.pack(">IIBB", side, side, bits, colour)
    assert side * side < limits.MAX_PIXELS
    with pytest.raises(ImageError, match="which take"):
        decode_image(bytes(header))


def test_pipes_sockets_and_devices_are_rejected_at_once(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.png")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")
        for name in ("pipe.png", "socket.png", "/dev/zero"):
            with pytest.raises(ImageError, match="is not a regular file"):
                decode_image(name)


def test_files_larger_than_memory_are_rejected_unread(tmp_path):
    path = tmp_path / "huge.bmp"
    with path.open("wb") as file:
        file.truncate(2**33)
    with pytest.raises(ImageError, match="8589934592 bytes"):
        decode_image(path)


def test_the_rounding_of_sixteen_bits_is_exact():
    values = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    stream = io.BytesIO()
    tifffile.imwrite(stream, values)
    expected = np.rint(values / 257).astype(np.uint8)
    np.testing.assert_array_equal(decode_image(stream.getvalue())[..., 0], expected)

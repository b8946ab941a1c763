import hashlib
import io

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from blastfold.images.decoding import (
    ImageError,
    StoreWriter,
    cut_box,
    decode_image,
    fit_image,
)


def smooth_image(height=37, width=53, seed=1):
    """A colour image without sharp edges, so that JPEG keeps it closely."""
    rows, columns = np.mgrid[:height, :width]
    phase = np.random.default_rng(seed).uniform(0, 6, 3)
    waves = np.sin(rows[..., None] / 9 + columns[..., None] / 13 + phase)
    return np.round(127 + 120 * waves).astype(np.uint8)


def encode(image, file_format, **options):
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(
        stream, file_format, **options
    )
    return stream.getvalue()


def encode_tiff(image, **options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, image, **options)
    return stream.getvalue()


LOSSLESS = {
    "bmp": lambda image: encode(image, "BMP"),
    "png": lambda image: encode(image, "PNG"),
    "tiff": lambda image: encode(image, "TIFF"),
    "tiff-lzw": lambda image: encode(image, "TIFF", compression="tiff_lzw"),
    "tiff-deflate-tiles": lambda image: encode_tiff(
        image, photometric="rgb", compression="zlib", tile=(16, 16)
    ),
    "tiff-big-endian": lambda image: encode_tiff(image, photometric="rgb", byteorder=">"),
    "bigtiff": lambda image: encode_tiff(image, photometric="rgb", bigtiff=True),
    "tiff-planes": lambda image: encode_tiff(
        np.ascontiguousarray(np.moveaxis(image, -1, 0)),
        photometric="rgb",
        planarconfig="separate",
    ),
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_formats_give_the_exact_pixels(name):
    image = smooth_image()
    decoded = decode_image(LOSSLESS[name](image))
    assert decoded.dtype == np.uint8
    assert decoded.flags.c_contiguous
    np.testing.assert_array_equal(decoded, image)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_jpeg_agrees_with_pillow(options):
    data = encode(smooth_image(), "JPEG", quality=95, **options)
    reference = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=int)
    assert np.abs(decode_image(data) - reference).max() <= 2


@pytest.mark.parametrize("file_format", ["BMP", "PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["L", "P"])
def test_grey_and_palette_become_rgb(file_format, mode):
    picture = Image.fromarray(smooth_image()).convert(mode)
    np.testing.assert_array_equal(
        decode_image(encode(picture, file_format)), np.asarray(picture.convert("RGB"))
    )


def test_grey_jpeg_becomes_rgb():
    decoded = decode_image(encode(smooth_image()[..., 0], "JPEG"))
    assert decoded.shape == (37, 53, 3)
    assert (decoded == decoded[..., :1]).all()


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "BMP"])
def test_opaque_alpha_is_dropped(file_format):
    image = smooth_image()
    opaque = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    np.testing.assert_array_equal(decode_image(encode(opaque, file_format)), image)


@pytest.mark.parametrize("write", [lambda i: encode(i, "PNG"), encode_tiff])
def test_sixteen_bits_are_scaled_to_eight(write):
    grey = np.linspace(0, 65535, 400).round().astype(np.uint16).reshape(20, 20)
    expected = np.round(grey / 257).astype(np.uint8)
    np.testing.assert_array_equal(decode_image(write(grey))[..., 1], expected)


def test_white_is_zero_tiff_is_inverted():
    grey = smooth_image()[..., 0]
    decoded = decode_image(encode_tiff(grey, photometric="miniswhite"))
    np.testing.assert_array_equal(decoded[..., 0], 255 - grey)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_recorded_orientation_is_applied(file_format, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    data = encode(smooth_image(), file_format, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    difference = decode_image(data).astype(int) - np.asarray(upright)
    assert np.abs(difference).max() <= (2 if file_format == "JPEG" else 0)


@pytest.mark.parametrize(
    "write",
    [
        *LOSSLESS.values(),
        lambda image: encode(image, "JPEG"),
        lambda image: encode(image, "JPEG", progressive=True),
    ],
    ids=[*LOSSLESS, "jpeg", "jpeg-progressive"],
)
def test_a_file_cut_anywhere_gives_the_whole_image_or_a_reason(write):
    data = write(smooth_image(29, 31))
    whole = decode_image(data)
    outcomes = []
    for length in range(0, len(data), max(1, len(data) // 150)):
        try:
            outcomes.append(np.array_equal(decode_image(data[:length]), whole))
        except ImageError as error:
            outcomes.append(str(error))
    assert False not in outcomes
    reasons = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert len(reasons) >= 100
    assert min(map(len, reasons)) > 10


@pytest.mark.parametrize("name", [*LOSSLESS, "jpeg"])
def test_damaged_bytes_never_raise_anything_but_a_reason(name):
    data = LOSSLESS[name](smooth_image()) if name != "jpeg" else encode(smooth_image(), "JPEG")
    rng = np.random.default_rng(7)
    outcomes = []
    for _ in range(60):
        damaged = bytearray(data)
        for position in rng.integers(0, min(len(data), 600), 4):
            damaged[position] = rng.integers(0, 256)
        try:
            outcomes.append(decode_image(bytes(damaged)).dtype.name)
        except ImageError as error:
            outcomes.append(type(error).__name__)
    assert "ImageError" in outcomes
    assert set(outcomes) <= {"uint8", "ImageError"}


def test_damaged_png_data_are_found_by_their_checksum():
    data = bytearray(encode(smooth_image(), "PNG"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(ImageError, match="PNG"):
        decode_image(bytes(data))


def claims_too_much():
    header = bytearray(encode(smooth_image(), "PNG"))
    header[16:24] = (40_000).to_bytes(4, "big") * 2
    return bytes(header)


TRANSPARENT = np.dstack([smooth_image(), np.full((37, 53), 200, np.uint8)])
REJECTED = {
    "empty": (b"", "empty"),
    "text": (b"path\tlabel\n", "not a BMP, PNG, TIFF or JPEG"),
    "gif": (encode(smooth_image()[..., 0], "GIF"), "GIF file, which is not read"),
    "transparent png": (encode(TRANSPARENT, "PNG"), "transparent"),
    "transparent tiff": (encode(TRANSPARENT, "TIFF"), "transparent"),
    "cmyk jpeg": (encode(Image.fromarray(smooth_image()).convert("CMYK"), "JPEG"), "CMYK"),
    "cmyk tiff": (encode(Image.fromarray(smooth_image()).convert("CMYK"), "TIFF"), "CMYK"),
    "12 of 16 bits": (encode(np.full((9, 9), 4095, np.uint16), "PNG"), "12 bits"),
    "float": (encode_tiff(np.ones((9, 9), np.float32)), "float32"),
    "signed": (encode_tiff(np.ones((9, 9), np.int16)), "int16"),
    "one bit": (encode(Image.fromarray(smooth_image()).convert("1"), "TIFF"), "1-bit"),
    "two pages": (encode_tiff(np.zeros((2, 9, 9, 3), np.uint8), photometric="rgb"), "2 pages"),
    "bomb": (claims_too_much(), "40000 x 40000"),
}


@pytest.mark.parametrize("name", REJECTED)
def test_unusable_images_are_rejected_with_their_reason(name):
    data, reason = REJECTED[name]
    with pytest.raises(ImageError, match=reason):
        decode_image(data)


def test_a_thumbnail_page_is_no_second_page(tmp_path):
    path = tmp_path / "pyramid.tif"
    image = smooth_image()
    with tifffile.TiffWriter(path) as writer:
        writer.write(image, photometric="rgb")
        writer.write(image[::2, ::2], photometric="rgb", subfiletype=1)
    np.testing.assert_array_equal(decode_image(path), image)


def test_a_path_with_spaces_quotes_and_accents_can_be_read(tmp_path):
    path = tmp_path / "Zelle 'ä' \"ж\" 細胞\t.bmp"
    path.write_bytes(encode(smooth_image(), "BMP"))
    np.testing.assert_array_equal(decode_image(path), smooth_image())
    with pytest.raises(ImageError, match="cannot be read"):
        decode_image(tmp_path / "absent.bmp")


def area_weights(source, target):
    """Share of every source pixel in every target pixel, by the overlap of their intervals."""
    edges = np.arange(target + 1) * source / target
    lower = np.maximum(edges[:-1, None], np.arange(source))
    upper = np.minimum(edges[1:, None], np.arange(source) + 1)
    return np.clip(upper - lower, 0, None) * target / source


@pytest.mark.parametrize("size", [(30, 40), (17, 23), (60, 80), (59, 33)])
def test_shrinking_is_the_mean_over_the_covered_area(size):
    image = np.random.default_rng(3).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    rows, columns = area_weights(60, size[0]), area_weights(80, size[1])
    expected = np.einsum("ij,jkc,lk->ilc", rows, image, columns)
    fitted = fit_image(image, size)
    assert fitted.shape == (*size, 3)
    assert np.abs(fitted - expected).max() <= 0.51


def test_enlarging_is_bilinear_and_each_direction_goes_by_itself():
    image = np.random.default_rng(4).integers(0, 256, (20, 10, 3)).astype(np.uint8)
    positions = np.clip((np.arange(30) + 0.5) / 3 - 0.5, 0, 9)
    shrunk = np.einsum("ij,jkc->ikc", area_weights(20, 8), image)
    expected = np.stack(
        [
            [np.interp(positions, np.arange(10), shrunk[row, :, channel]) for channel in range(3)]
            for row in range(8)
        ]
    ).transpose(0, 2, 1)
    assert np.abs(fit_image(image, (8, 30)) - expected).max() <= 1.01


def test_the_crop_is_central_and_exact():
    image = smooth_image(40, 61)
    np.testing.assert_array_equal(fit_image(image, (20, 31), (20, 31)), image[10:30, 15:46])
    np.testing.assert_array_equal(fit_image(image, (40, 61), (40, 61)), image)
    with pytest.raises(ImageError, match=r"40 x 61 .* smaller than the crop of 41 x 20"):
        fit_image(image, (20, 20), (41, 20))


def test_a_box_over_the_edge_is_moved_inwards():
    image = smooth_image(40, 60)
    np.testing.assert_array_equal(cut_box(image, 7, 9, 20, 10), image[9:19, 7:27])
    np.testing.assert_array_equal(cut_box(image, -5, 35, 20, 10), image[30:40, :20])
    # The published centroids may count from 1, so the far edge itself still is inside.
    with pytest.raises(ImageError, match="x 70, y 5 is outside"):
        cut_box(image, 60, 0, 20, 10)
    with pytest.raises(ImageError, match="smaller than the crop"):
        cut_box(image, 0, 0, 61, 10)


@pytest.mark.parametrize("kept", [0, 9, 10, 1000])
def test_the_store_can_hold_fewer_images_than_announced(tmp_path, kept):
    images = np.random.default_rng(5).integers(0, 256, (kept, 4, 5, 3)).astype(np.uint8)
    with StoreWriter(tmp_path / "store.npy", (1000, 4, 5, 3)) as writer:
        for image in images:
            writer.append(image)
        digest = writer.finish()
    np.testing.assert_array_equal(np.load(tmp_path / "store.npy"), images)
    assert digest == hashlib.sha256((tmp_path / "store.npy").read_bytes()).hexdigest()


def as_original_bmp(image):
    """The BMP file of C-NMC 2019: bottom row first, BGR, 96 dots an inch."""
    height, width = image.shape[:2]
    numbers = (54 + height * (width * 3 + 2), 0, 54, 40, width, height)
    header = b"BM" + b"".join(number.to_bytes(4, "little") for number in numbers)
    header += (1).to_bytes(2, "little") + (24).to_bytes(2, "little")
    for number in (0, height * (width * 3 + 2), 3779, 3779, 0, 0):
        header += number.to_bytes(4, "little")
    rows = image[::-1, :, ::-1].reshape(height, width * 3)
    return header + np.pad(rows, ((0, 0), (0, 2))).tobytes()


def test_real_cells_have_the_pixels_of_the_published_files(test_data):
    folder = test_data / "cnmc2019_sample"
    lines = (folder / "checksums.tsv").read_text().splitlines()[1:]
    different = []
    for line in lines[::3]:
        file, _, _, digest = line.split("\t")
        original = as_original_bmp(decode_image(folder / file))
        if hashlib.sha256(original).hexdigest() != digest:
            different.append(file)
    assert len(lines) == 1183
    assert different == []


def test_real_photographs_agree_with_pillow(test_data):
    photographs = sorted((test_data / "bccd_sample" / "JPEGImages").glob("*.jpg"))[:10]
    for path in photographs:
        reference = np.asarray(Image.open(path).convert("RGB"), dtype=int)
        assert np.abs(decode_image(path) - reference).max() <= 3
    assert len(photographs) == 10

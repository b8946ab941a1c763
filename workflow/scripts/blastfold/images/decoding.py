"""Read an image file, bring it to the size of the image store, and write the store.

The rules of reading, the same for every data set:

* BMP, PNG, TIFF and JPEG are recognised by their first bytes, never by the file name.
* Grey becomes three equal channels; palettes are resolved; an opaque alpha channel is dropped.
* 16 bits become 8 by ``round(value / 257)``, the full range of 16 bits.
* The orientation recorded in JPEG (EXIF) and TIFF is applied.
* Rejected with a reason: other formats (GIF, WebP, JPEG 2000), whose decoders keep none of these
  bounds; empty, truncated and damaged files, transparency, CMYK, several pages,
  1-bit, signed and floating point samples, and 16-bit files that use 12 bits or fewer, because
  it is not known which value is white.
"""

import contextlib
import ctypes
import hashlib
import io
import math
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import tifffile

from blastfold.images import jpeg, tiff
from blastfold.images.limits import MAX_PIXELS, ImageError, read_bytes, require_size
from blastfold.images.signatures import READ_FORMATS, format_of

_EXPECTED = f"{', '.join(READ_FORMATS[:-1])} or {READ_FORMATS[-1]}"

_PNG_SAMPLES = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
"""Decoded samples per pixel for each colour type."""

ONE_BIT = "1-bit image, which is black and white like a mask; expected grey or colour"


def decode_image(source: bytes | str | os.PathLike) -> np.ndarray:
    """Decode a BMP, PNG, TIFF or JPEG file by the rules of this module.

    The bytes are read here and not by OpenCV, whose file functions fail on some names.

    Args:
        source: The file's content, or its path.

    Returns:
        uint8 array (height, width, 3), RGB.

    Raises:
        ImageError: With the reason why the file gives no image.
    """
    data = source if isinstance(source, bytes) else read_bytes(source)
    if not data:
        raise ImageError("the file is empty (0 bytes)")
    kind = format_of(data)
    decoders = {"BMP": _decode_bmp, "PNG": _decode_png, "JPEG": _decode_jpeg, "TIFF": _decode_tiff}
    if kind in decoders:
        return np.ascontiguousarray(decoders[kind](data))
    if kind:
        raise ImageError(f"{kind} file, which is not read; expected {_EXPECTED} (save it as PNG)")
    raise ImageError(f"not a {_EXPECTED} file (it starts with {data[:8]!r})")


def fit_image(
    image: np.ndarray, image_size: tuple[int, int], crop: tuple[int, int] | None = None
) -> np.ndarray:
    """Cut out the centre and bring it to the size of the store.

    Shrinking takes the mean over the covered area, enlarging is bilinear, each direction by
    itself. The ratio of height to width is not kept, as in the thesis, where every image is
    brought to the network's square: choose ``crop`` of the target's ratio to keep it.

    Args:
        image: uint8 array (height, width, 3).
        image_size: Height and width of the result, pixels.
        crop: Height and width of the central part to keep first, pixels; None keeps all.

    Returns:
        uint8 array (image_size[0], image_size[1], 3).

    Raises:
        ImageError: The image is smaller than the crop.
    """
    if crop is not None:
        height, width = image.shape[:2]
        _require_room(image, *crop)
        top, left = (height - crop[0]) // 2, (width - crop[1]) // 2
        image = image[top : top + crop[0], left : left + crop[1]]
    return _resize(image, *image_size)


def cut_box(image: np.ndarray, x: int, y: int, width: int, height: int) -> np.ndarray:
    """Cut a box out of a picture; a box that crosses the edge is moved inwards.

    Moving keeps every pixel real, where padding would invent part of a cell.

    Args:
        image: uint8 array (picture height, picture width, 3).
        x: Left edge of the box, pixels; may be negative.
        y: Upper edge of the box, pixels; may be negative.
        width: Width of the box, pixels.
        height: Height of the box, pixels.

    Returns:
        uint8 array (height, width, 3), a view of the picture.

    Raises:
        ImageError: The box is larger than the picture, or its centre is outside.
    """
    _require_room(image, height, width)
    centre_x, centre_y = x + width // 2, y + height // 2
    if not (0 <= centre_x <= image.shape[1] and 0 <= centre_y <= image.shape[0]):
        raise ImageError(
            f"the cell at x {centre_x}, y {centre_y} is outside the picture of "
            f"{image.shape[1]} x {image.shape[0]} pixels"
        )
    left = min(max(x, 0), image.shape[1] - width)
    top = min(max(y, 0), image.shape[0] - height)
    return image[top : top + height, left : left + width]


class StoreWriter:
    """Write a NumPy file image by image, when the final number is known only at the end.

    Args:
        path: The file to write.
        shape: Number of images at most, height, width and channels of a uint8 array.
    """

    def __init__(self, path: str | os.PathLike, shape: tuple[int, ...]):
        self.count = 0
        self._path = path
        self._shape = shape
        self._digest = hashlib.sha256()

    def __enter__(self) -> "StoreWriter":
        self._file = Path(self._path).open("wb+")
        self._write_header(self._shape[0])
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _write_header(self, count: int) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, *self._shape[1:])}
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(self._file, header)
        size = self._file.tell()
        self._file.seek(0)
        self._digest.update(self._file.read(size))

    def append(self, image: np.ndarray) -> None:
        """Add one image: a contiguous uint8 array (height, width, channels)."""
        self._file.write(image)
        self._digest.update(image)
        self.count += 1

    def finish(self) -> str:
        """Correct the number of images and return the SHA-256 of the file."""
        if self.count != self._shape[0]:
            # NumPy pads its header so that the first length can change without moving the data.
            self._write_header(self.count)
            self._file.seek(0)
            self._digest = hashlib.file_digest(self._file, "sha256")
        self._file.flush()
        return self._digest.hexdigest()


@contextlib.contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Keep OpenCV from starting threads of its own inside each decoding thread."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _require_room(image: np.ndarray, height: int, width: int) -> None:
    if image.shape[0] < height or image.shape[1] < width:
        raise ImageError(
            f"the image of {image.shape[0]} x {image.shape[1]} pixels (height x width) is smaller "
            f"than the crop of {height} x {width}"
        )


def _resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    smaller = (min(width, image.shape[1]), min(height, image.shape[0]))
    if smaller != image.shape[1::-1]:
        image = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
    if smaller != (width, height):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(image)


def _decode_with_opencv(data: bytes, kind: str) -> np.ndarray:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise ImageError(f"damaged {kind} file: {error.err}") from error
    if image is None:
        raise ImageError(f"damaged {kind} file")
    return image


def _decode_bmp(data: bytes) -> np.ndarray:
    """Decode an uncompressed BMP; the fourth byte of 32-bit pixels is padding and ignored."""
    if len(data) < 34 or struct.unpack_from("<I", data, 14)[0] < 40:
        raise ImageError("truncated BMP file, or one older than Windows 3")
    offset, _, width, height, _, bits, packing = struct.unpack_from("<IIiiHHI", data, 10)
    if packing not in (0, 3):
        raise ImageError("compressed BMP file; save it uncompressed or as PNG")
    if bits == 1:
        raise ImageError(ONE_BIT)
    require_size(abs(height), width, 3, len(data))
    expected = offset + (width * bits + 31) // 32 * 4 * abs(height)
    # OpenCV has returned half-black images for short files, so the length is checked here.
    if len(data) < expected:
        raise ImageError(f"truncated BMP file: {len(data)} of {expected} bytes")
    return _decode_with_opencv(data, "BMP")


def _decode_png(data: bytes) -> np.ndarray:
    if len(data) < 33:
        raise ImageError("truncated PNG file")
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    if bits == 1:
        raise ImageError(ONE_BIT)
    samples = _PNG_SAMPLES.get(colour, 4) * (2 if bits == 16 else 1)
    require_size(height, width, samples + 3, len(data))
    try:
        image = imagecodecs.png_decode(data)
    except (imagecodecs.PngError, ValueError) as error:
        # imagecodecs 2026.3.6 gives up a reference to None that it does not own. Python 3.11 aborts
        # after some ten thousand of them.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(None))
        raise ImageError(f"truncated or damaged PNG file: {error}") from error
    return _to_rgb(image)


def _decode_jpeg(data: bytes) -> np.ndarray:
    """Decode a JPEG with checks that libjpeg leaves out: it fills what is missing with grey."""
    header = jpeg.read_header(data)
    # A progressive image is in memory as 16-bit coefficients until its last scan.
    require_size(header.height, header.width, 9 if header.progressive else 3, len(data))
    if header.components not in (1, 3):
        raise ImageError("CMYK image; convert it to RGB with its colour profile")
    if data.rfind(b"\xff\xd9") < header.scan:
        raise ImageError("truncated JPEG file: its end marker is missing")
    jpeg.require_scans(data, header)
    image = _decode_with_opencv(data, "JPEG")
    # The orientation is applied, so that the last pixel may be in any corner.
    corners = image[:: max(1, len(image) - 1), :: max(1, image.shape[1] - 1)]
    if jpeg.may_lack_blocks(header, corners):
        jpeg.require_all_blocks(data)
    return image


def _decode_tiff(data: bytes) -> np.ndarray:
    try:
        # Formats of microscopes have page lists of their own, which cell images do not need.
        plain = dict.fromkeys(("is_lsm", "is_ndpi", "is_scanimage"), False)
        with tifffile.TiffFile(io.BytesIO(data), **plain) as file:
            pages = [page for page in tiff.list_pages(file) if not page.is_reduced]
            if len(pages) != 1:
                raise ImageError(f"the TIFF file holds {len(pages)} pages; one is expected")
            return _tiff_page(pages[0], data)
    except ImageError:
        raise
    except Exception as error:
        # A damaged TIFF makes tifffile and its codecs raise nearly any exception.
        raise ImageError(f"truncated or damaged TIFF file: {error}") from error


def _tiff_page(page: tifffile.TiffPage, data: bytes) -> np.ndarray:
    if page.bitspersample == 1:
        raise ImageError(ONE_BIT)
    _require_tiff_size(page, len(data))
    tiff.require_compression(page)
    segments = _tiff_segments(page, data)
    for segment, (_, _, height, width) in segments:
        tiff.require_segment(page, segment, height, width)
    image = page.asarray(maxworkers=1)
    if page.compression in tiff.JPEG:
        for segment, (top, left, height, width) in segments:
            bottom, right = min(top + height, page.imagelength), min(left + width, page.imagewidth)
            corner = image[bottom - 1, right - 1].reshape(-1)
            tiff.require_all_blocks(page, segment, corner)
    return _tiff_colours(page, image)


def _require_tiff_size(page: tifffile.TiffPage, length: int) -> None:
    require_size(page.imagelength, page.imagewidth)
    # A damaged header may ask for far more memory than the number of pixels shows.
    samples = max(math.prod(page.shape), math.prod(page.chunks))
    if samples > 4 * MAX_PIXELS:
        raise ImageError(f"damaged TIFF file: samples of shape {page.shape}")
    pixels = page.imagelength * page.imagewidth
    item = page.dtype.itemsize if page.dtype is not None else 1
    require_size(page.imagelength, page.imagewidth, samples * item / pixels + 3, length)


def _tiff_segments(page: tifffile.TiffPage, data: bytes) -> list[tuple[bytes, tuple[int, ...]]]:
    """Return every strip or tile as stored, with its top, left, height and width in pixels.

    Raises:
        ImageError: Some are missing; they would be decoded as black without an error.
    """
    # A damaged file may list more places than sizes, or the reverse.
    stored = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    wanted = math.prod(page.chunked)
    complete = all(count and start + count <= len(data) for start, count in stored)
    # tifffile reads past the end of segments that are too short.
    short = page.compression == 1 and sum(count for _, count in stored) < page.nbytes
    if not stored or len(stored) < wanted or not complete or short:
        raise ImageError("truncated TIFF file: image data are missing")
    if page.compression in tiff.PLAIN:
        return []
    width = page.tilewidth if page.is_tiled else page.imagewidth
    height = page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength)
    columns, rows = -(-page.imagewidth // width), -(-page.imagelength // height)
    view = memoryview(data)
    return [
        (
            bytes(view[start : start + count]),
            (number // columns % rows * height, number % columns * width, height, width),
        )
        for number, (start, count) in enumerate(stored[:wanted])
    ]


def _tiff_colours(page: tifffile.TiffPage, image: np.ndarray) -> np.ndarray:
    photometric = tifffile.PHOTOMETRIC(page.photometric).name
    if photometric == "PALETTE" and page.colormap is not None:
        image = np.moveaxis(page.colormap >> 8, 0, -1).astype(np.uint8)[image]
    elif photometric == "MINISWHITE" and image.dtype.kind == "u":
        image = np.iinfo(image.dtype).max - image
    elif photometric == "YCBCR" and tifffile.COMPRESSION(page.compression).name != "JPEG":
        raise ImageError("TIFF file in YCbCr; convert it to RGB")
    elif photometric not in ("MINISBLACK", "RGB", "YCBCR"):
        raise ImageError(f"TIFF file with {photometric} colours (CMYK is SEPARATED); expected RGB")
    if image.ndim == 3 and page.axes.startswith("S"):
        image = np.moveaxis(image, 0, -1)
    orientation = page.tags.valueof(274, default=1)
    return _orient(_to_rgb(image), int(orientation))


def _orient(image: np.ndarray, orientation: int) -> np.ndarray:
    """Apply the orientation tag (TIFF 6.0, tag 274): 1 upright, 2 to 8 mirrored or turned."""
    if orientation in (5, 6, 7, 8):
        image = image.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image


def _to_rgb(image: np.ndarray) -> np.ndarray:
    """Bring grey, grey with alpha, RGB and RGBA samples to 8-bit RGB."""
    if image.ndim == 2:
        image = image[..., np.newaxis]
    if image.ndim != 3 or not 1 <= image.shape[2] <= 4:
        raise ImageError(f"samples of shape {image.shape}; expected grey, RGB or RGBA")
    if image.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"samples of type {image.dtype}; expected 8 or 16 bits without sign")
    if image.shape[2] in (2, 4):
        if image[..., -1].min() < np.iinfo(image.dtype).max:
            raise ImageError("partly transparent image; flatten it onto a background")
        image = image[..., :-1]
    if image.dtype == np.uint16:
        image = _to_eight_bits(image)
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


def _to_eight_bits(image: np.ndarray) -> np.ndarray:
    if image.max() < 4096:
        raise ImageError(
            f"16-bit image whose largest value is {image.max()}: it seems to use 12 bits or "
            "fewer, and its white is unknown; save it with 8 bits"
        )
    small = np.empty(image.shape, dtype=np.uint8)
    for row, values in enumerate(image):
        # Row by row: 32 bits of the whole image would take four times its memory.
        small[row] = (values.astype(np.uint32) + 128) // 257
    return small

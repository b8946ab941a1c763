"""Open a slide: tiled and pyramidal TIFF, BigTIFF, Aperio SVS, OME-TIFF, flat photographs.

In every format, a slide is a pyramid of levels, and a level is a grid of segments. Segments are
decoded one at a time, in any order and from several threads. No level is ever in memory as a
whole. Formats of other vendors are read through OpenSlide where it is installed.
"""

import dataclasses
import importlib
import logging
import math
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import tifffile

from blastfold.core.errors import InputError
from blastfold.core.raw_files import NOT_A_FILE, is_special
from blastfold.images import tiff as tiff_files
from blastfold.images.decoding import decode_image
from blastfold.images.limits import MAX_PIXELS, ImageError
from blastfold.slides.resolution import openslide_mpp, tiff_mpp

PHOTOGRAPHS = {b"BM": "BMP", b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG"}
TIFF_STARTS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
PHOTOGRAPH_SUFFIXES = (".bmp", ".jpg", ".jpeg", ".jpe", ".png")
VENDOR_SUFFIXES = (".mrxs", ".vms", ".vmu", ".ndpi", ".scn", ".bif", ".svslide", ".dcm", ".czi")

COLOUR_AXES = ("YXS", "SYX", "YX")
"""Height, width and colour, the latter also as planes or absent; page stacks are not slides."""

LARGEST_SEGMENT = 2**27
"""Pixels; a segment is decoded as a whole."""

OPENSLIDE_SEGMENT = 512

logger = logging.getLogger(__name__)

_JPEG2000_YCBCR = 33003
_ALPHA = (1, 2)
"""Kinds of extra samples that say how opaque a pixel is: multiplied into the colours or not."""

_WHITE = 255
"""Where nothing was scanned or stored there is glass."""

_OPAQUE = 255


class UnusableSlideError(InputError):
    """A slide is damaged, not a slide, or gives no tile."""


class _TransparentError(ImageError):
    """Pixels of a slide are neither opaque nor empty."""


@dataclasses.dataclass(frozen=True)
class Level:
    """One level of a slide, as a grid of segments.

    Attributes:
        width: Pixels.
        height: Pixels.
        segment_width: Pixels; the last of a row may be narrower.
        segment_height: Pixels; the last of a column may be lower.
        decode: Row and column of a segment -> uint8 (height, width, 3), RGB; may be called from
            several threads; raises any exception when the segment is damaged.
        downsample: Pixels of level 0 for one pixel of this level.
    """

    width: int
    height: int
    segment_width: int
    segment_height: int
    decode: Callable[[int, int], np.ndarray]
    downsample: float = 1.0


@dataclasses.dataclass(frozen=True)
class Slide:
    """An open slide.

    Attributes:
        path: The file.
        levels: Finest first.
        mpp: Micrometres per pixel of level 0 as recorded in the file; None when unknown.
    """

    path: Path
    levels: list[Level]
    mpp: float | None

    @property
    def width(self) -> int:
        """Pixels of level 0."""
        return self.levels[0].width

    @property
    def height(self) -> int:
        """Pixels of level 0."""
        return self.levels[0].height


@contextmanager
def open_slide(path: str | os.PathLike) -> Iterator[Slide]:
    """Open a slide or a flat photograph; its first bytes decide which.

    Args:
        path: The file.

    Yields:
        The slide, to be used before the context is left.

    Raises:
        UnusableSlideError: The file is missing, damaged, truncated, named as what it is not, or
            of a form that cannot be read; the message says why.
        InputError: OpenSlide is needed and not installed.
    """
    path = Path(path)
    with ExitStack() as opened:
        try:
            yield _open(path, opened)
        except ImageError as error:
            raise UnusableSlideError(f"'{path}': {error}") from error


def _open(path: Path, opened: ExitStack) -> Slide:
    try:
        if is_special(path):
            raise UnusableSlideError(f"'{path}' {NOT_A_FILE}, but a pipe, a socket or a device.")
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise UnusableSlideError(f"'{path}': the slide cannot be read: {error.strerror}") from error
    suffix = path.suffix.lower()
    if suffix in VENDOR_SUFFIXES:
        return _open_with_openslide(path, opened)
    if start.startswith(TIFF_STARTS):
        return _open_tiff(path, opened)
    kind = next((name for first, name in PHOTOGRAPHS.items() if start.startswith(first)), None)
    if kind is None:
        raise UnusableSlideError(
            f"'{path}' is not a slide: it starts with {start[:8]!r}; expected TIFF, SVS, BMP, PNG "
            "or JPEG, or a vendor's format by its own ending."
        )
    if suffix not in PHOTOGRAPH_SUFFIXES:
        raise UnusableSlideError(
            f"'{path}' is named '{suffix}', but holds a {kind} photograph. Expected a TIFF; "
            "export the slide again, or rename it if a photograph is meant."
        )
    return Slide(path, [_whole_image(decode_image(path))], None)


def _whole_image(image: np.ndarray) -> Level:
    height, width = image.shape[:2]
    return Level(width, height, width, height, lambda row, column: image)


def _open_tiff(path: Path, opened: ExitStack) -> Slide:
    try:
        tiff = opened.enter_context(tifffile.TiffFile(path))
        pages = _pyramid(path, tiff)
    except (UnusableSlideError, ImageError):
        raise
    except Exception as error:
        # A damaged TIFF makes tifffile raise nearly any exception.
        raise UnusableSlideError(f"'{path}': truncated or damaged TIFF file: {error}") from error
    mpp = tiff_mpp(tiff, pages[0])
    single = len(pages) == 1 and not pages[0].is_tiled
    if single and pages[0].imagewidth * pages[0].imagelength <= MAX_PIXELS:
        return Slide(path, [_whole_image(decode_image(path))], mpp)
    file = opened.enter_context(path.open("rb"))
    levels = [_tiff_level(path, page, file.fileno()) for page in pages]
    if pages[0].samplesperpixel == 4:
        _require_opaque(path, levels[0])
    return Slide(path, [_with_downsample(level, levels[0]) for level in levels], mpp)


def _pyramid(path: Path, tiff: tifffile.TiffFile) -> list[tifffile.TiffPage]:
    """Return the pages of the largest image of a TIFF, finest first."""
    tiff_files.list_pages(tiff)
    series = [one for one in tiff.series if one.axes in COLOUR_AXES and one.size]
    if not series:
        found = ", ".join(f"{one.axes} {one.shape}" for one in tiff.series) or "nothing"
        raise UnusableSlideError(
            f"'{path}' holds no flat colour image, but {found}; expected height, width and colour "
            "in one page."
        )
    largest = max(series, key=lambda one: one.keyframe.imagewidth * one.keyframe.imagelength)
    pages = [level.keyframe for level in largest.levels]
    for page in pages:
        _require_whole(path, page, tiff.filehandle.size)
        _require_colours(path, page)
    return pages


def _require_whole(path: Path, page: tifffile.TiffPage, length: int) -> None:
    """Check that all pieces are in the file; empty ones are glass that was not scanned."""
    wanted = math.prod(page.chunked)
    # A damaged file may list more places than sizes, or the reverse.
    pieces = list(zip(page.dataoffsets, page.databytecounts, strict=False))[:wanted]
    missing = sum(count > 0 and start + count > length for start, count in pieces)
    missing += wanted - len(pieces)
    empty = sum(not count for _, count in pieces)
    if missing or empty == wanted:
        raise UnusableSlideError(
            f"'{path}': truncated TIFF file: {missing or empty} of the {wanted} pieces of an image "
            f"of {page.imagewidth} x {page.imagelength} pixels are not there. Copy or export the "
            "file again."
        )
    if empty:
        logger.warning(
            "%d of the %d pieces of an image of %d x %d pixels are empty and count as background",
            *(empty, wanted, page.imagewidth, page.imagelength),
        )


def _require_colours(path: Path, page: tifffile.TiffPage) -> None:
    photometric = tifffile.PHOTOMETRIC(page.photometric).name
    samples = page.samplesperpixel
    opaque = samples == 4 and page.extrasamples[:1] in [(kind,) for kind in _ALPHA]
    supported = page.dtype == np.uint8 and (samples in (1, 3) or opaque)
    if not supported or photometric not in ("RGB", "YCBCR", "MINISBLACK"):
        raise UnusableSlideError(
            f"'{path}': {samples} samples of {page.dtype} as {photometric}; expected 8-bit RGB, "
            "YCbCr or grey."
        )
    tiff_files.require_compression(page)
    if page.tags.valueof(274, default=1) != 1 and page.is_tiled:
        raise UnusableSlideError(
            f"'{path}': a turned or mirrored orientation is recorded; save it upright"
        )
    if page.is_tiled:
        height, width = page.tilelength, page.tilewidth
    else:
        height, width = min(page.rowsperstrip, page.imagelength), page.imagewidth
    if height * width > LARGEST_SEGMENT:
        raise UnusableSlideError(
            f"'{path}' is stored in pieces of {width} x {height} pixels, which do not fit into "
            "memory; save it as a tiled TIFF."
        )


def _require_opaque(path: Path, level: Level) -> None:
    """Look at the segment in the middle, because only pixels show whether alpha is used."""
    row = level.height // 2 // level.segment_height
    column = level.width // 2 // level.segment_width
    try:
        level.decode(row, column)
    except _TransparentError as error:
        raise UnusableSlideError(f"'{path}': 4 samples of uint8, {error}") from error
    except Exception:
        logger.debug("the segment in the middle is damaged")


def _tiff_level(path: Path, page: tifffile.TiffPage, descriptor: int) -> Level:
    if page.is_tiled:
        height, width = page.tilelength, page.tilewidth
    else:
        height, width = min(page.rowsperstrip, page.imagelength), page.imagewidth
    columns = -(-page.imagewidth // width)
    per_sample = columns * -(-page.imagelength // height)
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    options = {}
    if page.compression in tiff_files.JPEG:
        options = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}

    def decode(row: int, column: int) -> np.ndarray:
        # Segments at the right and lower edge are filled up in the file.
        shape = page.imagelength - row * height, page.imagewidth - column * width
        shape = min(shape[0], height), min(shape[1], width)
        parts = []
        for plane in range(planes):
            number = row * columns + column + plane * per_sample
            data = os.pread(descriptor, page.databytecounts[number], page.dataoffsets[number])
            if not data:
                return np.full((*shape, 3), _WHITE, dtype=np.uint8)
            tiff_files.require_segment(page, data, height, width)
            part = page.decode(data, number, **options)[0][0]
            tiff_files.require_all_blocks(page, data, part[-1, -1])
            parts.append(part[: shape[0], : shape[1]])
        image = parts[0] if planes == 1 else np.concatenate(parts, axis=-1)
        return _colours(page, image)

    return Level(page.imagewidth, page.imagelength, width, height, decode)


def _colours(page: tifffile.TiffPage, image: np.ndarray) -> np.ndarray:
    """Bring the samples of a segment to RGB; what is transparent shows white.

    Raises:
        _TransparentError: Pixels are partly transparent.
    """
    if image.shape[-1] == 1:
        return np.repeat(image, 3, axis=-1)
    if image.shape[-1] == 4:
        image, alpha = image[..., :3], image[..., 3:]
        if ((alpha > 0) & (alpha < _OPAQUE)).any():
            raise _TransparentError("partly transparent; flatten it onto a white background")
        image = np.where(alpha == 0, np.uint8(_WHITE), image)
    return _to_rgb(image) if page.compression == _JPEG2000_YCBCR else image


def _to_rgb(image: np.ndarray) -> np.ndarray:
    """Turn YCbCr of the full range into RGB (ITU-R BT.601, as in JFIF)."""
    light, blue, red = np.moveaxis(image.astype(np.float32), -1, 0)
    blue, red = blue - 128, red - 128
    rgb = (light + 1.402 * red, light - 0.344136 * blue - 0.714136 * red, light + 1.772 * blue)
    return np.clip(np.rint(np.stack(rgb, axis=-1)), 0, 255).astype(np.uint8)


def _with_downsample(level: Level, finest: Level) -> Level:
    """Take a whole factor where the level's size is that of one, rounded up or down."""
    lengths = ((finest.width, level.width), (finest.height, level.height))
    ratio = sum(large / small for large, small in lengths) / 2
    # On a level of few pixels several factors fit; scanners take powers of two.
    for factor in (2 ** round(math.log2(ratio)), round(ratio)):
        if all(small in (large // factor, -(-large // factor)) for large, small in lengths):
            return dataclasses.replace(level, downsample=float(factor))
    return dataclasses.replace(level, downsample=ratio)


def _open_with_openslide(path: Path, opened: ExitStack) -> Slide:
    try:
        # By name, because it is optional: the main formats are read without it.
        openslide = importlib.import_module("openslide")
    except (ImportError, OSError):
        raise InputError(
            f"'{path}': a '{path.suffix}' slide is read through OpenSlide, which is not installed. "
            "Install openslide-python (and openslide-bin), or convert the slide to a tiled TIFF."
        ) from None
    try:
        source = opened.enter_context(openslide.OpenSlide(path))
    except openslide.OpenSlideError as error:
        raise UnusableSlideError(f"'{path}': OpenSlide cannot read it: {error}") from error
    levels = [
        _openslide_level(source, number, *size, downsample)
        for number, (size, downsample) in enumerate(
            zip(source.level_dimensions, source.level_downsamples, strict=True)
        )
    ]
    return Slide(path, levels, openslide_mpp(source.properties))


def _openslide_level(source, number: int, width: int, height: int, downsample: float) -> Level:
    def decode(row: int, column: int) -> np.ndarray:
        x, y = column * OPENSLIDE_SEGMENT, row * OPENSLIDE_SEGMENT
        size = (min(OPENSLIDE_SEGMENT, width - x), min(OPENSLIDE_SEGMENT, height - y))
        place = (round(x * downsample), round(y * downsample))
        pixels = np.asarray(source.read_region(place, number, size))
        # Places that were never scanned are transparent: they count as glass.
        return np.where(pixels[..., 3:] == 0, np.uint8(255), pixels[..., :3])

    return Level(width, height, OPENSLIDE_SEGMENT, OPENSLIDE_SEGMENT, decode, downsample)

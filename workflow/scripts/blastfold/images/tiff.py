"""The structure of TIFF files, checked before tifffile and its codecs follow it.

tifffile follows a chain of pages that runs in a circle for ever, and reads a file that ends after
its first page as a file of one page. Codecs take the memory that the header of a segment claims.
"""

import struct
from collections.abc import Iterator

import numpy as np
import tifffile

from blastfold.images import jpeg
from blastfold.images.limits import ImageError

MAX_PAGES = 1000
"""Pages and sub-images of one file."""

MAX_TAGS = 50_000
"""Tags of all pages; a page of a slide has about 20."""

JPEG = (6, 7, 34892, 33007)
JPEG2000 = (33003, 33004, 33005, 34712)
WEBP = (50001,)
PLAIN = (1, 5, 8, 32773, 32946, 34925, 34926, 50000)
"""Codes of the compressions that are read. The codecs of the plain ones (none, LZW, deflate,
PackBits, LZMA, Zstandard) are given the size of the segment."""

MAX_JPEG2000_TILES = 1024
"""Tiles inside one JPEG 2000 segment; the decoder takes some kilobytes for each."""

MAX_COMPONENTS = 4


def list_pages(tiff: tifffile.TiffFile) -> list[tifffile.TiffPage]:
    """List the pages of a file, without sub-images, after a check of all of them.

    Args:
        tiff: An open file.

    Returns:
        The pages in the order of the file.

    Raises:
        ImageError: The chain of pages is a circle, ends beyond the end of the file, or is longer
            than any real one.
    """
    pages = []
    places = set()
    tags = 0
    for page in _chain(tiff):
        if page.offset in places:
            raise ImageError("damaged TIFF file: its chain of pages runs in a circle")
        places.add(page.offset)
        tags += len(page.tags)
        if len(places) > MAX_PAGES or tags > MAX_TAGS:
            raise ImageError(f"the TIFF file holds {len(places)} pages with {tags} tags or more")
        if len(page.treeindex) == 1:
            pages.append(page)
    if _place_of_next(tiff):
        raise ImageError(f"truncated or damaged TIFF file: page {len(pages) + 1} cannot be read")
    return pages


def _chain(tiff: tifffile.TiffFile) -> Iterator[tifffile.TiffPage]:
    for page in tiff.pages:
        yield from _with_sub_images(page, tiff.filehandle.size)


def _with_sub_images(page: tifffile.TiffPage, length: int) -> Iterator[tifffile.TiffPage]:
    yield page
    if not page.subifds:
        return
    if len(page.subifds) > MAX_PAGES:
        raise ImageError(f"the TIFF file holds {len(page.subifds)} sub-images")
    if max(page.subifds) >= length:
        raise ImageError("truncated or damaged TIFF file: a sub-image cannot be read")
    for sub_image in page.pages:
        yield from _with_sub_images(sub_image, length)


def _place_of_next(tiff: tifffile.TiffFile) -> int:
    """Return where the page after the last one should be; 0 says that there is none."""
    place = tiff.pages.next_page_offset
    if place is None:
        return 0
    tiff.filehandle.seek(place)
    stored = tiff.filehandle.read(tiff.tiff.offsetsize)
    if len(stored) < tiff.tiff.offsetsize:
        return 0
    return struct.unpack(tiff.tiff.offsetformat, stored)[0]


def require_compression(page: tifffile.TiffPage) -> None:
    """Refuse compressions whose memory cannot be known before.

    Raises:
        ImageError: Names the compression.
    """
    if page.compression not in (*PLAIN, *JPEG, *JPEG2000, *WEBP):
        raise ImageError(
            f"TIFF file with {_name(page.compression)} compression; save it with LZW, deflate or "
            "JPEG compression"
        )


def _name(compression: int) -> str:
    try:
        return tifffile.COMPRESSION(compression).name
    except ValueError:
        return f"unknown ({compression})"


def require_segment(page: tifffile.TiffPage, data: bytes, height: int, width: int) -> None:
    """Check that a compressed segment claims no more pixels than the file gives it.

    Args:
        page: The page; its compression is one of those that are read.
        data: The segment as stored.
        height: Pixels of the segment.
        width: Pixels of the segment.

    Raises:
        ImageError: It claims other sizes.
    """
    if page.compression in JPEG:
        # NDPI gives the sizes in the page alone.
        header = jpeg.read_header(page.jpegheader + data if page.jpegheader else data)
        jpeg.require_scans(data, header)
        claimed = header.height, header.width
    elif page.compression in JPEG2000:
        claimed = _jpeg2000_size(data)
    elif page.compression in WEBP:
        claimed = _webp_size(data)
    else:
        return
    if not (0 <= claimed[0] <= height and 0 <= claimed[1] <= width):
        raise ImageError(
            f"damaged TIFF file: a segment of {height} x {width} pixels claims "
            f"{claimed[0]} x {claimed[1]}"
        )


def require_all_blocks(page: tifffile.TiffPage, data: bytes, corner: np.ndarray) -> None:
    """Find a JPEG segment whose last blocks are missing (see :func:`jpeg.require_all_blocks`).

    Args:
        page: The page.
        data: The segment as stored.
        corner: uint8 (samples): the last pixel of the decoded segment.

    Raises:
        ImageError: Blocks are missing.
    """
    if page.compression not in JPEG or page.jpegheader:
        return
    if jpeg.may_lack_blocks(jpeg.read_header(data), corner):
        jpeg.require_all_blocks(page.jpegtables[:-2] + data[2:] if page.jpegtables else data)


def _jpeg2000_size(data: bytes) -> tuple[int, int]:
    """Return height and width of a JPEG 2000 codestream (ISO/IEC 15444-1, A.5.1)."""
    start = data.find(b"\xff\x4f\xff\x51")
    if start < 0 or start + 42 > len(data):
        raise ImageError("damaged TIFF file: a JPEG 2000 segment without its header")
    sizes = struct.unpack_from(">8IH", data, start + 8)
    right, bottom, left, top, tile_width, tile_height, *_, components = sizes
    height, width = bottom - top, right - left
    tiles = -(-height // max(1, tile_height)) * -(-width // max(1, tile_width))
    if not 0 < tiles <= MAX_JPEG2000_TILES or components > MAX_COMPONENTS:
        raise ImageError(
            f"damaged TIFF file: a JPEG 2000 segment of {tiles} tiles and {components} components"
        )
    return height, width


def _webp_size(data: bytes) -> tuple[int, int]:
    """Return height and width of a WebP image (RFC 9649, 2.5 to 2.7)."""
    kind = data[12:16]
    if len(data) >= 30 and kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return height & 0x3FFF, width & 0x3FFF
    if len(data) >= 30 and kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if len(data) >= 30 and kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return height, width
    raise ImageError("damaged TIFF file: a WebP segment without its header")

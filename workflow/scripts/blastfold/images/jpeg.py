"""What a JPEG stream claims, and whether it holds all that it claims.

libjpeg fills what is missing with grey and reports it nowhere that OpenCV or tifffile would pass
on. A stream that was cut and closed with an end marker therefore looks whole.
"""

import re
import struct
from typing import NamedTuple

import imagecodecs
import numpy as np

from blastfold.images.limits import ImageError

GREY = 128
"""All samples of a block without data have this value, in grey, RGB and YCbCr."""

MAX_PARSED = 2**24
"""Pixels up to which a suspicious stream is parsed; larger ones would take seconds."""

MAX_SCANS = 64
"""Scans of a progressive image; encoders write about 10, and every scan passes all pixels."""

_LUMA = np.array([0.299, 0.587, 0.114])
"""Share of red, green and blue in the brightness (ITU-R BT.601, as in JFIF)."""

_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_PROGRESSIVE = {0xC2, 0xCA}
_HUFFMAN = {0xC0, 0xC1, 0xC2}
_SCAN = 0xDA


class JpegHeader(NamedTuple):
    """What the markers before the first scan say.

    Attributes:
        height: Pixels.
        width: Pixels.
        components: 1 grey, 3 colour, 4 CMYK.
        scan: Where the first scan starts, bytes.
        frame: Marker of the frame: how the samples are coded.
    """

    height: int
    width: int
    components: int
    scan: int
    frame: int

    @property
    def progressive(self) -> bool:
        """Whether each scan refines the whole image."""
        return self.frame in _PROGRESSIVE


def read_header(data: bytes) -> JpegHeader:
    """Read a stream up to its first scan.

    Args:
        data: The stream, from its start marker.

    Returns:
        What it claims.

    Raises:
        ImageError: No scan follows.
    """
    frame = None
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            position += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES and position + 10 <= len(data):
            frame = (*struct.unpack_from(">HHB", data, position + 5), marker)
        if marker == _SCAN and frame is not None:
            return JpegHeader(*frame[:3], position, frame[3])
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]
    raise ImageError("truncated or damaged JPEG file: it holds no image")


def require_scans(data: bytes, header: JpegHeader) -> None:
    """Refuse progressive streams that would take minutes.

    Args:
        data: The stream.
        header: What it claims.

    Raises:
        ImageError: It has more scans than encoders write.
    """
    if header.progressive:
        scans = len(re.findall(b"\xff\xda", data[header.scan :]))
        if scans > MAX_SCANS:
            raise ImageError(f"damaged JPEG file: {scans} scans (at most {MAX_SCANS} are accepted)")


def may_lack_blocks(header: JpegHeader, corners: np.ndarray) -> bool:
    """Return whether a decoded image may have blocks without data.

    They are grey up to the last one, which is in a corner. In a progressive image, all blocks
    exist after the first scan, so that nothing can be seen.

    Args:
        header: What the stream claims.
        corners: uint8, last axis colour or grey: the decoded pixels that may be the last one.

    Returns:
        True for few images that are whole; parsing them takes ten times as long as decoding.
    """
    parsed = header.frame in _HUFFMAN and header.height * header.width <= MAX_PARSED
    return parsed and (header.progressive or _grey(header, corners))


def require_all_blocks(data: bytes) -> None:
    """Parse a stream block by block.

    Args:
        data: The stream, with its tables.

    Raises:
        ImageError: Blocks are missing although the stream has an end marker.
    """
    try:
        imagecodecs.jpegxl_encode_jpeg(data)
    except imagecodecs.JpegxlError as error:
        raise ImageError(
            "truncated JPEG file: its end marker comes before its last pixels"
        ) from error


def _grey(header: JpegHeader, corners: np.ndarray) -> bool:
    """Return whether one of the corners may be a block without data."""
    samples = corners.reshape(-1, corners.shape[-1])
    if (header.height - 1) % 8 and (header.width - 1) % 8:
        return bool((samples == GREY).all(axis=1).any())
    # Only one row or column of the last block is seen, and its colour is mixed with that of the
    # next block; its brightness is not.
    brightness = samples @ _LUMA if samples.shape[1] == 3 else samples[:, 0].astype(float)
    return bool((abs(brightness - GREY) <= 2).any())

"""Which format a file has, by its first bytes."""

READ_FORMATS = ("BMP", "PNG", "TIFF", "JPEG")
"""The formats that the decoder reads."""

_STARTS = (
    (b"BM", "BMP"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"\x00\x00\x00\x0cjP", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x00\x0cJXL", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
)

HEADER_SIZE = 16
"""So many bytes decide."""

_BRANDS = {b"avif": "AVIF", b"avis": "AVIF"}
_BRANDS |= dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"mif1", b"msf1"), "HEIF")
"""Formats of images in a file of ISO 14496-12, by the brand after ``ftyp``; others are films."""


def format_of(data: bytes) -> str:
    """Return the format of an image file by its first :data:`HEADER_SIZE` bytes; empty for none."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "")
    return next((name for start, name in _STARTS if data.startswith(start)), "")

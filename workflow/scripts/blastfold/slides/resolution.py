"""How many micrometres a pixel of a slide measures, from what its file records.

Aperio writes it into the description, Philips and OME into XML, others into the tags of TIFF.
"""

import logging
import re
from collections.abc import Mapping
from xml.etree import ElementTree

import tifffile

COARSEST_MPP = 20.0
"""A resolution tag that says more micrometres per pixel is a printer's (72 dpi are 353)."""

logger = logging.getLogger(__name__)

_MICROMETRES = {"µm": 1.0, "\u03bcm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4}


def tiff_mpp(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> float | None:
    """Return the micrometres per pixel that a TIFF slide records, or None.

    Args:
        tiff: The open file.
        page: Its finest level.
    """
    try:
        if tiff.is_svs:
            found = re.search(r"\bMPP\s*=\s*([0-9.,]+)", page.description)
            return _plausible(float(found[1].replace(",", "."))) if found else None
        if tiff.is_philips:
            return _philips_mpp(tiff.philips_metadata)
        if tiff.is_ome:
            return _ome_mpp(tiff.ome_metadata)
        if page.tags.valueof(296, default=1) not in (2, 3):
            return None
        across, down = page.get_resolution(unit=tifffile.RESUNIT.MICROMETER)
        return _square(1 / across, 1 / down)
    except (ValueError, ArithmeticError, ElementTree.ParseError) as error:
        # Its pixels are good all the same, and the sheet can declare what they measure.
        logger.warning("the recorded micrometres per pixel cannot be read: %s", error)
        return None


def _philips_mpp(metadata: str) -> float | None:
    """Read DICOM_PIXEL_SPACING (row and column, mm) of the slide, or else of its finest level."""
    for scanned in ElementTree.fromstring(metadata).iter("DataObject"):
        facts = {one.get("Name"): one for one in scanned.findall("Attribute")}
        spacing = facts.get("DICOM_PIXEL_SPACING")
        if spacing is not None and spacing.text:
            down, across = (
                1000 * float(length) for length in re.findall(r"[^\s\"]+", spacing.text)
            )
            return _square(across, down)
    return None


def _ome_mpp(metadata: str) -> float | None:
    pixels = ElementTree.fromstring(metadata).find(".//{*}Pixels")
    lengths = []
    for axis in "XY":
        length = pixels.get(f"PhysicalSize{axis}") if pixels is not None else None
        unit = pixels.get(f"PhysicalSize{axis}Unit", "µm") if pixels is not None else ""
        if length is None or unit not in _MICROMETRES:
            return None
        lengths.append(float(length) * _MICROMETRES[unit])
    return _square(*lengths)


def _square(across: float, down: float) -> float | None:
    """Return the length of a pixel's side; None where pixels are not square within 1 %."""
    return _plausible(across) if abs(across - down) <= 0.01 * across else None


def _plausible(mpp: float) -> float | None:
    return mpp if 0 < mpp <= COARSEST_MPP else None


def openslide_mpp(properties: Mapping[str, str]) -> float | None:
    """Return the micrometres per pixel among the properties of OpenSlide, or None."""
    try:
        return _square(*(float(properties[f"openslide.mpp-{axis}"]) for axis in "xy"))
    except (KeyError, ValueError):
        return None

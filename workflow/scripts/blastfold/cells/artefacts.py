"""Purple things that are no cells: lettering, scale bars, hairs, rings and ink.

A thing is no cell if one of its measures is outside what cells have. The ranges next to each limit
are those of 616 detected leukocytes: of BCCD, of both laboratories of Zheng et al. 2018, and of
generated smears. With these limits five of their detections are no cells, all of them dark rims.
"""

import math

from blastfold.cells.outlines import Outline

DENSEST_RED, DENSEST_BLUE = 1.9, 1.3
"""Optical densities of a nucleus; cells have at most 1.5 and 0.9. Blue and black ink has more."""

MOST_BLUE = 1.0
"""By how much red is denser than blue; cells have at most 0.9. Blue and navy ink has more."""

FAINTEST_RED = 0.05
"""Optical density of a nucleus; cells have at least 0.18. Magenta lets all red through."""

LEAST_CONTRAST, LEAST_TEXTURE = 2.5, 0.05
"""Standard deviations inside a nucleus: of green, grey levels, and of purple, as a share of its
mean. Cells have at least 2.7 and 0.044, and none is below both. Drawings are even."""

THINNEST = 7.0
"""Area over that of the largest disc inside; cells have at most 6.3, and lines 15 and more. A cell
that the edge of the photograph cuts may be a thin piece."""

LONGEST = 3.0
"""Ratio of the sides; cells have at most 2.8. Cells that the edge cuts may be longer."""

LEAST_SOLID = 0.5
"""Share of the convex hull; cells have at least as much, rings 0.2 to 0.5."""


def is_artefact(found: Outline, glass: tuple[float, float, float]) -> bool:
    """Return whether a thing has not the colour, the texture or the shape of a cell.

    Args:
        found: The thing.
        glass: Grey levels of red, green and blue where nothing absorbs.
    """
    return _is_ink(found, glass) or _is_even(found) or _is_line(found)


def _is_ink(found: Outline, glass: tuple[float, float, float]) -> bool:
    red, _, blue = (
        -math.log((level + 1) / (empty + 1))
        for level, empty in zip(found.nucleus_colour, glass, strict=True)
    )
    if red < FAINTEST_RED or red > DENSEST_RED or blue > DENSEST_BLUE:
        return True
    return red - blue > MOST_BLUE


def _is_even(found: Outline) -> bool:
    # Small nuclei have no inside that could be measured: NaN is not below a limit.
    return found.contrast < LEAST_CONTRAST and found.texture < LEAST_TEXTURE


def _is_line(found: Outline) -> bool:
    if found.solidity < LEAST_SOLID:
        return True
    return not found.at_edge and (found.thinness > THINNEST or found.stretch > LONGEST)

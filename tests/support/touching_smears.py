"""Generated smears with known centres in which some leukocytes touch, at any scale."""

import numpy as np

from blastfold.core.seeds import generator
from blastfold.datasets import generated_smears as smears

LARGEST_RADIUS, ROOM = 6.9, 1.5
"""Micrometres; no generated leukocyte is larger, and those that do not touch are further apart."""


def draw_smear(seed, scale, micrometres=(110, 146), alone=7, pairs=2):
    """Return a photograph and the centres of its leukocytes.

    Args:
        seed: The same seed gives the same smear.
        scale: Pixels per micrometre.
        micrometres: Height and width of the field.
        alone: Leukocytes that touch no other.
        pairs: Pairs of leukocytes that touch.

    Returns:
        uint8 (height, width, 3), RGB; and float (alone + 2 pairs, 2), x and y in pixels.
    """
    rng = generator(seed, "touching smears")
    settings = {
        "photograph_size": tuple(round(length * scale) for length in micrometres),
        **{"pixels_per_micrometre": scale, "red_cell_cover": 0.4, "difficulty": 0.15},
        # The camera's blur is that of the demo data set at every scale.
        **{"subject_effect": 1.0, "defocus": max(0.5, 0.16 * scale), "noise": 2.0},
    }
    person = smears.sample_appearance(rng, settings["subject_effect"])
    size = np.array(micrometres[::-1], float)
    cells, places = [], np.empty((0, 3))
    for together in [2] * pairs + [1] * alone:
        group = [
            smears.sample_leukocyte(rng, rng.random() < 0.5, person, settings)
            for _ in range(together)
        ]
        cells += group
        places = np.vstack([places, _room(rng, [cell.radius for cell in group], places, size)])
    canvas = smears.Canvas(rng, person, settings)
    smears.scatter_red_cells(canvas, places)
    for place in rng.uniform((0, 0), size, (9, 2)):
        radius = rng.uniform(0.8, 1.5)
        disc = np.array([[0, 0, radius]])
        platelet = smears.Leukocyte(0, radius, disc, 0.32, 0.4, 0.1, 0.4, 0.3)
        smears.draw_leukocyte(canvas, platelet, *place)
    for cell, place in zip(cells, places, strict=True):
        smears.draw_leukocyte(canvas, cell, *place[:2])
    return smears.expose(canvas), places[:, :2] * scale - 0.5


def _room(rng, radii, taken, size):
    """Return x, y and radius of cells that touch one another and no other, in micrometres."""
    for _ in range(5000):
        spots = np.array([[*rng.uniform(8, size - 8), radii[0]]])
        if len(radii) == 2:
            turn, apart = rng.uniform(0, 2 * np.pi), sum(radii)
            step = [apart * np.cos(turn), apart * np.sin(turn)]
            spots = np.vstack([spots, [*(spots[0, :2] + step), radii[1]]])
        inside = ((spots[:, :2] > 8) & (spots[:, :2] < size - 8)).all()
        apart = np.hypot(*(spots[:, None, :2] - taken[None, :, :2]).transpose(2, 0, 1))
        if inside and (apart > spots[:, 2:] + LARGEST_RADIUS + ROOM).all():
            return spots
    raise ValueError(f"no room for {len(radii)} more cells in {size} micrometres")

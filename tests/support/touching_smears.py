"""Generated smears with known centres in which some leukocytes touch: at any scale, one drawing."""

import numpy as np

from blastfold.core.seeds import generator
from blastfold.datasets import generated_smears as smears

SETTINGS = {
    **{"red_cell_cover": 0.4, "difficulty": 0.15, "subject_effect": 1.0, "defocus": 0.7},
    **{"noise": 2.0, "crop_size": (1, 1)},
}


def draw_smear(seed, pixels_per_micrometre, micrometres=(110, 146), cells=7, touching=2):
    """Return a photograph (uint8 RGB) and the centres (x, y) of its leukocytes, float (n, 2).

    Args:
        seed: The same gives the same smear.
        pixels_per_micrometre: Scale.
        micrometres: Height and width of the field.
        cells: Leukocytes that touch no other.
        touching: Pairs that touch.
    """
    rng = generator(seed, "touching smears")
    scale = pixels_per_micrometre
    size = tuple(round(length * scale) for length in micrometres)
    settings = SETTINGS | {"photograph_size": size, "pixels_per_micrometre": scale}
    # Of a coarser photograph the microscope is no sharper.
    settings["defocus"] = max(0.5, 0.7 * scale / 4.4)
    person = smears.sample_appearance(rng, 1.0)
    drawn, places = [], np.empty((0, 3))
    wanted = [2] * touching + [1] * cells
    for together in wanted:
        group = [
            smears.sample_leukocyte(rng, rng.random() < 0.5, person, settings)
            for _ in range(together)
        ]
        for _ in range(2000):
            x, y = rng.uniform(8, np.array(micrometres[::-1]) - 8)
            turn, apart = rng.uniform(0, 2 * np.pi), sum(cell.radius for cell in group)
            spots = [[x, y, group[0].radius]]
            if together == 2:
                spots.append(
                    [x + apart * np.cos(turn), y + apart * np.sin(turn), group[1].radius]
                )
            spots = np.array(spots)
            inside = (spots[:, :2] > 8).all() and (spots[:, :2] < np.array(micrometres[::-1]) - 8).all()
            clear = all(
                np.hypot(*(places[:, :2] - spot[:2]).T).min(initial=99, where=True)
                > spot[2] + 6.9 + 1.5
                for spot in spots
            )
            if inside and clear:
                places = np.vstack([places, spots])
                drawn += group
                break
    canvas = smears.Canvas(rng, person, settings)
    smears.scatter_red_cells(canvas, places)
    for place in rng.uniform((0, 0), micrometres[::-1], (9, 2)):
        radius = rng.uniform(0.8, 1.5)
        disc = np.array([[0, 0, radius]])
        smears.draw_leukocyte(canvas, smears.Leukocyte(0, radius, disc, 0.32, 0.4, 0.1, 0.4, 0.3), *place)
    for cell, place in zip(drawn, places, strict=True):
        smears.draw_leukocyte(canvas, cell, *place[:2])
    return smears.expose(canvas), places[:, :2] * scale

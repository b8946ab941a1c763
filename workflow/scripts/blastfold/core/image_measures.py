"""The table of plain measures of images: names of its columns, and its reader."""

import os

import pandas as pd

from blastfold.core.tables import read_table

BY_MASK, BY_GROUND, BY_STAIN, NOT_FOUND = "mask", "ground", "stain", "not found"
"""How the cell of an image was found: by a mask of the data set, by a ground that is masked in
black or white, by its stain, or not at all."""

COLOURS = ("red", "green", "blue")
"""Mean of each colour over the whole image, in grey levels (0-255)."""

CELL_SHARE = "cell_share"
"""Area of the cell as a share of the image."""

GROUND = tuple(f"ground_{colour}{end}" for colour in COLOURS for end in ("", "_sd"))
"""Mean and standard deviation of each colour over the ground, without the cell and its rim."""

MEASURES = (*COLOURS, CELL_SHARE, *GROUND)

MEASURES_OF = {
    "mean_colour": COLOURS,
    "cell_size": (CELL_SHARE,),
    "background": GROUND,
    "majority_class": (),
}
"""The measures that each trivial baseline is fitted on, by a name of
:data:`blastfold.core.names.BASELINES`."""


def read_measures(path: str | os.PathLike) -> pd.DataFrame:
    """Read the measures of the images of a data set.

    Returns:
        found_by and :data:`MEASURES` (float64, NaN where the cell was not found), by image_id.

    Raises:
        InputError: A column is missing.
    """
    table = read_table(path, ("image_id", "found_by", *MEASURES), text=("found_by",))
    return table.set_index("image_id").astype(dict.fromkeys(MEASURES, "float64"))

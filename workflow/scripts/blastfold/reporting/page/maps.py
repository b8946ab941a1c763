"""Attribution maps as pictures: where a network looks, as colour on the grey picture."""

import cv2
import numpy as np

from blastfold.core.attribution_table import TRAINED, read_drawn, read_maps
from blastfold.reporting.page.sources import Sources

STRENGTH = 0.6
"""Share of the colour in the colours of the overlay."""

EXPLAINED = (
    "Grad-CAM of the class that it predicted: bright places raise the score of this class. A grey "
    "picture without colour is an empty map."
)
"""What is shown next to every map."""


def maps_of(
    sources: Sources, trained: str, protocol: str, tested: str, model: str
) -> dict[str, np.ndarray]:
    """Read the maps of a model's predictions of a data set.

    Args:
        sources: The stored files.
        trained: Data set that the model was trained on.
        protocol: Its protocol.
        tested: Data set of the cells.
        model: The model.

    Returns:
        float32 (rows, columns) by image_id; of a cell that was drawn in several folds the map of
        the first one. Empty where the model was not explained.
    """
    place = f"attribution/{trained}/{protocol}/{tested}"
    table, maps = (sources.path(f"{place}/{name}") for name in ("cells.tsv", "maps.npz"))
    if table is None or maps is None:
        return {}
    drawn = read_drawn(table)
    names = drawn.loc[drawn["model"] == model, "image_id"].tolist()
    if not names:
        return {}
    values = read_maps(maps, model, TRAINED, len(names))
    return dict(zip(reversed(names), values[::-1], strict=True))


def overlay(picture: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Lay the positive values of a map over a picture, as the figure of attributions does.

    Args:
        picture: uint8 (height, width, 3) RGB.
        values: float (rows, columns).

    Returns:
        uint8 (height, width, 3) RGB; the grey picture where no value is positive.
    """
    grey = picture.mean(axis=2, keepdims=True).repeat(3, axis=2)
    positive = np.maximum(values, 0).astype(np.float32)
    if not positive.max() > 0:
        return np.round(grey).astype(np.uint8)
    size = picture.shape[1::-1]
    heat = cv2.resize(positive / positive.max(), size, interpolation=cv2.INTER_LINEAR)
    levels = np.round(255 * np.clip(heat, 0, 1)).astype(np.uint8)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1]
    return np.round((1 - STRENGTH) * grey + STRENGTH * colours).astype(np.uint8)

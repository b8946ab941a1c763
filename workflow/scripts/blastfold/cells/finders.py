"""The detector that settings ask for: the classical one, or one in an ONNX file."""

import os
from collections.abc import Mapping
from functools import partial

from blastfold.cells.boxed_cells import find_boxed_cells
from blastfold.cells.detection import CLASSICAL, Finder


def open_finder(settings: Mapping, file: str | os.PathLike | None) -> Finder:
    """Return what finds cells.

    Args:
        settings: ``onnx``, what is declared of the file (the schema's ``onnx_detector``, with all
            defaults); without it the classical detector is returned.
        file: The ONNX file.

    Raises:
        InputError: The file cannot be used, see
            :class:`blastfold.cells.onnx_detector.OnnxDetector`.
    """
    declared = settings.get("onnx")
    if not declared:
        return CLASSICAL
    # ONNX Runtime takes time to load, and most experiments do without.
    from blastfold.cells.onnx_detector import OnnxDetector

    detector = OnnxDetector(file or declared["file"], declared)
    return Finder(partial(find_boxed_cells, boxes_of=detector), declared["red_cell_diameter"])

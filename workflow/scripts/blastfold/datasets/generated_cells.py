"""Leukocytes of generated smears before they are drawn: their kinds, sizes and nuclei.

Lengths are in micrometres from the middle of the cell.
"""

from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from blastfold.experiment.demo_settings import BLASTS


class Appearance(NamedTuple):
    """What one subject's photographs have in common."""

    absorbance: np.ndarray  # (3 dyes, 3 colours)
    light: np.ndarray  # (3,) grey levels of empty background
    immaturity: float  # added to every lymphoid cell's own
    red_cell_radius: float  # in micrometres
    pallor: float  # of the red cells, 0 to 1


class Leukocyte(NamedTuple):
    """One leukocyte before it is drawn; lengths in micrometres from its centre."""

    label: int
    radius: float
    lobes: np.ndarray  # (n, 3): x, y, radius of the discs whose union is the nucleus
    density: float  # of the chromatin
    clumping: float  # contrast of the coarse chromatin pattern
    eosin: float  # amounts in the cytoplasm
    basophilic: float
    granularity: float
    nucleoli: np.ndarray = np.empty((0, 3))  # as lobes
    vacuoles: np.ndarray = np.empty((0, 3))  # as lobes; empty places of the cytoplasm


def arc_of_lobes(rng: Generator, count: int, bend: float, span: float, size: float) -> np.ndarray:
    """Return (count, 3) discs (x, y, radius) on an arc of radius `bend` and `span` radians."""
    angles = rng.uniform(0, 2 * np.pi) + np.linspace(-span / 2, span / 2, count)
    centres = bend * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.column_stack([centres, size * rng.normal(1, 0.06, count)])


def sample_granulocyte(rng: Generator) -> Leukocyte:
    """Return a segmented neutrophil: a lobed dense nucleus, pale pink granular cytoplasm."""
    radius, count = rng.normal(6.1, 0.3), int(rng.integers(3, 6))
    span = (count - 1) * rng.uniform(0.95, 1.25)
    lobes = arc_of_lobes(rng, count, 0.46 * radius, span, (0.36 - 0.02 * count) * radius)
    lobes[:, :2] -= 0.6 * lobes[:, :2].mean(axis=0)
    steps = np.linspace(0, count - 1, 3 * count - 2)
    bridges = np.stack([np.interp(steps, range(count), column) for column in lobes.T], axis=1)
    bridges[:, 2] = 0.15 * radius
    nucleus = np.vstack([lobes, bridges])
    return Leukocyte(0, radius, nucleus, rng.normal(1.2, 0.08), 0.2, 0.3, 0.1, 0.3)


def sample_lymphoid(rng: Generator, label: int, immaturity: float) -> Leukocyte:
    """Return a cell between lymphocyte (immaturity 0) and lymphoblast (1)."""
    # A blast is larger, its nucleus fills nearly all of it, its chromatin is fine and paler with
    # visible nucleoli, and the little cytoplasm that is left is deeply blue.
    radius = float(np.clip(4.7 + 1.3 * immaturity + rng.normal(0, 0.4), 3.9, 6.9))
    ratio = np.clip(0.8 + 0.09 * immaturity + rng.normal(0, 0.035), 0.7, 0.93)
    bend = rng.uniform(0.1, 0.28) * radius
    lobes = arc_of_lobes(rng, 3, bend, rng.uniform(1.2, 2.6), ratio * radius - 0.8 * bend)
    offset = arc_of_lobes(rng, 1, 0.7 * (1 - ratio) * radius, 0, 0)[:, :2]
    lobes[:, :2] += offset - lobes[:, :2].mean(axis=0)
    count = min(rng.poisson(2.4 * max(immaturity - 0.15, 0)), 4)
    places = rng.uniform(-0.5, 0.5, (count, 2)) * radius
    nucleoli = np.column_stack([places, rng.uniform(0.55, 0.95, count)])
    density = max(1.12 - 0.22 * immaturity + rng.normal(0, 0.09), 0.5)
    clumping = max(0.3 - 0.22 * immaturity + rng.normal(0, 0.05), 0.02)
    blue = max(0.42 + 0.25 * immaturity + rng.normal(0, 0.1), 0.15)
    return Leukocyte(label, radius, lobes, density, clumping, 0.04, blue, 0.08, nucleoli)


def sample_leukocyte(rng: Generator, blast: bool, person: Appearance, settings: dict) -> Leukocyte:
    """Return a blast, or one of the normal kinds: most are lymphocytes, as in C-NMC."""
    kind = 1 if blast else rng.random()
    if kind < 0.12:
        return sample_granulocyte(rng)
    if kind < 0.2:
        return sample_monocyte(rng)
    return sample_lymphoid(rng, int(blast), sample_immaturity(rng, blast, person, settings))


def sample_monocyte(rng: Generator) -> Leukocyte:
    """Return a monocyte: large, with a pale kidney-shaped nucleus and grey-blue cytoplasm."""
    radius = rng.normal(6.4, 0.25)
    lobes = arc_of_lobes(rng, 5, 0.33 * radius, rng.uniform(1.8, 3.0), 0.42 * radius)
    return Leukocyte(0, radius, lobes, rng.normal(0.88, 0.06), 0.16, 0.12, 0.34, 0.1)


def sample_immaturity(rng: Generator, blast: bool, person: Appearance, settings: dict) -> float:
    """Return how far a lymphoid cell is from a lymphocyte (about 0) to a blast (about 1)."""
    middle = 0.5 + (0.5 if blast else -0.5) * (1 - settings["difficulty"])
    return np.clip(rng.normal(middle + person.immaturity, 0.2), -0.2, 1.2)


def sample_kind(rng: Generator, kind: str, person: Appearance, settings: dict) -> Leukocyte:
    """Return a leukocyte of one of the kinds of :data:`KINDS`; its label is the kind's place.

    The blasts follow the morphological types of the FAB group (Bennett et al. 1976, British
    Journal of Haematology 33): L1 is small and even, with little cytoplasm and hardly any
    nucleolus; L2 is larger and uneven, with a cleft nucleus, nucleoli and more cytoplasm; L3 is
    large, with a round nucleus and deeply blue cytoplasm with vacuoles. ``difficulty`` draws each
    of them towards a common blast.
    """
    label = settings["kinds"].index(kind)
    if kind == "neutrophil":
        return sample_granulocyte(rng)._replace(label=label)
    if kind == "monocyte":
        return sample_monocyte(rng)._replace(label=label)
    blast = kind in BLASTS
    cell = sample_lymphoid(rng, label, sample_immaturity(rng, blast, person, settings))
    return _as_type(rng, cell, kind, 1 - settings["difficulty"]) if blast else cell


def _as_type(rng: Generator, cell: Leukocyte, kind: str, share: float) -> Leukocyte:
    """Return a blast drawn towards a type by a share of the way."""
    size, blue = {"blast_l1": (4.9, 0.5), "blast_l2": (6.3, 0.55), "blast_l3": (6.6, 1.05)}[kind]
    spread = 0.45 if kind == "blast_l2" else 0.2
    wanted = float(np.clip(size + rng.normal(0, spread), 4.2, 7.2))
    scale = 1 + share * (wanted / cell.radius - 1)
    nucleus = scale * (1 - (0.16 if kind == "blast_l2" else 0) * share)
    cell = cell._replace(
        radius=cell.radius * scale,
        lobes=cell.lobes * nucleus,
        basophilic=cell.basophilic + share * (blue - cell.basophilic),
        nucleoli=cell.nucleoli * nucleus,
    )
    if kind == "blast_l1":
        # The chromatin is even, and a nucleolus is rarely seen.
        return cell._replace(
            clumping=cell.clumping * (1 - 0.6 * share), nucleoli=cell.nucleoli * (1 - 0.6 * share)
        )
    if kind == "blast_l2":
        # Two lobes that part make the cleft.
        bend = np.linspace(-1, 1, len(cell.lobes))[:, None] * [[0.16 * cell.radius * share, 0]]
        lobes = np.column_stack([cell.lobes[:, :2] + bend, cell.lobes[:, 2] * (1 - 0.1 * share)])
        return cell._replace(lobes=lobes)
    number = rng.poisson(9 * share)
    angles, reach = rng.uniform(0, 2 * np.pi, number), cell.radius * rng.uniform(0.55, 0.9, number)
    places = np.stack([reach * np.cos(angles), reach * np.sin(angles)], axis=1)
    return cell._replace(
        vacuoles=np.column_stack([places, rng.uniform(0.3, 0.6, number)]),
        clumping=cell.clumping + 0.1 * share,
    )

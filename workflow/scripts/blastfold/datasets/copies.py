"""Which copies a data set grows by, as the thesis grew ALL-IDB2: the plan and the manifest.

The pixels of the copies are made in :mod:`blastfold.networks.grown_datasets`.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.manifest import class_names
from blastfold.core.names import LEUKAEMIA_CLASSES
from blastfold.core.seeds import generator


def wanted_numbers(grow: Mapping, manifest: pd.DataFrame) -> dict[str, int]:
    """Return the wanted number of images by class, in the order of the labels.

    Args:
        grow: The entry ``grow`` of a data set: ``times``, or a number by class; of two classes
            also ``normal`` (of the first class, whatever its name is) and ``blast`` (of the
            second).
        manifest: Columns class and label, one row per original.

    Raises:
        InputError: The numbers are those of other classes.
    """
    classes = class_names(manifest)
    if "times" in grow:
        counts = manifest["class"].value_counts()
        return {name: int(counts[name]) * grow["times"] for name in classes}
    given = {name for name in grow if name != "augmentation"}
    if given == set(classes):
        return {name: grow[name] for name in classes}
    if given != set(LEUKAEMIA_CLASSES) or len(classes) != len(LEUKAEMIA_CLASSES):
        raise InputError(
            f"grow: received numbers for {' and '.join(sorted(given))}, but the data set has the "
            f"classes {', '.join(classes)}. Expected a number for each of them, or a factor, for "
            "instance times: 8"
        )
    return {name: grow[name] for name in LEUKAEMIA_CLASSES}


def plan_copies(
    manifest: pd.DataFrame, wanted: Mapping[str, int], key: str, seed: int
) -> pd.DataFrame:
    """Spread the copies that are missing for the wanted numbers evenly over the originals.

    The numbers of copies of two originals of one class differ by one at most. Which original gets
    the additional copy is drawn. A larger wanted number adds copies and changes none.

    Args:
        manifest: Column label, one row per original.
        wanted: Wanted number of images by class, in the order of the labels.
        key: The config's key of ``wanted``, for messages and for the name of the draw.
        seed: The experiment's seed.

    Returns:
        Table of copies: row (of the original, from 0) and copy (number of the original's copy,
        from 1), by copy and then by row.

    Raises:
        InputError: There are more originals than wanted, or none to copy.
    """
    parts = []
    for label, (name, number) in enumerate(wanted.items()):
        rows = np.flatnonzero(manifest["label"].astype(int) == label)
        if not 0 < len(rows) <= number:
            raise InputError(
                f"{key}.{name}: received {number}, but the data set has {len(rows)} {name} "
                f"images, and growing keeps all of them. Expected at least {max(len(rows), 1)}, "
                "and at least one image to copy"
            )
        # All originals get a copy, in one random order, before any of them gets another.
        order = generator(seed, key, name).permutation(rows)
        places = np.arange(number - len(rows))
        parts.append(
            pd.DataFrame({"row": order[places % len(rows)], "copy": places // len(rows) + 1})
        )
    return pd.concat(parts).sort_values(["copy", "row"], ignore_index=True)


def grow_manifest(manifest: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Return the manifest of a grown data set: the originals as they are, then the copies.

    Args:
        manifest: Manifest of the originals.
        plan: See :func:`plan_copies`.

    Returns:
        Manifest. A copy is named after its original, ``<image_id>-copy-01``, has it as parent,
        and inherits everything else, the source file included.

    Raises:
        InputError: A copy would have the name of another image.
    """
    copies = manifest.iloc[plan["row"]].reset_index(drop=True)
    digits = max(2, len(str(plan["copy"].max()))) if len(plan) else 2
    copies["parent"] = copies["image_id"]
    copies["image_id"] += "-copy-" + plan["copy"].astype(str).str.zfill(digits)
    taken = copies["image_id"].isin(manifest["image_id"])
    if taken.any():
        name = copies.loc[taken, "image_id"].iloc[0]
        raise InputError(
            f"the data set to grow has an image named {name!r}, which is the name of a copy to "
            "be made; rename that image"
        )
    return pd.concat([manifest, copies], ignore_index=True)

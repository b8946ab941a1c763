"""Check of the classes of data sets: their names, the positive ones, their order, their growth."""

from collections.abc import Iterable, Iterator, Mapping

from blastfold.core.names import JOINED, LEUKAEMIA_CLASSES, class_order, is_class_name

FIXED_CLASSES = {"pcam": ("normal", "tumor")}
"""Classes of the formats that name them, where these are not those of leukaemia."""

OF_CLASSES = ("folder", "photographs", "tiles", "demo")
"""Formats whose classes the config may name."""

TAKEN = ("folder", "photographs", "tiles")
"""Formats whose labels or folders can be the classes."""


def known_classes(entry: Mapping) -> tuple[str, ...] | None:
    """Return the classes of a data set that is not made from another one, in their order.

    Args:
        entry: Its entry in the config.

    Returns:
        Names of the classes; None where the labels or folders are the classes, which the import
        finds.
    """
    if entry.get("classes"):
        return class_order(entry["classes"])
    if entry["format"] in TAKEN and entry.get("positive"):
        return None
    if entry["format"] == "demo" and entry.get("demo", {}).get("kinds"):
        return tuple(entry["demo"]["kinds"])
    return FIXED_CLASSES.get(entry["format"], LEUKAEMIA_CLASSES)


def settle_classes(datasets: Mapping[str, dict]) -> None:
    """Enter in place what the keys about classes mean.

    ``positive`` becomes a list. A data set of generated kinds has these as its ``classes``.
    ``own_classes`` is true where labels or folders are the classes.
    """
    for entry in datasets.values():
        if isinstance(entry.get("positive"), str):
            entry["positive"] = [entry["positive"]]
        if entry["format"] == "demo" and entry["demo"].get("kinds"):
            entry.setdefault("classes", {kind: [kind] for kind in entry["demo"]["kinds"]})
        if "of" not in entry and known_classes(entry) is None:
            entry["own_classes"] = True


def has_own_classes(entries: Iterable[Mapping]) -> bool:
    """Return whether a data set has classes of the user's own, which need not be a disease.

    Args:
        entries: Entries of data sets after :func:`settle_classes`.
    """
    return any(
        entry.get("own_classes") or set(entry.get("classes") or ()) - set(LEUKAEMIA_CLASSES)
        for entry in entries
    )


def class_faults(name: str, entry: Mapping) -> Iterator[str]:
    """Yield what is wrong with the classes of a data set.

    Args:
        name: Its name.
        entry: Its entry, with all defaults.
    """
    key = f"datasets.{name}"
    if "classes" in entry:
        if entry["format"] not in OF_CLASSES:
            yield (
                f"{key}.classes: belongs to the formats {', '.join(OF_CLASSES)}, received format "
                f"{entry['format']}"
            )
        yield from _name_faults(f"{key}.classes", entry["classes"])
    yield from _positive_faults(key, entry)
    if entry.get("ordered") and known_classes(entry) is None:
        yield (
            f"{key}.ordered: received true without the key classes. Folders and labels have no "
            "order; name the classes from the lowest grade to the highest"
        )


def _name_faults(key: str, classes: Mapping) -> Iterator[str]:
    """Check that no name means two classes; case and spaces around it do not matter."""
    order = class_order(classes)
    for name in order:
        if not is_class_name(name):
            yield f"{key}: received the name {name!r}, expected printable text without {JOINED!r}"
    folded = [name.casefold() for name in order]
    for name in sorted({name for name in folded if folded.count(name) > 1}):
        yield f"{key}: {name!r} names two classes, expected names that differ in more than case"
    names = [{str(name).strip().casefold() for name in classes[word]} for word in order]
    for name in sorted({word for words in names for word in words}):
        holders = [order[label] for label, words in enumerate(names) if name in words]
        if len(holders) > 1:
            both = "both classes" if len(order) == 2 else f"the classes {' and '.join(holders)}"
            yield f"{key}: {name!r} is listed under {both}, expected it under one of them"
    if order != LEUKAEMIA_CLASSES:
        return
    for label, other in ((0, 1), (1, 0)):
        if str(other) in names[label] - names[other]:
            yield (
                f"{key}.{LEUKAEMIA_CLASSES[label]}: received {str(other)!r}, which means "
                f"{LEUKAEMIA_CLASSES[other]} in every sheet, expected another name"
            )


def _positive_faults(key: str, entry: Mapping) -> Iterator[str]:
    if "of" in entry:
        return
    classes, positive = known_classes(entry), entry.get("positive") or []
    positive = [positive] if isinstance(positive, str) else positive
    if classes is None:
        return
    if unknown := [name for name in positive if name not in classes]:
        yield f"{key}.positive: received {unknown}, expected some of the classes {list(classes)}"
    elif len(set(positive)) == len(classes):
        yield f"{key}.positive: received all classes, expected at least one class less"
    if not positive and len(classes) > 2:
        yield (
            f"{key}.positive: is missing, and there are {len(classes)} classes "
            f"({', '.join(classes)}). Name the class or classes that sensitivity, specificity and "
            f"ROC curves are about, for instance positive: {classes[-1]}"
        )


def growth_faults(key: str, grow: Mapping, base: Mapping | None) -> Iterator[str]:
    """Yield what is wrong with the numbers that a data set grows to.

    Args:
        key: The config's key of ``grow``.
        grow: The entry ``grow``, as it was given.
        base: The entry of the data set to grow; None where it is unknown.
    """
    given = {*grow} - {"augmentation"}
    if given == {"times"}:
        return
    classes = known_classes(base) if base and "of" not in base else None
    # Of two classes the numbers may be named normal and blast, whatever the classes are called.
    usual = {*LEUKAEMIA_CLASSES}
    if classes is None and given and "times" not in given:
        return
    if classes and (given == {*classes} or (len(classes) == 2 and given == usual)):
        return
    names = " and ".join(classes or LEUKAEMIA_CLASSES)
    yield (
        f"{key}: received {', '.join(sorted(given)) or 'neither'}, expected times (for "
        f"instance 8) or the numbers {names}"
    )


def external_faults(key: str, trained: tuple[str, Mapping], other: tuple[str, Mapping]):
    """Yield why no class of a data set is known to the networks that are to be tested on it.

    Args:
        key: The config's key.
        trained: Name and entry of the data set that is trained on.
        other: Name and entry of the external one.
    """
    classes = [known_classes(entry) for _, entry in (trained, other) if "of" not in entry]
    if len(classes) == 2 and None not in classes and not set(classes[0]) & set(classes[1]):
        yield (
            f"{key}: received {other[0]!r} with the classes {list(classes[1])}, of which "
            f"{trained[0]} has none ({list(classes[0])}). Classes are matched by name; give both "
            "the same names with the key classes"
        )

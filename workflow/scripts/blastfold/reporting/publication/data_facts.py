"""What methods and checklists report of the images and their splits."""

from collections.abc import Iterator

from blastfold.core.names import REDRAW_SEEDS
from blastfold.datasets.accounting import describe_search
from blastfold.datasets.summary import compare_counts
from blastfold.reporting.publication.records import ExternalTest, Records, Split
from blastfold.reporting.publication.wording import count, listing, percent, sentence, size, span

UNITS = {"subject": "subjects", "picture": "pictures", "group": "leakage groups"}
"""What a protocol keeps on one side of a split, by its ``group_by``."""

QUOTED = "\N{LEFT DOUBLE QUOTATION MARK}{}\N{RIGHT DOUBLE QUOTATION MARK}"

NO_PATIENTS = "They contain no data of patients, so results on them do not apply to patients."
"""What must be said of generated images."""

SHARED = {
    "copy": "a copy",
    "subject": "their subject",
    "picture": "their picture",
    "parent": "the image they were made from",
}
"""What a test image may have in training, by the audit's name for it."""


PLURALS = {"copy": "copies", "subject": "subjects", "picture": "pictures", "parent": "originals"}


def data_sentences(records: Records) -> list[str]:
    """Describe the images of each data set that was imported: source, counts, subjects."""
    return [
        text
        for name, description in records.datasets.items()
        for text in _describe_dataset(records, name, description)
    ]


def exclusion_sentences(records: Records) -> list[str]:
    """Report how many files of each data set were rejected."""
    return [
        sentence(f"{records.title('dataset', name)}: {_rejection(description)}")
        for name, description in records.datasets.items()
    ]


def size_sentences(records: Records) -> list[str]:
    """Report how the images of each data set were resized for the networks."""
    return [
        sentence(f"{records.title('dataset', name)}: {_resizing(records, name, description)}")
        for name, description in records.datasets.items()
    ]


def split_sentences(records: Records) -> list[str]:
    """Describe each split that was assigned: kind, grouping, images of each role."""
    return [
        text
        for names, split in records.splits.items()
        for text in _describe_split(records, *names, split)
    ]


def disjointness_sentences(records: Records) -> list[str]:
    """Report what could not be on both sides of each split, and the findings of the audit."""
    return [
        sentence(f"{_place(records, *names)}: {text}")
        for names, split in records.splits.items()
        for text in (_grouping(records.config["protocols"][names[1]]), audit_finding(split))
        if text
    ]


def audit_finding(split: Split) -> str:
    """Report what the test images share with training images; empty without an audit."""
    if split.crossings is None:
        return ""
    found = [
        f"{crossing:,} ({percent(crossing / split.tested)}) had {SHARED.get(reason, reason)}"
        for reason, crossing in split.crossings.items()
        if crossing
    ]
    unknown = [PLURALS[reason] for reason, crossing in split.crossings.items() if crossing is None]
    text = (
        f"of {count(split.tested, 'test image')} of all folds, {listing(found)} "
        "among the training images"
    )
    if not found:
        looked = [
            SHARED.get(reason, reason)
            for reason, crossing in split.crossings.items()
            if crossing is not None
        ]
        text = (
            f"the audit before training found no test image with {' or '.join(looked)} among the "
            "training images"
        )
    if unknown:
        text += f"; whether {' or '.join(unknown)} are shared is unknown"
    return text


def positive_classes(records: Records) -> str:
    """Return the positive classes of the data sets, those of several where they differ."""
    names = dict.fromkeys(
        together([f"'{positive}'" for positive in positive_of(records, name)])
        for name in records.datasets
    )
    return listing(names) or "the last one of each data set"


def positive_of(records: Records, name: str) -> list[str]:
    """Return the positive classes of a data set: those of the config, or the last of two."""
    entry = records.config["datasets"][name]
    while "of" in entry and not entry.get("positive"):
        entry = records.config["datasets"][entry["of"]]
    named = entry.get("positive") or records.datasets[name]["classes"][-1:]
    return [named] if isinstance(named, str) else list(named)


def together(names: list[str]) -> str:
    """Return names of classes that are taken together, as they stand within a sentence."""
    return names[0] if len(names) == 1 else f"{listing(names)} together"


def several_classes(records: Records) -> list[str]:
    """Return the data sets with more than two classes."""
    return [name for name, data in records.datasets.items() if len(data["classes"]) > 2]


def _describe_dataset(records: Records, name: str, description: dict) -> Iterator[str]:
    title = records.title("dataset", name)
    counts = description["class_images"].items()
    classes = listing([f"{number:,} {class_name}" for class_name, number in counts])
    origin_format = records.origin(name)["format"]
    of_slides = origin_format == "tiles"
    generated = origin_format == "demo" or (of_slides and "demo" in records.config["slides"])
    what = "tiles of slides" if of_slides else "images of cells" if generated else "images"
    what = f"computer-generated {what}" if generated else what
    simulated = "simulated " if generated else ""
    origin = [
        count(description[kind], simulated + kind.removesuffix("s"))
        for kind in ("subjects", "pictures")
        if description.get(kind)
    ]
    known = f"of {listing(origin)}" if origin else "whose subjects are not known"
    subject = title if title[:1].isupper() else f"The data set {title}"
    yield f"{subject} comprised {description['images']:,} {what} ({classes}) {known}."
    if of_slides:
        yield _tiling(records.config["slides"])
    if description.get("derived"):
        yield sentence(description["derived"])
    if generated:
        yield NO_PATIENTS
    if differences := compare_counts(description, records.expected.get(name)):
        yield f"It is not the whole public data set: {'; '.join(differences)}."
    if description.get("rejected"):
        yield sentence(_rejection(description))
    if records.config["datasets"][name].get("remove_duplicates"):
        when = "they were augmented" if description.get("derived") else "any split"
        yield (
            "Of the images that show one cell by the duplicate audit, only the first was used; the "
            f"others were removed before {when}."
        )
    if description.get("photographs"):
        yield sentence(f"by their pixels, {describe_search(description['photographs'])}")
    yield sentence(_resizing(records, name, description))


def _tiling(settings: dict) -> str:
    unit = "µm" if settings["unit"] == "micrometres" else "pixels"
    side, overlap = f"{settings['tile_size']:g}", settings["overlap"]
    spaced = f", {overlap:g} {unit} of overlap," if overlap > 0 else ""
    scale = "the slides' finest level"
    if settings["mpp"]:
        scale = f"{settings['mpp']:g} µm per pixel"
    threshold = settings["tissue_threshold"]
    above = "Otsu's threshold" if threshold is None else f"{threshold}"
    left_out = [
        f"less than {100 * settings['minimum_tissue']:g} % tissue (saturation above {above})",
        f"more than {100 * settings['maximum_pen']:g} % pen marks",
    ]
    if settings["minimum_sharpness"]:
        left_out.append(f"a variance of the Laplacian below {settings['minimum_sharpness']:g}")
    return (
        f"Slides were cut into tiles of {side} \u00d7 {side} {unit}{spaced} at {scale}; tiles with "
        f"{', '.join(left_out[:-1])} or {left_out[-1]} were left out."
    )


def _rejection(description: dict) -> str:
    rejected = description.get("rejected") or 0
    files = count(rejected, "file was", "files were") if rejected else "no file was"
    return f"{files} rejected as unreadable or unfit"


def _resizing(records: Records, name: str, description: dict) -> str:
    target = size(*description["image_size"])
    sources = [tuple(source[:2]) for source in description.get("source_sizes", [])]
    crop = records.origin(name).get("crop")
    if crop:
        return f"a central crop of {size(*crop)} pixels was resized to {target} pixels"
    if set(sources) == {tuple(description["image_size"])}:
        return f"the images were used at their own size of {target} pixels"
    return f"the images were resized to {target} pixels"


def _describe_split(records: Records, dataset: str, protocol: str, split: Split) -> Iterator[str]:
    entry = records.config["protocols"][protocol]
    repeats = entry.get("repeats", 1)
    folds = len(split.counts) // repeats
    images = ", ".join(
        f"{span([roles[role] for roles in _folds(split)])} {name}"
        for role, name in (("train", "training"), ("validation", "validation"), ("test", "test"))
        if any(roles[role] for roles in _folds(split))
    ).rsplit(", ", 1)
    stratified = "stratified by class"
    if entry["group_by"] != "image":
        stratified += f" as far as whole {UNITS[entry['group_by']]} allow"
    kind = {
        "holdout": f"a single split, {stratified}",
        "kfold": f"{folds}-fold cross-validation, {stratified}",
        "leak_contrast": f"{folds}-fold cross-validation of one arm of a leak contrast",
        "predefined": f"the official parts of the data set, {count(folds, 'test part')}",
    }[entry["kind"]]
    if repeats > 1:
        kind += _repeated(entry)
    each = "" if folds * repeats == 1 else " in each fold"
    yield f"{_place(records, dataset, protocol)}: {kind}, with {' and '.join(images)} images{each}."
    yield sentence(_grouping(entry))
    if any(roles["validation"] for roles in _folds(split)):
        if entry.get("validation_group_by") == "image" and entry["group_by"] != "image":
            yield "The validation images alone were drawn image by image from what was not tested."
    else:
        yield "There were no validation images."
    if finding := audit_finding(split):
        yield sentence(finding)


def _repeated(entry: dict) -> str:
    """Return how often a split was repeated, and what differs between the repeats."""
    differing = "with other folds and other seeds"
    if entry["redraw"] == REDRAW_SEEDS:
        differing = "with the same folds and other seeds"
    elif entry["kind"] == "predefined":
        differing = "with the same test parts, other validation images and other seeds"
        if "validation_parts" in entry or not entry["validation_fraction"]:
            differing = "with the same parts and other seeds"
    return f", {entry['repeats']} times {differing}"


def _grouping(entry: dict) -> str:
    if entry["kind"] == "predefined":
        return "training and test images are of different official parts"
    if entry.get("arm") == "with":
        leaked = "copies of the tested images"
        if entry["leak"] == "subject":
            leaked = f"other images of the tested {UNITS[entry['group_by']]}"
        return f"{leaked} were learnt on purpose, to measure the effect of this leak"
    if entry["group_by"] == "image":
        return "the split was made image by image, so that it keeps no subject on one side"
    text = f"{UNITS[entry['group_by']]} were kept whole: none had images in both training and test"
    if entry["group_by"] == "group":
        return f"{text} (a group takes subject, picture, original and copies together)"
    return text


def _folds(split: Split) -> list[dict[str, int]]:
    return list(split.counts.values())


def _place(records: Records, dataset: str, protocol: str) -> str:
    titles = records.title("dataset", dataset), records.title("protocol", protocol)
    return f"{titles[0]}, protocol {QUOTED.format(titles[1])}"


def predicted_images(size: int | None, test: ExternalTest) -> tuple[str, list[str]]:
    """Return which images of another data set were predicted, and sentences on missing classes.

    Args:
        size: Its number of images; None where it is unknown.
        test: A test on it.
    """
    left_out, sentences = sum(test.left_out.values()), []
    images = f"all {count(size, 'image')}" if size else "all images"
    if left_out:
        images = (
            f"{size - left_out} of the {size} images" if size else "the images of known classes"
        )
        names = listing(f"{name} ({images})" for name, images in test.left_out.items())
        sentences.append(f"Images of classes that the networks do not know were left out: {names}.")
    if test.absent:
        classes = "class" if len(test.absent) == 1 else "classes"
        sentences.append(f"No image was of the {classes} {listing(test.absent)}.")
    return images, sentences

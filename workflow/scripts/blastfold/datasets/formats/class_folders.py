"""Which folders of a data set are classes, and which of them labels an image."""

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from blastfold.core.names import PART_WORDS
from blastfold.datasets.accounting import shorten
from blastfold.datasets.formats.common import folded

if TYPE_CHECKING:
    from blastfold.datasets.formats.folder import Source

PLACES = (
    *("slide", "smear", "image", "img", "photo", "picture", "field", "tile", "crop", "cell"),
    *("data", "scan", "series", "visit", "day", "original", "raw", "png", "jpg", "tif", "bmp"),
)
"""How folders begin that hold images without naming a kind of cell."""


class Place(NamedTuple):
    """Where an image is.

    Attributes:
        label: Its label; None at the top of the data set, without a class folder.
        folder: Its class folder, relative to the data set's; empty for none.
        part: Its official part; empty for none.
        unknown: The folder or class that should be a class and is not; empty for none.
    """

    label: int | None
    folder: str
    part: str
    unknown: str


class ClassFolders:
    """The folders of a data set that are classes.

    Args:
        source: The files of the data set.
        images: Its images.
    """

    def __init__(self, source: "Source", images: list[str]):
        self.source = source
        self.words = _class_words(source, images)
        self.containing = _containing_classes(self.words, images)
        self.kinds = set() if source.names_class else _kinds_below_classes(self.words, images)
        self.nested = 0
        self.below: Counter = Counter()
        self.images_below = 0

    def look_up(self, file: str) -> Place:
        """Return label, class folder and part of an image."""
        folders = PurePosixPath(file).parts[:-1]
        place, label = class_place(folders, self.words, self.containing)
        if folders and folded(folders[-1]) in self.kinds:
            place, label = None, None
        pattern = self.source.pattern
        named = (pattern.read(file) if pattern else None) or {}
        class_name = named.get("class", "")
        if class_name:
            label = self.source.labels.get(folded(class_name))
        unknown = (class_name or folders[-1]) if label is None and (class_name or folders) else ""
        folder = "" if place is None else "/".join(folders[: place + 1])
        if place is not None and not unknown:
            self._count(folders, place, label)
        return Place(label, folder, named.get("part") or _part_of(folders, self.words), unknown)

    def _count(self, folders: tuple[str, ...], place: int, label: int) -> None:
        outer = [folded(name) for name in folders[:place]]
        self.nested += any(self.words.get(name, label) != label for name in outer)
        words = [name for name in folders[place + 1 :] if _is_word(name)]
        if words and not self.source.names_class:
            self.below.update(words)
            self.images_below += 1

    def note_doubts(self) -> None:
        """Note classes within classes, and folders within a class that are no classes."""
        if self.nested:
            self.source.listing.doubt("nested_class_folders", images=self.nested)
        if self.below:
            names = shorten(sorted(self.below))
            self.source.listing.doubt(
                "folders_below_classes", images=self.images_below, names=names
            )


def folder_classes(source: "Source", images: list[str]) -> list[str]:
    """Return the classes of images where the config names none, of those that have one.

    A class is what the pattern reads, or the outermost folder that differs between images and is
    no official part.
    """
    if source.names_class:
        return [(source.pattern.read(file) or {}).get("class", "") for file in images]
    paths = [
        [name for name in PurePosixPath(file).parts[:-1] if folded(name) not in PART_WORDS]
        for file in images
    ]
    place = 0
    while len({folded(path[place]) if len(path) > place else "" for path in paths}) == 1:
        if any(len(path) <= place for path in paths):
            break
        place += 1
    return [path[place] for path in paths if len(path) > place]


def _class_words(source: "Source", images: list[str]) -> Mapping[str, int]:
    """Return the names of class folders; 0 and 1 only where no folder has another class name."""
    named = any(
        folded(folder) in source.words
        for file in images
        for folder in PurePosixPath(file).parts[:-1]
    )
    return source.words if named else source.labels


def _containing_classes(words: Mapping[str, int], images: list[str]) -> set[tuple[str, ...]]:
    """Return the class folders with another class folder in them: their names are no labels."""
    containing = set()
    for file in images:
        folders = PurePosixPath(file).parts[:-1]
        places = [place for place, name in enumerate(folders) if folded(name) in words]
        containing |= {folders[: place + 1] for place in places[:-1]}
    return containing


def class_place(
    folders: tuple[str, ...], words: Mapping[str, int], containing: set
) -> tuple[int | None, int | None]:
    """Return which folder of a path is its class folder, and the label; None where none is."""
    for place in reversed(range(len(folders))):
        if folded(folders[place]) in words:
            nearest = place == len(folders) - 1
            if nearest or folders[: place + 1] not in containing:
                return place, words[folded(folders[place])]
            return None, None
    return None, None


def _kinds_below_classes(words: Mapping[str, int], images: list[str]) -> set[str]:
    """Return names of folders that divide the images of several subjects of a class into kinds.

    ``leukemia/<patient>/neutrophil`` of two patients: the distant parent is a diagnosis, and what
    the folder holds is another kind of cell. A folder that appears once may be a subject's name.
    """
    parents: dict[str, set] = {}
    for file in images:
        folders = PurePosixPath(file).parts[:-1]
        places = [place for place, name in enumerate(folders) if folded(name) in words]
        if places and len(folders) - places[-1] > 2 and _is_kind(folders[-1]):
            parents.setdefault(folded(folders[-1]), set()).add(folders[:-1])
    return {name for name, found in parents.items() if len(found) > 1}


def _is_kind(name: str) -> bool:
    return _is_word(name) and not folded(name).startswith(PLACES)


def _part_of(folders: tuple[str, ...], words: Mapping[str, int]) -> str:
    names = (folded(name) for name in folders)
    return next((name for name in names if name in PART_WORDS and name not in words), "")


def _is_word(name: str) -> bool:
    """Whether a folder is named by words alone: numbered folders are subjects or slides."""
    return not any(map(str.isdigit, name)) and folded(name) not in PART_WORDS

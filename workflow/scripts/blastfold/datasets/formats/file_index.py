"""Find the files that sheets and annotations name, in the spellings that occur."""

import os
import unicodedata
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath

from blastfold.core.errors import InputError
from blastfold.core.files import is_file
from blastfold.datasets.formats.common import IMAGE, kind_of_file


class FileIndex:
    """The files of a data set by path, name and name without ending.

    Args:
        root: The data set's folder.
        files: Its files, relative to it.
    """

    def __init__(self, root: Path, files: Iterable[str]):
        self.root = root
        self.files = list(files)

    @cached_property
    def _images(self) -> list[str]:
        return [file for file in self.files if kind_of_file(self.root, file)[0] == IMAGE]

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        names: dict[str, list[str]] = {}
        for file in self._images:
            path = PurePosixPath(unicodedata.normalize("NFC", file))
            for name in {path.name, path.stem}:
                names.setdefault(name, []).append(file)
        return names

    @cached_property
    def _listed(self) -> dict[str, str]:
        """The files by their names, and by these with all accents written in one way."""
        composed = {unicodedata.normalize("NFC", file): file for file in reversed(self.files)}
        return composed | {file: file for file in self.files}

    @cached_property
    def _places(self) -> dict[str, str]:
        """The files by the place where they are, links resolved."""
        return {os.path.realpath(self.root / file): file for file in reversed(self.files)}

    def find(self, path: str) -> str | None:
        """Find a file by its path, also with other accents or backslashes.

        The path may be absolute or lead through links and ``..``. Returned is the name under which
        the data set lists the file; None for a file that it does not list, because it is outside
        the folder or hidden: nobody would see that such a file has changed.
        """
        spellings = [path, path.strip(), path.strip().replace("\\", "/")]
        spellings += [unicodedata.normalize(form, spellings[-1]) for form in ("NFC", "NFD")]
        found = (self._listed_name(name) for name in dict.fromkeys(spellings) if name)
        return next(filter(None, found), None)

    def _listed_name(self, name: str) -> str | None:
        if name in self._listed:
            return self._listed[name]
        path = self.root / name
        return self._places.get(os.path.realpath(path)) if is_file(path) else None

    def find_image(self, name: str) -> str | None:
        """Find an image by its path, or by its name with or without ending in any folder.

        Raises:
            InputError: Several images have this name.
        """
        if found := self.find(name):
            return found
        wanted = unicodedata.normalize("NFC", name.strip().replace("\\", "/"))
        files = self._names.get(PurePosixPath(wanted).name, []) if wanted else []
        if not files and wanted:
            files = self._names.get(PurePosixPath(wanted).stem, [])
        if "/" in wanted and len(files) > 1:
            files = [file for file in files if file.endswith(wanted)] or files
        if len(files) > 1:
            raise InputError(
                f"'{self.root}': the name {name!r} fits '{files[0]}' and '{files[1]}'. Give the "
                "path of the file"
            )
        return files[0] if files else None

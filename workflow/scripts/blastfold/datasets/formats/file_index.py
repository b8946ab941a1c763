"""Find the files that sheets and annotations name, in the spellings that occur."""

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

    def find(self, path: str) -> str | None:
        """Find a file by its path, also with other accents or backslashes."""
        spellings = [path, path.strip(), path.strip().replace("\\", "/")]
        spellings += [unicodedata.normalize(form, spellings[-1]) for form in ("NFC", "NFD")]
        found = (name for name in spellings if name and is_file(self.root / name))
        return next(found, None)

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

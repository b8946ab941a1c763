"""The base of all settings: frozen dataclasses that are read from plain values and written so."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from blastfold.core.errors import InputError
from blastfold.core.files import digest_settings


@dataclasses.dataclass(frozen=True)
class Settings:
    """Base of all settings: read from plain values, written as plain values."""

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """Make settings from plain values, for instance from the config or from ``run.json``.

        Raises:
            InputError: Names the keys that are missing and those that are not known.
        """
        expected = [field.name for field in dataclasses.fields(cls)]
        missing = [name for name in expected if name not in values]
        unknown = [name for name in values if name not in expected]
        if missing or unknown:
            raise InputError(
                f"{cls.__name__}: missing keys {missing}, unknown keys {unknown}; expected "
                f"{', '.join(expected)}"
            )
        return cls(**values)

    def plain(self) -> dict[str, Any]:
        """Return the settings as values that JSON can hold."""
        return dataclasses.asdict(self)

    def digest(self) -> str:
        """Return the SHA-256 of the settings."""
        return digest_settings(self.plain())

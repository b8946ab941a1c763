"""What a format adapter finds in a folder: images, ignored files, and what looks like a mistake."""

import dataclasses

import pandas as pd


@dataclasses.dataclass
class Listing:
    """The files of a data set before they are decoded.

    Attributes:
        records: See :func:`blastfold.datasets.formats.list_records`.
        ignored: File -> the rule by which it is not imported, see
            :data:`blastfold.datasets.accounting.RULES`.
        odd: What looks like a mistake: ``code`` of :data:`blastfold.datasets.accounting.ODD` with
            its values.
        classes: Names of the classes in the order of the labels; empty for those of the format.
    """

    records: pd.DataFrame
    ignored: dict[str, str] = dataclasses.field(default_factory=dict)
    odd: list[dict] = dataclasses.field(default_factory=list)
    classes: tuple[str, ...] = ()

    def doubt(self, code: str, **values: object) -> None:
        """Add something that looks like a mistake."""
        self.odd.append({"code": code, **values})

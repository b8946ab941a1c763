"""Patterns of paths: globs that choose files, and templates that read facts from their names.

In both, ``*`` matches any part of one name, ``?`` one character and ``**`` any number of folders.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from blastfold.core.errors import InputError

FIELDS = ("subject", "picture", "part", "class")
"""What a template can read from a path."""

_TOKEN = re.compile(
    r"\{(?P<field>[^{}]*)\}|(?P<folders>(?:\*\*/)+)|(?P<any>\*\*+)|(?P<some>\*)|(?P<one>\?)"
)


class IgnoreRules:
    """Globs of files, folders or labels to leave out.

    Args:
        globs: A glob with a slash is compared with the whole path, one without it with the name of
            the file and of every folder above it.
    """

    def __init__(self, globs: Iterable[str] | None):
        self.globs = tuple(globs or ())
        self._expressions = {glob: re.compile(_translate(glob.rstrip("/"))) for glob in self.globs}
        self.used: set[str] = set()

    def rule_for(self, file: str) -> str:
        """Return the first glob that leaves out a file; empty for none."""
        for glob, expression in self._expressions.items():
            names = file.split("/")
            if "/" in glob.rstrip("/"):
                # A glob of a folder covers what is in it.
                names = ["/".join(names[: last + 1]) for last in range(len(names))]
            if any(expression.fullmatch(name) for name in names):
                self.used.add(glob)
                return glob
        return ""

    def unused(self) -> list[str]:
        """Return the globs that no file was left out by."""
        return [glob for glob in self.globs if glob not in self.used]


class PathPattern:
    """A template of paths such as ``{class}/{subject}_{picture}_*.png``, or a regular expression.

    A template is compared with the end of the path: one without a slash with the file's name. It
    may leave out the ending. A field matches as few characters as possible; a field that appears
    again must match the same text. A text with ``(?P<`` is a regular expression, which is searched
    in the path.

    Args:
        pattern: The template or regular expression.
        classes: Names of classes. Where a template fits in several ways, its field ``class`` is one
            of these.

    Raises:
        InputError: It has an unknown field, no field, or is no regular expression.
    """

    def __init__(self, pattern: str, classes: Iterable[str] = ()):
        self.pattern = pattern
        self._searches = "(?P<" in pattern
        names = "|".join(map(re.escape, classes))
        try:
            expression = pattern if self._searches else _template(pattern)
            self._expression = re.compile(expression, 0 if self._searches else re.IGNORECASE)
            strict = expression.replace("(?P<class>[^/]+?)", f"(?P<class>{names})", bool(names))
            self._strict = re.compile(strict, self._expression.flags)
        except re.error as error:
            raise InputError(
                f"pattern: received {pattern!r}, which is no regular expression ({error}). "
                f"Expected a template such as '{{class}}/{{subject}}_*.png' or a regular expression"
            ) from None
        self.fields = tuple(self._expression.groupindex)
        unknown = [field for field in self.fields if field not in FIELDS]
        if unknown or not self.fields:
            raise InputError(
                f"pattern: received {pattern!r} with the fields {unknown or 'none'}; expected some "
                f"of {', '.join(FIELDS)}, each in braces, and * for everything else"
            )

    def read(self, file: str) -> Mapping[str, str] | None:
        """Read the fields from a path relative to the data set's folder; None where it differs.

        A picture's number counts within its subject, and is returned with it.
        """
        if self._searches:
            match = self._expression.search(file)
        else:
            match = self._strict.fullmatch(file) or self._expression.fullmatch(file)
        if match is None:
            return None
        found = {field: (text or "").strip() for field, text in match.groupdict().items()}
        subject, picture = found.get("subject"), found.get("picture")
        if subject and picture and not picture.startswith(f"{subject}_"):
            found["picture"] = f"{subject}_{picture}"
        return found


def _translate(glob: str, known: set[str] | None = None) -> str:
    """Return the regular expression of a glob, or of a template where ``known`` collects fields."""
    pieces, end = [], 0
    for match in _TOKEN.finditer(glob):
        pieces += _literal(glob[end : match.start()])
        end = match.end()
        if match.lastgroup == "field" and known is None:
            pieces += _literal(match[0])
        elif match.lastgroup == "field":
            pieces.append(_field(match["field"], known))
        else:
            pieces.append(_WILD[match.lastgroup])
    pieces += _literal(glob[end:])
    return _without_backtracking(pieces)


class _Piece(NamedTuple):
    """A piece of a regular expression.

    Attributes:
        text: The expression.
        kind: ``fixed`` for one character, ``wild`` for any text within one name, ``bound`` for what
            must be tried in every way.
    """

    text: str
    kind: str


_WILD = {
    "folders": _Piece("(?:.*/)?", "bound"),
    "any": _Piece(".*?", "bound"),
    "some": _Piece("[^/]*?", "wild"),
    "one": _Piece("[^/]", "fixed"),
}


def _literal(text: str) -> list[_Piece]:
    return [_Piece(re.escape(sign), "bound" if sign == "/" else "fixed") for sign in text]


def _field(name: str, known: set[str]) -> _Piece:
    if name in known:
        return _Piece(f"(?P={name})", "bound")
    if name not in FIELDS:
        raise InputError(
            f"pattern: received the field {{{name}}}; expected {{{'}, {'.join(FIELDS)}}}, and * "
            "for everything else"
        )
    known.add(name)
    # Where a template fits in several ways, the class decides which of them is right.
    return _Piece(f"(?P<{name}>[^/]+?)", "bound" if name == "class" else "wild")


def _without_backtracking(pieces: Sequence[_Piece]) -> str:
    """Join pieces so that a long name takes no longer than its length times the pieces.

    Any text up to a fixed one ends at the first place where the fixed one follows, if any text
    follows that as well: what fits from a later place fits from an earlier one. An atomic group
    keeps the expression from trying all others. Python's ``fnmatch`` does the same. Text that is
    compared again (``{subject}/{subject}_*``) must be tried in every way.
    """
    if any(piece.text.startswith("(?P=") for piece in pieces):
        return "".join(piece.text for piece in pieces)
    parts: list[str] = []
    start = None
    for piece in pieces:
        if piece.kind == "wild" and start is not None:
            parts[start:] = ["(?>", *parts[start:], ")"]
        if piece.kind != "fixed":
            start = len(parts) if piece.kind == "wild" else None
        parts.append(piece.text)
    return "".join(parts)


def _template(template: str) -> str:
    return rf"(?:.*?/)??{_translate(template, set())}(?:\.[^./]*)?"

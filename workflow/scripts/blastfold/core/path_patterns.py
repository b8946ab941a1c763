"""Patterns of paths: globs that choose files, and templates that read facts from their names.

In both, ``*`` matches any part of one name, ``?`` one character and ``**`` any number of folders.
"""

import re
from collections.abc import Iterable, Mapping

from blastfold.core.errors import InputError

FIELDS = ("subject", "picture", "part", "class")
"""What a template can read from a path."""

_TOKEN = re.compile(
    r"\{(?P<field>[^{}]*)\}|(?P<folders>\*\*/)|(?P<any>\*\*)|(?P<some>\*)|(?P<one>\?)"
)
_TOKENS = {"folders": "(?:.*/)?", "any": ".*?", "some": "[^/]*?", "one": "[^/]"}


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
    parts, end = [], 0
    for match in _TOKEN.finditer(glob):
        parts.append(re.escape(glob[end : match.start()]))
        end = match.end()
        if match.lastgroup != "field":
            parts.append(_TOKENS[match.lastgroup])
        elif known is None:
            parts.append(re.escape(match[0]))
        else:
            parts.append(_field(match["field"], known))
    return "".join([*parts, re.escape(glob[end:])])


def _field(name: str, known: set[str]) -> str:
    if name in known:
        return f"(?P={name})"
    if name not in FIELDS:
        raise InputError(
            f"pattern: received the field {{{name}}}; expected {{{'}, {'.join(FIELDS)}}}, and * "
            "for everything else"
        )
    known.add(name)
    return f"(?P<{name}>[^/]+?)"


def _template(template: str) -> str:
    return rf"(?:.*?/)??{_translate(template, set())}(?:\.[^./]*)?"

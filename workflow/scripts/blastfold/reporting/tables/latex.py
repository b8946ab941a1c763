"""One printed table as LaTeX (booktabs) that stays upright and readable.

A table that is wider than the page is set in parts below each other, each with the columns that
name its rows; long texts break within their cell. Nothing is turned, and nothing is made so small
that it cannot be read.
"""

import re
import textwrap
from collections.abc import Sequence

LONGEST = 55
"""Printed lines of the longest table that fits on a page; a longer one breaks across pages."""

NOTE_WIDTH = 110
"""Characters in a line of a caption or of a note."""

HEAD_LINES = 4
"""What the rules and the heading of a part, and the space above it, take in lines."""

PAGE_WIDTH = 112
"""Characters in a line of the page at the size of tables; a column costs two more."""

CELL_WIDTH, CHARACTER = 30, 1.5
"""Characters after which the text of a cell breaks, and the width of one in mm."""

MOST_KEYS = 3
"""Columns that name the rows, at most; they are repeated in every part."""

MINUS = "\N{MINUS SIGN}"

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    MINUS: "$-$",
    "\n": " ",
    "\t": " ",
}

Cell = tuple[str, str]


def escape_latex(text: str) -> str:
    """Escape text for LaTeX; letters beyond ASCII stay as they are (UTF-8).

    After a line break or a rule LaTeX takes ``[`` and ``*`` for arguments, so that text never
    begins with them.
    """
    escaped = "".join(_LATEX.get(character, character) for character in text)
    return "{}" + escaped if escaped.lstrip().startswith(("[", "*")) else escaped


def latex_table(
    headings: Sequence[str],
    numeric: Sequence[bool],
    rows: Sequence[Sequence[Cell]],
    notes: dict[str, str],
    caption: str,
    label: str,
) -> str:
    """Return a LaTeX table; it needs the packages booktabs, graphicx and longtable.

    Args:
        headings: Headings of the columns.
        numeric: Whether each column is set to the right.
        rows: Cells, each a pair of its text and the letter of its note (empty for none).
        notes: Notes by letter.
        caption: Caption in plain text.
        label: LaTeX label.
    """
    title = [
        rf"\caption{{{escape_latex(caption)}}}",
        rf"\label{{{re.sub(r'[^A-Za-z0-9:.-]+', '-', label)}}}",
    ]
    below = [
        rf"\par\vspace{{2pt}}{{\footnotesize $^{{{letter}}}$ {escape_latex(note)}\par}}"
        for letter, note in notes.items()
    ]
    widths = [
        max(_width(headings[place], wrapped=True), *(_width(row[place][0]) for row in rows), 1)
        for place in range(len(headings))
    ]
    parts = [_part(chosen, headings, numeric, rows, widths) for chosen in _parts(widths, numeric)]
    around = sum(-(-len(text) // NOTE_WIDTH) for text in (caption, *notes.values()))
    printed = around + sum(part["lines"] + HEAD_LINES for part in parts)
    arrange = _long if printed > LONGEST else _floating
    lines = arrange(parts, title, below)
    return "\n".join([r"% Needs \usepackage{booktabs,graphicx,longtable}.", *lines, ""])


def _width(text: str, wrapped: bool = False) -> int:
    longest = max(map(len, textwrap.wrap(text, 12)), default=1) if wrapped else len(text)
    return min(longest, CELL_WIDTH)


def _parts(widths: Sequence[int], numeric: Sequence[bool]) -> list[list[int]]:
    """Divide columns into parts that fit the page, each with the columns that name the rows."""
    costs = [width + 2 for width in widths]
    everything = list(range(len(widths)))
    if sum(costs) <= PAGE_WIDTH:
        return [everything]
    first_number = next((place for place in everything if numeric[place]), len(widths))
    keys = everything[: max(1, min(first_number, MOST_KEYS))]
    parts, used = [[*keys]], sum(costs[key] for key in keys)
    start = used
    for place in everything[len(keys) :]:
        if used + costs[place] > PAGE_WIDTH and len(parts[-1]) > len(keys):
            parts.append([*keys])
            used = start
        parts[-1].append(place)
        used += costs[place]
    return parts


def _part(
    chosen: Sequence[int],
    headings: Sequence[str],
    numeric: Sequence[bool],
    rows: Sequence[Sequence[Cell]],
    widths: Sequence[int],
) -> dict:
    sides = ["r" if numeric[place] else "l" for place in chosen]
    columns, breaking = list(sides), []
    for order, place in enumerate(chosen):
        if widths[place] >= CELL_WIDTH and any(len(row[place][0]) > CELL_WIDTH for row in rows):
            columns[order] = rf"p{{{CELL_WIDTH * CHARACTER:g}mm}}"
            breaking.append(place)
    heading = " & ".join(
        _heading(headings[place], side) for place, side in zip(chosen, sides, strict=True)
    )
    return {
        "columns": "".join(columns),
        "heading": heading + r" \\",
        "lines": sum(
            max([1, *(-(-len(row[place][0]) // CELL_WIDTH) for place in breaking)]) for row in rows
        ),
        "rows": [" & ".join(_cell(row[place]) for place in chosen) + r" \\" for row in rows],
    }


def _floating(parts: Sequence[dict], title: list[str], below: list[str]) -> list[str]:
    lines = [r"\begin{table}[htbp]", r"\centering\footnotesize\setlength{\tabcolsep}{4pt}", *title]
    for place, part in enumerate(parts):
        lines += [
            *([r"\par\medskip"] if place else []),
            # Widths are counted in letters: a table of wide ones is made a little smaller.
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{part['columns']}}}",
            r"\toprule",
            part["heading"],
            r"\midrule",
            *part["rows"],
            r"\bottomrule",
            r"\end{tabular}}",
        ]
    return [*lines, *below, r"\end{table}"]


def _long(parts: Sequence[dict], title: list[str], below: list[str]) -> list[str]:
    lines = [r"\begingroup\scriptsize\setlength{\tabcolsep}{3pt}"]
    for place, part in enumerate(parts):
        head = [r"\toprule", part["heading"], r"\midrule"]
        lines += [
            rf"\begin{{longtable}}{{{part['columns']}}}",
            *([*title, r"\\"] if place == 0 else []),
            *head,
            r"\endfirsthead",
            *head,
            r"\endhead",
            r"\bottomrule",
            r"\endfoot",
            *part["rows"],
            r"\end{longtable}",
        ]
    return [*lines, *below, r"\endgroup"]


def _heading(heading: str, side: str) -> str:
    lines = [escape_latex(line) for line in textwrap.wrap(heading, 12)]
    stacked = r"\\".join(lines)
    return stacked if len(lines) == 1 else rf"\shortstack[{side}]{{{stacked}}}"


def _cell(cell: Cell) -> str:
    text, letter = cell
    return escape_latex(text) + (f"$^{{{letter}}}$" if letter else "")

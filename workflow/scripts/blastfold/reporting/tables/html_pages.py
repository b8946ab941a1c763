"""One printed table as an HTML page that any browser opens, from nothing but Python.

It is shown in Snakemake's report, where a TSV file would be a download, and is linked by the page
of results. Nothing on it comes from elsewhere; it follows dark and light.
"""

import html
from collections.abc import Mapping, Sequence

STYLE = (
    ":root { color-scheme: light dark; --line: #8886; } "
    "body { margin: 1rem; font: 15px/1.45 system-ui, sans-serif; } "
    "p { max-width: 60rem; margin: 0 0 .6rem; } "
    ".scroll { overflow-x: auto; } "
    "table { border-collapse: collapse; font-variant-numeric: tabular-nums; } "
    "th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: left; } "
    "th { vertical-align: bottom; } td { white-space: nowrap; } .number { text-align: right; } "
    ".note { font-size: .85rem; margin: .2rem 0; opacity: .8; }"
)


def html_page(
    caption: str,
    headings: Sequence[str],
    numeric: Sequence[bool],
    rows: Sequence[Sequence[tuple[str, str]]],
    notes: Mapping[str, str],
) -> str:
    """Return a page with one table.

    Args:
        caption: Caption in plain text, which is also the title of the page.
        headings: Headings of the columns.
        numeric: Whether each column is set to the right.
        rows: Cells, each a pair of its text and the letter of its note (empty for none).
        notes: Notes by letter.
    """
    sides = [' class="number"' if right else "" for right in numeric]
    head = "".join(
        f'<th scope="col"{side}>{html.escape(text)}</th>'
        for text, side in zip(headings, sides, strict=True)
    )
    body = "\n".join(f"<tr>{_cells(row, sides)}</tr>" for row in rows)
    below = [
        f'<p class="note"><sup>{letter}</sup> {html.escape(note)}</p>'
        for letter, note in notes.items()
    ]
    title = html.escape(caption.partition(". ")[0].rstrip("."))
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
            f"<p>{html.escape(caption)}</p>",
            f'<div class="scroll" role="region" tabindex="0" aria-label="{title}">',
            f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>",
            *below,
            "</body>\n</html>\n",
        ]
    )


def _cells(row: Sequence[tuple[str, str]], sides: Sequence[str]) -> str:
    return "".join(
        f"<td{side}>{html.escape(text)}{f'<sup>{letter}</sup>' if letter else ''}</td>"
        for (text, letter), side in zip(row, sides, strict=True)
    )

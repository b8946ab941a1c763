"""Letters beyond those of pdfLaTeX: what it prints for them, and the engines that have them."""

import re
import unicodedata
from typing import NamedTuple

KNOWN_TO_PDFLATEX = re.compile(
    "[\\x00-\\x7f\u00a1-\u0148\u014a-\u017e\u2013\u2014\u2018-\u201a\u201c-\u201e\u2026\u20ac]"
)
"""Latin letters, dashes, quotation marks, the ellipsis."""

SIGNS = {
    **{"\N{MINUS SIGN}": "-", "≤": r"\leq", "≥": r"\geq", "≈": r"\approx", "≠": r"\neq"},
    **{"→": r"\rightarrow", "←": r"\leftarrow", "∞": r"\infty", "\N{PRIME}": r"{}^{\prime}"},
}
"""What mathematics calls them."""

LIKE_LATIN = {
    **{"ALPHA": "A", "BETA": "B", "EPSILON": "E", "ZETA": "Z", "ETA": "H", "IOTA": "I"},
    **{"KAPPA": "K", "MU": "M", "NU": "N", "OMICRON": "O", "RHO": "P", "TAU": "T", "CHI": "X"},
}
"""Greek capitals that look like Latin ones and have no name in mathematics."""

FONTS = ("CMU Serif", "Noto Serif", "DejaVu Serif")
"""Fonts with Greek and Cyrillic letters, in the order of preference."""


class Letters(NamedTuple):
    """Parts of a preamble.

    Attributes:
        letters: What pdfLaTeX prints for letters that its fonts lack.
        note: Comment that names the engines to use; empty where pdfLaTeX prints all letters.
        font: The font of the other engines, whose own font has Latin letters alone.
    """

    letters: str
    note: str
    font: str


def letters_for(text: str) -> Letters:
    """Return what a preamble needs for the letters of a text.

    Mathematics has Greek letters and some signs; of the others pdfLaTeX prints the numbers. A
    letter that is not declared would stop it.
    """
    unknown = sorted({letter for letter in text if not KNOWN_TO_PDFLATEX.match(letter)})
    printed = {letter: in_latex(letter) for letter in unknown}
    letters = "".join(
        rf"\DeclareUnicodeCharacter{{{ord(letter):04X}}}{{{latex or f'[U+{ord(letter):04X}]'}}}"
        "\n"
        for letter, latex in printed.items()
    )
    numbered = [letter for letter, latex in printed.items() if not latex]
    note = ""
    if numbered:
        note = (
            f"% pdfLaTeX prints the numbers of letters that it lacks ({' '.join(numbered[:10])}): "
            "compile with LuaLaTeX\n% or XeLaTeX, and choose a font that has them with "
            "\\setmainfont.\n"
        )
    font = ""
    for name in reversed(FONTS if unknown else ()):
        font = rf"\IfFontExistsTF{{{name}}}{{\setmainfont{{{name}}}}}{{{font}}}"
    return Letters(letters, note, f"{font}\n" if font else "")


def in_latex(letter: str) -> str:
    """Return LaTeX of a Greek letter, a sign, or a raised or lowered one; empty for others."""
    if letter in SIGNS:
        return rf"\ensuremath{{{SIGNS[letter]}}}"
    kind, _, base = unicodedata.decomposition(letter).partition(" ")
    raised = {"<super>": "textsuperscript", "<sub>": "textsubscript"}.get(kind)
    if raised and base in ("2212", *(f"{code:04X}" for code in range(0x20, 0x7F))):
        sign = "-" if base == "2212" else chr(int(base, 16))
        return rf"\{raised}{{{sign}}}"
    found = re.fullmatch(
        r"GREEK (CAPITAL|SMALL) LETTER (FINAL )?([A-Z]+)", unicodedata.name(letter, "")
    )
    if not found:
        return ""
    capital, final, name = found[1] == "CAPITAL", found[2], found[3].replace("LAMDA", "LAMBDA")
    if name == "OMICRON" or (capital and name in LIKE_LATIN):
        return LIKE_LATIN[name] if capital else "o"
    if final:
        return r"\ensuremath{\varsigma}"
    return rf"\ensuremath{{\{name.capitalize() if capital else name.lower()}}}"

"""Look for phrases of words.txt in the text of the repository, as part of `make lint`.

Prints file:line: phrase -> what to write instead, and exits with 1 where it finds any.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORDS = Path(__file__).with_name("words.txt")
SUFFIXES = {".py", ".smk", ".md", ".yaml", ".rst", ".tsv", ".in", ".toml", ".sh", ".cff"}
NAMES = {"Makefile", "Snakefile", "run"}
# The names of tests are sentences.
TEST_NAME = re.compile(r"(?<=def )test_\w+")
# White space, a line break in a comment, or the gap between two parts of a string.
GAP = r"""(?:\s+#?\s*|\s*["']\s*f?["']\s*)"""


def phrases() -> list[tuple[re.Pattern, str]]:
    """Read the patterns with what to write instead."""
    read = []
    for line in WORDS.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern, better = line.split(" -> ")
            gapped = pattern.replace(" ", GAP)
            read.append((re.compile(rf"\b(?:{gapped})\b", re.IGNORECASE), better))
    return read


def files(arguments: list[str]) -> list[Path]:
    """List the files under git that hold text for people."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *arguments],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    paths = [ROOT / name for name in listed if name]
    return [
        path
        for path in paths
        if (path.suffix in SUFFIXES or path.name in NAMES) and path != Path(__file__)
    ]


def main() -> None:
    """Print every phrase that is found."""
    wanted = phrases()
    found = 0
    for path in files(sys.argv[1:]):
        text = TEST_NAME.sub(lambda name: name.group().replace("_", " "), path.read_text("utf-8"))
        for pattern, better in wanted:
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                phrase = " ".join(match.group().split())
                print(f"{path.relative_to(ROOT)}:{line}: '{phrase}' -> {better}")
                found += 1
    if found:
        sys.exit(f"{found} phrases of {WORDS.relative_to(ROOT)} were found.")


if __name__ == "__main__":
    main()

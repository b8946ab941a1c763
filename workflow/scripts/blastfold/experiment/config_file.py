"""Config files as they are written: what is lost before a config is checked.

Snakemake reads config files by itself. It takes the last of two equal keys without a word and
cannot read text that is not UTF-8.
"""

import codecs
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from blastfold.core.errors import BlastfoldError, InputError

MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
"""Encodings by the first bytes of a file; the longer mark comes first."""

MERGE = "tag:yaml.org,2002:merge"

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_config_file(path: str | Path) -> dict:
    """Read a config file strictly.

    Args:
        path: A file in YAML or JSON.

    Returns:
        The config, not checked yet.

    Raises:
        InputError: The file cannot be read, is not UTF-8, is neither YAML nor JSON, has no keys at
            its top level, or has a key twice; the message names the line.
    """
    text = _read_text(Path(path))
    try:
        config, faults = _load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(
            f"'{path}' is not YAML: {_first_problem(error)}. Indent with spaces, and put quotes "
            "round text that has a colon or another special character."
        ) from None
    if faults:
        listing = "\n".join(f"  - {fault}" for fault in faults)
        raise InputError(f"'{path}' has a key twice:\n{listing}\nRemove or rename one of them.")
    if not isinstance(config, dict):
        shown = "nothing" if config is None else f"{type(config).__name__}"
        raise InputError(
            f"'{path}' holds {shown} at its top level; expected keys such as datasets, each "
            "followed by a colon."
        )
    return config


def check_config_files(paths: Iterable[str | Path]) -> None:
    """Read config files strictly, as far as they exist.

    Raises:
        InputError: As :func:`read_config_file` does.
    """
    for path in paths:
        if Path(path).exists():
            read_config_file(path)


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(
            f"There is no file '{path}'. Name a config with CONFIG= or --configfile: config.yaml, "
            "one of config/, or one that make new DATA=<folder> writes."
        ) from None
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}.") from None
    for mark, encoding in MARKS.items():
        if content.startswith(mark):
            raise InputError(f"'{path}' is {encoding} text; expected UTF-8. {_SAVE}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"'{path}' is not UTF-8 text: byte 0x{content[error.start]:02x} in line {line}. {_SAVE}"
        ) from None
    if "\0" in text:
        raise InputError(f"'{path}' is not a text file; expected UTF-8 text. {_SAVE}")
    return text


_SAVE = "Save it as UTF-8 in the text editor."


def _load(text: str) -> tuple[object, list[str]]:
    """Return the content of a file and the keys that are there twice; JSON first, as Snakemake."""
    repeated: list[str] = []

    def unique(pairs: list[tuple[str, object]]) -> dict:
        names = [name for name, _ in pairs]
        repeated.extend(sorted({name for name in names if names.count(name) > 1}))
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=unique), repeated
    except ValueError:
        root = yaml.compose(text, Loader=LOADER)
    faults = list(_repeated_keys(root)) if root is not None else []
    return yaml.load(text, Loader=LOADER), faults


def _repeated_keys(root: yaml.Node) -> Iterator[str]:
    """Yield every key that an earlier one of the same mapping equals, with both lines."""
    waiting, seen = [("", root)], set()
    while waiting:
        place, node = waiting.pop()
        # An alias is the same node again; one within itself would never end.
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [(f"{place}{number}.", item) for number, item in enumerate(node.value)]
        elif isinstance(node, yaml.MappingNode):
            lines: dict[tuple[str, str], int] = {}
            for key, value in node.value:
                name, line = str(key.value), key.start_mark.line + 1
                if isinstance(key, yaml.ScalarNode) and key.tag != MERGE:
                    if (key.tag, name) in lines:
                        earlier = lines[key.tag, name]
                        yield f"{place}{name}: in line {earlier} and again in line {line}"
                    lines[key.tag, name] = line
                waiting.append((f"{place}{name}.", value))


def _first_problem(error: Exception) -> str:
    """Return what is wrong with a file in one line, with its place."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{problem}{place}"


if __name__ == "__main__":
    try:
        read_config_file(sys.argv[1])
    except BlastfoldError as error:
        sys.exit(str(error))

"""The values of a config before its keys are checked: plain, finite in number, printable."""

import unicodedata
from collections.abc import Iterator, Mapping

DEEPEST = 20
"""Largest number of keys and list positions within one another."""

MOST_VALUES = 100_000

LARGEST = 2**63
"""Whole numbers are smaller; numpy and file formats cannot hold larger ones."""

LONGEST_KEY = 255
"""Characters of a key; longer ones fit into no file name."""

LONGEST_SHOWN = 80
"""Characters of a received value in a message."""

UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")
"""Unicode categories of line breaks, control characters and half characters."""

YES_OR_NO = (
    "YAML reads yes, no, on, off, true and false as a truth value; put quotes round the word"
)


def value_faults(config: object) -> Iterator[str]:
    """Yield what is wrong with the values of a config, whatever its keys.

    Args:
        config: Anything that YAML or JSON can hold.
    """
    if not isinstance(config, Mapping):
        yield f"top level: received {shown(config)}, expected keys, each followed by a colon"
        return
    waiting: list[tuple[tuple[str, ...], object]] = [((), config)]
    for count in range(MOST_VALUES + 1):
        if not waiting:
            return
        place, value = waiting.pop()
        key = ".".join(place)
        if len(place) > DEEPEST:
            yield f"{'.'.join(place[:3])}...: more than {DEEPEST} levels, expected fewer"
            return
        if isinstance(value, Mapping):
            yield from _key_faults(key, value)
            waiting += [((*place, _word(name)), entry) for name, entry in value.items()]
        elif isinstance(value, list):
            waiting += [((*place, str(number)), entry) for number, entry in enumerate(value)]
        elif fault := _scalar_fault(value):
            yield f"{key}: {fault}"
        if count == MOST_VALUES:
            yield f"top level: more than {MOST_VALUES} values, expected fewer"


def shown(value: object) -> str:
    """Return a value for a message, shortened where it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        # Python prints no integer of more than 4300 digits.
        text = f"a very long {type(value).__name__}"
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def _word(name: object) -> str:
    return name if isinstance(name, str) else shown(name)


def _key_faults(key: str, entries: Mapping) -> Iterator[str]:
    for name in entries:
        if not isinstance(name, str):
            reason = YES_OR_NO if isinstance(name, bool) else "put quotes round it"
            yield f"{key or 'top level'}: received the key {shown(name)}, expected text; {reason}"
        elif len(name) > LONGEST_KEY:
            yield (
                f"{key or 'top level'}: received the key {shown(name)} of {len(name)} characters, "
                f"expected {LONGEST_KEY} at most"
            )
        elif _unprintable(name):
            yield f"{key or 'top level'}: received the key {shown(name)}, expected printable text"


def _scalar_fault(value: object) -> str:
    if isinstance(value, str):
        if character := _unprintable(value):
            advice = " (>- in place of > or |)" if character == "\n" else ""
            return (
                f"received {shown(value)}, which has the character {character!r}; "
                f"expected one line of printable text{advice}"
            )
        if not value.strip():
            return f"received {shown(value)}, expected text; leave the key out for its default"
    elif isinstance(value, int) and abs(value) >= LARGEST:
        return f"received {shown(value)}, expected a number below 2^63"
    elif value is not None and not isinstance(value, bool | int | float):
        return (
            f"received {shown(value)} ({type(value).__name__}), expected text, a number, a list or "
            "keys; put quotes round text"
        )
    return ""


def _unprintable(text: str) -> str:
    return next((letter for letter in text if unicodedata.category(letter) in UNPRINTABLE), "")

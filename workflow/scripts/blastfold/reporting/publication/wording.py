"""Plain English from numbers and lists."""

from collections.abc import Callable, Iterable, Sequence

TIMES = "\N{MULTIPLICATION SIGN}"


def listing(items: Iterable[object]) -> str:
    """Join items as in ``"a, b and c"``."""
    texts = [str(item) for item in items]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, ``"1 image"`` or ``"1,034 images"``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def span(numbers: Iterable[int]) -> str:
    """Return the smallest and the largest number, or the only one."""
    smallest, largest = min(numbers := list(numbers)), max(numbers)
    return f"{smallest:,}" if smallest == largest else f"{smallest:,} to {largest:,}"


def percent(share: float) -> str:
    """Return a share as percent with as many digits as it needs, at most one decimal."""
    return f"{round(100 * share, 1):g} %"


def duration(seconds: float) -> str:
    """Return a duration in the unit that a reader would choose."""
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def size(height: int, width: int) -> str:
    """Return the size of an image as width by height."""
    return f"{width} {TIMES} {height}"


def grouped(
    items: Sequence[object],
    describe: Callable[[object], str],
    title: Callable[[object], str],
    everything: str,
) -> list[tuple[str, str]]:
    """Put together items with the same description.

    Args:
        items: What is described, for instance names of models.
        describe: Gives the description of an item.
        title: Returns the title of an item.
        everything: The words for all items together, where one description fits all.

    Returns:
        Pairs of whom it is about and the description, in the order of the items.
    """
    found: dict[str, list[str]] = {}
    for item in items:
        found.setdefault(describe(item), []).append(title(item))
    if len(found) == 1 and len(items) > 1:
        return [(everything, next(iter(found)))]
    return [(listing(dict.fromkeys(titles)), text) for text, titles in found.items()]


def capital(text: str) -> str:
    """Start with a capital letter, unless the first word is a name such as ``simple_cnn``."""
    name = "_" in text.partition(" ")[0]
    return text if name else text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """Start with a capital letter (see :func:`capital`) and end with a full stop."""
    text = capital(text)
    return text if text.endswith((".", "?", "!")) else f"{text}."

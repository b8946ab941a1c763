"""Notes of tables: why a value is missing or not to be relied on."""


def join_notes(*notes: str) -> str:
    """Put the notes that are not empty into one, each once."""
    return "; ".join(dict.fromkeys(note for note in notes if note))

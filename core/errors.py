"""The one error that a person may see."""


class SegueError(Exception):
    """One sentence that says what is wrong, where, and what to do.

    Raised for bad input and impossible requests. Pages show it as a message, the command line
    prints it and exits with 2. Anything else that escapes is a defect.
    """


def in_words(error: Exception) -> str:
    """An error on one line: its sentence, or the kind of a defect and what it says."""
    if isinstance(error, SegueError):
        return str(error)
    return " ".join(f"{type(error).__name__}: {error}".split())

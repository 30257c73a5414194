"""The one error that a person may see."""


class SegueError(Exception):
    """One sentence that says what is wrong, where, and what to do.

    Raised for bad input and impossible requests. Pages show it as a message, the command line
    prints it and exits with 2. Anything else that escapes is a defect.
    """

"""The errors that labelsearch raises on purpose; each room has its own below these."""

LONGEST = 1000  # characters of a message


class LabelsearchError(Exception):
    """The base of all of them. The text is one line; the middle of a longer one is left out."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text if len(text) <= LONGEST else f"{text[: LONGEST - 300]} [..] {text[-290:]}")


class InputError(LabelsearchError, ValueError):
    """Something that the user can mend; the text names what is wrong."""

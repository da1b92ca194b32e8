"""The errors that labelsearch raises on purpose; each room has its own below these."""


class LabelsearchError(Exception):
    """The base of all of them. The text is one line."""


class InputError(LabelsearchError, ValueError):
    """Something that the user can mend; the text names what is wrong."""

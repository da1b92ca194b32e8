"""The base of all errors that labelsearch raises on purpose."""


class LabelsearchError(ValueError):
    """Something that the user can mend: one line that names what is wrong."""

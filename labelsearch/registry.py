"""Tables of what can be extended: the built-in rows of one kind, and those of the user's own files."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from labelsearch.errors import InputError

Row = TypeVar("Row")


class Registry(dict[str, Row]):
    """Rows by name: objects with a ``name``, or classes with a ``kind``, and the ``origin`` of the file they are from.

    Parameters
    ----------
    what : str
        What a row is, for errors.
    error : type
        Error of the room.
    rows : iterable
        The built-in ones.
    """

    def __init__(self, what: str, error: type[InputError], rows: Iterable[Row]) -> None:
        super().__init__((name_of(row), row) for row in rows)
        self.what, self.error = what, error

    def find(self, name: str) -> Row:
        """Row of a name; the error for an unknown one lists the known ones."""
        if name not in self:
            raise self.error(f"unknown {self.what} {name!r}; known are {', '.join(self)}")
        return self[name]

    def register(self, row: Row) -> None:
        """Add a row that has been proved; adding it again changes nothing.

        Raises
        ------
        InputError
            The registry's own error, if the name is no identifier or belongs to another row.
        """
        name = name_of(row)
        if not isinstance(name, str) or not name.isidentifier():
            raise self.error(f"{self.what} {name!r}: the name must be letters, digits and underscores")
        if self.setdefault(name, row) != row:
            raise self.error(f"{self.what} {name!r}: the name is taken")

    def refuse_faulty(self, row: Row, of: type, checks: Iterable[tuple[str, Callable[[], str]]]) -> None:
        """Raise the registry's error, as one line, with the first fault of a row.

        Parameters
        ----------
        row : object
        of : type
            What it has to be an instance of.
        checks : iterable of (str, callable)
            Where each check is made, which follows the name in the text, and a function that returns what is wrong
            there, or nothing. Whatever one raises is a fault too.
        """
        if not isinstance(row, of):
            raise self.error(f"{type(row).__name__} is not a {of.__module__}.{of.__qualname__}")
        where = fault = ""
        try:
            for where, check in checks:  # noqa: B007 - read below, also after an error
                if fault := check():
                    break
        except Exception as error:  # whatever a user's code may raise
            fault = f"raises {type(error).__name__}: {error}"
        if fault:
            raise self.error(" ".join(f"{self.what} {name_of(row)}{where} {fault}".split()))


def name_of(row: Any) -> Any:
    """Name of a row of a registry."""
    return getattr(row, "kind" if isinstance(row, type) else "name", row)

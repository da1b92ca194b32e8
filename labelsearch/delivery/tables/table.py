"""A table of text, for the terminal and the report, with the figures it was made from."""

from collections.abc import Iterable
from dataclasses import dataclass

from labelsearch.results.codec import to_plain


@dataclass(frozen=True)
class Table:
    """Column titles and rows of text; all columns but the first ``n_text`` hold numbers.

    With ``prose`` the last column holds sentences, which may wrap. ``data`` are the unrounded figures behind the rows,
    and ``key`` is their name in a JSON document; a table without a key shows a part of another's data.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_text: int = 1
    note: str = ""
    prose: bool = False
    key: str = ""
    data: object = None

    def to_markdown(self) -> str:
        """The table as Markdown, numbers aligned right; text is shown as it is, whatever names a user has given."""
        rule = ["---" if i < self.n_text else "---:" for i in range(len(self.columns))]
        if self.prose:
            rule[-1] = "---"
        text = [tuple(map(literal, row)) for row in (self.columns, *self.rows)]
        lines = ["| " + " | ".join(row) + " |" for row in (text[0], tuple(rule), *text[1:])]
        return "\n".join([*lines, "", literal(self.note)] if self.note else lines)


_MARKUP = str.maketrans({character: f"&#{ord(character)};" for character in "&<>|`*[]"} | {"\n": " ", "\r": " "})


def literal(text: str) -> str:
    """Text as one line of Markdown in which nothing is markup."""
    return text.translate(_MARKUP)


def document(tables: Iterable[Table]) -> dict[str, object]:
    """The data of tables by key, as strict JSON can hold them: a number that is not finite is None."""
    return {table.key: to_plain(table.data) for table in tables if table.key}


def cell(value: float | None, form: str = ".3f") -> str:
    """A number as text; a dash for None."""
    return "-" if value is None else f"{value:{form}}"

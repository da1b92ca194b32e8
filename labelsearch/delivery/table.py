"""A table of text, for the terminal and the report."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Column titles and rows of text; all columns but the first ``n_text`` hold numbers.

    With ``prose`` the last column holds sentences, which may wrap.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_text: int = 1
    note: str = ""
    prose: bool = False

    def to_markdown(self) -> str:
        """The table as Markdown, numbers aligned right."""
        rule = ["---" if i < self.n_text else "---:" for i in range(len(self.columns))]
        if self.prose:
            rule[-1] = "---"
        lines = ["| " + " | ".join(row) + " |" for row in (self.columns, tuple(rule), *self.rows)]
        return "\n".join([*lines, "", self.note] if self.note else lines)

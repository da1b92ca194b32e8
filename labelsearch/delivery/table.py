"""A table of text, for the terminal and the report, with the figures it was made from."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Table:
    """Column titles and rows of text; all columns but the first ``n_text`` hold numbers.

    With ``prose`` the last column holds sentences, which may wrap. ``data`` are the unrounded figures behind the rows,
    and ``key`` is their name in a JSON document; without a key they are part of another table's.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_text: int = 1
    note: str = ""
    prose: bool = False
    key: str = ""
    data: Any = None

    def to_markdown(self) -> str:
        """The table as Markdown, numbers aligned right."""
        rule = ["---" if i < self.n_text else "---:" for i in range(len(self.columns))]
        if self.prose:
            rule[-1] = "---"
        lines = ["| " + " | ".join(row) + " |" for row in (self.columns, tuple(rule), *self.rows)]
        return "\n".join([*lines, "", self.note] if self.note else lines)


def document(tables: Iterable[Table]) -> dict[str, Any]:
    """What tables were made from, by key, as strict JSON can hold it: what is not finite is None."""
    return {table.key: plain(table.data) for table in tables if table.key}


def plain(value: Any) -> Any:
    """Numbers, text, lists and dicts alone, of what may also be NumPy's, a path, or not finite."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value

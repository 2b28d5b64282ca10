"""Tables in messages and logs: plain text in aligned columns."""

import io
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH = 10_000
"""In characters: so wide that no row is wrapped."""


def text_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """One line with the names of the columns, and one line for each row."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="")
    for name in columns:
        table.add_column(Text(name), no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    out = io.StringIO()
    Console(file=out, width=WIDTH, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())

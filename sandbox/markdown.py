"""Tables in Markdown with even columns, for the pages that the benches and the chaos runs write."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Return a table with a head and its rows."""
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rule = ["-" * width for width in widths]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    first, *others = [f"| {' | '.join(line)} |" for line in padded]
    return "\n".join([first, f"|-{'-|-'.join(rule)}-|", *others])

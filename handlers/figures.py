"""The table of what the gates saw when something was decided: plain text that lines up, on a phone too."""

from collections.abc import Sequence
from typing import Any, Final

from bot.domain.events import Event, EventKind
from bot.domain.gate import Figure
from bot.domain.prose import one_line
from handlers.mrkdwn import escaped

MOST: Final = 20
LONGEST: Final = 22
"""Characters in a cell; three cells fit onto a phone."""


def table(block_id: str, events: Sequence[Event]) -> list[dict[str, Any]]:
    """Draw the figures of the last event that has some. At the finish, the old pool's are from before 100 %."""
    last = next((event for event in reversed(events) if event.figures), None)
    if last is None:
        return []
    old = "old, before" if last.kind is EventKind.FINISHED else "old"
    text = "\n".join(_lines([Figure("until then", "new", old), *last.figures[:MOST]]))
    return [
        {
            "type": "section",
            "block_id": f"{block_id}:figures",
            "text": {"type": "mrkdwn", "text": f"```\n{text}\n```", "verbatim": True},
        }
    ]


def _lines(rows: Sequence[Figure]) -> list[str]:
    cells = [[_cell(each) for each in (row.name, row.new, row.old)] for row in rows]
    name, new, old = (max(map(len, column)) for column in zip(*cells, strict=True))
    return [escaped(f"{row[0]:{name}}  {row[1]:>{new}}  {row[2]:>{old}}") for row in cells]


def _cell(text: str) -> str:
    return one_line(text).replace("`", "'")[:LONGEST]

"""Text as Slack shows it: other people's words made safe and short, times in the reader's own zone."""

import re
from datetime import datetime

WARNING = "⚠️"

_ENTITY = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def clean(text: str, limit: int) -> str:
    """Return other people's text on one line, escaped, and at most ``limit`` UTF-16 units long.

    Slack counts as JavaScript does, so an emoji is two; an escaped character is never cut in half.
    """
    line = re.sub(r"\s+", " ", "".join(character for character in text if character.isprintable() or character == "\n"))
    pieces = [_ENTITY.get(character, character) for character in line.strip()]
    whole = "".join(pieces)
    if units(whole) <= limit:
        return whole
    return _fill(pieces, limit - 1) + "…"


def escaped(sentence: str, limit: int) -> str:
    """Return one of our sentences, which may quote others: all escaped but people and channels."""
    parts = re.split(r"(<[@#][A-Z0-9]{2,30}>)", sentence[:limit])
    escaped = [part if at % 2 else _escape(part) for at, part in enumerate(parts)]
    return "".join(escaped)


def _escape(text: str) -> str:
    return "".join(_ENTITY.get(character, character) for character in text)


def code(text: str, limit: int) -> str:
    """Return a name as inline code; the middle is left out where it is long, because names differ at the end."""
    return f"`{clean(shorten(text.replace('`', ''), limit), limit) or '?'}`"


def shorten(name: str, limit: int) -> str:
    """Cut a name in its middle; pools are told apart by their ends."""
    if len(name) <= limit:
        return name
    tail = (limit - 1) * 2 // 3
    return f"{name[: limit - 1 - tail]}…{name[-tail:]}"


def clock(time: datetime) -> str:
    """Show a time of the day near now."""
    return _date(time, "{time}", f"{time:%H:%M} UTC")


def to_the_second(time: datetime) -> str:
    """Show a time that is only seconds away."""
    return _date(time, "{time_secs}", f"{time:%H:%M:%S} UTC")


def moment(time: datetime) -> str:
    """Show a time that may be on another day."""
    return _date(time, "{date_short_pretty} at {time}", f"{time:%d %b %H:%M} UTC")


def without_marks(mrkdwn: str) -> str:
    """Take the marks for bold and code out of a line of ours, for screen readers."""
    return mrkdwn.replace("*", "").replace("`", "")


def _date(time: datetime, style: str, fallback: str) -> str:
    return f"<!date^{int(time.timestamp())}^{style}|{fallback}>"


def _fill(pieces: list[str], room: int) -> str:
    kept = ""
    for piece in pieces:
        room -= units(piece)
        if room < 0:
            break
        kept += piece
    return kept.rstrip()


def units(text: str) -> int:
    """Count as Slack does, in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2

"""Prose as Slack shows it: escaped, shortened, people as mentions, times in the reader's own zone.

``mrkdwn`` is for eyes. ``spoken`` leaves out the marks for code and strong, for screen readers and notifications.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from bot.domain.prose import Channel, Code, Person, Piece, Prose, Short, Shown, Strong, Text, Time, one_line

_ENTITY: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MARK: Final = re.compile(r"(?<![^\W_])[*_~]|[*_~](?![^\W_])|`|\A>")
"""What Slack could take for markup: stars, underscores and tildes at the edge of a word, and ``>`` before all words."""
_LIKE: Final = {"*": "∗", "_": "ˍ", "~": "∼", "`": "ˋ", ">": "›"}
"""Slack has no escape for its marks, so we show what looks like them."""
_DATES: Final = {
    Shown.CLOCK: "{time}",
    Shown.SECONDS: "{time_secs}",
    Shown.DAY: "{date_short_pretty} at {time}",
}


def mrkdwn(prose: Prose) -> str:
    """Draw with marks."""
    return "".join(_marked(prose))


def spoken(prose: Prose) -> str:
    """Draw without marks."""
    return "".join(_spoken(prose))


def shorten(name: str, limit: int) -> str:
    """Cut a name in its middle; pools are told apart by their ends."""
    if len(name) <= limit:
        return name
    tail = (limit - 1) * 2 // 3
    return f"{name[: limit - 1 - tail]}…{name[-tail:]}"


def units(text: str) -> int:
    """Count as Slack does, in UTF-16 units, as JavaScript does: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _marked(prose: Prose) -> Iterator[str]:
    """Yield parts that must not be cut."""
    for piece in prose.pieces:
        match piece:
            case Strong(inner):
                yield f"*{mrkdwn(inner)}*"
            case Code():
                yield f"`{_fit(_escaped(_name(piece)), piece.longest) or '?'}`"
            case Short(inner, longest):
                yield _fit(_marked(inner), longest)
            case _:
                yield from _unmarked(piece)


def _spoken(prose: Prose) -> Iterator[str]:
    """Yield parts that must not be cut."""
    for piece in prose.pieces:
        match piece:
            case Strong(inner):
                yield from _spoken(inner)
            case Code():
                yield _fit(_escaped(_harmless(_name(piece))), piece.longest)
            case Short(inner, longest):
                yield _fit(_spoken(inner), longest)
            case _:
                yield from _unmarked(piece)


def _unmarked(piece: Piece) -> Iterator[str]:
    match piece:
        case Text(text):
            yield from _escaped(_harmless(text))
        case Person():
            yield f"<@{piece.slack_id}>" if piece.slack_id else _harmless(piece.name)
        case Channel(channel):
            is_known = re.fullmatch(r"[CGD][A-Z0-9]{1,30}", channel)
            yield f"<#{channel}>" if is_known else _fit(_escaped(_harmless(one_line(channel))), 40)
        case Time(at, shown):
            yield f"<!date^{int(at.timestamp())}^{_DATES[shown]}|{piece.utc}>"


def _name(code: Code) -> str:
    text = one_line(code.text.replace("`", "")).strip()
    return text if code.longest is None else shorten(text, code.longest)


def _harmless(text: str) -> str:
    return _MARK.sub(lambda mark: _LIKE[mark[0]], text)


def _escaped(text: str) -> Iterator[str]:
    return (_ENTITY.get(character, character) for character in text)


def _fit(parts: Iterable[str], limit: int | None) -> str:
    """Put parts together while there is room; None: there is always."""
    all_parts = list(parts)
    whole = "".join(all_parts)
    if limit is None or units(whole) <= limit:
        return whole
    kept, room = "", limit - 1
    for part in all_parts:
        room -= units(part)
        if room < 0:
            break
        kept += part
    return f"{kept.rstrip()}…"

"""Prose as Slack shows it: escaped, shortened, people as mentions, times in the reader's own zone.

``mrkdwn`` is for eyes. ``spoken`` leaves out the marks for code and strong, for screen readers and notifications.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from bot.domain.prose import (
    Channel,
    Code,
    Link,
    Person,
    Piece,
    Precision,
    Prose,
    Short,
    Strong,
    Text,
    Time,
    Verbatim,
    one_line,
)

_ENTITIES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_MARK: Final = re.compile(r"(?<![^\W_])[*_~]|[*_~](?![^\W_])|`|\A>")
"""What Slack could take for markup: stars, underscores and tildes at the edge of a word, and ``>`` at the start."""
_LIKE: Final = {"*": "∗", "_": "ˍ", "~": "∼", "`": "ˋ", ">": "›"}
"""Slack has no escape for its marks, so we show what looks like them."""
_LETTER: Final = re.compile(r"[*_~]*.", re.DOTALL)
"""A star that is no mark because a letter follows keeps that letter."""
_DATES: Final = {
    Precision.CLOCK: "{time}",
    Precision.SECONDS: "{time_secs}",
    Precision.DAY: "{date_short_pretty} at {time}",
}


def mrkdwn(prose: Prose) -> str:
    """Draw with marks."""
    return "".join(map(_marked, prose.pieces))


def spoken(prose: Prose) -> str:
    """Draw without marks."""
    return "".join(map(_spoken, prose.pieces))


def shorten(name: str, limit: int) -> str:
    """Cut a name in its middle; pools are told apart by their ends."""
    if len(name) <= limit:
        return name
    tail = (limit - 1) * 2 // 3
    return f"{name[: limit - 1 - tail]}…{name[-tail:]}"


def units(text: str) -> int:
    """Count as Slack does, in UTF-16 units, as JavaScript does: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _marked(piece: Piece) -> str:
    match piece:
        case Text(text):
            return _plain(text)
        case Strong(inner):
            return f"*{mrkdwn(inner)}*"
        case Code(text, longest):
            return f"`{_fitting(_name(text, longest), longest) or '?'}`"
        case Short(inner, longest):
            return _bounded(inner, longest, mrkdwn)
        case Verbatim(text, longest, instead):
            return f"`{escaped(one_line(text))}`" if _is_copied(text, longest) else mrkdwn(instead)
        case _:
            return _unmarked(piece)


def _is_copied(text: str, longest: int) -> bool:
    """Say whether what people copy from one line of code is the text itself; a comment ends with its line."""
    return units(escaped(text)) <= longest and "`" not in text and not ("\n" in text and "#" in text)


def _spoken(piece: Piece) -> str:
    match piece:
        case Text(text):
            return _plain(text)
        case Strong(inner):
            return spoken(inner)
        case Code(text, longest):
            return _fitting(_harmless(_name(text, longest)), longest)
        case Short(inner, longest):
            return _bounded(inner, longest, spoken)
        case Verbatim(text, longest, instead):
            return _plain(one_line(text)) if _is_copied(text, longest) else spoken(instead)
        case _:
            return _unmarked(piece)


def _unmarked(piece: Person | Channel | Link | Time) -> str:
    match piece:
        case Person():
            return f"<@{piece.slack_id}>" if piece.slack_id else _harmless(piece.name)
        case Channel(channel):
            is_known = re.fullmatch(r"[CGD][A-Z0-9]{1,30}", channel)
            return f"<#{channel}>" if is_known else _bounded(Prose((Text(one_line(channel)),)), 40, mrkdwn)
        case Link(address, words):
            return f"<{escaped(address)}|{_plain(one_line(words).replace('|', ' '))}>"
        case Time(at, shown):
            return f"<!date^{int(at.timestamp())}^{_DATES[shown]}|{piece.utc}>"


def _name(text: str, longest: int | None) -> str:
    """Return the text between backticks, where Slack reads no other markup."""
    name = one_line(text.replace("`", "")).strip()
    return name if longest is None else shorten(name, longest)


def _fitting(text: str, longest: int | None) -> str:
    drawn = escaped(text)
    return drawn if longest is None or units(drawn) <= longest else _cut(_letters(text), longest)


def _bounded(prose: Prose, longest: int, draw: Callable[[Prose], str]) -> str:
    whole = draw(prose)
    return whole if units(whole) <= longest else _cut(_parts(prose, draw), longest)


def _parts(prose: Prose, draw: Callable[[Prose], str]) -> Iterator[str]:
    """Yield the parts that must not be cut in half."""
    for piece in prose.pieces:
        match piece:
            case Text(text):
                yield from _letters(_harmless(text))
            case _:
                yield draw(Prose((piece,)))


def _letters(text: str) -> Iterator[str]:
    return map(escaped, _LETTER.findall(text))


def _cut(parts: Iterable[str], longest: int) -> str:
    """Join parts while there is room, and show that something is missing."""
    kept, room = "", longest - 1
    for part in parts:
        room -= units(part)
        if room < 0:
            break
        kept += part
    return f"{kept.rstrip()}…"


def _plain(text: str) -> str:
    return escaped(_harmless(text))


def _harmless(text: str) -> str:
    return _MARK.sub(lambda mark: _LIKE[mark[0]], text)


def escaped(text: str) -> str:
    """Escape the signs that Slack reads as links and mentions, for a text in which nothing else is a mark."""
    return text.translate(_ENTITIES)

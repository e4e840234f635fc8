"""Sentences as neutral pieces, which Slack and the terminal each draw in their own way.

Write a sentence with ``say``. Backticks and stars in it are code and strong, ``{}`` is the place of a value:

    say("*Paused by {}*, since {}. `{}` keeps its weights.", Person(by), moment(since), pool.name)

A value never becomes markup, whatever is in it. ``said`` holds the words of other people, ``sentence`` those that our
own code keeps as a string.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from typing import Final, LiteralString, TypeAlias

NAME: Final = 80
"""How many characters of a name a small medium shows."""
FAR: Final = timedelta(hours=12)
"""A time that is further away may be on another day."""


@dataclass(frozen=True, slots=True)
class Prose:
    """Pieces in the order in which they are read; ``str`` gives them plain, as a log has them."""

    pieces: tuple["Piece", ...] = ()

    def __bool__(self) -> bool:
        return bool(self.pieces)

    def __str__(self) -> str:
        return plain(self, str)


@dataclass(frozen=True, slots=True)
class Text:
    """Words that mean nothing but themselves."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Something to type, or a name; above ``longest`` characters its middle may be left out."""

    text: str
    longest: int | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A Slack user by id, or ``unix:alice``; empty: nobody knows who."""

    user: str

    @property
    def slack_id(self) -> str:
        """Return the id, empty if this is no Slack user."""
        return self.user if re.fullmatch(r"[UW][A-Z0-9]{1,30}", self.user) else ""

    @property
    def name(self) -> str:
        """Return the user in harmless characters."""
        return re.sub(r"[^A-Za-z0-9_.:@-]", "", self.user)[:40] or "somebody"


@dataclass(frozen=True, slots=True)
class Channel:
    """A Slack channel by id."""

    id: str


@dataclass(frozen=True, slots=True)
class Link:
    """An address that we have built, and the words that stand for it."""

    address: str
    words: str


class Precision(Enum):
    """How much of a time is shown."""

    CLOCK = "%H:%M UTC"
    SECONDS = "%H:%M:%S UTC"
    DAY = "%d %b %H:%M UTC"


@dataclass(frozen=True, slots=True)
class Time:
    """A point in time; a medium that knows the reader's zone shows it there."""

    at: datetime
    shown: Precision

    @property
    def utc(self) -> str:
        """Write it for readers whose zone nobody knows."""
        return f"{self.at:{self.shown.value}}"


@dataclass(frozen=True, slots=True)
class Strong:
    """Text that must catch the eye."""

    prose: Prose


@dataclass(frozen=True, slots=True)
class Short:
    """Text that may be long; a small medium shows ``longest`` characters of it."""

    prose: Prose
    longest: int


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text to copy: all of it, or ``instead`` where it is longer than ``longest`` or cannot be shown as it is."""

    text: str
    longest: int
    instead: Prose


Piece: TypeAlias = Text | Code | Person | Channel | Link | Time | Strong | Short | Verbatim
Value: TypeAlias = Prose | Piece | str | int

_HIDDEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Characters that are printable, as Unicode has it, and that nobody sees."""

_PLACE: Final = re.compile(r"\{(\w*)\}")
_BITS: Final = re.compile(r"(`[^`]*`|\{\w*\})")
_CODE: Final = re.compile(r"(`[^`\n]+`)")


def say(template: LiteralString, *values: Value, **named: Value) -> Prose:
    """Write a sentence: ``{}`` takes the next value, ``{name}`` the one of that name.

    A value in backticks is a name, and so may be shortened. tests/bot/domain/test_every_sentence.py counts the places.
    """
    in_order = iter(values)

    def value(place: str) -> Value:
        return named[place] if place else next(in_order)

    pieces: list[Piece] = []
    for at, bits in enumerate(_parts(template)):
        inner = tuple(_filled(bits, value))
        pieces += [Strong(Prose(inner))] if at % 2 else inner
    return Prose(tuple(pieces))


@cache
def _parts(template: str) -> Sequence[Sequence[Text | str]]:
    """Cut a template at its stars, and each part into code, places and text; every second part is strong."""
    parts = [filter(None, _BITS.split(part)) for part in template.split("*")]
    return [[bit if bit[0] in "`{" else Text(bit) for bit in part] for part in parts]


def _filled(bits: Sequence[Text | str], value: Callable[[str], Value]) -> Iterator[Piece]:
    for bit in bits:
        if isinstance(bit, Text):
            yield bit
        elif bit[0] == "`":
            code, places = _PLACE.subn(lambda match: one_line(str(value(match[1]))), bit[1:-1])
            yield Code(code, NAME if places else None)
        else:
            yield from _pieces(value(bit[1:-1]))


def _pieces(value: Value) -> tuple[Piece, ...]:
    match value:
        case Prose():
            return value.pieces
        case str() | int():
            text = one_line(str(value))
            return (Text(text),) if text else ()
        case _:
            return (value,)


def sentence(text: str) -> Prose:
    """Turn a sentence that our code keeps as a string into prose; backticks are code."""
    bits = filter(None, _CODE.split(text))
    return Prose(tuple(Code(bit[1:-1]) if _CODE.fullmatch(bit) else Text(bit) for bit in bits))


def said(words: str, longest: int) -> Prose:
    """Turn other people's words into prose, on one line."""
    return short(say("{}", one_line(words).strip()), longest)


def short(prose: Prose, longest: int) -> Prose:
    """Mark text that may be long."""
    return Prose((Short(prose, longest),)) if prose else prose


def joined(between: LiteralString, parts: Iterable[Prose]) -> Prose:
    """Join the parts that are not empty."""
    pieces: list[Piece] = []
    for part in filter(None, parts):
        pieces += [*([Text(between)] if pieces else []), *part.pieces]
    return Prose(tuple(pieces))


def listed(parts: Sequence[Prose], last: LiteralString) -> Prose:
    """Join the parts that are not empty as in a sentence; ``last`` (``or``, ``and``) stands before the last one."""
    *first, final = [part for part in parts if part] or [Prose()]
    return say("{} {} {}", joined(", ", first), last, final) if first else final


def capitalised(prose: Prose) -> Prose:
    """Begin with a capital letter, if the first piece is our own text."""
    match prose.pieces:
        case (Text(text), *rest):
            return Prose((Text(text[:1].upper() + text[1:]), *rest))
        case _:
            return prose


def ended(prose: Prose) -> Prose:
    """End with a full stop, unless it ends like a sentence already."""
    return prose if not prose or str(prose).endswith((".", "!", "?", "…")) else say("{}.", prose)


def one_line(text: str) -> str:
    """Return a text on one line, without invisible characters and those that control a terminal."""
    return visible(re.sub(r"\s+", " ", text))


def visible(text: str) -> str:
    """Return a text without the characters that nobody sees, but for white space."""
    seen = _HIDDEN.sub("", text)
    if seen.isprintable():
        return seen
    return "".join(character for character in seen if character.isprintable() or character.isspace())


def clock(time: datetime) -> Time:
    """Show a time of the day near now."""
    return Time(time, Precision.CLOCK)


def near(time: datetime, now: datetime) -> Time:
    """Show a time as that of the day if it is near enough to be of this one."""
    return clock(time) if time - now < FAR else moment(time)


def to_the_second(time: datetime) -> Time:
    """Show a time that is only seconds away."""
    return Time(time, Precision.SECONDS)


def moment(time: datetime) -> Time:
    """Show a time that may be on another day."""
    return Time(time, Precision.DAY)


def plain(prose: Prose, name: Callable[[str], str]) -> str:
    """Draw as plain text: code in backticks, nothing shortened; ``name`` names a Slack user."""
    return "".join(_plain(piece, name) for piece in prose.pieces)


def _plain(piece: Piece, name: Callable[[str], str]) -> str:
    match piece:
        case Text(text):
            return text
        case Code(text):
            return f"`{text.replace('`', '')}`"
        case Person():
            return name(piece.slack_id) if piece.slack_id else piece.name
        case Channel(channel):
            return one_line(channel)
        case Link(address, words):
            return f"{one_line(words)} ({address})"
        case Time():
            return piece.utc
        case Verbatim(text):
            return text
        case Strong(inner) | Short(inner):
            return plain(inner, name)

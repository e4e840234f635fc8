"""What people type, cut into words: Slack's markup becomes plain text, quotes hold words together.

Phones turn ``"`` into curly quotes and ``--`` into one long dash; all of them mean what was typed.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bot.domain.prose import visible

_DASHES = "-‐‑‒–—―−"
_DOUBLE = '"“”„‟«»″＂'
_SINGLE = "'‘’‚‛‹›′`"
_KEY = rf"[{_DASHES}]{{0,2}}[A-Za-z][A-Za-z0-9_-]*"

_DOUBLE_QUOTED = rf"[{_DOUBLE}](?P<double>.*?)(?:[{_DOUBLE}](?=\s|\Z)|\Z)"  # one that is never closed holds the rest
_SINGLE_QUOTED = rf"[{_SINGLE}](?P<single>.*?)[{_SINGLE}](?=\s|\Z)"  # an apostrophe inside is followed by a letter
_PLAIN = r"(?P<plain>\S*)"
_WORD = re.compile(rf"\s*(?P<raw>(?P<key>{_KEY}=)?(?:{_DOUBLE_QUOTED}|{_SINGLE_QUOTED}|{_PLAIN}))", re.DOTALL)
_LAST_WORD = re.compile(rf"\s*(?P<raw>(?P<key>{_KEY}=)?(?:{_DOUBLE_QUOTED}|(?P<single>(?!))|{_PLAIN}))", re.DOTALL)
_END_OF_QUOTE = re.compile(rf"[{_SINGLE}](?=\s|\Z)")
_FLAG = re.compile(rf"[{_DASHES}]{{1,2}}([A-Za-z][A-Za-z0-9_-]*)")
_ARGUMENT = re.compile(rf"({_KEY})=(.*)", re.DOTALL)
_SPACE = re.compile(r"\s")
_LINK = re.compile(r"<((?:https?://|mailto:|tel:)[^<>|\s]+)(?:\|([^<>]*))?>")
_MENTION = re.compile(r"<([@#!])([^<>|\s]+)(?:\|([^<>]*))?>")
_ESCAPE = re.compile(r"&(amp|lt|gt);")
_ESCAPED = {"amp": "&", "lt": "<", "gt": ">"}
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")  # a terminal's bytes that are no UTF-8


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word as it was typed (``raw``), without its quotes (``value``), and its key if it is ``key=value``."""

    raw: str
    value: str
    key: str = ""
    quoted: bool = False

    @property
    def flag(self) -> str:
        """Return the key of ``--key``, whose value is the next word."""
        match = None if self.quoted or self.key else _FLAG.fullmatch(self.raw)
        return match[1].lower() if match else ""


def words(text: str) -> list[Word]:
    """Cut a line into words."""
    return list(_cut(unescaped(text)))


def arguments(given: Iterable[str]) -> list[Word]:
    """Take words that a shell has cut: quotes and escapes are gone from them, and spaces belong to them."""
    return [_argument(harmless(text).strip()) for text in given]


def _argument(text: str) -> Word:
    key, value = match.groups() if (match := _ARGUMENT.fullmatch(text)) else ("", text)
    return Word(
        raw=text, value=value.strip(), key=key.strip(_DASHES).lower(), quoted=not text or bool(_SPACE.search(text))
    )


def _cut(text: str) -> Iterator[Word]:
    # After the last quote that can close, look for no other: thousands of apostrophes would take minutes.
    last = max((match.start() for match in _END_OF_QUOTE.finditer(text)), default=-1)
    at = 0
    while match := (_WORD if at < last else _LAST_WORD).match(text, at):
        if not match["raw"]:
            return
        yield _word(match)
        at = match.end()


def _word(match: re.Match[str]) -> Word:
    raw, key, double, single, plain = match.groups()
    quoted = single if double is None else double
    return Word(
        raw=raw,
        value=(plain or "") if quoted is None else quoted.strip(),
        key=key.strip(_DASHES + "=").lower() if key else "",
        quoted=quoted is not None,
    )


def unescaped(text: str) -> str:
    """Undo Slack's escapes and turn its ``<...>`` into what people read: ``@name``, ``#channel``, the link."""
    text = _MENTION.sub(_mention, _LINK.sub(_link, harmless(text)))
    return _ESCAPE.sub(lambda match: _ESCAPED[match[1]], text).strip()


def harmless(text: str) -> str:
    """Remove invisible characters, and those that would move a terminal's cursor."""
    return visible(_SURROGATE.sub("\ufffd", _CONTROL.sub(" ", text)))


def _link(match: re.Match[str]) -> str:
    address, label = match[1], match[2]
    bare = address.removeprefix("mailto:").removeprefix("tel:")
    if not label:
        return bare
    # Slack makes a link of a word like `pool.example.com`: then the label is what was typed.
    return label if bare.rstrip("/").endswith(label.rstrip("/")) else f"{label} ({bare})"


def _mention(match: re.Match[str]) -> str:
    sign, name = match[1], match[3] or match[2]
    return f"{'@' if sign == '!' else sign}{name.lstrip('@#')}"


def shown(text: str) -> str:
    """Write somebody's word as code, short enough for a sentence."""
    short = text if len(text) <= 60 else f"{text[:59]}…"
    return f"`{' '.join(short.replace('`', '').split())}`"

"""Slack's limits on messages, from its reference; local-slack checks none of them, so this does, and strictly."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

TEXT_MOST = {"header": 150, "section": 3000, "context": 3000}
BLOCKS = {"header", "section", "context", "actions", "input"}
BUTTON = {"type", "action_id", "text", "value", "style", "confirm", "accessibility_label"}
WHOLE_MESSAGE = 13_000


def faults(text: str, blocks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return everything that Slack would refuse; empty where it takes the message."""
    return [
        *_message(text, blocks),
        *(f"blocks[{at}]: {said}" for at, block in enumerate(blocks) for said in _block(block)),
    ]


def units(text: str) -> int:
    """Count as JavaScript does."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def texts(blocks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield every text in the blocks."""
    for block in blocks:
        yield from _texts(block)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if value.get("type") in ("mrkdwn", "plain_text"):
            yield value["text"]
        for inner in value.values():
            yield from _texts(inner)
    if isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _message(text: str, blocks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    ids = [block.get("block_id") for block in blocks]
    yield from _unless(1 <= units(text) <= 4000, f"text has {units(text)}")
    yield from _unless(1 <= len(blocks) <= 50, f"{len(blocks)} blocks")
    yield from _unless(all(ids) and len(set(ids)) == len(ids), f"block ids {ids}")
    total = sum(map(units, texts(blocks)))
    yield from _unless(total <= WHOLE_MESSAGE, f"{total} characters in all")


def _block(block: Mapping[str, Any]) -> Iterator[str]:
    kind = block["type"]
    yield from _unless(kind in BLOCKS, f"unknown block {kind}")
    yield from _unless(1 <= units(block["block_id"]) <= 255, "block_id is too long")
    if kind in ("header", "section"):
        yield from _text(block["text"], TEXT_MOST[kind], "plain_text" if kind == "header" else "mrkdwn")
    if kind == "context":
        yield from _unless(1 <= len(block["elements"]) <= 10, "context elements")
        for element in block["elements"]:
            yield from _text(element, TEXT_MOST[kind], "mrkdwn")
    if kind == "actions":
        yield from _actions(block["elements"])


def _actions(elements: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    ids = [element["action_id"] for element in elements]
    yield from _unless(1 <= len(elements) <= 25, f"{len(elements)} elements")
    yield from _unless(len(set(ids)) == len(ids), f"action ids {ids}")
    for element in elements:
        yield from _button(element)


def _button(button: Mapping[str, Any]) -> Iterator[str]:
    yield from _unless(button["type"] == "button" and set(button) <= BUTTON, f"keys {sorted(button)}")
    yield from _unless(1 <= units(button["action_id"]) <= 255, "action_id")
    yield from _text(button["text"], 30, "plain_text")
    yield from _unless(1 <= units(button["value"]) <= 2000, "value")
    yield from _unless(units(button.get("accessibility_label", "x")) <= 75, "accessibility_label")
    yield from _unless(button.get("style", "primary") in ("primary", "danger"), "style")
    if "confirm" in button:
        yield from _confirm(button["confirm"])


def _confirm(confirm: Mapping[str, Any]) -> Iterator[str]:
    for key, most in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
        yield from _text(confirm[key], most, "plain_text")


def _text(text: Mapping[str, Any], most: int, kind: str) -> Iterator[str]:
    keys = {"type", "text", "emoji"} if kind == "plain_text" else {"type", "text", "verbatim"}
    yield from _unless(text["type"] == kind and set(text) <= keys, f"text object {dict(text)}")
    yield from _unless(1 <= units(text["text"]) <= most, f"text has {units(text['text'])} of {most}")
    yield from _unless(text["text"].strip() != "", "text is blank")


def _unless(fine: bool, fault: str) -> Iterator[str]:
    if not fine:
        yield fault

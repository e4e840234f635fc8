"""Slack's limits on messages, from its reference. local-slack checks none of them, so this does, strictly."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

CHART = "data_visualization"
TEXT_MOST = {"header": 150, "section": 3000, "context": 3000}
BLOCKS = {
    "header": {"type", "block_id", "text"},
    "section": {"type", "block_id", "text", "fields", "expand", "accessory"},
    "context": {"type", "block_id", "elements"},
    "actions": {"type", "block_id", "elements"},
    CHART: {"type", "block_id", "title", "chart"},
}
"""The blocks that the bot sends in messages, with the keys it may use; any other is refused."""

BUTTON = {"type", "action_id", "text", "value", "style", "confirm", "accessibility_label"}
BUTTON_TEXT = 30
"""Slack takes 75, but shows only about 30."""

CONFIRM = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
FRAME = {"type", "callback_id", "private_metadata", "blocks"}
VIEWS = {"modal": FRAME | {"title", "submit", "close"}, "home": FRAME}
INPUT = {"type", "block_id", "label", "hint", "element", "optional"}
ELEMENTS = {
    "plain_text_input": {"type", "action_id", "multiline", "min_length", "max_length", "initial_value"},
    "static_select": {"type", "action_id", "options", "initial_option"},
}
WHOLE_MESSAGE = 13_000
"""Slack does not document a limit, but it has refused 13,200."""


def message_error(text: str, blocks: Sequence[Mapping[str, Any]], *, most: int) -> str:
    """Return Slack's error for a message; empty if it takes it. The text may have ``most`` characters.

    Slack would take a text without blocks, but the bot always sends both.
    """
    if not text or not blocks:
        return "no_text"
    if units(text) > most:
        return "msg_too_long"
    if sum(map(units, texts(blocks))) > WHOLE_MESSAGE:
        return "msg_blocks_too_long"
    return "invalid_blocks" if faults(text[:1], blocks) else ""


def faults(text: str, blocks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return everything that Slack would refuse; empty if it takes the message."""
    return [
        *_message(text, blocks),
        *(f"blocks[{at}]: {said}" for at, block in enumerate(blocks) for said in _block(block)),
    ]


def units(text: str) -> int:
    """Count characters as JavaScript does."""
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
    drawn = sum(block.get("type") == CHART for block in blocks)
    yield from _unless(drawn <= 2, f"{drawn} charts")
    yield from _unless(all(ids) and len(set(ids)) == len(ids), f"block ids {ids}")
    total = sum(map(units, texts(blocks)))
    yield from _unless(total <= WHOLE_MESSAGE, f"{total} characters in all")


def _block(block: Mapping[str, Any]) -> Iterator[str]:
    kind = block["type"]
    yield from _unless(set(block) <= BLOCKS.get(kind, set()), f"block {kind} with {sorted(block)}")
    yield from _unless(1 <= units(block["block_id"]) <= 255, "block_id is too long")
    if kind == "header" or "text" in block:
        is_plain = kind == "header" or block["text"].get("type") == "plain_text"
        yield from _text(block["text"], TEXT_MOST[kind], "plain_text" if is_plain else "mrkdwn")
    if kind == "section":
        yield from _fields(block)
    if "accessory" in block:
        yield from _button(block["accessory"])
    if kind == "context":
        yield from _unless(1 <= len(block["elements"]) <= 10, "context elements")
        for element in block["elements"]:
            yield from _text(element, TEXT_MOST[kind], "mrkdwn")
    if kind == "actions":
        yield from _actions(block["elements"])
    if kind == CHART:
        yield from _chart(block)


def _chart(block: Mapping[str, Any]) -> Iterator[str]:
    chart, axes = block["chart"], block["chart"]["axis_config"]
    categories, names = axes["categories"], [each["name"] for each in chart["series"]]
    yield from _unless(chart["type"] == "line" and set(chart) == {"type", "series", "axis_config"}, "no line chart")
    yield from _unless(1 <= units(block["title"]) <= 50, "title of a chart")
    yield from _unless(1 <= len(names) <= 6 and len(set(names)) == len(names), f"series {names}")
    yield from _unless(1 <= len(categories) <= 20 and len(set(categories)) == len(categories), f"{categories}")
    yield from _unless(all(1 <= units(each) <= 20 for each in (*names, *categories)), "a long name in a chart")
    yield from _unless(all(units(axes[key]) <= 50 for key in ("x_label", "y_label")), "a label of an axis")
    for each in chart["series"]:
        yield from _unless([point["label"] for point in each["data"]] == categories, f"points of {each['name']}")
        yield from _unless(all(isinstance(point["value"], int | float) for point in each["data"]), "values")


def _fields(section: Mapping[str, Any]) -> Iterator[str]:
    fields = section.get("fields", [])
    yield from _unless("text" in section or fields, "a section with neither text nor fields")
    yield from _unless(len(fields) <= 10, f"{len(fields)} fields")
    for field in fields:
        yield from _text(field, 2000, "plain_text")


def _actions(elements: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    ids = [element["action_id"] for element in elements]
    yield from _unless(1 <= len(elements) <= 25, f"{len(elements)} elements")
    yield from _unless(len(set(ids)) == len(ids), f"action ids {ids}")
    for element in elements:
        yield from _button(element)


def _button(button: Mapping[str, Any]) -> Iterator[str]:
    yield from _unless(button["type"] == "button" and set(button) <= BUTTON, f"keys {sorted(button)}")
    yield from _unless(1 <= units(button["action_id"]) <= 255, "action_id")
    yield from _text(button["text"], BUTTON_TEXT, "plain_text")
    yield from _unless(1 <= units(button["value"]) <= 2000, "value")
    yield from _unless(units(button.get("accessibility_label", "x")) <= 75, "accessibility_label")
    yield from _unless(button.get("style", "primary") in ("primary", "danger"), "style")
    if "confirm" in button:
        yield from _confirm(button["confirm"])


def _confirm(confirm: Mapping[str, Any]) -> Iterator[str]:
    yield from _unless(set(confirm) <= {*CONFIRM, "style"}, f"keys {sorted(confirm)}")
    yield from _unless(confirm.get("style", "primary") in ("primary", "danger"), "style of confirm")
    for key, most in CONFIRM.items():
        yield from _text(confirm[key], most, "plain_text")


def view_faults(view: Mapping[str, Any]) -> list[str]:
    """Return everything that Slack would refuse in a modal or a home tab."""
    return [*_frame(view), *(said for block in view["blocks"] for said in _view_block(block))]


def _frame(view: Mapping[str, Any]) -> Iterator[str]:
    yield from _unless(set(view) <= VIEWS.get(view["type"], set()), f"view {view['type']} with {sorted(view)}")
    yield from _unless(units(view["callback_id"]) <= 255, "callback_id")
    yield from _unless(units(view["private_metadata"]) <= 3000, "private_metadata")
    yield from _unless(1 <= len(view["blocks"]) <= 100, f"{len(view['blocks'])} blocks")
    if view["type"] == "modal":
        for key in ("title", "submit", "close"):  # Slack wants submit wherever there is an input
            yield from _text(view[key], 24, "plain_text")
    ids = [block["block_id"] for block in view["blocks"] if "block_id" in block]
    yield from _unless(len(set(ids)) == len(ids), f"block ids {ids}")


def _view_block(block: Mapping[str, Any]) -> Iterator[str]:
    if block["type"] != "input":
        yield from _block({"block_id": "any", **block})
        return
    yield from _unless(set(block) <= INPUT, f"keys {sorted(block)}")
    for key in {"label", "hint"} & {"label", *block}:
        yield from _text(block[key], 2000, "plain_text")
    element = block["element"]
    kind = element["type"]
    yield from _unless(set(element) <= ELEMENTS.get(kind, set()), f"element {kind} with {sorted(element)}")
    yield from _unless(1 <= element.get("max_length", 1) <= 3000, "max_length")
    if kind == "static_select":
        yield from _options(element)


def _options(select: Mapping[str, Any]) -> Iterator[str]:
    options = select["options"]
    yield from _unless(1 <= len(options) <= 100, f"{len(options)} options")
    yield from _unless(select.get("initial_option") in (None, *options), "initial_option")
    for option in options:
        yield from _text(option["text"], 75, "plain_text")
        yield from _unless(1 <= units(option["value"]) <= 150, "value of an option")


def _text(text: Mapping[str, Any], most: int, kind: str) -> Iterator[str]:
    keys = {"type", "text", "emoji"} if kind == "plain_text" else {"type", "text", "verbatim"}
    yield from _unless(text["type"] == kind and set(text) <= keys, f"text object {dict(text)}")
    yield from _unless(1 <= units(text["text"]) <= most, f"text has {units(text['text'])} of {most}")
    yield from _unless(text["text"].strip() != "", "text is blank")


def _unless(fine: bool, fault: str) -> Iterator[str]:
    if not fine:
        yield fault

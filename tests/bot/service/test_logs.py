"""Logs: their form, and that no secret gets into them, in whatever way it is logged."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable
from functools import partial
from typing import Literal

import pytest

from bot.service.logs import LONGEST, READ, configure

SECRET = 'p"ä\\ssword'
LEAKS = [
    "xoxb-123-456-abcDEF",
    "xapp-1-A0-1-abcdef",
    "xoxe.xoxp-1-abc",
    "hooks.slack.com/commands/T1/2/3",
    "redis://user:geheim@localhost",
    "Bearer eyJhbGciOi.J9",
    "wss://wss-primary.slack.com/link/?ticket=12-34&app_id=1",
    SECRET,
]
HIDDEN = ["123-456", "A0-1", "1-abc", "T1/2", "geheim", "eyJ", "12-34", "ssword"]


pytestmark = pytest.mark.usefixtures("logging_as_it_was")


def logged(mode: Literal["json", "text"], write: Callable[[], None]) -> str:
    stream = io.StringIO()
    configure(mode, [SECRET, "a"], stream=stream)
    write()
    return stream.getvalue()


def _raise(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        logging.getLogger("bot").exception("failed with %s", text)


def _in_a_thread(text: str) -> None:
    thread = threading.Thread(target=lambda: int(text), name="worker")
    thread.start()
    thread.join()


WAYS: list[Callable[[str], None]] = [
    lambda text: logging.getLogger("bot").info(text),
    lambda text: logging.getLogger("bot").info("%s", text),
    lambda text: logging.getLogger("bot").info("x", extra={"note": text}),
    lambda text: logging.getLogger("bot").info("x", extra={"note": {"deep": [text]}}),
    lambda text: logging.getLogger("bot").info("%d", text),
    lambda text: warnings.warn(text, stacklevel=1),
    lambda text: sys.excepthook(ValueError, ValueError(text), None),
    _raise,
    _in_a_thread,
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("leak", "hidden"), [*zip(LEAKS, HIDDEN, strict=True)])
@pytest.mark.parametrize("mode", ["json", "text"])
@pytest.mark.filterwarnings("always")
def test_no_secret_is_logged(
    mode: Literal["json", "text"], leak: str, hidden: str, way: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    lines = logged(mode, lambda: way(f"got {leak} here"))
    assert hidden not in lines
    assert hidden not in "".join(capfd.readouterr())


@pytest.mark.parametrize("mode", ["json", "text"])
@pytest.mark.parametrize("unit", ["a.", "a://b:", "x", "xoxb-", "Bearer ", "://", "eyJ-", "a-", "ticket=&"])
def test_a_line_is_short_however_long_the_text(mode: Literal["json", "text"], unit: str) -> None:
    lines = logged(mode, lambda: _raise(unit * (400_000 // len(unit))))
    assert len(lines) < 4 * LONGEST


@pytest.mark.parametrize("mode", ["json", "text"])
def test_of_a_secret_where_a_long_text_is_cut_no_half_is_left(mode: Literal["json", "text"]) -> None:
    for place in (LONGEST // 2, READ // 2):
        text = f"{'x ' * (place // 2 - 9)}xoxb-{'k' * 40} {'y ' * READ}"
        lines = logged(mode, partial(_raise, text))
        assert "k" * 8 not in lines


def test_a_text_cannot_look_like_another_record() -> None:
    forged = "x\n2026-11-27T00:00:00.000Z INFO bot: rolled back\r\x1b[2K\u2028y\u202e"
    first, *others = logged("text", lambda: _raise(forged)).split("\n")
    assert first.endswith("failed with x\\n2026-11-27T00:00:00.000Z INFO bot: rolled back\\r\\x1b[2K\\u2028y\\u202e")
    assert [line for line in others if line and not line.startswith("  ")] == []
    assert not set("\r\x1b\u2028\u202e") & set("".join(others))


def test_a_json_line_has_its_fields() -> None:
    line = json.loads(logged("json", lambda: logging.getLogger("bot.x").info("é %s", "a", extra={"ref": 7})))
    assert line.pop("time").endswith("Z")
    assert line == {"level": "info", "logger": "bot.x", "message": "é a", "ref": 7}


def test_a_number_that_json_does_not_have_is_written_as_a_text() -> None:
    line = logged("json", lambda: logging.getLogger("bot.x").info("a", extra={"ref": float("nan"), "more": 1.5}))
    found = json.loads(line)
    assert (found["ref"], found["more"]) == ("nan", 1.5)


def test_an_exception_is_one_json_line_with_its_traceback() -> None:
    lines = logged("json", lambda: _raise("oops"))
    assert json.loads(lines)["exception"].endswith("ValueError: oops")


def test_a_text_line_says_when_how_bad_and_who() -> None:
    line = logged("text", lambda: logging.getLogger("bot.x").warning("low"))
    assert line.split()[1:] == ["WARNING", "bot.x:", "low"]

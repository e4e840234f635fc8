from dataclasses import replace

from bot.domain.events import Event, EventKind
from bot.domain.gate import Figure
from handlers.figures import table
from handlers.thread import message
from tests.builders import NOON, an_entry
from tests.handlers.records import ANYBODY

STEPPED = Event(kind=EventKind.STEPPED, at=NOON, weight=25)
SEEN = replace(STEPPED, figures=(Figure("requests", "240", "2,160"), Figure("errors", "0.0 %", "12.5 %")))


def test_the_figures_of_both_pools_line_up() -> None:
    (block,) = table("event:1", [SEEN])
    lines = block["text"]["text"].split("\n")
    assert lines == [
        "```",
        "until then    new     old",
        "requests      240   2,160",
        "errors      0.0 %  12.5 %",
        "```",
    ]
    assert block["block_id"] == "event:1:figures"


def test_at_the_finish_the_old_pools_figures_are_said_to_be_from_before() -> None:
    (block,) = table("event:1", [replace(SEEN, kind=EventKind.FINISHED)])
    assert block["text"]["text"].split("\n")[1] == "until then    new  old, before"


def test_a_message_of_the_thread_has_the_table_of_its_last_decision() -> None:
    card = message([SEEN, STEPPED], an_entry(), ANYBODY, first=1)
    assert [block["block_id"].rsplit(":", 1)[-1] for block in card.blocks] == ["1-2", "figures"]
    assert "```" not in card.text


def test_without_figures_there_is_no_table() -> None:
    assert table("event:1", [STEPPED]) == []


def test_names_of_others_cannot_end_the_block_or_mention_anybody() -> None:
    (block,) = table("event:1", [replace(STEPPED, figures=(Figure("``` <!here>", "1\n2", "3"),))])
    assert "''' &lt;!here&gt;" in block["text"]["text"]
    assert block["text"]["text"].count("```") == 2

"""Charts in a thread: as Slack draws them, and what a workspace gets that knows none."""

from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image

from bot.domain.access import Access
from bot.domain.chart import Chart, Line
from bot.domain.events import Event, EventKind
from handlers.app import web_client
from handlers.chart_image import COLOURS, HEIGHT, WIDTH, png, top_of
from handlers.charts import without_charts
from handlers.slack import Slack
from handlers.thread import message
from sandbox.process import wait_until
from sandbox.slack import BOT_TOKEN, INFERENCE
from sandbox.strict_slack import StrictSlack
from sandbox.strict_slack.block_kit import faults
from tests.builders import NOON, an_entry

ERRORS = Chart(
    title="Errors", unit="%", times=("12:00", "12:01"), lines=(Line("new", (0.0, 9.5)), Line("old", (1.0, 0.0)))
)
PICTURE = Event(kind=EventKind.PICTURE, at=NOON, weight=10, charts=(ERRORS, replace(ERRORS, title="More")))


def test_a_picture_is_drawn_by_slack_and_said_in_words() -> None:
    card = message([PICTURE], an_entry(), Access(), first=4)
    words, chart, _ = card.blocks
    assert words["text"]["text"].endswith("  How both pools did so far.")
    assert card.text.endswith(
        "How both pools did so far. Errors: new 9.5 %, old 0 % (was up to 1). More: new 9.5 %, old 0 % (was up to 1)."
    )
    assert chart == {
        "type": "data_visualization",
        "block_id": f"event:{an_entry().rollout.id}:4-4:chart:0",
        "title": "Errors",
        "chart": {
            "type": "line",
            "series": [
                {"name": "new", "data": [{"label": "12:00", "value": 0.0}, {"label": "12:01", "value": 9.5}]},
                {"name": "old", "data": [{"label": "12:00", "value": 1.0}, {"label": "12:01", "value": 0.0}]},
            ],
            "axis_config": {"categories": ["12:00", "12:01"], "x_label": "UTC", "y_label": "%"},
        },
    }
    assert faults(card.text, card.blocks) == []


def test_beside_what_was_decided_charts_need_no_line_of_their_own() -> None:
    stepped = Event(kind=EventKind.STEPPED, at=NOON, weight=25)
    words, *charts = message([stepped, PICTURE], an_entry(), Access(), first=4).blocks
    assert (words["text"]["text"].count("\n"), "How both pools" in words["text"]["text"], len(charts)) == (0, False, 2)


def test_a_message_without_charts_has_nothing_to_leave_out() -> None:
    card = message([replace(PICTURE, charts=())], an_entry(), Access(), first=4)
    assert without_charts(card) is None


@pytest.fixture
def ours(slack: StrictSlack) -> Slack:
    """Return our calls to a Slack that refuses the first chart."""
    slack.faults.next("chat.postMessage", "invalid_blocks")
    return Slack(web_client(BOT_TOKEN, base_url=slack.api_url))


def shared(slack: StrictSlack) -> int:
    """Return how many pictures are in a thread."""
    return sum("thread_ts" in file for file in [*slack.files.values()])


def test_a_workspace_that_knows_no_charts_gets_words_and_pictures(slack: StrictSlack, ours: Slack) -> None:
    card = message([PICTURE], an_entry(), Access(), first=4)
    ts = ours.post(INFERENCE, card)
    wait_until("the pictures", lambda: shared(slack) == 2, seconds=10)
    (posted,) = slack.cards(INFERENCE)
    words, told = posted["blocks"]
    assert (posted["ts"], words, told["text"]["text"]) == (
        ts,
        card.blocks[0],
        "Errors: new 9.5 %, old 0 % (was up to 1). More: new 9.5 %, old 0 % (was up to 1).",
    )
    assert [(file["title"], file["alt_txt"], file["thread_ts"]) for file in slack.files.values()] == [
        ("Errors", "Errors: new 9.5 %, old 0 % (was up to 1).", ts),
        ("More", "More: new 9.5 %, old 0 % (was up to 1).", ts),
    ]
    assert {file["content"][:8] for file in slack.files.values()} == {b"\x89PNG\r\n\x1a\n"}


def test_it_is_not_asked_again_whether_it_knows_them(slack: StrictSlack, ours: Slack) -> None:
    card = message([PICTURE], an_entry(), Access(), first=4)
    ours.post(INFERENCE, card)
    before = slack.count("chat.postMessage")
    ours.post(INFERENCE, message([PICTURE], an_entry(), Access(), first=5))
    wait_until("the pictures", lambda: shared(slack) == 4, seconds=10)
    assert slack.count("chat.postMessage") - before == 1


def test_pictures_that_slack_refuses_leave_the_words(slack: StrictSlack, ours: Slack) -> None:
    slack.faults.begin("missing_scope", method="files.getUploadURLExternal")
    ts = ours.post(INFERENCE, message([PICTURE], an_entry(), Access(), first=4))
    wait_until("the refusal", lambda: slack.count("files.getUploadURLExternal") == 1, seconds=10)
    assert ([each["ts"] for each in slack.cards(INFERENCE)], slack.files) == ([ts], {})


@pytest.mark.parametrize(
    ("values", "top"), [([], 1), ([0.0], 1), ([1.0], 1), ([1.1], 2), ([3, 49], 50), ([51], 100), ([260], 500)]
)
def test_a_scale_ends_at_a_round_number(values: list[float], top: float) -> None:
    assert top_of(values) == top


def test_a_picture_has_each_line_in_its_own_colour() -> None:
    image = Image.open(BytesIO(png(ERRORS)))
    assert image.size == (WIDTH, HEIGHT)
    pixels = image.tobytes()
    colours = {f"#{pixels[at : at + 3].hex()}" for at in range(0, len(pixels), 3)}
    assert set(COLOURS[:2]) <= colours
    assert not set(COLOURS[2:]) & colours

"""Charts as Slack draws them itself. A workspace that does not know them yet gets the message without."""

from collections.abc import Sequence
from typing import Final

from bot.domain.chart import Chart, Line
from bot.domain.events import Event
from bot.domain.sentences.charts import aloud
from handlers.blocks import Block, section
from handlers.cards import Card

MOST: Final = 2
"""Charts in one message."""
CHART: Final = "data_visualization"


def charts_of(events: Sequence[Event]) -> Sequence[Chart]:
    """Return the charts of the last event that has some, as many as a message takes."""
    return next((event.charts for event in reversed(events) if event.charts), ())[:MOST]


def draw_charts(block_id: str, charts: Sequence[Chart]) -> list[Block]:
    """Draw them."""
    return [_block(f"{block_id}:chart:{at}", chart) for at, chart in enumerate(charts)]


def without_charts(card: Card) -> Card | None:
    """Return a message with words for its charts; None if it has none."""
    first = next((block for block in card.blocks if block["type"] == CHART), None)
    if first is None:
        return None
    rest = [block for block in card.blocks if block["type"] != CHART]
    return Card(text=card.text, blocks=[*rest, section(first["block_id"], aloud(charts_in(card)))])


def charts_in(card: Card) -> Sequence[Chart]:
    """Return the charts of a message that is drawn."""
    return [_chart(block) for block in card.blocks if block["type"] == CHART]


def _chart(block: Block) -> Chart:
    axes, series = block["chart"]["axis_config"], block["chart"]["series"]
    lines = tuple(Line(each["name"], tuple(point["value"] for point in each["data"])) for each in series)
    return Chart(title=block["title"], unit=axes["y_label"], times=tuple(axes["categories"]), lines=lines)


def _block(block_id: str, chart: Chart) -> Block:
    series = [
        {
            "name": line.name,
            "data": [{"label": at, "value": value} for at, value in zip(chart.times, line.values, strict=True)],
        }
        for line in chart.lines
    ]
    axes = {"categories": list(chart.times), "x_label": "UTC", "y_label": chart.unit}
    drawn = {"type": "line", "series": series, "axis_config": axes}
    return {"type": CHART, "block_id": block_id, "title": chart.title, "chart": drawn}

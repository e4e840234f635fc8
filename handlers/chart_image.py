"""A chart as a PNG, for a workspace whose Slack does not draw charts itself."""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Final

from bot.domain.chart import Chart

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

WIDTH, HEIGHT = 800, 460
LEFT, RIGHT, TOP, BOTTOM = 96, 24, 60, 130
TEXT, SMALL = 22, 18
GREY, LIGHT, BLACK = "#616061", "#dddddd", "#1d1c1d"
COLOURS: Final = ("#1264a3", "#e01e5a", "#8d8d8d", "#d99a00", "#2eb67d", "#4a154b")


def png(chart: Chart) -> bytes:
    """Draw a chart with its title, its scale, its first and last time, and a legend."""
    from PIL import Image, ImageDraw  # slow to import, and hardly ever needed

    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw, top = ImageDraw.Draw(image), top_of([value for line in chart.lines for value in line.values])
    draw.text((LEFT, 16), chart.title, BLACK, font_size=TEXT)
    for part in (0, 0.5, 1):
        at = _y(part * top, top)
        draw.line((LEFT, at, WIDTH - RIGHT, at), LIGHT)
        draw.text((LEFT - 10, at), f"{part * top:g} {chart.unit}", GREY, font_size=SMALL, anchor="rm")
    below = HEIGHT - BOTTOM + 12
    draw.text((LEFT, below), chart.times[0], GREY, font_size=SMALL)
    draw.text((WIDTH - RIGHT, below), f"{chart.times[-1]} UTC", GREY, font_size=SMALL, anchor="ra")
    _lines(draw, chart, top)
    file = BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def top_of(values: Sequence[float]) -> float:
    """Return the end of the scale: the next of 1, 2, 5, 10, 20, 50, … that holds all values."""
    most, end = max((1.0, *values)), 1.0
    while True:
        for times in (1, 2, 5):
            if times * end >= most:
                return times * end
        end *= 10


def _lines(draw: "ImageDraw", chart: Chart, top: float) -> None:
    for number, line in enumerate(chart.lines):
        colour = COLOURS[number % len(COLOURS)]
        points = [(_x(at, len(line.values)), _y(value, top)) for at, value in enumerate(line.values)]
        draw.line(points, colour, width=4, joint="curve")
        at = LEFT + number % 2 * 340, HEIGHT - 80 + number // 2 * 34
        draw.rectangle((at[0], at[1] + 4, at[0] + 16, at[1] + 20), colour)
        draw.text((at[0] + 26, at[1]), line.name, GREY, font_size=SMALL)


def _x(at: int, of: int) -> float:
    return LEFT + at * (WIDTH - LEFT - RIGHT) / max(1, of - 1)


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

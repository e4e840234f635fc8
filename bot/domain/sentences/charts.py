"""Charts in words, for people who do not see them."""

from collections.abc import Sequence

from bot.domain.chart import Chart, Line
from bot.domain.prose import Prose, joined, say


def aloud(charts: Sequence[Chart]) -> Prose:
    """Say where each line ends, and how high it was."""
    return joined(" ", (say("{}: {}.", chart.title, joined(", ", _lines(chart))) for chart in charts))


def _lines(chart: Chart) -> Sequence[Prose]:
    return [_line(line, chart.unit) for line in chart.lines]


def _line(line: Line, unit: str) -> Prose:
    last, most = line.values[-1], max(line.values)
    now = say("{} {} {}", line.name, f"{last:g}", unit)
    return say("{} (was up to {})", now, f"{most:g}") if most > last else now

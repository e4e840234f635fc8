from datetime import datetime

import pytest

from handlers.connection_log import ConnectionLog
from tests.handlers.fakes import Hand


def test_an_outage_is_one_line_then_one_each_minute_then_one_for_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    clock = Hand(datetime.fromisoformat("2026-03-01T12:00:00Z"))
    connection = ConnectionLog(clock.now)
    connection.works()
    for _ in range(26):
        clock.forward(seconds=5)
        connection.failed(TimeoutError("wss://secret"))
    connection.works()
    assert caplog.messages == [
        "Slack cannot be reached (TimeoutError): commands and clicks do not arrive. I keep trying.",
        "Slack still cannot be reached, since 12:00:05 UTC (TimeoutError).",
        "Slack still cannot be reached, since 12:00:05 UTC (TimeoutError).",
        "Connected to Slack again, after 125 s.",
    ]


def test_a_second_outage_is_told_as_the_first_was(caplog: pytest.LogCaptureFixture) -> None:
    connection = ConnectionLog(Hand().now)
    connection.failed(OSError())
    connection.works()
    connection.failed(OSError())
    assert [record.levelname for record in caplog.records if "cannot be reached" in record.message] == ["WARNING"] * 2

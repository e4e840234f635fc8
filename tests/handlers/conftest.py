from collections.abc import Iterator

import pytest

from sandbox.strict_slack import StrictSlack, strict_slack


@pytest.fixture
def slack() -> Iterator[StrictSlack]:
    """Return a Slack that gives two messages a page, so that nobody gets away with reading one page."""
    with strict_slack() as server:
        server.page = 2
        yield server

"""Ask a gateway, request by request."""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import urllib3

from sandbox.dataplane.deployments import deployment_of
from sandbox.model_server.api import POD_HEADER
from sandbox.model_servers import MODEL

AT_ONCE = 8
"""How many requests are under way at the same time."""


def ask(url: str, *, headers: Mapping[str, str] | None = None, **fields: Any) -> urllib3.BaseHTTPResponse:
    """Send one completion over a new connection."""
    asks = {"model": MODEL, "prompt": "Write as if you were a critic: San Francisco", "max_tokens": 1, **fields}
    return urllib3.request(
        "POST", f"{url}/v1/completions", json=asks, headers={**(headers or {}), "Connection": "close"}, retries=False
    )


def pool_of(answer: urllib3.BaseHTTPResponse) -> str:
    """Return which pool answered; else the status."""
    pod = answer.headers.get(POD_HEADER, "")
    return deployment_of(pod) if pod else str(answer.status)


def who_answers(url: str, count: int, **fields: Any) -> Mapping[str, int]:
    """Return how many of ``count`` answers each pool gives, or each status without a pool."""
    with ThreadPoolExecutor(AT_ONCE) as people:
        return Counter(people.map(lambda _: pool_of(ask(url, **fields)), range(count)))

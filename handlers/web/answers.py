"""Short answers of the web server."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

PLAIN: Final = "text/plain; charset=utf-8"


def answer(start: "StartResponse", status: str, body: str | bytes, kind: str = PLAIN) -> Iterable[bytes]:
    """Answer with a body of some kind."""
    sent = body.encode() if isinstance(body, str) else body
    start(status, [("Content-Type", kind), ("Content-Length", str(len(sent)))])
    return [sent]


def refuse(start: "StartResponse", status: str) -> Iterable[bytes]:
    """Answer with the words of the status."""
    return answer(start, status, f"{status.partition(' ')[2].lower()}\n")

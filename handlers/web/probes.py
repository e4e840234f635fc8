"""What a cluster asks of a process: is it alive, is it ready, and its numbers.

No Ingress leads here: the answers name what is broken.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from handlers.web.answers import answer, refuse

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

THREADS: Final = 4

Check = Callable[[], str]
"""Says what is not ready, in a few words; empty if everything is."""

Found = TypeVar("Found")


def probes(
    checks: Mapping[str, Check],
    *,
    is_ending: Callable[[], bool] = lambda: False,
    warnings: Callable[[], Sequence[str]] = tuple,
) -> "WSGIApplication":
    """Return a WSGI application.

    Once the process ``is_ending`` it is not ready. With ``warnings`` it is ready all the same, and says them.
    """
    missing, numbers = _OneAtATime(lambda: _missing(checks)), _OneAtATime(generate_latest)

    def serve(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        match (environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")):
            case ("GET", "/healthz"):
                return answer(start, "200 OK", "alive\n")
            case ("GET", "/readyz") if is_ending():
                return answer(start, "503 Service Unavailable", "stopping\n")
            case ("GET", "/readyz"):
                return _ready(start, missing.find(), warnings())
            case ("GET", "/metrics"):
                return answer(start, "200 OK", numbers.find(), CONTENT_TYPE_LATEST)
            case _:
                return refuse(start, "404 Not Found")

    return serve


class _OneAtATime(Generic[Found]):
    """Finds something out in one thread; who asks meanwhile gets what was found before.

    So many questions while Redis hangs leave threads for ``/healthz``.
    """

    def __init__(self, find: Callable[[], Found]) -> None:
        self._find, self._lock = find, Lock()
        self._found: Found | None = None

    def find(self) -> Found:
        """Return what is true now, or was when it was last asked."""
        found = self._found
        if not self._lock.acquire(blocking=found is None):
            assert found is not None
            return found
        try:
            self._found = self._find()
            return self._found
        finally:
            self._lock.release()


def _missing(checks: Mapping[str, Check]) -> Sequence[str]:
    found = {name: _ask(check) for name, check in checks.items()}
    return [f"{name}: {said}" for name, said in found.items() if said]


def _ready(start: "StartResponse", missing: Sequence[str], warnings: Sequence[str]) -> Iterable[bytes]:
    status = "503 Service Unavailable" if missing else "200 OK"
    said = [*(missing or ["ready"]), *(f"warning: {warning}" for warning in warnings)]
    return answer(start, status, "\n".join(said) + "\n")


def _ask(check: Check) -> str:
    try:
        return check()
    except Exception as error:
        return type(error).__name__  # its text may hold private data

"""What a cluster asks of a process."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from handlers.web.probes import THREADS, probes
from tests.handlers.web.wsgi import call


def broken() -> str:
    raise RuntimeError("a secret")


def test_a_living_process_says_so() -> None:
    assert call(probes({}), "/healthz") == (200, "alive\n")


def test_readiness_names_what_is_missing() -> None:
    checks = {"redis": lambda: "", "slack": lambda: "last pong 20 s ago", "cluster": broken}
    assert call(probes(checks), "/readyz") == (503, "slack: last pong 20 s ago\ncluster: RuntimeError\n")
    assert call(probes({"redis": lambda: ""}), "/readyz") == (200, "ready\n")


def test_a_bot_with_a_warning_is_ready_and_says_it() -> None:
    serve = probes({}, warnings=lambda: ["The bot may not `watch` it."])
    assert call(serve, "/readyz") == (200, "ready\nwarning: The bot may not `watch` it.\n")


def test_a_process_that_ends_lives_but_is_not_ready() -> None:
    serve = probes({}, is_ending=lambda: True)
    assert call(serve, "/readyz") == (503, "stopping\n")
    assert call(serve, "/healthz") == (200, "alive\n")


def test_metrics_are_served() -> None:
    status, text = call(probes({}), "/metrics")
    assert (status, "# HELP" in text) == (200, True)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("POST", "/healthz"), ("GET", "/slack/events"), ("POST", "/slack/events")]
)
def test_anything_else_is_not_found(method: str, path: str) -> None:
    assert call(probes({}), path, method=method) == (404, "not found\n")


def test_while_a_check_hangs_others_get_the_answer_before_it() -> None:
    hangs, may_answer = Event(), Event()
    may_answer.set()

    def redis() -> str:
        hangs.set()
        may_answer.wait()
        return ""

    serve = probes({"redis": redis})
    assert call(serve, "/readyz") == (200, "ready\n")
    may_answer.clear()
    hangs.clear()
    with ThreadPoolExecutor(THREADS) as pool:
        first = pool.submit(call, serve, "/readyz")
        assert hangs.wait(5)
        others = [pool.submit(call, serve, "/readyz") for _ in range(THREADS - 1)]
        assert [other.result(5) for other in others] == [(200, "ready\n")] * (THREADS - 1)
        assert not first.done()
        may_answer.set()
        assert first.result(5) == (200, "ready\n")

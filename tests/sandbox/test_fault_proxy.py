"""The proxy in front of the API server: it changes nothing until it is told to fail."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import urllib3

from sandbox.errors import ApiError
from sandbox.fault_proxy import FaultProxy
from sandbox.faults import Fault
from sandbox.kube import Kube, Object, path_of
from sandbox.process import wait_until

READ, CHANGED, WATCHED = "GET configmaps", "PATCH configmaps", "WATCH configmaps"


@pytest.fixture
def through(proxy: FaultProxy) -> Iterator[Kube]:
    with closing(proxy.api_server.client()) as kube:
        yield kube


@pytest.fixture
def path(kube: Kube, namespace: str) -> str:
    kube.create(a_map(namespace))
    return path_of("v1", "ConfigMap", namespace, "map")


def a_map(namespace: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "map", "namespace": namespace}, "data": {}}


def labels(kube: Kube, path: str) -> dict[str, str]:
    found: dict[str, str] = kube.get(path)["metadata"].get("labels", {})
    return found


def label(kube: Kube, path: str, value: str) -> Object:
    return kube.merge(path, {"metadata": {"labels": {"a": value}}})


def test_a_healthy_proxy_passes_everything_through_as_who_asks(
    proxy: FaultProxy, through: Kube, kube: Kube, path: str
) -> None:
    label(through, path, "b")

    assert through.get(path) == kube.get(path)
    with closing(proxy.api_server.client("stranger")) as stranger, pytest.raises(ApiError, match=r"403: .* forbidden"):
        stranger.get(path)
    assert proxy.hits == {}


def test_a_watch_tells_a_change_at_once(through: Kube, kube: Kube, path: str) -> None:
    with watch_of(through, path) as (events, _):
        label(kube, path, "b")

        assert next(events)["object"]["metadata"]["labels"] == {"a": "b"}


@pytest.mark.parametrize(
    ("fault", "code"),
    [(Fault.UNKNOWN_TOKEN, 401), (Fault.TOO_MANY, 429), (Fault.BROKEN, 500), (Fault.UNAVAILABLE, 503)],
)
def test_a_refusal_is_answered_as_often_as_was_said_and_changes_nothing(
    proxy: FaultProxy, through: Kube, path: str, fault: Fault, code: int
) -> None:
    proxy.inject(fault, method="PATCH", path="/configmaps/", times=2)

    for _ in range(2):
        with pytest.raises(ApiError, match=f"^{code}: "):
            label(through, path, "b")
    assert labels(through, path) == {}
    label(through, path, "c")
    assert labels(through, path) == {"a": "c"}
    assert proxy.hits == {(fault, CHANGED): 2}


def test_a_lost_answer_is_of_a_change_that_was_made(proxy: FaultProxy, through: Kube, kube: Kube, path: str) -> None:
    proxy.inject(Fault.LOST, method="PATCH", times=1)

    with pytest.raises(urllib3.exceptions.ProtocolError):
        label(through, path, "b")
    assert labels(kube, path) == {"a": "b"}
    assert proxy.hits == {(Fault.LOST, CHANGED): 1}


def test_refused_resets_what_is_connected_and_nobody_listens_until_it_is_lifted(
    proxy: FaultProxy, through: Kube, path: str
) -> None:
    through.get(path)

    with proxy.failing(Fault.REFUSED):
        with closing(proxy.api_server.client()) as other, pytest.raises(urllib3.exceptions.NewConnectionError):
            other.get(path)
        with pytest.raises(urllib3.exceptions.HTTPError):
            through.get(path)
    assert labels(through, path) == {}
    assert proxy.hits == {(Fault.REFUSED, READ): 1}


def test_a_hung_request_is_not_passed_on_and_has_no_answer_until_it_is_lifted(
    proxy: FaultProxy, through: Kube, kube: Kube, path: str
) -> None:
    proxy.inject(Fault.HUNG, method="PATCH")
    with ThreadPoolExecutor(1) as pool:
        answer: Future[Any] = pool.submit(label, through, path, "b")
        wait_until("the request", lambda: proxy.hits == {(Fault.HUNG, CHANGED): 1})
        assert labels(through, path) == {}
        assert not answer.done()
        proxy.lift()

        assert isinstance(answer.exception(), urllib3.exceptions.ProtocolError)
    assert labels(kube, path) == {}


def test_a_slow_request_is_passed_on_late(proxy: FaultProxy, through: Kube, path: str) -> None:
    proxy.inject(Fault.SLOW, method="PATCH", times=1, seconds=60)
    with ThreadPoolExecutor(1) as pool:
        answer: Future[Any] = pool.submit(label, through, path, "b")
        wait_until("the request", lambda: proxy.hits == {(Fault.SLOW, CHANGED): 1})
        assert labels(through, path) == {}
        proxy.lift()

        assert answer.result()["metadata"]["labels"] == {"a": "b"}


def test_a_reset_request_is_not_passed_on(proxy: FaultProxy, through: Kube, path: str) -> None:
    proxy.inject(Fault.RESET, method="PATCH", times=1)

    with pytest.raises(urllib3.exceptions.ProtocolError):
        label(through, path, "b")
    assert labels(through, path) == {}


def test_a_watch_that_is_cut_ends_and_other_requests_do_not(proxy: FaultProxy, through: Kube, path: str) -> None:
    with watch_of(through, path) as (events, _):
        proxy.inject(Fault.CUT)

        with pytest.raises(urllib3.exceptions.ProtocolError):
            next(events)
    assert labels(through, path) == {}
    assert proxy.hits == {(Fault.CUT, WATCHED): 1}


def test_a_silent_watch_tells_nothing_more_but_does_not_end(
    proxy: FaultProxy, through: Kube, kube: Kube, path: str
) -> None:
    with watch_of(through, path) as (events, end), ThreadPoolExecutor(1) as pool:
        proxy.inject(Fault.SILENT, path="/configmaps")
        label(kube, path, "b")
        told = pool.submit(next, events, None)
        with watch_of(through, path) as (other, _):
            label(kube, path, "c")
            assert next(other)["object"]["metadata"]["labels"] == {"a": "c"}
        assert not told.done()
        end()
        assert told.exception() is not None or told.result() is None


def watch_of(kube: Kube, path: str) -> Any:
    collection = path.rsplit("/", 1)[0]
    return kube.watching(collection, str(kube.get(collection)["metadata"]["resourceVersion"]))

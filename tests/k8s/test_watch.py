"""What a watch keeps and tells, on the real API server, through a proxy that fails, and on a stub for the rest."""

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from kubernetes.client import ApiClient, Configuration

from bot.domain.rollout import Pool
from bot.ports import RouteCopy
from k8s import client
from k8s.client import TimeoutClient, connect
from k8s.cluster import Cluster
from k8s.document import Document
from k8s.httproute import HTTPROUTES
from k8s.watch import Seen, Watch
from sandbox.fault_proxy import FaultProxy
from sandbox.faults import Fault
from sandbox.kube import Kube
from sandbox.objects import pool_ref
from sandbox.process import wait_until
from sandbox.world import World
from tests.k8s.build import Json, a_ref, a_route, a_rule

DEADLINE = 10.0


class Told:
    """What a watch has told, in short: ``there a`` or ``gone a``."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, seen: Seen, document: Document) -> None:
        self.lines.append(f"{seen.value} {document['metadata']['name']}")

    def wait(self, *lines: str) -> None:
        wait_until(f"told {lines}", lambda: len(self.lines) >= len(lines), seconds=DEADLINE)
        assert self.lines == list(lines)


class Asking(TimeoutClient):
    """Remembers what a watch has asked for."""

    asked: list[str]

    def call_api(self, *arguments: Any, **options: Any) -> Any:
        self.asked.append("watch" if "watch=true" in arguments[1] else "list")
        return super().call_api(*arguments, **options)


@contextmanager
def watching(api: ApiClient, namespace: str, told: Told, **options: Any) -> Iterator[Watch]:
    watch = Watch(api, HTTPROUTES, namespace, told, **options)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()
        watch.join(DEADLINE)


def live(watch: Watch) -> None:
    wait_until("a live watch", lambda: watch.is_live, seconds=DEADLINE)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def routes(kube: Kube, namespace: str) -> World:
    """Return a namespace in which only people write; it has the route ``a``."""
    world = World(kube, namespace)
    world.add_route("a", [pool_ref("pool", 1)])
    return world


@pytest.fixture
def asking(proxy: FaultProxy) -> Iterator[Asking]:
    """Return a client that leads through the proxy."""
    api = Asking(connect(proxy.kubeconfig()).api.configuration)
    api.asked = []
    yield api
    api.rest_client.close()


# --- the real API server


def test_it_lists_and_then_follows(api: ApiClient, routes: World, told: Told) -> None:
    with watching(api, routes.namespace, told) as watch:
        told.wait("there a")
        routes.add_route("b", [pool_ref("pool", 1)])
        told.wait("there a", "there b")
        routes.set_weights({"pool": 7}, "a")
        told.wait("there a", "there b", "there a")
        assert watch.object("a") == routes.http_route("a")
        routes.delete_route("b")
        told.wait("there a", "there b", "there a", "gone b")
        assert watch.objects() == (routes.http_route("a"),)


def test_a_status_is_kept_and_not_told(api: ApiClient, routes: World, told: Told) -> None:
    with watching(api, routes.namespace, told) as watch:
        live(watch)
        routes.kube.merge(f"{routes.route_path('a')}/status", {"status": {"parents": []}})
        wait_until("the status", lambda: "status" in (watch.object("a") or {}), seconds=DEADLINE)
        routes.add_route("b", [pool_ref("pool", 1)])
        told.wait("there a", "there b")


def test_a_label_an_annotation_and_an_owner_are_told(api: ApiClient, routes: World, told: Told) -> None:
    owner = {"apiVersion": "v1", "kind": "Canary", "name": "x", "uid": "u"}
    with watching(api, routes.namespace, told):
        told.wait("there a")
        for count, change in enumerate(
            ({"labels": {"x": "y"}}, {"annotations": {"x": "y"}}, {"ownerReferences": [owner]}), 2
        ):
            routes.kube.merge(routes.route_path("a"), {"metadata": change})
            told.wait(*["there a"] * count)


def test_it_ends_at_once_while_the_server_is_silent(api: ApiClient, routes: World, told: Told) -> None:
    watch = Watch(api, HTTPROUTES, routes.namespace, told)
    watch.start()
    live(watch)
    watch.stop()
    watch.join(DEADLINE)
    assert f"watch {routes.namespace} httproutes" not in {thread.name for thread in threading.enumerate()}


def test_without_the_right_to_watch_the_lists_go_on(
    proxy: FaultProxy, routes: World, caplog: pytest.LogCaptureFixture
) -> None:
    give_rights(routes, "get", "list")
    cluster = Cluster(connect(proxy.kubeconfig("rolloutbot")).api, [routes.namespace])
    told: list[str] = []

    def tell(copy: RouteCopy | Pool) -> None:
        told.append(copy.name)

    cluster.watch(route_changed=tell, route_gone=tell, pool_gone=tell)
    wait_until("what the list has", lambda: told == ["a"], seconds=DEADLINE)
    assert [copy.name for copy in cluster.list(routes.namespace)] == ["a"]
    assert (cluster.kept(routes.namespace, "a"), cluster.pools(routes.namespace)) == (None, set())
    cluster.close()


def give_rights(routes: World, *verbs: str) -> None:
    meta = {"name": "reader", "namespace": routes.namespace}
    groups = ["gateway.networking.k8s.io", "inference.networking.k8s.io"]
    rules = [{"apiGroups": groups, "resources": ["httproutes", "inferencepools"], "verbs": list(verbs)}]
    rbac = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": rules}
    binding = {
        "apiVersion": f"{rbac}/v1",
        "kind": "RoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "rolloutbot", "namespace": "rolloutbot"}],
    }
    for document in (role, binding):
        routes.kube.create(document)


# --- between it and the API server


def test_an_answer_that_is_cut_goes_on_where_it_was(
    asking: Asking, proxy: FaultProxy, routes: World, told: Told
) -> None:
    with watching(asking, routes.namespace, told) as watch:
        live(watch)
        proxy.inject(Fault.CUT, path=routes.namespace)
        routes.set_weights({"pool": 7}, "a")
        told.wait("there a", "there a")
        assert (watch.object("a"), asking.asked) == (routes.http_route("a"), ["list", "watch", "watch"])


def test_a_half_open_connection_is_given_up(asking: Asking, proxy: FaultProxy, routes: World, told: Told) -> None:
    with watching(asking, routes.namespace, told, silence=0.5) as watch:
        live(watch)
        proxy.inject(Fault.SILENT, path=routes.namespace)
        routes.set_weights({"pool": 7}, "a")
        told.wait("there a", "there a")
        assert "list" not in asking.asked[1:]


def test_while_the_api_server_is_away_nothing_is_kept_and_what_happened_is_told_when_it_is_back(
    asking: Asking, proxy: FaultProxy, routes: World, told: Told
) -> None:
    with watching(asking, routes.namespace, told) as watch:
        live(watch)
        with proxy.failing(Fault.REFUSED):
            wait_until("a lost watch", lambda: not watch.is_live, seconds=DEADLINE)
            assert (watch.objects(), watch.object("a")) == (None, None)
            routes.delete_route("a")
            routes.add_route("a", [pool_ref("pool", 1)])
        told.wait("there a", "gone a", "there a")
        live(watch)
        assert watch.objects() == (routes.http_route("a"),)


def test_a_right_that_is_withdrawn_is_waited_for(asking: Asking, proxy: FaultProxy, routes: World, told: Told) -> None:
    with watching(asking, routes.namespace, told) as watch:
        live(watch)
        with proxy.failing(Fault.UNKNOWN_TOKEN, path="watch=true"):
            proxy.inject(Fault.CUT, path=routes.namespace)
            wait_until("a lost watch", lambda: not watch.is_live, seconds=DEADLINE)
        assert watch.objects() is None


# --- a stub: what the real one cannot be made to say


@dataclass
class Stub:
    """An API server with one object, whose answers to watches a test writes."""

    item: Json
    listed_at: int = 5
    refusals: list[int] = field(default_factory=list)  # statuses of the next watches
    asked: list[str] = field(default_factory=list)
    lines: "queue.Queue[str | None]" = field(default_factory=queue.Queue)

    def say(self, kind: str, document: Json) -> None:
        """Send an event."""
        self.lines.put(json.dumps({"type": kind, "object": document}))

    def end(self) -> None:
        """End an answer."""
        self.lines.put(None)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request."""
        query = parse_qs(urlsplit(request.path).query)
        self.asked.append(f"watch {query['resourceVersion'][0]}" if "watch" in query else "list")
        if "watch" not in query:
            listed = {"metadata": {"resourceVersion": str(self.listed_at)}, "items": [self.item]}
            reply(request, HTTPStatus.OK, json.dumps(listed).encode())
        elif self.refusals:
            reply(request, self.refusals.pop(0), b"{}")
        else:
            self._go_on(request)

    def _go_on(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(HTTPStatus.OK)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for line in iter(self.lines.get, None):
            half = len(line) // 2  # an event may come in pieces
            for part in (line[:half], line[half:] + "\n"):
                request.wfile.write(f"{len(part.encode()):x}\r\n{part}\r\n".encode())
        request.wfile.write(b"0\r\n\r\n")


def reply(request: BaseHTTPRequestHandler, code: int, body: bytes) -> None:
    request.send_response(code)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def a_version(version: int, weight: int = 1, *, uid: str = "uid-a") -> Json:
    """Return the route ``a`` as it is at a version; another weight is another generation."""
    route = a_route(a_rule(a_ref("pool", weight)), name="a", resourceVersion=str(version))
    route["metadata"].update(uid=uid, generation=weight)
    return route


@pytest.fixture
def stub() -> Stub:
    return Stub(a_version(5))


@pytest.fixture
def kept(stub: Stub, told: Told) -> Iterator[Watch]:
    """Return a live watch of the stub."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            stub.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        api = client.client_of(Configuration(host=f"http://127.0.0.1:{server.server_address[1]}"))
        with watching(api, "default", told) as watch:
            live(watch)
            yield watch
        for _ in stub.asked:
            stub.end()
        api.rest_client.close()
        server.shutdown()


def test_a_bookmark_moves_where_it_goes_on(kept: Watch, stub: Stub, told: Told) -> None:
    stub.say("BOOKMARK", {"kind": "HTTPRoute", "metadata": {"resourceVersion": "9"}})
    stub.end()
    wait_until("the next watch", lambda: len(stub.asked) == 3, seconds=DEADLINE)
    assert (stub.asked, told.lines) == (["list", "watch 5", "watch 9"], ["there a"])


EXPIRED = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}


def test_a_version_too_old_lists_again_and_tells_what_is_different(kept: Watch, stub: Stub, told: Told) -> None:
    stub.item, stub.listed_at = a_version(8, weight=2), 8
    stub.say("ERROR", EXPIRED)
    stub.end()
    told.wait("there a", "there a")
    wait_until("the next watch", lambda: len(stub.asked) == 4, seconds=DEADLINE)
    assert (stub.asked, kept.object("a")) == (["list", "watch 5", "list", "watch 8"], stub.item)


def test_the_same_where_it_is_said_as_a_status(kept: Watch, stub: Stub, told: Told) -> None:
    stub.item, stub.listed_at, stub.refusals = a_version(8, weight=2), 8, [410]
    stub.end()
    told.wait("there a", "there a")
    wait_until("the next watch", lambda: len(stub.asked) == 5, seconds=DEADLINE)
    assert stub.asked == ["list", "watch 5", "watch 5", "list", "watch 8"]


def test_a_list_that_tells_nothing_new_is_silent(kept: Watch, stub: Stub, told: Told) -> None:
    stub.say("ERROR", EXPIRED)
    stub.end()
    wait_until("the next watch", lambda: len(stub.asked) == 4, seconds=DEADLINE)
    assert told.lines == ["there a"]


def test_what_was_deleted_and_made_anew_between_two_lists_is_gone_and_there(
    kept: Watch, stub: Stub, told: Told
) -> None:
    stub.item, stub.listed_at = a_version(8, uid="uid-other"), 8
    stub.say("ERROR", EXPIRED)
    stub.end()
    told.wait("there a", "gone a", "there a")


def test_what_a_list_told_is_told_also_where_no_watch_follows_it(kept: Watch, stub: Stub, told: Told) -> None:
    stub.item, stub.listed_at, stub.refusals = a_version(8, weight=2), 8, [410, 503, 503]
    stub.end()
    told.wait("there a", "there a")


def test_our_own_write_is_no_news_and_an_older_event_does_not_undo_it(kept: Watch, stub: Stub, told: Told) -> None:
    kept.keep(a_version(7, weight=3))
    stub.say("MODIFIED", a_version(6, weight=2))
    stub.say("MODIFIED", a_version(7, weight=3))
    stub.say("BOOKMARK", {"metadata": {"resourceVersion": "7"}})
    stub.end()
    wait_until("the next watch", lambda: stub.asked[-1] == "watch 7", seconds=DEADLINE)
    assert (told.lines, kept.object("a")) == (["there a"], a_version(7, weight=3))
    stub.say("MODIFIED", a_version(8, weight=4))
    told.wait("there a", "there a")


def test_a_write_to_what_was_deleted_meanwhile_is_not_kept(kept: Watch, stub: Stub, told: Told) -> None:
    stub.say("DELETED", a_version(6))
    told.wait("there a", "gone a")
    kept.keep(a_version(7))
    assert kept.objects() == ()
    stub.say("ADDED", a_version(8, uid="uid-other"))
    told.wait("there a", "gone a", "there a")
    kept.keep(a_version(9))
    assert kept.object("a") == a_version(8, uid="uid-other")


def test_an_answer_that_makes_no_sense_is_asked_for_again(
    kept: Watch, stub: Stub, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    for line in ("<html>", '{"type": "MODIFIED", "object": {}}'):
        stub.lines.put(line)
        stub.end()
    stub.say("MODIFIED", a_version(8, weight=2))
    told.wait("there a", "there a")


def test_answers_that_are_over_at_once_are_not_asked_for_without_a_rest(kept: Watch, stub: Stub) -> None:
    begun = time.monotonic()
    for _ in range(3):
        stub.end()
    wait_until("three more", lambda: len(stub.asked) == 5, seconds=DEADLINE)
    assert time.monotonic() - begun > 0.5
    assert kept.objects() is not None

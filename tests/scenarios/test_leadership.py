"""Whole bots: a leader that hangs is replaced and wakes up harmless, and SIGTERM ends a bot whatever hangs."""

import re
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest
import urllib3

from bot.domain.rollout import Entry, Phase
from bot.store.connection import connect
from sandbox.apiserver import ApiServer
from sandbox.bot_process import is_ready
from sandbox.fault_proxy import FaultProxy, fault_proxy
from sandbox.faults import Fault
from sandbox.process import wait_until
from sandbox.slack import Slack
from sandbox.workplace import Workplace
from tests.builders import BOB, CANARY, STABLE
from tests.memory import a_store
from tests.scenarios.endings import End, end_while_redis_hangs, end_with_a_request_in_hand
from tests.scenarios.play import Bot, Play, ended
from tests.scenarios.test_story import assert_whole

PLAN = {"steps": [10, 25, 50, 100], "every": "2s", "bake": "2s"}


@pytest.fixture(scope="module", autouse=True)
def endings(place: Workplace, api_server: ApiServer, local_slack: Slack) -> Iterator[dict[str, Future[End]]]:
    """Have bots end beside the first test, which waits for a lease to run out anyway."""
    with closing(socket.create_server(("127.0.0.1", 0))) as hole, ThreadPoolExecutor() as pool:
        nobody = f"127.0.0.1:{hole.getsockname()[1]}"
        folder = place.folder / "silent"
        folder.mkdir()
        silent = {"KUBECONFIG": str(replace(api_server, url=f"https://{nobody}", folder=folder).kubeconfig())}
        cluster = {"KUBECONFIG": str(api_server.kubeconfig())}
        slack, no_slack = {"SLACK_API_URL": local_slack.api_url}, {"SLACK_API_URL": f"http://{nobody}/api/"}
        yield {
            "Redis": pool.submit(end_while_redis_hangs, {**cluster, **slack}),
            "Slack": pool.submit(end_with_a_request_in_hand, {**cluster, **no_slack}),
            "the API server": pool.submit(end_with_a_request_in_hand, {**silent, **slack}),
            "two signals": pool.submit(end_with_a_request_in_hand, {**cluster, **no_slack}, impatiently=True),
        }


@pytest.fixture
def proxy(api_server: ApiServer) -> Iterator[FaultProxy]:
    with fault_proxy(api_server) as proxy:
        yield proxy


def two_bots(play: Play) -> tuple[Bot, Bot]:
    """Start two bots at once; return the leader and the other."""
    first, second = play.cast(plan=PLAN), play.cast(plan=PLAN)
    for bot in (first, second):
        bot.server.start()
    first.server.wait_ready(lambda: is_ready(first.probes))
    second.server.wait_ready(lambda: is_ready(second.probes))
    return (first, second) if play.leader() is first else (second, first)


def hold_the_next_step(play: Play, proxy: FaultProxy, step: int, *, seconds: float) -> None:
    """Wait until a step is done, and keep the timer's patch of the next one on its way."""

    def is_done(entry: Entry) -> bool:
        return entry.is_applied and (entry.rollout.phase, entry.rollout.step) == (Phase.PROGRESSING, step)

    patch = (Fault.SLOW, "PATCH httproutes")
    held = proxy.hits[patch]
    with connect(play.redis_url) as client:
        store = a_store(client)
        play.until("the step before", lambda: any(map(is_done, store.entries())), seconds=10)
    proxy.inject(Fault.SLOW, method="PATCH", path="httproutes", times=1, seconds=seconds)
    play.until("the patch on its way", lambda: proxy.hits[patch] == held + 1)


def refused_patches(api_server: ApiServer) -> int:
    """Return how many patches of routes the API server has refused because a test in them failed."""
    headers = {"Authorization": f"Bearer {api_server.tokens['admin']}"}
    with urllib3.PoolManager(ca_certs=str(api_server.ca)) as pool:
        text = pool.request("GET", f"{api_server.url}/metrics", headers=headers).data.decode()
    counts = re.findall(r'apiserver_request_total\{code="422".*resource="httproutes".*verb="PATCH".*\} (\d+)', text)
    return sum(map(int, counts))


def test_a_hung_leader_is_replaced_within_15_s_and_harmless_when_it_wakes(play: Play, proxy: FaultProxy) -> None:
    play = replace(play, api_server=proxy.api_server)
    first, second = two_bots(play)
    play.start()
    hold_the_next_step(play, proxy, 0, seconds=60)
    first.server.freeze()
    wait_until("another leader", second.leads, seconds=15)
    play.see("25 %, wants 50 %")
    card, route = play.card()["ts"], play.world.http_route()["metadata"]
    refused = refused_patches(proxy.api_server)
    proxy.lift(Fault.SLOW)  # its patch arrives only now
    wait_until("that it loses its guard", lambda: refused_patches(proxy.api_server) == refused + 1, seconds=10)
    first.server.thaw()
    wait_until("that it stands down", lambda: "no longer leader" in first.log(), seconds=10)
    after = play.world.http_route()["metadata"]
    assert (after["generation"], after["annotations"]) == (route["generation"], route["annotations"])
    assert [first.leads(), second.leads()] == [False, True]
    # And back: the new leader ends with a step in hand, which it finishes, and the old one leads at once.
    play.press("approve", BOB)
    hold_the_next_step(play, proxy, 2, seconds=1.5)
    assert ended(second, seconds=10) == 0
    assert play.world.weights() == [(STABLE, 0), (CANARY, 100)]
    wait_until("the other one's lead", first.leads, seconds=6)  # at the earliest 7 s later the lease runs out by itself
    assert_whole(play, card)
    assert "not finished within" not in second.log()


@pytest.mark.parametrize(("hangs", "left"), [("Redis", 0), ("Slack", 1), ("the API server", 1)])
def test_sigterm_ends_a_bot_within_10_s_whatever_hangs(endings: dict[str, Future[End]], hangs: str, left: int) -> None:
    assert endings[hangs].result() == End(status=0, left=left)


def test_a_second_signal_ends_it_at_once(endings: dict[str, Future[End]]) -> None:
    assert endings["two signals"].result() == End(status=128 + 15, left=1)

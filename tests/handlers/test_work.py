from collections.abc import Iterator, Sequence
from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from bot.domain.commands.origin import in_slack
from bot.domain.commands.request import Command, Request
from bot.domain.errors import ClusterError, RouteError, StaleError, StoreError, UsageError
from bot.domain.rollout import Phase
from handlers.app import web_client
from handlers.card_links import CardLinks
from handlers.people import People
from handlers.private import Private
from handlers.rollback_without_redis import RollbackWithoutRedis
from handlers.slack import Slack
from handlers.work import BRAKE_LANE, LANE, Work
from sandbox.process import wait_until
from sandbox.slack import BOT_TOKEN
from sandbox.strict_slack import StrictSlack
from tests.builders import ALICE, BOB, NOON
from tests.handlers.fakes import Done, FakeEngine, Hand, Memory
from tests.handlers.records import NEW, OLD, ROOM, a_rollout, an_entry

SILENT, FULL = (
    StoreError("Redis does not answer."),
    StoreError("Redis refused (`OOM`).", hint="It is full: give it more memory (`maxmemory`)."),
)

ROLLED_BACK_BY_BOB = (
    f"`{NEW}` is rolled back already, since "
    f"<!date^{int(NOON.timestamp())}^{{date_short_pretty}} at {{time}}|23 Nov 12:00 UTC> by <@{BOB}>: "
    f"all traffic goes to `{OLD}`. If requests still fail, look at that pool."
)


class Shop:
    def __init__(self, slack: StrictSlack) -> None:
        self.slack, self.engine, self.memory, self.private = slack, FakeEngine(), Memory(), Private(slack.api_url)
        self.engine.outcome = Done(an_entry())
        client = web_client(BOT_TOKEN, base_url=slack.api_url)
        people = People(Slack(client), Hand(), quick=Slack(client))
        brake = RollbackWithoutRedis(self.engine, people, Slack(client), self.private)
        links = CardLinks(self.memory.shown, Slack(client), self.private)
        self.work = Work(self.engine, self.memory.as_store(), people, self.private, brake, links)

    def ask(self, verb: str = "pause", **changes: Any) -> Request:
        request = Request(
            command=Command(verb=verb),
            by=ALICE,
            origin=in_slack(ROOM),
            delivery="t1",
            at=NOON,
            reply_to=self.slack.response_url(ALICE),
        )
        return replace(request, **changes)

    def is_idle(self) -> bool:
        lanes = (self.work._lane, *self.work._brake_lanes.values())
        return all(lane.settle(0) for lane in lanes)

    def do_again(self, request: Request, *, fresh: bool) -> None:
        """Have it tried now, whatever it has to wait, and wait for that."""
        self.work._put(request, fresh=fresh)
        wait_until("the try: told", lambda: self.is_idle() and self.private._answers.settle(0), seconds=10)

    def said(self) -> list[str]:
        self.work.close()
        self.private.close()
        return [str(answer["text"]) for answer in self.slack.private]


@pytest.fixture
def shop(slack: StrictSlack) -> Iterator[Shop]:
    shop = Shop(slack)
    yield shop
    shop.said()


def test_success_is_silent_because_the_card_tells(shop: Shop) -> None:
    shop.work.begin(shop.ask())
    assert shop.engine.done.wait(10)
    assert shop.said() == []


def test_the_engines_extra_sentence_goes_to_the_person_who_asked(shop: Shop) -> None:
    shop.engine.outcome = Done(an_entry(), said="The old pool has no ready endpoint.")
    shop.work.begin(shop.ask("rollback"))
    assert shop.engine.done.wait(10)
    assert shop.said() == ["The old pool has no ready endpoint."]


def test_a_roll_back_that_another_person_was_quicker_with_is_answered(shop: Shop) -> None:
    rolled_back = a_rollout(phase=Phase.ROLLED_BACK, by=BOB, since=NOON)
    shop.engine.outcome = Done(an_entry(rolled_back))
    shop.work.resume([shop.ask("rollback", turn=3)])
    assert shop.engine.done.wait(10)
    assert shop.said() == [ROLLED_BACK_BY_BOB]


def test_an_order_from_another_channel_is_told_where_the_card_is(shop: Shop) -> None:
    shop.work.begin(shop.ask(origin=in_slack("C0OTHER001")))
    assert shop.engine.done.wait(10)
    assert shop.said() == [f"Done; the card of `{NEW}` is in <#{ROOM}>."]


def test_a_refusal_is_one_private_sentence(shop: Shop) -> None:
    shop.engine.outcome = StaleError("That button is from an older card.", hint="Look at the newest one.")
    shop.work.begin(shop.ask())
    assert shop.engine.done.wait(10)
    assert shop.said() == ["That button is from an older card. Look at the newest one."]


def test_a_request_that_cannot_be_done_now_is_kept_and_said_once(shop: Shop) -> None:
    shop.engine.outcome = ClusterError("The API server did not answer.", hint="Check its token.")
    shop.work.begin(shop.ask())
    assert shop.engine.done.wait(10)
    shop.engine.done.clear()
    shop.work.resume([shop.ask(delivery="t2")])
    assert shop.engine.done.wait(10)
    (said,) = shop.said()
    assert said.startswith(
        "The API server did not answer. Check its token. Your request is kept and will be tried again (ref `"
    )
    assert shop.memory.dropped == []


def test_a_request_that_breaks_the_program_is_logged_with_its_traceback_once(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.engine.outcome = ZeroDivisionError("division by zero")
    shop.do_again(shop.ask(), fresh=True)
    shop.do_again(shop.ask(), fresh=False)
    broke = [record for record in caplog.records if "broke" in record.getMessage()]
    assert [(record.getMessage().partition(",")[0], bool(record.exc_info)) for record in broke] == [
        (f"pause by {ALICE} broke", True),
        (f"pause by {ALICE} broke", False),
    ]


def test_a_request_that_a_dependency_delays_is_not_tried_again_at_every_sweep(shop: Shop) -> None:
    shop.engine.outcome = ClusterError("The API server did not answer.")
    shop.work.begin(shop.ask())
    wait_until("the request: kept", shop.is_idle, seconds=10)
    shop.work.resume([shop.ask(), shop.ask(delivery="t2")])
    wait_until("the sweep: done", shop.is_idle, seconds=10)
    assert shop.engine.processed == ["t1", "t2"]


def test_a_roll_back_that_the_store_fails_is_done_from_the_route_and_told_to_the_channel(shop: Shop) -> None:
    shop.engine.outcome = FULL
    shop.engine.braked = Done(an_entry(a_rollout(by=ALICE, why="p99 doubled")))
    shop.work.begin(shop.ask("rollback"))
    assert shop.engine.done.wait(10)
    assert shop.said() == []
    assert [card["blocks"][0]["text"]["text"] for card in shop.slack.cards(ROOM)] == [
        f"*<@{ALICE}> rolled back* `{NEW}`, all traffic goes to `{OLD}`: “p99 doubled”.\n"
        "Redis refused (`OOM`). It is full: give it more memory (`maxmemory`). "
        "So I went by the record on route `default/llm-route`. The card follows when Redis works again."
    ]


def test_a_roll_back_that_the_store_fails_is_not_done_again_at_every_sweep(shop: Shop) -> None:
    shop.engine.outcome = StoreError("Redis has lost data.")
    shop.engine.braked = Done(an_entry(a_rollout(by=ALICE)))
    shop.work.begin(shop.ask("rollback"))
    wait_until("the roll back: done", lambda: bool(shop.slack.cards(ROOM)) and shop.is_idle(), seconds=10)
    shop.work.resume([shop.ask("rollback"), shop.ask("rollback", delivery="t2")])
    wait_until("the sweep: done", shop.is_idle, seconds=10)
    assert shop.engine.processed == ["t1", "t2"]


def test_a_roll_back_that_is_tried_again_says_only_once_that_it_was_not_needed(shop: Shop) -> None:
    shop.engine.outcome = StoreError("Redis has lost data.")
    shop.engine.braked = Done(an_entry(a_rollout(phase=Phase.ROLLED_BACK)), written=False)
    for _ in range(2):
        shop.work.begin(shop.ask("rollback"))
        wait_until("the try: done", shop.is_idle, seconds=10)
    assert (len(shop.said()), shop.engine.braking) == (1, ["t1", "t1"])


NOT_YET = "*I do not know yet whether it is rolled back.*"
DONE = f"*<@{ALICE}> rolled back* `{NEW}`"
ALREADY = f"`{NEW}` is rolled back already"


@pytest.mark.parametrize(
    ("tries", "heard"),
    [
        (("fails", "fails", "written"), [NOT_YET, DONE]),
        (("fails", "was", "was"), [NOT_YET, ALREADY]),
        (
            ("fails", "refused", "refused", "written"),
            [NOT_YET, "This could mean several rollouts. Your request", DONE],
        ),
        (("written", "was", "fails", "refused"), [DONE]),
        (("kept", "fails", "written"), ["The API server did not answer. Your request is kept", NOT_YET, DONE]),
    ],
)
def test_somebody_who_rolls_back_from_elsewhere_hears_every_turn_once(
    shop: Shop, tries: Sequence[str], heard: Sequence[str]
) -> None:
    outcomes: dict[str, Any] = {
        "fails": ClusterError("The API server could not be reached."),
        "refused": UsageError("This could mean several rollouts."),
        "written": Done(an_entry(a_rollout(by=ALICE))),
        "was": Done(an_entry(a_rollout(phase=Phase.ROLLED_BACK)), written=False),
    }
    for attempt, outcome in enumerate(tries):
        shop.engine.outcome = ClusterError("The API server did not answer.") if outcome == "kept" else FULL
        shop.engine.braked = outcomes.get(outcome)
        shop.do_again(shop.ask("rollback", origin=in_slack("D0ALICE001")), fresh=attempt == 0)
    said = shop.said()
    assert [text[: len(start)] for text, start in zip(said, heard, strict=True)] == heard


def test_where_the_channel_cannot_be_told_the_asker_is(shop: Shop) -> None:
    shop.slack.faults.next("chat.postMessage", "not_in_channel")
    shop.engine.braked = Done(an_entry(a_rollout(by=ALICE)))
    shop.work.brake(shop.ask("rollback"), SILENT)
    (said,) = shop.said()
    assert said.startswith(f"*<@{ALICE}> rolled back* `{NEW}`")


def test_the_channel_of_the_rollout_is_told_and_who_rolled_back_from_elsewhere(shop: Shop) -> None:
    shop.engine.braked = Done(an_entry(a_rollout(by=ALICE)))
    shop.work.brake(shop.ask("rollback", origin=in_slack("D0ALICE001")), SILENT)
    (said,) = shop.said()
    assert said.startswith(f"*<@{ALICE}> rolled back* `{NEW}`")
    assert [card["blocks"][0]["text"]["text"] for card in shop.slack.cards(ROOM)] == [said]


def test_a_roll_back_in_a_direct_message_of_a_rollout_without_a_channel_is_told_to_the_asker(shop: Shop) -> None:
    shop.engine.braked = Done(an_entry(a_rollout(by=ALICE, channel="")))
    shop.work.brake(shop.ask("rollback", origin=in_slack("D0ALICE001")), SILENT)
    (said,) = shop.said()
    assert said.startswith(f"*<@{ALICE}> rolled back* `{NEW}`")
    assert shop.slack.count("chat.postMessage") == 0


def test_an_earlier_roll_back_is_no_news_for_the_channel(shop: Shop) -> None:
    rolled_back = a_rollout(phase=Phase.ROLLED_BACK, by=BOB, why="p99 doubled", since=NOON)
    shop.engine.braked = Done(an_entry(rolled_back), written=False)
    shop.work.brake(shop.ask("rollback"), SILENT)
    assert shop.said() == [ROLLED_BACK_BY_BOB]
    assert shop.slack.cards(ROOM) == []


BY_HAND = "type in a terminal that reaches the cluster: `rolloutbot rollback --from-route ROUTE --namespace NAMESPACE`."


def test_a_roll_back_that_fails_and_could_not_be_kept_is_to_be_asked_again(shop: Shop) -> None:
    shop.engine.braked = ClusterError("The API server could not be reached.")
    shop.work.brake(shop.ask("rollback"), SILENT)
    assert shop.said() == [
        f"*I do not know whether it is rolled back. Do not count on another try.* Try again, or {BY_HAND}\n"
        "The API server could not be reached. Redis does not answer."
    ]


def test_a_roll_back_that_fails_and_is_in_the_inbox_is_said_to_be_tried_again(shop: Shop) -> None:
    shop.engine.outcome = FULL
    shop.engine.braked = ClusterError("The API server could not be reached.")
    shop.work.begin(shop.ask("rollback"))
    assert shop.engine.done.wait(10)
    assert shop.said() == [
        f"{NOT_YET} Your request is kept and will be tried again; to be faster, {BY_HAND}\n"
        "The API server could not be reached. Redis refused (`OOM`). It is full: give it more memory (`maxmemory`)."
    ]


def test_a_roll_back_that_the_routes_refuse_and_is_in_the_inbox_is_said_to_be_looked_at_again(shop: Shop) -> None:
    shop.engine.outcome = FULL
    shop.engine.braked = RouteError("No route has a rollout of `r-0123abcd`.", hint="Name its new pool.")
    shop.do_again(shop.ask("rollback"), fresh=True)
    assert shop.said() == [
        "No route has a rollout of `r-0123abcd`. Name its new pool. "
        "Your request is kept. I look at it again when Redis works."
    ]


def test_a_roll_back_that_the_routes_refuse_and_could_not_be_kept_is_refused(shop: Shop) -> None:
    shop.engine.braked = RouteError("No route has a rollout of `r-0123abcd`.", hint="Name its new pool.")
    shop.work.brake(shop.ask("rollback"), SILENT)
    assert shop.said() == ["No route has a rollout of `r-0123abcd`. Name its new pool."]


def test_a_roll_back_that_comes_at_the_end_is_done_by_who_brings_it(shop: Shop) -> None:
    shop.engine.braked = Done(an_entry(a_rollout(by=ALICE)))
    shop.said()
    shop.work.brake(shop.ask("rollback"), SILENT)
    assert (shop.engine.braking, len(shop.slack.cards(ROOM))) == (["t1"], 1)


def test_a_guest_cannot_roll_back_without_the_store_either(shop: Shop) -> None:
    shop.slack.users[ALICE]["is_restricted"] = True
    shop.work.brake(shop.ask("rollback"), SILENT)
    assert shop.said() == ["Guests cannot run rollouts. Ask a full member of this workspace."]
    assert shop.engine.braking == []


def test_a_guest_is_refused_and_the_request_is_taken_out(shop: Shop) -> None:
    shop.slack.users[ALICE]["is_restricted"] = True
    shop.work.begin(shop.ask())
    assert shop.memory.gone.wait(10)
    assert shop.said() == ["Guests cannot run rollouts. Ask a full member of this workspace."]
    assert (shop.engine.processed, shop.memory.dropped) == ([], ["t1"])


@pytest.mark.parametrize(("slow", "lane"), [("advance", LANE), ("pause", BRAKE_LANE)])
def test_a_queue_of_steps_or_pauses_does_not_delay_the_roll_back(shop: Shop, slow: str, lane: int) -> None:
    shop.engine.gate = Event()
    for number in range(lane * 3):
        shop.work.begin(shop.ask(slow, delivery=f"slow-{number}"))
    shop.work.begin(shop.ask("rollback", delivery="brake"))
    assert shop.engine.done.wait(10)
    assert shop.engine.processed == ["brake"]
    shop.engine.gate.set()


def test_pods_that_are_slow_to_count_do_not_delay_the_next_roll_back(shop: Shop) -> None:
    shop.engine.looking, shop.engine.outcome = Event(), Done(an_entry(), said="The old pool has no ready endpoint.")
    deliveries = [f"t{number}" for number in range(BRAKE_LANE * 2)]
    for delivery in deliveries:
        shop.work.begin(shop.ask("rollback", delivery=delivery))
    wait_until("all: rolled back", lambda: sorted(shop.engine.processed) == deliveries, seconds=10)
    shop.engine.looking.set()
    assert shop.said() == ["The old pool has no ready endpoint."] * len(deliveries)


def test_a_running_request_is_not_started_again(shop: Shop) -> None:
    shop.engine.gate = Event()
    shop.work.begin(shop.ask(delivery="slow"))
    shop.work.resume([shop.ask(delivery="slow")])
    shop.engine.gate.set()
    assert shop.engine.done.wait(10)
    shop.said()
    assert shop.engine.processed == ["slow"]


def test_after_the_end_nothing_is_started(shop: Shop) -> None:
    shop.work.close()
    shop.work.begin(shop.ask())
    assert shop.engine.processed == []

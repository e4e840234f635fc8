from dataclasses import replace

import pytest

from bot.domain.commands.origin import Origin, Surface, in_slack
from bot.domain.commands.request import Command, Request
from bot.domain.errors import DependencyError, NotAllowedError, StoreError, UserError
from handlers import replies
from handlers.app import web_client
from handlers.mrkdwn import mrkdwn
from handlers.people import People
from handlers.slack import Slack
from sandbox.slack import BOT, BOT_TOKEN, TEAM
from sandbox.strict_slack import StrictSlack
from tests.builders import ALICE, NOON
from tests.handlers.fakes import Hand
from tests.handlers.records import ROOM


def people(slack: StrictSlack, clock: Hand | None = None, quick: Slack | None = None) -> People:
    asked = Slack(web_client(BOT_TOKEN, base_url=slack.api_url))
    return People(asked, clock or Hand(), quick=quick or asked)


def ask(verb: str = "pause", channel: str = ROOM) -> Request:
    return Request(command=Command(verb=verb), by=ALICE, origin=in_slack(channel), delivery="t1", at=NOON)


@pytest.mark.parametrize("verb", ["start", "pause", "rollback"])
def test_a_full_member_passes(slack: StrictSlack, verb: str) -> None:
    people(slack).admit(ask(verb))


@pytest.mark.parametrize("verb", ["pause", "rollback"])
@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"deleted": True}, "This account is deactivated, so it cannot run rollouts."),
        ({"is_bot": True}, "Bots cannot run rollouts."),
        ({"is_restricted": True}, "Guests cannot run rollouts."),
        ({"is_restricted": True, "is_ultra_restricted": True}, "Guests cannot run rollouts."),
        ({"is_stranger": True}, "People from outside this workspace cannot run rollouts."),
        ({"team_id": "T0OTHER001"}, "People from another workspace cannot run rollouts."),
    ],
)
def test_others_are_refused_also_at_the_brake(
    slack: StrictSlack, facts: dict[str, object], said: str, verb: str
) -> None:
    slack.users[ALICE] = {"team_id": TEAM, **facts}
    with pytest.raises(NotAllowedError) as refused:
        people(slack).admit(ask(verb))
    assert refused.value.message == said


ELSEWHERE = "People from another workspace cannot run rollouts."
UNKNOWN = "Slack does not say which workspace or organisation you are from, so you cannot run rollouts."
OURS, THEIRS = "E0OURS0001", "E0THEIRS01"


@pytest.mark.parametrize("verb", ["promote", "rollback"])
@pytest.mark.parametrize(
    ("enterprise", "facts", "said"),
    [
        # Our workspace belongs to an organisation, or the app is installed in all of it.
        (OURS, {"enterprise_user": {"enterprise_id": OURS}}, ""),
        (OURS, {"team_id": TEAM, "enterprise_user": {"enterprise_id": OURS, "teams": [TEAM]}}, ""),
        (OURS, {"team_id": "T0OTHER001", "enterprise_user": {"enterprise_id": OURS, "teams": ["T0OTHER001"]}}, ""),
        (OURS, {"team_id": "T0OTHER001", "enterprise_user": {"teams": ["T0OTHER001", TEAM]}}, ""),
        (OURS, {"enterprise_user": {"enterprise_id": THEIRS}}, ELSEWHERE),
        (OURS, {"team_id": TEAM, "enterprise_user": {"enterprise_id": THEIRS, "teams": [TEAM]}}, ELSEWHERE),
        (OURS, {"team_id": TEAM}, UNKNOWN),
        (OURS, {"team_id": "T0OTHER001"}, UNKNOWN),
        (OURS, {"team_id": TEAM, "enterprise_user": {}}, UNKNOWN),
        (OURS, {"team_id": None, "enterprise_user": None}, UNKNOWN),
        (OURS, {"team_id": TEAM, "enterprise_user": "E0OURS0001"}, UNKNOWN),
        # It belongs to none: the workspace is all there is.
        ("", {"team_id": TEAM}, ""),
        ("", {"team_id": TEAM, "enterprise_user": {}}, ""),
        ("", {"team_id": "T0OTHER001"}, ELSEWHERE),
        ("", {"team_id": "T0OTHER001", "enterprise_user": {"enterprise_id": THEIRS}}, ELSEWHERE),
        ("", {"team_id": TEAM, "enterprise_user": {"enterprise_id": THEIRS, "teams": ["T0OTHER001"]}}, ELSEWHERE),
        ("", {"team_id": TEAM, "enterprise_user": {"enterprise_id": THEIRS, "teams": "T0SANDBOX1"}}, ELSEWHERE),
        ("", {}, UNKNOWN),
        ("", {"team_id": ""}, UNKNOWN),
        # It has joined an organisation since the bot asked.
        ("", {"team_id": TEAM, "enterprise_user": {"enterprise_id": OURS, "teams": [TEAM]}}, ""),
    ],
)
def test_the_organisation_tells_colleagues_from_strangers_and_only_without_one_the_workspace(
    slack: StrictSlack, enterprise: str, facts: dict[str, object], said: str, verb: str
) -> None:
    slack.enterprise, slack.users[ALICE] = enterprise, facts
    told = ""
    try:
        people(slack).admit(ask(verb))
    except NotAllowedError as refused:
        told = refused.message
    assert told == said


def test_somebody_slack_does_not_know_is_a_stranger(slack: StrictSlack) -> None:
    slack.users.clear()
    with pytest.raises(NotAllowedError):
        people(slack).admit(ask())


def test_people_are_remembered_for_a_minute(slack: StrictSlack) -> None:
    clock = Hand()
    asked = people(slack, clock)
    asked.admit(ask())
    slack.users[ALICE]["is_restricted"] = True
    clock.forward(seconds=59)
    asked.admit(ask())
    clock.forward(seconds=1)
    with pytest.raises(NotAllowedError):
        asked.admit(ask())


@pytest.mark.parametrize("trip", ["lost", "500", "429", "fatal_error", "invalid_auth"])
def test_while_slack_is_silent_only_a_roll_back_passes(slack: StrictSlack, trip: str) -> None:
    slack.faults.next("users.info", trip, trip)
    asked = people(slack)
    with pytest.raises(DependencyError):
        asked.admit(ask())
    asked.admit(ask("rollback"))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"is_im": True}, "Its card needs a channel, not a direct message. Type it where the team sees it."),
        ({"is_archived": True}, "This channel is archived. Type it in another one."),
        (
            {"is_member": True, "is_ext_shared": True},
            "This channel is shared with another company. Type it in an internal one.",
        ),
        ({"is_member": False}, f"I am not in this channel. Type `/invite` <@{BOT}> here, then type it again."),
        (None, f"I cannot see this channel. Type `/invite` <@{BOT}> here, then type it again."),
    ],
)
def test_a_start_needs_a_channel_that_a_card_can_live_in(
    slack: StrictSlack, facts: dict[str, object] | None, said: str
) -> None:
    slack.channels = {"C0PLACE001": facts} if facts else {}
    with pytest.raises(UserError) as refused:
        people(slack).admit(ask("start", "C0PLACE001"))
    assert mrkdwn(refused.value.prose) == said


def test_a_start_that_was_kept_without_a_channel_is_refused_without_asking_slack_about_it(slack: StrictSlack) -> None:
    with pytest.raises(UserError, match="its card needs a channel"):
        people(slack).admit(ask("start", "D0ALICE001"))
    assert slack.count("conversations.info") == 0


def test_a_roll_back_asks_with_little_patience_and_others_with_more(slack: StrictSlack) -> None:
    slack.faults.next("users.info", "lost")
    nobody = Slack(web_client("xoxb-test", base_url="http://127.0.0.1:1/api/"))
    asked = people(slack, quick=nobody)
    asked.admit(ask("rollback"))
    assert slack.count("users.info") == 0
    with pytest.raises(DependencyError):
        asked.admit(ask())
    assert slack.count("users.info") == 1


def test_only_a_start_asks_about_the_channel(slack: StrictSlack) -> None:
    slack.channels.clear()
    people(slack).admit(ask())


def test_starts_that_are_tried_again_ask_about_their_channel_once_and_wait_where_slack_says_so(
    slack: StrictSlack,
) -> None:
    clock = Hand()
    asked = people(slack, clock)
    slack.faults.next("conversations.info", "429")
    for _ in range(3):
        with pytest.raises(DependencyError):
            asked.admit(ask("start"))
    clock.forward(seconds=30)
    for _ in range(3):
        asked.admit(ask("start"))
    assert slack.count("conversations.info") == 2


def test_while_slack_is_silent_a_pause_passes_by_somebody_who_was_one_of_us(slack: StrictSlack) -> None:
    clock = Hand()
    asked = people(slack, clock)
    asked.admit(ask())
    clock.forward(hours=1)
    slack.faults.begin("lost", method="users.info")
    asked.admit(ask("pause"))
    with pytest.raises(DependencyError):
        asked.admit(ask("resume"))


def test_while_slack_is_silent_a_pause_by_somebody_who_was_none_of_us_is_refused(slack: StrictSlack) -> None:
    clock = Hand()
    asked = people(slack, clock)
    slack.users[ALICE]["is_restricted"] = True
    with pytest.raises(NotAllowedError):
        asked.admit(ask())
    clock.forward(hours=1)
    slack.faults.begin("lost", method="users.info")
    with pytest.raises(NotAllowedError):
        asked.admit(ask("pause"))


def test_after_a_silence_the_next_roll_backs_do_not_wait_for_slack(slack: StrictSlack) -> None:
    clock = Hand()
    asked = people(slack, clock)
    slack.faults.begin("lost", method="users.info")
    for _ in range(5):
        asked.admit(ask("rollback"))
    assert slack.count("users.info") == 1
    slack.faults.lift_all()
    clock.forward(seconds=10)
    slack.users[ALICE]["is_restricted"] = True
    with pytest.raises(NotAllowedError):
        asked.admit(ask("rollback"))


def test_slack_is_not_asked_about_a_person_in_a_terminal(slack: StrictSlack) -> None:
    asked = people(slack)
    asked.admit(replace(ask("start"), origin=Origin(surface=Surface.TERMINAL)))
    assert slack.count("users.info") == 0
    asked.admit(ask("start"))
    assert slack.count("users.info") == 1


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"name": "alice", "profile": {"display_name": "Ali", "real_name": "Alice Example"}}, "Ali"),
        ({"name": "alice", "profile": {"display_name": "", "real_name": "Alice Example"}}, "Alice Example"),
        ({"name": "alice"}, "alice"),
    ],
)
def test_names_that_are_heard_are_kept_when_the_work_is_done(
    slack: StrictSlack, facts: dict[str, object], name: str
) -> None:
    slack.users[ALICE].update(facts)
    kept: list[tuple[str, str]] = []
    client = Slack(web_client(BOT_TOKEN, base_url=slack.api_url))
    asked = People(client, Hand(), quick=client, remember=lambda user, name: kept.append((user, name)))
    asked.admit(ask())
    assert kept == []
    asked.keep_names()
    asked.keep_names()
    assert kept == [(ALICE, name)]


@pytest.mark.parametrize("hours", [0, 0.99])
def test_who_was_lately_a_full_member_reads_without_another_question(slack: StrictSlack, hours: float) -> None:
    clock = Hand()
    asked = people(slack, clock)
    assert not asked.may_read(ALICE)
    asked.admit_reader(ALICE)
    clock.forward(hours=hours)
    asked.admit_reader(ALICE)
    assert (asked.may_read(ALICE), slack.count("users.info")) == (True, 1)
    clock.forward(hours=1)
    assert not asked.may_read(ALICE)


def test_a_guest_reads_nothing(slack: StrictSlack) -> None:
    slack.users[ALICE]["is_restricted"] = True
    asked = people(slack)
    for _ in range(2):
        with pytest.raises(NotAllowedError):
            asked.admit_reader(ALICE)
        assert not asked.may_read(ALICE)


def test_nobody_new_reads_while_slack_does_not_say_who_that_is(slack: StrictSlack) -> None:
    slack.faults.begin("lost", method="users.info")
    with pytest.raises(DependencyError) as unanswered:
        people(slack).admit_reader(ALICE)
    assert str(replies.not_found_out(unanswered.value)) == "Slack did not answer. Ask again in a moment."


def test_while_slack_is_silent_a_roll_back_passes_unchecked_by_somebody_whom_a_bot_has_served(
    slack: StrictSlack,
) -> None:
    client = Slack(web_client(BOT_TOKEN, base_url=slack.api_url))
    slack.faults.begin("lost", method="users.info")

    def away(user: str) -> bool:
        raise StoreError("Redis does not answer.")

    served, unknown, nobody_can_say = (
        People(client, Hand(), quick=client, was_seen=was_seen)
        for was_seen in ((lambda _: True), (lambda _: False), away)
    )
    assert served.admit(ask("rollback")) is False
    with pytest.raises(DependencyError):
        unknown.admit(ask("rollback"))
    assert nobody_can_say.admit(ask("rollback")) is False


def test_only_names_of_full_members_are_kept(slack: StrictSlack) -> None:
    slack.users[ALICE].update({"name": "alice", "is_restricted": True})
    kept: list[tuple[str, str]] = []
    client = Slack(web_client(BOT_TOKEN, base_url=slack.api_url))
    asked = People(client, Hand(), quick=client, remember=lambda user, name: kept.append((user, name)))
    with pytest.raises(NotAllowedError):
        asked.admit(ask())
    asked.keep_names()
    assert kept == []


def test_while_slack_is_silent_somebody_whom_it_has_called_a_guest_does_not_roll_back(slack: StrictSlack) -> None:
    slack.users[ALICE]["is_restricted"] = True
    clock = Hand()
    asked = people(slack, clock)
    with pytest.raises(NotAllowedError):
        asked.admit(ask("status"))
    clock.forward(minutes=2)
    slack.faults.begin("lost", method="users.info")
    with pytest.raises(DependencyError):
        asked.admit(ask("rollback"))

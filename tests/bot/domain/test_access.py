"""Who may do what."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.config.policy import DEFAULT_PLAN
from bot.domain.access import Access, permit, permit_start, person
from bot.domain.commands.origin import Origin, Surface
from bot.domain.commands.request import Command, Request
from bot.domain.errors import NotAllowedError
from bot.domain.plan import Plan
from bot.domain.verbs.registry import verb_of, verbs
from tests.builders import IN_CHANNEL

ACCESS = Access(
    start=frozenset({"USTART"}),
    run=frozenset({"URUN"}),
    approve=frozenset({"UAPPROVE"}),
    rollback=frozenset({"UBACK"}),
)
GOVERNED = {
    "start": "USTART",
    "approve": "UAPPROVE",
    "reject": "UAPPROVE",
    "pause": "URUN",
    "resume": "URUN",
    "advance": "URUN",
    "promote": "URUN",
    "rollback": "UBACK",
    "finish": "URUN",
    "keep": "URUN",
    "end": "URUN",
    "restore": "URUN",
    "adopt": "URUN",
}
READS = ["check", "status", "why", "gates", "help"]


TERMINAL = Origin(surface=Surface.TERMINAL)


def ask(verb: str, user: str, origin: Origin = IN_CHANNEL) -> Request:
    at = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
    return Request(command=Command(verb=verb), by=user, origin=origin, delivery="1", at=at)


def permitted(access: Access, request: Request) -> None:
    permit(access, verb_of(request.command.verb).access, request)


def test_every_verb_is_governed_or_free() -> None:
    assert {*GOVERNED, *READS} == {verb.name for verb in verbs()}


@pytest.mark.parametrize(("verb", "user"), GOVERNED.items())
def test_the_list_of_a_verb_lets_its_members_do_it(verb: str, user: str) -> None:
    permitted(ACCESS, ask(verb, user))


@pytest.mark.parametrize(("verb", "user"), GOVERNED.items())
def test_others_are_refused_with_a_name_to_ask(verb: str, user: str) -> None:
    with pytest.raises(NotAllowedError) as refusal:
        permitted(ACCESS, ask(verb, "UOTHER"))
    whom = "`why` says whom to ask" if verb == "approve" else f"Ask {user}"  # the starter's approval may not count
    assert str(refusal.value) == f"You may not `{verb}` here. {whom}."


@pytest.mark.parametrize("verb", READS)
def test_reading_is_for_everybody(verb: str) -> None:
    permitted(ACCESS, ask(verb, "UOTHER"))


@pytest.mark.parametrize("verb", [verb.name for verb in verbs()])
def test_without_lists_every_member_may_do_everything(verb: str) -> None:
    permitted(Access(), ask(verb, "UOTHER"))


def test_a_unix_user_is_the_slack_user_that_the_policy_says() -> None:
    assert [person(name, {"alice": "U0ALICE001"}) for name in ("alice", "bob")] == ["U0ALICE001", "unix:bob"]


@pytest.mark.parametrize("verb", [verb for verb in GOVERNED if verb != "rollback"])
def test_a_unix_user_without_a_slack_id_may_not_approve_nor_what_a_list_governs(verb: str) -> None:
    with pytest.raises(NotAllowedError) as refusal:
        permitted(Access() if verb in ("approve", "reject") else ACCESS, ask(verb, "unix:bob", TERMINAL))
    assert str(refusal.value) == (
        f"The policy does not say who Unix user `bob` is in Slack, so this user cannot `{verb}`. "
        "Add `bob: U…` under `terminal.users` of the policy file, or do it in Slack."
    )


@pytest.mark.parametrize("verb", sorted({verb.name for verb in verbs()} - {"approve", "reject"}))
def test_a_unix_user_without_a_slack_id_may_do_the_rest_where_no_list_governs_it(verb: str) -> None:
    permitted(Access(), ask(verb, "unix:bob", TERMINAL))


@pytest.mark.parametrize("user", ["unix:bob", "UOTHER", "UBACK"])
def test_whoever_has_a_terminal_may_roll_back_in_it(user: str) -> None:
    permitted(ACCESS, ask("rollback", user, TERMINAL))


@pytest.mark.parametrize(("verb", "user"), [pair for pair in GOVERNED.items() if pair[0] != "rollback"])
def test_for_all_else_a_terminal_asks_the_lists_as_slack_does(verb: str, user: str) -> None:
    permitted(ACCESS, ask(verb, user, TERMINAL))
    with pytest.raises(NotAllowedError, match=f"You may not `{verb}` here"):
        permitted(ACCESS, ask(verb, "UOTHER", TERMINAL))


@pytest.mark.parametrize(
    ("user", "plan"),
    [
        ("U0BOB", DEFAULT_PLAN),
        ("unix:bob", replace(DEFAULT_PLAN, approve_at=())),
        ("unix:bob", replace(DEFAULT_PLAN, requester_may_approve=True)),
    ],
)
def test_the_starter_must_be_known_only_if_the_starters_approval_does_not_count(user: str, plan: Plan) -> None:
    permit_start(plan, Access(), user)
    with pytest.raises(NotAllowedError, match="so this user could approve in Slack what is started here"):
        permit_start(DEFAULT_PLAN, Access(), "unix:bob")


def test_a_long_list_is_cut_to_ten_names() -> None:
    access = Access(start=frozenset(f"U{number:02}" for number in range(30)))
    with pytest.raises(NotAllowedError) as refusal:
        permitted(access, ask("start", "UOTHER"))
    names = ", ".join(f"U{number:02}" for number in range(10))
    assert str(refusal.value) == f"You may not `start` here. Ask {names} or 20 more."


ONE, TWO = DEFAULT_PLAN, replace(DEFAULT_PLAN, approvals=2)
MORE = "have more people added to `access.approve` in the policy file."


@pytest.mark.parametrize(
    ("plan", "approve", "said"),
    [
        (
            ONE,
            {"USTART"},
            "This rollout needs 1 approval, but nobody could give one: whoever starts a rollout cannot approve it. "
            f"Let somebody else start it, or {MORE}",
        ),
        (
            TWO,
            {"USTART", "UBOB"},
            "This rollout needs 2 approvals, but only UBOB could give one: whoever starts a rollout cannot approve it. "
            f"Let somebody else start it, or {MORE}",
        ),
        (TWO, {"UBOB"}, f"This rollout needs 2 approvals, but only UBOB could give one. H{MORE[1:]}"),
        (
            replace(TWO, requester_may_approve=True),
            {"USTART"},
            f"This rollout needs 2 approvals, but only USTART could give one. H{MORE[1:]}",
        ),
    ],
)
def test_a_start_that_too_few_people_may_approve_is_refused_with_the_way_out(
    plan: Plan, approve: set[str], said: str
) -> None:
    with pytest.raises(NotAllowedError) as refusal:
        permit_start(plan, Access(approve=frozenset(approve)), "USTART")
    assert str(refusal.value) == said


@pytest.mark.parametrize(
    ("plan", "approve"),
    [
        (ONE, {"USTART", "UBOB"}),
        (ONE, set()),
        (TWO, set()),
        (replace(ONE, approve_at=()), {"USTART"}),
        (replace(ONE, requester_may_approve=True), {"USTART"}),
    ],
)
def test_a_start_that_enough_people_may_approve_is_permitted(plan: Plan, approve: set[str]) -> None:
    permit_start(plan, Access(approve=frozenset(approve)), "USTART")

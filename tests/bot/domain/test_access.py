"""Who may do what."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.config.policy import DEFAULT_PLAN
from bot.domain.access import Access, permit, permit_start, person
from bot.domain.commands.request import TERMINAL, Command, Request, Verb
from bot.domain.errors import NotAllowedError
from bot.domain.plan import Plan

ACCESS = Access(
    start=frozenset({"USTART"}),
    run=frozenset({"URUN"}),
    approve=frozenset({"UAPPROVE"}),
    rollback=frozenset({"UBACK"}),
)
GOVERNED = {
    Verb.START: "USTART",
    Verb.APPROVE: "UAPPROVE",
    Verb.REJECT: "UAPPROVE",
    Verb.PAUSE: "URUN",
    Verb.RESUME: "URUN",
    Verb.ADVANCE: "URUN",
    Verb.PROMOTE: "URUN",
    Verb.ROLLBACK: "UBACK",
    Verb.FINISH: "URUN",
    Verb.END: "URUN",
    Verb.RESTORE: "URUN",
    Verb.ADOPT: "URUN",
}
READS = [Verb.STATUS, Verb.WHY, Verb.HELP]


def ask(verb: Verb, user: str, delivery: str = "") -> Request:
    at = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
    return Request(command=Command(verb=verb), by=user, channel="C0INFER001", delivery=f"{delivery}1", at=at)


def test_every_verb_is_governed_or_free() -> None:
    assert {*GOVERNED, *READS} == set(Verb)


@pytest.mark.parametrize(("verb", "user"), GOVERNED.items())
def test_the_list_of_a_verb_lets_its_members_do_it(verb: Verb, user: str) -> None:
    permit(ACCESS, ask(verb, user))


@pytest.mark.parametrize(("verb", "user"), GOVERNED.items())
def test_others_are_refused_with_a_name_to_ask(verb: Verb, user: str) -> None:
    with pytest.raises(NotAllowedError) as refusal:
        permit(ACCESS, ask(verb, "UOTHER"))
    assert str(refusal.value) == f"You may not `{verb.value}` here. Ask {user}."


@pytest.mark.parametrize("verb", READS)
def test_reading_is_for_everybody(verb: Verb) -> None:
    permit(ACCESS, ask(verb, "UOTHER"))


@pytest.mark.parametrize("verb", list(Verb))
def test_without_lists_every_member_may_do_everything(verb: Verb) -> None:
    permit(Access(), ask(verb, "UOTHER"))


def test_a_unix_user_is_the_slack_user_that_the_policy_says() -> None:
    assert [person(name, {"alice": "U0ALICE001"}) for name in ("alice", "bob")] == ["U0ALICE001", "unix:bob"]


@pytest.mark.parametrize("verb", [verb for verb in GOVERNED if verb is not Verb.ROLLBACK])
def test_a_unix_user_without_a_slack_id_may_not_approve_nor_what_a_list_governs(verb: Verb) -> None:
    with pytest.raises(NotAllowedError) as refusal:
        permit(Access() if verb in (Verb.APPROVE, Verb.REJECT) else ACCESS, ask(verb, "unix:bob", TERMINAL))
    assert str(refusal.value) == (
        f"The policy does not say who Unix user `bob` is in Slack, so this user cannot `{verb.value}`. "
        "Add `bob: U…` under `terminal.users` of the policy file, or do it in Slack."
    )


@pytest.mark.parametrize("verb", set(Verb) - {Verb.APPROVE, Verb.REJECT})
def test_a_unix_user_without_a_slack_id_may_do_the_rest_where_no_list_governs_it(verb: Verb) -> None:
    permit(Access(), ask(verb, "unix:bob", TERMINAL))


@pytest.mark.parametrize("user", ["unix:bob", "UOTHER", "UBACK"])
def test_whoever_has_a_terminal_may_roll_back_in_it(user: str) -> None:
    permit(ACCESS, ask(Verb.ROLLBACK, user, TERMINAL))


@pytest.mark.parametrize(("verb", "user"), [pair for pair in GOVERNED.items() if pair[0] is not Verb.ROLLBACK])
def test_for_all_else_a_terminal_asks_the_lists_as_slack_does(verb: Verb, user: str) -> None:
    permit(ACCESS, ask(verb, user, TERMINAL))
    with pytest.raises(NotAllowedError, match=f"You may not `{verb.value}` here"):
        permit(ACCESS, ask(verb, "UOTHER", TERMINAL))


@pytest.mark.parametrize(
    ("user", "plan"),
    [
        ("U0BOB", DEFAULT_PLAN),
        ("unix:bob", replace(DEFAULT_PLAN, approve_at=())),
        ("unix:bob", replace(DEFAULT_PLAN, requester_may_approve=True)),
    ],
)
def test_who_starts_must_be_known_only_where_the_starters_approval_does_not_count(user: str, plan: Plan) -> None:
    permit_start(plan, user)
    with pytest.raises(NotAllowedError, match="so this user could approve in Slack what is started here"):
        permit_start(DEFAULT_PLAN, "unix:bob")


def test_a_long_list_is_cut_to_ten_names() -> None:
    access = Access(start=frozenset(f"U{number:02}" for number in range(30)))
    with pytest.raises(NotAllowedError) as refusal:
        permit(access, ask(Verb.START, "UOTHER"))
    names = ", ".join(f"U{number:02}" for number in range(10))
    assert str(refusal.value) == f"You may not `start` here. Ask {names} or 20 more."

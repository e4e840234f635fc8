"""Who may do what: lists of Slack user ids from the policy file; an empty list means every full member."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, LiteralString

from bot.domain.commands.origin import Surface
from bot.domain.commands.request import APPROVE, Request
from bot.domain.errors import NotAllowedError
from bot.domain.plan import Plan
from bot.domain.prose import Person, Prose, capitalised, listed, say

Users = frozenset[str]

UNIX: Final = "unix:"
"""How we name a person in a terminal whose Slack user we do not know; no Slack id begins like this."""


class AccessList(StrEnum):
    """The lists of the policy's `access`; each verb's declaration names the one that governs it."""

    START = "start"
    RUN = "run"
    APPROVE = "approve"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Slack user ids by list."""

    start: Users = frozenset()
    run: Users = frozenset()
    approve: Users = frozenset()
    rollback: Users = frozenset()

    def of(self, listed: AccessList | None) -> Users:
        """Return the people on a list; empty: every full member."""
        match listed:
            case AccessList.START:
                return self.start
            case AccessList.RUN:
                return self.run
            case AccessList.APPROVE:
                return self.approve
            case AccessList.ROLLBACK:
                return self.rollback
            case None:
                return frozenset()

    def names(self, user: str) -> bool:
        """Say whether any list names somebody."""
        return user in self.start | self.run | self.approve | self.rollback


def person(unix_user: str, slack_ids: Mapping[str, str]) -> str:
    """Return who asks in a terminal: the Slack user whom the policy maps, else the Unix user by name."""
    return slack_ids.get(unix_user, f"{UNIX}{unix_user}")


def named(users: Sequence[str], last: LiteralString) -> Prose:
    """Name at most ten people, and count the others; ``last`` is ``or`` or ``and``."""
    more = say("{} more", len(users) - 10) if len(users) > 10 else Prose()
    return listed([*(say("{}", Person(user)) for user in users[:10]), more], last)


def permit(access: Access, listed: AccessList | None, request: Request) -> None:
    """Raise NotAllowedError, naming who may, if the policy does not let somebody ask for what a list governs.

    Approvals and votes are counted by person and lists hold Slack ids, so all ask a terminal who its user is in Slack.
    The brake does not, and is open there whoever that is: who reaches Redis and the cluster from a shell is no
    stranger, and could take `kubectl` instead.
    """
    user = request.by
    if operation := request.command.operation:
        listed = AccessList.APPROVE if operation.approves else None if operation.vote else AccessList.RUN
    if listed is AccessList.ROLLBACK and request.origin.surface is Surface.TERMINAL:
        return
    allowed, name = access.of(listed), request.command.name
    if user.startswith(UNIX):
        if allowed or listed is AccessList.APPROVE or (operation and operation.vote):
            raise _nobody_knows(user, f"this user cannot `{name}`")
    elif allowed and user not in allowed:
        raise NotAllowedError(f"You may not `{name}` here.", hint=_whom_to_ask(request, allowed))


def _whom_to_ask(request: Request, allowed: Users) -> Prose:
    """Name who may; but one of the approvers may be the starter, and only the rollout says whether that one counts."""
    if request.command.verb == APPROVE:
        return say("`why` says whom to ask.")
    return say("Ask {}.", named(sorted(allowed), "or"))


def permit_start(plan: Plan, access: Access, user: str) -> None:
    """Raise NotAllowedError if too few people could approve what somebody starts.

    Also if nobody could tell whether the starter approves it in Slack.
    """
    if not (plan.approvals and plan.approve_at):
        return
    if user.startswith(UNIX) and not plan.requester_may_approve:
        raise _nobody_knows(user, "this user could approve in Slack what is started here")
    able = access.approve if plan.requester_may_approve else access.approve - {user}
    if access.approve and len(able) < plan.approvals:
        raise _too_few(plan, able, user in access.approve - able)


def _too_few(plan: Plan, able: Users, is_listed: bool) -> NotAllowedError:
    wanted = "1 approval" if plan.approvals == 1 else f"{plan.approvals} approvals"
    who = say("only {} could give one", named(sorted(able), "and")) if able else say("nobody could give one")
    why = say(": whoever starts a rollout cannot approve it") if is_listed else Prose()
    more = say("have more people added to `access.approve` in the policy file.")
    return NotAllowedError(
        say("This rollout needs {}, but {}{}.", wanted, who, why),
        hint=say("Let somebody else start it, or {}", more) if is_listed else capitalised(more),
    )


def _nobody_knows(user: str, so: str) -> NotAllowedError:
    name = user.removeprefix(UNIX)
    return NotAllowedError(
        f"The policy does not say who Unix user `{name}` is in Slack, so {so}.",
        hint=f"Add `{name}: U…` under `terminal.users` of the policy file, or do it in Slack.",
    )

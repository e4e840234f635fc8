"""Who may do what: lists of Slack user ids from the policy file; an empty list means every full member."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bot.domain.commands.request import Command, Request, Verb
from bot.domain.errors import NotAllowedError
from bot.domain.plan import Plan

Users = frozenset[str]

UNIX: Final = "unix:"
"""How somebody is named who asks in a terminal and is no Slack user that we know; no id of Slack's begins like this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Slack user ids that may start, run (pause, resume, advance, promote, finish, end), approve, roll back."""

    start: Users = frozenset()
    run: Users = frozenset()
    approve: Users = frozenset()
    rollback: Users = frozenset()

    def list_for_command(self, command: Command) -> Users:
        """Return the list that governs a command; empty: every full member."""
        return self.run if command.operation else self.list_for(command.verb)

    def list_for(self, verb: Verb) -> Users:
        """Return the list that governs a verb; empty: every full member."""
        match verb:
            case Verb.START:
                return self.start
            case Verb.APPROVE | Verb.REJECT:
                return self.approve
            case Verb.ROLLBACK:
                return self.rollback
            case Verb.STATUS | Verb.WHY | Verb.HELP:
                return frozenset()
            case _:
                return self.run


def person(unix_user: str, slack_ids: Mapping[str, str]) -> str:
    """Return who asks in a terminal: the Slack user that the policy says it is, else the Unix user by name."""
    return slack_ids.get(unix_user, f"{UNIX}{unix_user}")


def permit(access: Access, request: Request) -> None:
    """Raise NotAllowedError, naming who may, where the policy does not let somebody ask for this.

    Approvals are counted by person and lists hold Slack ids, so both ask a terminal who its user is in Slack. The brake
    does not, and is open there whoever that is: who reaches Redis and the cluster from a shell is no stranger, and
    could take `kubectl` instead.
    """
    verb, user = request.command.verb, request.by
    if verb is Verb.ROLLBACK and request.is_from_terminal:
        return
    allowed, name = access.list_for_command(request.command), request.command.name
    if user.startswith(UNIX):
        if allowed or verb in (Verb.APPROVE, Verb.REJECT):
            raise _nobody_knows(user, f"`{name}` is not open to it")
    elif allowed and user not in allowed:
        names = ", ".join(f"<@{member}>" for member in sorted(allowed)[:10])
        raise NotAllowedError(f"You may not `{name}` here.", hint=f"Ask one of {names}.")


def permit_start(plan: Plan, user: str) -> None:
    """Raise NotAllowedError where nobody could tell whether the starter approves the rollout in Slack too."""
    if user.startswith(UNIX) and plan.approvals and plan.approve_at and not plan.requester_may_approve:
        raise _nobody_knows(user, "it could approve in Slack what it starts here")


def _nobody_knows(user: str, so: str) -> NotAllowedError:
    name = user.removeprefix(UNIX)
    return NotAllowedError(
        f"The policy does not say who Unix user `{name}` is in Slack, so {so}.",
        hint=f"Add `{name}: U…` under `terminal.users` of the policy file, or do it in Slack.",
    )

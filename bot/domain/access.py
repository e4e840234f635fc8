"""Who may do what: lists of Slack user ids from the policy file; an empty list means every full member."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bot.domain.command import Verb
from bot.domain.errors import NotAllowedError

Users = frozenset[str]

TERMINAL: Final = "unix:"
"""How somebody is named who asks in a terminal and is no Slack user that we know; no id of Slack's begins like this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Slack user ids that may start, run (pause, resume, advance, promote, finish, end), approve, roll back."""

    start: Users = frozenset()
    run: Users = frozenset()
    approve: Users = frozenset()
    rollback: Users = frozenset()

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
    return slack_ids.get(unix_user, f"{TERMINAL}{unix_user}")


def permit(access: Access, verb: Verb, user: str) -> None:
    """Raise NotAllowedError, naming who may, where the policy does not let ``user`` do ``verb``.

    Approvals are counted by person and lists hold Slack ids, so both ask a terminal who its user is in Slack.
    """
    allowed = access.list_for(verb)
    if user.startswith(TERMINAL) and (allowed or verb in (Verb.APPROVE, Verb.REJECT)):
        name = user.removeprefix(TERMINAL)
        raise NotAllowedError(
            f"The policy does not say who Unix user `{name}` is in Slack, so `{verb.value}` is not open to it.",
            hint=f"Add `{name}: U…` under `terminal.users` of the policy file, or do it in Slack.",
        )
    if allowed and user not in allowed:
        names = ", ".join(f"<@{member}>" for member in sorted(allowed)[:10])
        raise NotAllowedError(f"You may not `{verb.value}` here.", hint=f"Ask one of {names}.")

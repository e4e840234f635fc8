"""Who may do what: lists of Slack user ids from the policy file; an empty list means every full member."""

from dataclasses import dataclass

from bot.domain.command import Verb
from bot.domain.errors import NotAllowedError

Users = frozenset[str]


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


def permit(access: Access, verb: Verb, user: str) -> None:
    """Raise NotAllowedError, naming who may, where the policy does not let ``user`` do ``verb``."""
    allowed = access.list_for(verb)
    if allowed and user not in allowed:
        names = ", ".join(f"<@{member}>" for member in sorted(allowed)[:10])
        raise NotAllowedError(f"You may not `{verb.value}` here.", hint=f"Ask one of {names}.")

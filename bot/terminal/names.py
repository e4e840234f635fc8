"""What people are called in a terminal: by the name they have in Slack, by Unix user, else by their Slack id."""

from collections.abc import Callable, Mapping

from bot.domain.errors import StoreError
from bot.domain.prose import one_line


class Names:
    """Names of Slack users; ``in_slack`` is asked first, ``unix_users`` are Slack ids by Unix user."""

    def __init__(self, unix_users: Mapping[str, str], in_slack: Callable[[str], str]) -> None:
        self._unix = {slack_id: name for name, slack_id in unix_users.items()}
        self._known: dict[str, str] = {}
        self._in_slack = in_slack
        self._is_silent = False

    def of(self, slack_id: str) -> str:
        """Return what somebody is called; after Redis failed to answer once, do not wait for it again."""
        if slack_id not in self._known:
            self._known[slack_id] = self._ask(slack_id) or self._unix.get(slack_id, slack_id)
        return self._known[slack_id]

    def _ask(self, slack_id: str) -> str:
        if self._is_silent:
            return ""
        try:
            return one_line(self._in_slack(slack_id)).strip()
        except StoreError:
            self._is_silent = True
            return ""


def nameless(slack_id: str) -> str:
    """Name nobody: there is no Redis to ask."""
    return ""

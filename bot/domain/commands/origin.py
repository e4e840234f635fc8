"""Where a request comes from, as a value."""

from dataclasses import dataclass
from enum import StrEnum


class Surface(StrEnum):
    """Where people can ask."""

    CHANNEL = "channel"
    ANSWER = "answer"  # a private answer in a channel, which does not change when the card does
    DIRECT = "direct"  # a direct message, of two people or of a group
    HOME = "home"  # the app's home tab
    TERMINAL = "terminal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A surface, and the Slack channel that is meant; empty: any."""

    surface: Surface
    channel: str = ""

    def sees_cards_of(self, channel: str) -> bool:
        """Say whether the person who asks can see the cards of a channel."""
        return self.surface is Surface.CHANNEL and self.channel == channel


def in_slack(channel: str, name: str = "") -> Origin:
    """Return the origin of what Slack sends: its ids of direct messages begin with D, names of group ones with mpdm-.

    Only the home tab has no channel.
    """
    if not channel:
        return Origin(surface=Surface.HOME)
    if channel.startswith("D") or name.startswith("mpdm-"):
        return Origin(surface=Surface.DIRECT)
    return Origin(surface=Surface.CHANNEL, channel=channel)

"""Slack's rate limits: each method by its tier, and posts by channel."""

import math
from collections import defaultdict, deque
from dataclasses import dataclass, field

MINUTE = 60.0
TIER_3, TIER_4 = 50, 100
PER_MINUTE = {
    "chat.postMessage": 300,  # "several hundred messages per minute" and workspace
    "chat.update": TIER_3,
    "chat.delete": TIER_3,
    "conversations.history": TIER_3,
    "conversations.replies": TIER_3,
    "conversations.info": TIER_3,
    "files.completeUploadExternal": TIER_4,
    "files.getUploadURLExternal": TIER_4,
    "users.info": TIER_4,
    "views.open": TIER_4,
    "views.publish": TIER_4,
    "auth.test": TIER_4,
    "apps.connections.open": TIER_3,
}
BURST = 3
"""Slack takes one message a second in a channel and allows "short bursts", without a number. Here a burst is three."""


@dataclass
class Limits:
    """The calls of the last minute; refused calls do not count."""

    _taken: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    _posts: dict[str, float] = field(default_factory=dict)

    def wait(self, method: str, channel: str, now: float) -> int:
        """Take a call and return 0, or return how many seconds the caller has to wait."""
        taken = self._taken[method]
        while taken and taken[0] <= now - MINUTE:
            taken.popleft()
        wait = taken[0] + MINUTE - now if len(taken) >= PER_MINUTE[method] else 0.0
        if method == "chat.postMessage":
            wait = max(wait, self._full_until(channel, now) - now)
        if wait > 0:
            return math.ceil(wait)
        taken.append(now)
        return 0

    def posted(self, channel: str, now: float) -> None:
        """Count a message in a channel."""
        self._posts[channel] = max(self._posts.get(channel, now), now) + 1

    def _full_until(self, channel: str, now: float) -> float:
        """Return when a channel takes a message again: each takes one second, and ``BURST`` may be ahead of time."""
        return self._posts.get(channel, now) - (BURST - 1)

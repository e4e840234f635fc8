"""The policy in force, as a value; settings.py reads it from the file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from bot.domain.access import Access
from bot.domain.plan import Plan

DEFAULT_PLAN = Plan(
    steps=(10, 25, 50, 100),
    interval=timedelta(minutes=10),
    bake=timedelta(minutes=30),
    approve_at=(50, 100),
    approvals=1,
    requester_may_approve=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a team lets the bot do. ``from_file``: ``approve=`` may then only add marks.

    ``unix_users`` are the Slack ids of people by the Unix user that they are in a terminal. ``gates`` has what the file
    says of each gate that it names.
    """

    namespaces: tuple[str, ...]
    plan: Plan = DEFAULT_PLAN
    access: Access = field(default_factory=Access)
    command: str = "/rollout"
    unix_users: Mapping[str, str] = field(default_factory=dict)
    gates: Mapping[str, object] = field(default_factory=dict)
    from_file: bool = False

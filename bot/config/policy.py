"""The current policy, as a value; settings.py reads it from the file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from bot.domain.access import Access
from bot.domain.comparison import CompareRules
from bot.domain.deployment import DeployRules
from bot.domain.evidence import EvidenceRules
from bot.domain.plan import Plan
from bot.domain.removal import CleanRules
from bot.domain.telling import Tell
from bot.domain.trial import TrialRules
from bot.domain.warm_up import WarmUpRules

INSTALL: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")
NO_INSTALL: Final = "is not a name for an install; write it like `prod-eu`, in lower case, at most 63 characters"

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

    ``gates`` has what the file says of each gate that it names. ``unix_users`` are the Slack ids of people by the Unix
    user that they are in a terminal. ``install`` says which data in Redis is ours; empty: the cluster's id decides.
    """

    namespaces: tuple[str, ...]
    plan: Plan = DEFAULT_PLAN
    access: Access = field(default_factory=Access)
    tell: Tell = field(default_factory=Tell)
    trial: TrialRules = field(default_factory=TrialRules)
    compare: CompareRules = field(default_factory=CompareRules)
    warm_up: WarmUpRules = field(default_factory=WarmUpRules)
    deploy: DeployRules = field(default_factory=DeployRules)
    clean: CleanRules = field(default_factory=CleanRules)
    command: str = "/rollout"
    install: str = ""
    unix_users: Mapping[str, str] = field(default_factory=dict)
    evidence: EvidenceRules = field(default_factory=EvidenceRules)
    gates: Mapping[str, Any] = field(default_factory=dict)
    from_file: bool = False

    def waits_for(self, gate: str) -> bool:
        """Say whether the file switches on a gate that is off by default, and that holds until something was done."""
        keys = self.gates.get(gate)
        return keys is not None and keys.enabled and getattr(keys, "required", True)

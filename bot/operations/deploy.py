"""`deploy NEW from=OLD [set KEY=VALUE ...]`: installs a new pool by Helm, like the release of an old one.

What it will make, and how that differs from the old release, is shown before anything is made. It follows until the new
pool can take traffic, and moves none.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from bot.domain.commands.tokens import Word, shown
from bot.domain.commands.values import read_name, read_percent
from bot.domain.deployment import DEPLOY, Draft
from bot.domain.errors import RouteError, UsageError
from bot.domain.operation import NewOperation, Operation
from bot.domain.rollout import Pool, Rollout
from bot.domain.sentences.deployment import draft_lines
from bot.operations.asking import require_approvers
from bot.operations.executor import Ask, Asked, Begun, Done, Failed, Next, Step, Tools
from bot.operations.reading import LONGEST_VALUE, REASON, read_keys

KEYS: Final = ("from", "weight", "namespace")
MOST_CHANGES: Final = 20
_QUOTES: Final = "\"'“”‘’"
LOOK_EVERY: Final = timedelta(seconds=3)
GIVE_UP: Final = timedelta(minutes=2)
"""An installation that Helm has not ended by then was left by a process that died."""

SETTLED: Final = timedelta(minutes=1)
"""Longer than any call of Helm's may take."""


@dataclass(frozen=True)
class Deploy:
    """State: ``do`` is the next step's name; ``old``, ``name`` and ``changes`` say what is drafted, each time anew."""

    name: str = DEPLOY
    about: str = "install a new pool by Helm, like the release of the old one; moves no traffic"
    usage: str = "NEW from=OLD [set KEY=VALUE …] [weight=… namespace=… reason=…]"
    within: timedelta = timedelta(hours=2)
    undo_within: timedelta = timedelta(minutes=5)

    def read(self, words: Sequence[Word]) -> Asked:
        """Read the new pool's name, the old one's, and values to change."""
        line = f"{self.name} {self.usage}"
        given = dict(read_keys([word for word in words if word.key in (*KEYS, REASON)], KEYS, line))
        others = [word for word in words if word.key not in (*KEYS, REASON) and word.value != "set"]
        names = [word.value for word in others if "=" not in word.raw]
        if len(names) != 1:
            wrong = f"{shown(names[1])} is one word too many." if names else f"`{self.name}` needs the new pool's name."
            raise UsageError(wrong, hint=f"Usage: `{line}`.")
        if "from" not in given:
            raise UsageError("`from=` is missing: the old pool.", hint=f"Usage: `{line}`.")
        given["from"] = read_name("from", given["from"])
        given.setdefault("weight", "10")
        if (weight := read_percent(given["weight"])) is None:
            raise UsageError(f"`weight` is a whole number from 1 to 100, not {shown(given['weight'])}.")
        given["weight"] = str(weight)
        changes = _changes([word.raw for word in others if "=" in word.raw])
        return Asked(subject=read_name("pool", names[0]), parameters={**given, **_kept(changes)})

    def begin(self, asked: NewOperation, tools: Tools) -> Begun:
        """Draft it, and look whether anything forbids it."""
        rules, given = tools.policy.deploy, asked.parameters
        if not rules.charts:
            raise UsageError(
                "The policy does not let me deploy pools.", hint="Name charts below `deploy.charts` in it."
            )
        if rules.approval:
            require_approvers(tools.policy, asked.by)
        changes = json.loads(given.get("set", "{}"))
        if wrong := [key for key in changes if not rules.allows(key)]:
            allowed = ", ".join(f"`{key}`" for key in rules.settable) or "none"
            raise UsageError(f"The policy does not let you set {shown(wrong[0])}.", hint=f"It allows {allowed}.")
        namespace = given.get("namespace") or tools.policy.namespaces[0]
        if namespace not in tools.policy.namespaces:
            raise UsageError(f"I work in no namespace `{namespace}`.")
        state = {
            "do": "draft",
            "old": [namespace, given["from"]],
            "changes": changes,
            "weight": given["weight"],
            "name": asked.subject,
        }
        _drafted(state, tools, mark="")
        return Begun(subject=asked.subject, state=state)

    def step(self, operation: Operation, tools: Tools) -> Step:
        """Do what the state says."""
        return _STEPS[operation.state["do"]](self, operation, tools)

    def undo(self, operation: Operation, tools: Tools) -> Step:
        """Uninstall what was installed."""
        state, pool = operation.state, _pool(operation.state)
        if state["do"] == "draft" and not state.get("begun"):
            return Done(state=state, said="Nothing was made.")
        standing = tools.deployments.standing(pool, operation.id)
        servers = tools.deployments.servers(pool, operation.id)
        is_ours = standing is not None and standing.is_ours
        if not is_ours and not servers:
            if tools.clock.now() - operation.since < SETTLED:  # a process that was frozen may still begin one
                return Next(state=state, wait=LOOK_EVERY)
            return Done(state=state, said="There is nothing to take away.")
        if using := [entry.rollout for entry in tools.rollouts.under_way() if pool in _pools_of(entry.rollout)]:
            raise RouteError(f"Rollout `{using[0].id}` uses `{pool.name}`, so I leave it.", hint="Let it end first.")
        tools.deployments.remove(pool, operation.id)
        gone = [f"Helm release `{pool.name}` is uninstalled."] if is_ours else []
        gone += [f"Deployment `{name}` is deleted." for name in servers]
        return Done(state=state, said=" ".join(gone))

    def left(self, operation: Operation) -> str:
        """Say what may be left."""
        if operation.state["do"] == "draft" and not operation.state.get("begun"):
            return ""
        return f"Helm release `{operation.state['name']}` may be there, in whole or in part, and its model servers."

    def sweep(self, tools: Tools) -> None:
        """Do nothing: the card says what is left."""

    # --- the steps

    def _draft(self, operation: Operation, tools: Tools) -> Step:
        """Show what will be made, and wait until people agree."""
        draft = _drafted(operation.state, tools, mark=operation.id)
        if tools.policy.deploy.approval and not operation.may(draft.digest):
            return Ask(state=operation.state, lines=[*draft_lines(draft)], digest=draft.digest)
        return Next(state={**operation.state, "do": "install", "digest": draft.digest, "begun": True})

    def _install(self, operation: Operation, tools: Tools) -> Step:
        """Install it, if that is still what people saw; what a dead process has begun is looked at first."""
        state, pool = operation.state, _pool(operation.state)
        standing = tools.deployments.standing(pool, operation.id)
        if standing is None:
            draft = _drafted(state, tools, mark=operation.id)
            if draft.digest != state["digest"]:
                return Next(state={**state, "do": "draft"}, said="It has changed meanwhile, so I ask again.")
            tools.deployments.install(draft, operation.id)
            return Next(state={**state, "do": "follow"}, said=f"Helm release `{pool.name}` is installed.")
        if not standing.is_ours:
            raise RouteError(f"Helm release `{pool.name}` was made by somebody else meanwhile.")
        if standing.status == "deployed":
            return Next(state={**state, "do": "follow"}, said=f"Helm release `{pool.name}` is installed.")
        if standing.status == "failed":
            return Failed(f"Helm could not install it: {standing.said}")
        if tools.clock.now() - standing.begun < GIVE_UP:
            return Next(state=state, wait=LOOK_EVERY)
        tools.deployments.remove(pool, operation.id)
        return Next(state=state, said="The installation was interrupted. I begin again.")

    def _follow(self, operation: Operation, tools: Tools) -> Step:
        """Wait until the new pool can take traffic."""
        state, new = operation.state, _pool(operation.state)
        readiness = tools.routes.readiness(Pool(*state["old"]), new)
        if lack := readiness.canary_lack:
            told = f"Not yet: {lack}" if lack != state.get("lack") else ""
            return Next(state={**state, "lack": lack}, said=told, wait=LOOK_EVERY)
        servers = f"{readiness.canary_ready} of {readiness.canary_of} model servers are ready"
        begin = f"`start {new.name} {state['weight']}` begins the rollout"
        return Done(state=state, said=f"`{new.name}` can take traffic: {servers}. {begin}.")


_STEPS: Final[Mapping[str, Callable[[Deploy, Operation, Tools], Step]]] = {
    "draft": Deploy._draft,
    "install": Deploy._install,
    "follow": Deploy._follow,
}


def _changes(typed: Sequence[str]) -> Mapping[str, str]:
    """Read ``KEY=VALUE``, where the value may be in quotes. Raises UsageError."""
    changes: dict[str, str] = {}
    for word in typed:
        key, _, value = word.strip(_QUOTES).partition("=")
        value = value.strip(_QUOTES)
        if key in changes:
            raise UsageError(f"{shown(key)} is there twice.", hint="Leave one of them out.")
        if len(value) > LONGEST_VALUE or not value.isprintable():
            raise UsageError(f"The value of {shown(key)} is no line of at most {LONGEST_VALUE} characters.")
        changes[key] = value
    if len(changes) > MOST_CHANGES:
        raise UsageError(f"At most {MOST_CHANGES} values can be set at a time.")
    return changes


def _kept(changes: Mapping[str, str]) -> Mapping[str, str]:
    """Return changes as one parameter."""
    return {"set": json.dumps(changes)} if changes else {}


def _drafted(state: Mapping[str, Any], tools: Tools, *, mark: str) -> Draft:
    """Draft it as things are now. Raises RouteError if it must not be made."""
    draft = tools.deployments.draft(Pool(*state["old"]), state["name"], state["changes"], mark)
    if draft.stops:
        raise RouteError(" ".join(draft.stops), hint="Nothing was made.")
    return draft


def _pools_of(rollout: Rollout) -> tuple[Pool, Pool]:
    return rollout.stable, rollout.canary


def _pool(state: Mapping[str, Any]) -> Pool:
    return Pool(state["old"][0], state["name"])

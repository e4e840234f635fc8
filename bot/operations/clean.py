"""`clean [POOL]`: deletes the old pool of a finished rollout, and its endpoint picker, once it serves nothing.

People agree to a list of exactly what goes. Whatever changes before the deletion begins is shown and asked again. Until
then a roll back works as before. The rollout's own record ends it, on the route too, before anything is deleted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from bot.domain.commands.request import STATUS, Command
from bot.domain.commands.tokens import Word, shown
from bot.domain.commands.values import read_name
from bot.domain.errors import RouteError, UsageError
from bot.domain.operation import NewOperation, Operation
from bot.domain.plan import show_duration
from bot.domain.removal import CLEAN, Load, Release, Removal, Thing, dump_release, dump_things, load_things
from bot.domain.rollout import Phase, Pool, Rollout
from bot.domain.sentences.removal import lines, lines_undrained, named
from bot.operations.asking import require_approvers
from bot.operations.executor import Ask, Asked, Begun, Done, Failed, Next, Step, Tools
from bot.operations.finished_rollout import finished_rollout
from bot.operations.reading import is_bare, read_keys

PLACE: Final = ("route", "namespace")
LOOK_EVERY: Final = timedelta(seconds=3)
"""How often the model servers are asked what they serve."""

BLIND_FOR: Final = timedelta(minutes=1)
"""For so long nobody may know whether a pool is idle; then people are asked, or it has to be idle anew."""

LOOKS: Final = 10
"""After so many looks at what is left it is deleted once more."""


@dataclass(frozen=True)
class Clean:
    """State: ``do`` is the next step's name, ``rollout`` its id; ``things`` and ``release`` are what is deleted."""

    name: str = CLEAN
    about: str = "delete the old pool of a finished rollout and its endpoint picker, once it serves nothing"
    usage: str = "[POOL] [route=… namespace=… reason=…]"
    within: timedelta = timedelta(hours=12)
    undo_within: timedelta = timedelta(minutes=5)

    def read(self, words: Sequence[Word]) -> Asked:
        """Read a pool, the old or the new one; it may be left out."""
        line = f"{self.name} {self.usage}"
        given, pools = read_keys(words, PLACE, line), [word.value for word in filter(is_bare, words)]
        if len(pools) > 1:
            raise UsageError(f"{shown(pools[1])} is one word too many.", hint=f"Usage: `{line}`.")
        return Asked(subject=read_name("pool", pools[0]) if pools else "", parameters=given)

    def begin(self, asked: NewOperation, tools: Tools) -> Begun:
        """Find the rollout whose old pool is meant, and look whether anything forbids the deletion."""
        if not tools.policy.clean.allowed:
            raise UsageError("The policy does not let me delete pools.", hint="Set `clean.allowed: true` in it.")
        require_approvers(tools.policy, asked.by)
        rollout = finished_rollout(asked, tools)
        plan = _plan(rollout, tools)
        if missing := tools.removals.missing_right((*plan.things, *plan.servers)):
            raise RouteError(missing)
        return Begun(subject=rollout.stable.name, state=_first(rollout))

    def step(self, operation: Operation, tools: Tools) -> Step:
        """Do what the state says."""
        return _STEPS[operation.state["do"]](self, operation, tools)

    def undo(self, operation: Operation, tools: Tools) -> Step:
        """Leave it as it is: before the deletion begins there is nothing to take back, and later no way."""
        if operation.state.get("begun"):
            return Failed("What is deleted stays deleted.")
        return Done(state=operation.state, said="Nothing was deleted.")

    def left(self, operation: Operation) -> str:
        """Say what may be half deleted, and how to go on or back."""
        if not operation.state.get("begun"):
            return ""
        release = _release(operation)
        told = f"The deletion of {named(_all(operation))} has begun. `clean` again goes on with it"
        undo = [*operation.state.get("undone_by", ()), *([release.undo] if release else [])]
        commands = " and ".join(f"`{command}`" for command in dict.fromkeys(undo))
        return f"{told}; {commands} {'put' if len(undo) > 1 else 'puts'} back what is gone." if undo else f"{told}."

    def sweep(self, tools: Tools) -> None:
        """Do nothing: the card says what is left."""

    # --- the steps

    def _drain(self, operation: Operation, tools: Tools) -> Step:
        """Wait until people agree to what goes now, and until the pool has served nothing for a while."""
        state, rollout = operation.state, _by_id(operation.state["rollout"], tools)
        _require_not_kept(rollout, state, tools)
        plan = _plan(rollout, tools)
        if operation.may(plan.undrained):
            return Next(state=_named_in(state, plan))
        if not operation.may(plan.digest):
            return Ask(state={**_fresh(state), "do": "drain"}, lines=[*lines(plan)], digest=plan.digest)
        load, now = tools.removals.load(plan.pool), tools.clock.now()
        if load.unknown:
            return _ask_blind(state, plan, load, now)
        idle_since = _idle_since(state, load, now)
        if idle_since is not None and now - idle_since >= plan.idle_for:
            return Next(state=_named_in(state, plan))
        told = _told(load, plan) if _is_news(state, idle_since) else ""
        known = {"idle_since": idle_since and idle_since.isoformat(), "finished": load.finished, "told": True}
        seen = {**known, "looked": now.isoformat(), "blind_since": None}
        return Next(state={**state, **seen}, said=told, wait=LOOK_EVERY)

    def _end(self, operation: Operation, tools: Tools) -> Step:
        """End the way back. From here on things are deleted."""
        rollout, agreement = _by_id(operation.state["rollout"], tools), operation.agreement
        _require_unused(rollout, tools)
        by = agreement.approvals[-1] if agreement and agreement.approvals else operation.started_by
        tools.way_back.end(rollout.id, by)
        said = f"Nobody can roll back any more. I delete {named(_all(operation))}."
        return Next(state={**operation.state, "do": "servers", "begun": True}, said=said)

    def _servers(self, operation: Operation, tools: Tools) -> Step:
        """Delete the model servers; the pool goes last, because people find the rest by it."""
        state, servers = operation.state, load_things(operation.state.get("servers", ()))
        _require_unused(_by_id(state["rollout"], tools), tools)
        undo = [tools.removals.delete(servers, f"undo-servers-{operation.id}")] if servers else []
        return Next(
            state={**state, "do": "delete", "undone_by": [*dict.fromkeys([*state.get("undone_by", ()), *undo])]}
        )

    def _delete(self, operation: Operation, tools: Tools) -> Step:
        state, release, things = operation.state, _release(operation), _things(operation)
        _require_unused(_by_id(state["rollout"], tools), tools)
        if release is None:
            undo = tools.removals.delete(things, f"undo-{operation.id}") if things else ""
        elif tools.removals.uninstall(release, things):
            undo = release.undo
        else:
            again = f"Helm release `{release.name}` has changed since you agreed. Nothing more was deleted."
            return Next(state={**_fresh(state), "do": "drain"}, said=again)
        by = list(dict.fromkeys([*state.get("undone_by", ()), *filter(None, [undo])]))
        return Next(state={**state, "do": "gone", "undone_by": by, "looks": 0})

    def _gone(self, operation: Operation, tools: Tools) -> Step:
        """Follow until everything is gone."""
        state, things = operation.state, _all(operation)
        left = tools.removals.left(things)
        if left:
            told = f"Waiting until these are gone: {named(left)}." if state["looks"] == 1 else ""
            then = "servers" if state["looks"] >= LOOKS else "gone"
            return Next(state={**state, "do": then, "looks": state["looks"] + 1}, said=told, wait=LOOK_EVERY)
        undo = state.get("undone_by") or [state["undo"]]  # of the version before
        commands = " and ".join(f"`{command}`" for command in undo)
        puts = "put" if len(undo) > 1 else "puts"
        return Done(state=state, said=f"All of it is deleted. {commands} {puts} it back." if things else "")


_STEPS: Final[Mapping[str, Callable[[Clean, Operation, Tools], Step]]] = {
    "drain": Clean._drain,
    "end": Clean._end,
    "servers": Clean._servers,
    "delete": Clean._delete,
    "gone": Clean._gone,
}


def _first(rollout: Rollout) -> Mapping[str, Any]:
    """Return the first state; until when the pool was to be kept then is part of it."""
    kept = {"kept_until": rollout.kept_until.isoformat()} if rollout.kept_until else {}
    return {"do": "drain", "rollout": rollout.id, **kept}


def _require_not_kept(rollout: Rollout, state: Mapping[str, Any], tools: Tools) -> None:
    """Raise RouteError if somebody has said since the beginning that the pool is kept longer."""
    until = rollout.kept_until
    if until and "kept_until" in state and until > datetime.fromisoformat(state["kept_until"]):
        raise RouteError(f"Nothing was deleted: somebody keeps `{rollout.stable.name}` longer.")


def _by_id(rollout_id: str, tools: Tools) -> Rollout:
    return tools.rollouts.find(Command(verb=STATUS, subject=rollout_id), "").rollout


def _plan(rollout: Rollout, tools: Tools) -> Removal:
    """Return what would be deleted now. Raises RouteError if that must not be."""
    if rollout.phase not in (Phase.FINISHED, Phase.CLEANED):
        raise RouteError(f"Nothing was deleted: the rollout is {rollout.phase.value.replace('_', ' ')} now.")
    _require_no_other(rollout, tools)
    plan = tools.removals.plan(rollout)
    if plan.stops:
        raise RouteError(" ".join(plan.stops), hint="Nothing was deleted.")
    return plan


def _require_unused(rollout: Rollout, tools: Tools) -> None:
    """Raise RouteError if anything needs the old pool now, whatever was seen before."""
    _require_no_other(rollout, tools)
    if users := tools.removals.users(rollout.stable):
        raise RouteError(f"HTTPRoute `{users[0]}` names `{rollout.stable.name}` now.", hint="Nothing more was deleted.")


def _require_no_other(rollout: Rollout, tools: Tools) -> None:
    pool = rollout.stable
    others = [entry for entry in tools.rollouts.under_way() if entry.rollout.id != rollout.id and not entry.is_followed]
    if using := [entry.rollout for entry in others if _uses(entry.rollout, pool)]:
        raise RouteError(
            f"Rollout `{using[0].id}` on `{using[0].namespace}/{using[0].route}` uses `{pool.name}`.",
            hint="Nothing more was deleted. Let it end first.",
        )


def _uses(rollout: Rollout, pool: Pool) -> bool:
    """Say whether a rollout may send to a pool; one that is finished with it does not."""
    return rollout.canary == pool or (rollout.stable == pool and rollout.phase is not Phase.FINISHED)


def _fresh(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the state of a removal that begins to wait again, and what it has deleted already."""
    kept = (
        "do",
        "rollout",
        "kept_until",
        *(("begun", "things", "servers", "release", "undone_by") if state.get("begun") else ()),
    )
    return {name: state[name] for name in kept if name in state}


def _named_in(state: Mapping[str, Any], plan: Removal) -> Mapping[str, Any]:
    """Name what is deleted, before it is."""
    going = {"things": dump_things(plan.things), "servers": dump_things(plan.servers)}
    named_now = {**going, "release": dump_release(plan.release)}
    return {**_fresh(state), **named_now, "do": "end"}


def _ask_blind(state: Mapping[str, Any], plan: Removal, load: Load, now: datetime) -> Step:
    """Ask people to do without the wait, if nobody could see for a while whether the pool is idle."""
    since = datetime.fromisoformat(state.get("blind_since") or now.isoformat())
    if now - since < BLIND_FOR:
        return Next(state={**state, "blind_since": since.isoformat(), "idle_since": None}, wait=LOOK_EVERY)
    return Ask(state=_fresh(state), lines=[*lines_undrained(plan, load.unknown)], digest=plan.undrained)


def _idle_since(state: Mapping[str, Any], load: Load, now: datetime) -> datetime | None:
    """Return since when the pool has served nothing; None while it serves, also between two looks."""
    if load.requests:
        return None
    since, looked = state.get("idle_since"), state.get("looked")
    if since is None or load.finished != state.get("finished"):
        return now
    if looked is None or now - datetime.fromisoformat(looked) > BLIND_FOR:
        return now  # nobody looked for a while
    return datetime.fromisoformat(since)


def _is_news(state: Mapping[str, Any], idle_since: datetime | None) -> bool:
    return not state.get("told") or bool(state.get("idle_since")) is not bool(idle_since)


def _told(load: Load, plan: Removal) -> str:
    pool, idle_for = plan.pool.name, show_duration(plan.idle_for)
    if load.requests:
        one = load.requests == 1
        return f"`{pool}` still serves {load.requests} request{'' if one else 's'}. I wait until it is idle."
    return f"`{pool}` serves nothing now. If that stays so for {idle_for}, I delete it."


def _things(operation: Operation) -> tuple[Thing, ...]:
    return load_things(operation.state["things"])


def _all(operation: Operation) -> tuple[Thing, ...]:
    """Return all that goes, the pool's model servers too."""
    return (*load_things(operation.state.get("servers", ())), *_things(operation))


def _release(operation: Operation) -> Release | None:
    said = operation.state["release"]
    return Release(**said) if said else None

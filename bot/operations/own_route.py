"""A route of an operation's own, whose requests nobody else can send: each key that they carry leads to one pool alone.

It is made in the first steps of an operation, and removed before the operation ends, however that ends; a sweep removes
those of operations that died. State: ``pair``; ``keys``, the pool (stable or canary) by its key; ``removed``.
"""

import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from bot.domain.errors import RefusedError, RouteError, UserError
from bot.domain.operation import Operation
from bot.domain.trial import Answer, Ask, TrialRules
from bot.engine.trial_port import Aim, Pair
from bot.operations.executor import Done, Failed, Next, State, Step, Tools
from bot.operations.gateway_request import MARK, body_of
from bot.operations.pair import dumped, pair_in

ACCEPTED_WITHIN: Final = timedelta(minutes=2)
"""So long the gateway has to say that it accepts the route."""

REACHED_WITHIN: Final = timedelta(minutes=5)
"""So long its proxies have to have it."""
PAUSE: Final = timedelta(seconds=2)

STRAY_AFTER: Final = timedelta(minutes=20)
"""No operation needs its route for that long, nor does taking one back."""

LONGEST: Final = timedelta(seconds=30)
"""A request of one token waits no longer for its answer, whatever the policy says."""

STABLE, CANARY = "stable", "canary"


def begun(pair: Pair, *alone: str) -> Mapping[str, Any]:
    """Return the first state of an operation that asks these pools alone; without any, it needs no route."""
    return {
        "pair": dumped(pair),
        "keys": {secrets.token_hex(16): name for name in alone},
        "removed": False,
        "do": "make" if alone else "model",
    }


def key_of(state: State, name: str) -> str:
    """Return the key that leads to the stable or the canary pool."""
    return next(key for key, of in keys_in(state).items() if of == name)


def keys_in(state: State) -> Mapping[str, str]:
    """Return the keys of an operation; one that an older bot has begun has one at most."""
    if "keys" not in state:
        return {state["key"]: CANARY} if state["alone"] else {}
    keys: Mapping[str, str] = state["keys"]
    return keys


def pools_of_marks(operation: Operation) -> Mapping[str, str]:
    """Return the name of the pool whose answers carry each key."""
    pools = _pools(operation)
    return {key: pools[name].name for key, name in keys_in(operation.state).items()}


def ask_of(aim: Aim, rules: TrialRules, operation: Operation, *, key: str = "", prompt: str, tokens: int) -> Ask:
    """Return a request to the model of the operation, as a user's, or with a key to one pool alone."""
    own = {MARK: key} if key else {}
    return Ask(
        address=aim.address,
        port=aim.port,
        host=aim.host,
        is_tls=aim.is_tls,
        path=rules.path,
        headers={**rules.headers, **own},
        body=body_of(rules.path, operation.state["model"], prompt, tokens),
        timeout=min(rules.timeout, LONGEST),
    )


# --- steps


def make(operation: Operation, tools: Tools) -> Step:
    """Make the route."""
    pair, rules, pools = pair_in(operation), tools.policy.trial, _pools(operation)
    aim = tools.trials.aim(pair, rules.path, rules.headers)
    alone = {key: pools[name] for key, name in keys_in(operation.state).items()}
    tools.trials.make_route(pair, aim.rule, operation.id, MARK, alone)
    names = " and ".join(f"`{pool.name}`" for pool in alone.values())
    to = names if len(alone) == 1 else f"{names}, each alone"
    said = f"HTTPRoute `try-{operation.id}` sends only my own requests to {to}."
    return Next(state={**operation.state, "do": "accepted"}, said=said)


def accepted(operation: Operation, tools: Tools) -> Step:
    """Wait until the gateway says that it has it; some never do, and then ``reach`` finds out."""
    is_late = tools.clock.now() - operation.started_at > ACCEPTED_WITHIN
    if tools.trials.is_taken(pair_in(operation), operation.id) or is_late:
        return Next(state={**operation.state, "do": "model"})
    return Next(state=operation.state)


def model(operation: Operation, tools: Tools) -> Step:
    """Find out which model to ask; ``ask`` is done next, or first ``reach``."""
    name = tools.policy.trial.model
    if not name:
        served, why_not = tools.trials.models(pair_in(operation))
        if not served:
            raise RouteError(f"I do not know which model to ask: {why_not}.", hint="Name one in `try.model`.")
        name = min(served, key=lambda each: (len(each), each))
    then = "reach" if keys_in(operation.state) else "ask"
    return Next(state={**operation.state, "do": then, "model": name}, said=f"I ask for the model `{name}`.")


def reach(send: Callable[[Ask], Answer], operation: Operation, tools: Tools) -> Step:
    """Wait until requests go through the route: a gateway may accept it minutes before its proxies have it."""
    rules = tools.policy.trial
    aim = tools.trials.aim(pair_in(operation), rules.path, rules.headers)
    for key in keys_in(operation.state):
        answer = send(ask_of(aim, rules, operation, key=key, prompt=rules.prompt, tokens=1))
        if answer.failed or answer.mark == key:
            continue  # what fails is told of by those who ask
        if tools.clock.now() - operation.started_at > REACHED_WITHIN:
            raise RouteError("The gateway does not send requests through the trial's route.", hint="Try again later.")
        return Next(state=operation.state, wait=PAUSE)
    return Next(state={**operation.state, "do": "ask"})


def remove(operation: Operation, tools: Tools) -> Step:
    """Remove it; ``tell`` is done next, or the failure is told that led here."""
    tools.trials.remove_route(pair_in(operation).namespace, operation.id)
    then = "fail" if operation.state.get("failed") else "tell"
    return Next(state={**operation.state, "removed": True, "do": then})


def give_up(operation: Operation, tools: Tools) -> Step:
    """End with the failure after which the route was removed."""
    return Failed(operation.state["failed"])


STEPS: Final[Mapping[str, Callable[[Operation, Tools], Step]]] = {
    "make": make,
    "accepted": accepted,
    "model": model,
    "remove": remove,
    "fail": give_up,
}
"""Steps that every such operation has; ``reach``, ``ask`` and ``tell`` are its own."""


Steps = Mapping[str, Callable[[Operation, Tools], Step]]


def take(own: Steps, operation: Operation, tools: Tools) -> Step:
    """Do what the state says. Whatever goes wrong, the route is removed before the operation ends."""
    state = operation.state
    try:
        return {**STEPS, **own}[state["do"]](operation, tools)
    except (UserError, RefusedError) as error:
        if keys_in(state) and not state["removed"] and state["do"] not in ("remove", "fail"):
            return Next(state={**state, "do": "remove", "failed": str(error)})
        return Failed(str(error))


class OnOwnRoute:
    """The part of an executor that takes such a route away again."""

    def undo(self, operation: Operation, tools: Tools) -> Step:
        """Remove the route; requests that were sent cannot be taken back."""
        tools.trials.remove_route(pair_in(operation).namespace, operation.id)
        return Done(state=operation.state, said="No more requests are sent.")

    def left(self, operation: Operation) -> str:
        """Say what may be left."""
        if operation.state["removed"] or not keys_in(operation.state):
            return ""
        return f"HTTPRoute `try-{operation.id}` may be left. I try to remove it within half an hour."

    def sweep(self, tools: Tools) -> None:
        """Leave it to `try`, which removes the routes of all kinds: one list a minute is enough."""


def _pools(operation: Operation) -> Mapping[str, Any]:
    pair = pair_in(operation)
    return {STABLE: pair.stable, CANARY: pair.canary}

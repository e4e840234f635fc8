"""`try [N] [POOL]`: sends requests through the route's own Gateway, and says who answered, and how.

While a rollout runs, they meet the weights as a user's do. Before it starts, they go to the new pool alone, through a
route of their own that nobody else's request can take. That route is removed before the trial ends, however it ends; a
sweep removes those of trials that died.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from bot.domain.commands.request import STATUS, Command, StartWords, Where
from bot.domain.commands.tokens import Word, shown
from bot.domain.commands.values import read_name
from bot.domain.errors import NotHereError, RefusedError, RouteError, UsageError, UserError
from bot.domain.operation import NewOperation, Operation
from bot.domain.rollout import SLOTLESS, Pool, Rollout
from bot.domain.sentences.trial import of_canary, of_moving_weights, of_pool, of_split
from bot.domain.trial import Answer, Ask, Tally, TrialRules
from bot.engine.trial_port import Aim, Pair
from bot.operations.executor import Asked, Begun, Done, Failed, Next, State, Step, Tools
from bot.operations.gateway_request import MARK, ask_gateway, body_of
from bot.operations.reading import read_keys

TRY: Final = "try"
PLACE: Final = ("route", "namespace", "from", "rule")
"""Keys as of a start, for where more than one route, old pool or rule may be meant."""

AT_ONCE: Final = 4
"""So many requests are under way at a time."""

STEP: Final = timedelta(seconds=2)
"""How long a step goes on sending."""

LONGEST: Final = timedelta(seconds=30)
"""A request waits no longer for its answer, whatever the policy says."""

ENOUGH: Final = timedelta(minutes=7)
"""After that no more requests are sent, so that there is time to tell what became of the others."""

ACCEPTED_WITHIN: Final = timedelta(minutes=2)
"""So long the gateway has to accept a trial's route."""

SILENCE: Final = 8
"""If nobody answers so many requests at all, no more are sent."""

STRAY_AFTER: Final = timedelta(minutes=20)
"""No trial lasts that long, nor does taking one back."""

_users: Final = ThreadPoolExecutor(AT_ONCE * 8, "try")


@dataclass(frozen=True)
class Try:
    """State: ``do`` is the next step's name, ``left`` how many requests are to be sent, ``tally`` what came back."""

    send: Callable[[Ask], Answer] = ask_gateway
    name: str = TRY
    about: str = "send requests through the gateway: who answers, how fast; before a start, the new pool alone"
    usage: str = "[N] [POOL] [route=… namespace=… from=… rule=… reason=…]"
    within: timedelta = timedelta(minutes=10)
    undo_within: timedelta = timedelta(minutes=5)

    def read(self, words: Sequence[Word]) -> Asked:
        """Read a number and a pool, in any order; both may be left out."""
        line = f"{self.name} {self.usage}"
        given, pools, numbers = dict(read_keys(words, PLACE, line)), list[str](), list[str]()
        for word in words:
            if not word.key:
                (numbers if word.value.isdecimal() else pools).append(word.value)
        for several in (pools, numbers):
            if len(several) > 1:
                raise UsageError(f"{shown(several[1])} is one word too many.", hint=f"Usage: `{line}`.")
        if numbers:
            given["requests"] = str(int(numbers[0]))
        return Asked(subject=read_name("pool", pools[0]) if pools else "", parameters=given)

    def begin(self, asked: NewOperation, tools: Tools) -> Begun:
        """Find the route and the pools, and whether the requests meet weights or go to the new pool alone."""
        rules = tools.policy.trial
        count = int(asked.parameters.get("requests", min(rules.requests, rules.most)))
        if not 1 <= count <= rules.most:
            raise UsageError(f"A trial sends 1 to {rules.most} requests, not {count}.")
        rollout = _rollout(asked, tools)
        pair = _pair_of(rollout) if rollout else _pair_before_start(asked, tools)
        aim = tools.trials.aim(pair, rules.path, rules.headers)
        alone = aim.weight == 0
        state = {
            "pair": _dumped(pair),
            "alone": alone,
            "weight": aim.weight,
            "left": count,
            "tally": {},
            "key": secrets.token_hex(16),
            "moved": False,
            "removed": False,
            "told": 0,
        }
        return Begun(subject=pair.canary.name, state={**state, "do": "make" if alone else "model"})

    def step(self, operation: Operation, tools: Tools) -> Step:
        """Do what the state says. Whatever goes wrong, a route of our own is removed before the trial ends."""
        state = operation.state
        try:
            return _STEPS[state["do"]](self, operation, tools)
        except (UserError, RefusedError) as error:
            if state["alone"] and state["do"] not in ("remove", "fail"):
                return Next(state={**state, "do": "remove", "failed": str(error)})
            return Failed(str(error))

    def undo(self, operation: Operation, tools: Tools) -> Step:
        """Remove the trial's route; requests that were sent cannot be taken back."""
        tools.trials.remove_route(_pair(operation).namespace, operation.id)
        return Done(state=operation.state, said="No more requests are sent.")

    def left(self, operation: Operation) -> str:
        """Say what may be left."""
        if not operation.state["alone"] or operation.state["removed"]:
            return ""
        return f"HTTPRoute `try-{operation.id}` may be left. I try to remove it within half an hour."

    def sweep(self, tools: Tools) -> None:
        """Remove the routes of trials that died."""
        tools.trials.remove_strays(STRAY_AFTER)

    # --- the steps

    def _make(self, operation: Operation, tools: Tools) -> Step:
        pair, rules = _pair(operation), tools.policy.trial
        aim = tools.trials.aim(pair, rules.path, rules.headers)
        tools.trials.make_route(pair, aim.rule, operation.id, MARK, operation.state["key"])
        said = f"HTTPRoute `try-{operation.id}` sends only this trial's requests to `{pair.canary.name}`."
        return Next(state={**operation.state, "do": "accepted"}, said=said)

    def _accepted(self, operation: Operation, tools: Tools) -> Step:
        if tools.trials.is_taken(_pair(operation), operation.id):
            return Next(state={**operation.state, "do": "model"})
        if tools.clock.now() - operation.started_at > ACCEPTED_WITHIN:
            raise RouteError("The gateway has not said whether it takes the trial's route.", hint="Try again later.")
        return Next(state=operation.state)

    def _model(self, operation: Operation, tools: Tools) -> Step:
        model = tools.policy.trial.model
        if not model:
            served, why_not = tools.trials.models(_pair(operation))
            if not served:
                raise RouteError(f"I do not know which model to ask: {why_not}.", hint="Name one in `try.model`.")
            model = min(served, key=lambda name: (len(name), name))
        return Next(state={**operation.state, "do": "ask", "model": model})

    def _ask(self, operation: Operation, tools: Tools) -> Step:
        """Send for some seconds, and keep what came back."""
        state, rules, pair = operation.state, tools.policy.trial, _pair(operation)
        before = tools.trials.aim(pair, rules.path, rules.headers)
        answers = self._answers(_asks(before, rules, operation), state["left"], tools)
        after = tools.trials.aim(pair, rules.path, rules.headers)
        tally = Tally.loads(state["tally"]).plus(answers, _pools_of(pair, state, tools))
        is_enough = tools.clock.now() - operation.started_at > ENOUGH or _is_silent(tally)
        left = 0 if is_enough else state["left"] - len(answers)
        moved = state["moved"] or {before.weight, after.weight} != {state["weight"]}
        then = "ask" if left else "remove" if state["alone"] else "tell"
        return Next(state={**state, "left": left, "tally": tally.dumps(), "moved": moved, "do": then})

    def _answers(self, ask: Ask, left: int, tools: Tools) -> Sequence[Answer]:
        """Send some of the requests that are left, a few at a time, at the policy's rate."""
        answers, rate = list[Answer](), tools.policy.trial.rate
        until = tools.clock.now() + STEP
        while len(answers) < left and tools.clock.now() < until and tools.goes_on():
            begun, count = tools.clock.now(), min(AT_ONCE, rate, left - len(answers))
            answers += _users.map(self.send, [ask] * count)
            if _is_silent(Tally().plus(answers, {})):
                break
            rest = timedelta(seconds=count / rate) - (tools.clock.now() - begun)
            tools.clock.sleep(max(0.0, rest.total_seconds()))
        return answers

    def _remove(self, operation: Operation, tools: Tools) -> Step:
        tools.trials.remove_route(_pair(operation).namespace, operation.id)
        then = "fail" if operation.state.get("failed") else "tell"
        return Next(state={**operation.state, "removed": True, "do": then})

    def _fail(self, operation: Operation, tools: Tools) -> Step:
        return Failed(operation.state["failed"])

    def _tell(self, operation: Operation, tools: Tools) -> Step:
        """Say what each pool has answered, one sentence a step, and at last what that means."""
        state, pair = operation.state, _pair(operation)
        tally = Tally.loads(state["tally"])
        names = [name for name in (pair.stable.name, pair.canary.name, "") if tally.of(name).answered]
        if state["told"] < len(names):
            name = names[state["told"]]
            return Next(state={**state, "told": state["told"] + 1}, said=of_pool(name, tally.of(name)))
        if state["alone"]:
            return Done(state=state, said=of_canary(tally, pair.canary.name))
        if state["moved"]:
            return Done(state=state, said=of_moving_weights(tally))
        return Done(state=state, said=of_split(tally, pair.stable.name, pair.canary.name, state["weight"]))


_STEPS: Final[Mapping[str, Callable[[Try, Operation, Tools], Step]]] = {
    "make": Try._make,
    "accepted": Try._accepted,
    "model": Try._model,
    "ask": Try._ask,
    "remove": Try._remove,
    "fail": Try._fail,
    "tell": Try._tell,
}


def _rollout(asked: NewOperation, tools: Tools) -> Rollout | None:
    """Return the running rollout that is meant; None if a pool is named that has none."""
    given = asked.parameters
    where = Where(route=given.get("route", "").rpartition("/")[2], namespace=given.get("namespace", ""))
    try:
        rollout = tools.rollouts.find(Command(verb=STATUS, subject=asked.subject, where=where), asked.channel).rollout
    except NotHereError:
        if not asked.subject:
            raise
        return None
    if rollout.phase not in SLOTLESS:
        return rollout
    if not asked.subject:
        raise UsageError("No rollout is under way here.", hint="Name the new pool: `try POOL`.")
    return None


def _is_silent(tally: Tally) -> bool:
    return tally.asked >= SILENCE and tally.is_silent


def _pair_of(rollout: Rollout) -> Pair:
    return Pair(namespace=rollout.namespace, route=rollout.route, stable=rollout.stable, canary=rollout.canary)


def _pair_before_start(asked: NewOperation, tools: Tools) -> Pair:
    route, namespace, stable, rule = (asked.parameters.get(key, "") for key in PLACE)
    words = StartWords(weight=0, route=route, namespace=namespace, stable=stable, rule=rule)
    survey = tools.routes.survey(asked.subject, words, TRY)
    copy = survey.copy
    return Pair(namespace=copy.namespace, route=copy.name, stable=survey.stable, canary=survey.canary)


def _pools_of(pair: Pair, state: State, tools: Tools) -> Mapping[str, str]:
    """Return pools by pod, and the canary by the mark of the trial's own route."""
    marks = {state["key"]: pair.canary.name} if state["alone"] else {}
    return {**tools.trials.pools_of_pods(pair), **marks}


def _asks(aim: Aim, rules: TrialRules, operation: Operation) -> Ask:
    own = {MARK: operation.state["key"]} if operation.state["alone"] else {}
    return Ask(
        address=aim.address,
        port=aim.port,
        host=aim.host,
        is_tls=aim.is_tls,
        path=rules.path,
        headers={**rules.headers, **own},
        body=body_of(rules.path, operation.state["model"], rules.prompt, rules.tokens),
        timeout=min(rules.timeout, LONGEST),
    )


def _dumped(pair: Pair) -> Mapping[str, Any]:
    pools = {name: [pool.namespace, pool.name, pool.group] for name, pool in _pools(pair).items()}
    return {"namespace": pair.namespace, "route": pair.route, **pools}


def _pools(pair: Pair) -> Mapping[str, Pool]:
    return {"stable": pair.stable, "canary": pair.canary}


def _pair(operation: Operation) -> Pair:
    said = operation.state["pair"]
    pools = {name: Pool(*said[name]) for name in ("stable", "canary")}
    return Pair(namespace=said["namespace"], route=said["route"], **pools)

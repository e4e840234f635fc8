"""`try [N] [POOL]`: sends requests through the route's own Gateway, and says who answered, and how.

While a rollout runs, they meet the weights as a user's do. Before it starts, they go to the new pool alone, through a
route of their own (own_route.py).
"""

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from bot.domain.commands.tokens import Word, shown
from bot.domain.commands.values import read_name
from bot.domain.errors import UsageError
from bot.domain.operation import NewOperation, Operation
from bot.domain.sentences.trial import of_canary, of_moving_weights, of_pool, of_silence, of_split
from bot.domain.trial import Answer, Ask, Tally
from bot.operations import own_route
from bot.operations.executor import Asked, Begun, Done, Next, Step, Tools
from bot.operations.gateway_request import ask_gateway
from bot.operations.own_route import CANARY, STRAY_AFTER, OnOwnRoute, key_of, keys_in, pools_of_marks
from bot.operations.pair import PLACE, pair_before_start, pair_in, pair_of, rollout_meant
from bot.operations.reading import is_bare, read_keys

TRY: Final = "try"

AT_ONCE: Final = 4
"""So many requests are under way at a time."""

STEP: Final = timedelta(seconds=2)
"""How long a step goes on sending."""

ENOUGH: Final = timedelta(minutes=7)
"""After that no more requests are sent, so that there is time to tell what became of the others."""

_NUMBER: Final = re.compile(r"[0-9]{1,9}")

SILENCE: Final = 8
"""If nobody answers so many requests at all, no more are sent."""

_users: Final = ThreadPoolExecutor(AT_ONCE * 8, "try")


@dataclass(frozen=True)
class Try(OnOwnRoute):
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
            if is_bare(word):
                (numbers if _NUMBER.fullmatch(word.raw) else pools).append(word.value)
        for several in (pools, numbers):
            if len(several) > 1:
                raise UsageError(f"{shown(several[1])} is one word too many.", hint=f"Usage: `{line}`.")
        if numbers:
            given["requests"] = numbers[0]
        return Asked(subject=read_name("pool", pools[0]) if pools else "", parameters=given)

    def begin(self, asked: NewOperation, tools: Tools) -> Begun:
        """Find the route and the pools, and whether the requests meet weights or go to the new pool alone."""
        rules = tools.policy.trial
        count = int(asked.parameters.get("requests", min(rules.requests, rules.most)))
        if not 1 <= count <= rules.most:
            raise UsageError(f"A trial sends 1 to {rules.most} requests, not {count}.")
        rollout = rollout_meant(asked, tools)
        pair = pair_of(rollout) if rollout else pair_before_start(asked, tools)
        aim = tools.trials.aim(pair, rules.path, rules.headers)
        first = own_route.begun(pair, CANARY) if aim.weight == 0 else own_route.begun(pair)
        state = {**first, "weight": aim.weight, "left": count, "tally": {}, "moved": False, "told": 0}
        return Begun(subject=pair.canary.name, state=state)

    def step(self, operation: Operation, tools: Tools) -> Step:
        """Do what the state says."""
        own: own_route.Steps = {"reach": partial(own_route.reach, self.send), "ask": self._ask, "tell": self._tell}
        return own_route.take(own, operation, tools)

    def sweep(self, tools: Tools) -> None:
        """Remove the routes of operations that died, of whatever kind."""
        tools.trials.remove_strays(STRAY_AFTER)

    # --- the steps

    def _ask(self, operation: Operation, tools: Tools) -> Step:
        """Send for some seconds, and keep what came back."""
        state, rules, pair = operation.state, tools.policy.trial, pair_in(operation)
        before = tools.trials.aim(pair, rules.path, rules.headers)
        key = key_of(state, CANARY) if keys_in(state) else ""
        ask = own_route.ask_of(before, rules, operation, key=key, prompt=rules.prompt, tokens=rules.tokens)
        answers = self._answers(ask, state["left"], tools)
        after = tools.trials.aim(pair, rules.path, rules.headers)
        pools = {**tools.trials.pools_of_pods(pair), **pools_of_marks(operation)}
        tally = Tally.loads(state["tally"]).plus(answers, pools)
        is_enough = tools.clock.now() - operation.started_at > ENOUGH or _is_silent(tally)
        left = 0 if is_enough else state["left"] - len(answers)
        moved = state["moved"] or {before.weight, after.weight} != {state["weight"]}
        then = "ask" if left else "remove" if keys_in(state) and not state["removed"] else "tell"
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

    def _tell(self, operation: Operation, tools: Tools) -> Step:
        """Say what each pool has answered, one sentence a step, and at last what that means."""
        state, pair = operation.state, pair_in(operation)
        tally = Tally.loads(state["tally"])
        names = [name for name in (pair.stable.name, pair.canary.name, "") if tally.of(name).answered]
        if state["told"] < len(names):
            name = names[state["told"]]
            return Next(state={**state, "told": state["told"] + 1}, said=of_pool(name, tally.of(name)))
        if _is_silent(tally):
            return Done(state=state, said=of_silence(tally))
        if keys_in(state):
            return Done(state=state, said=of_canary(tally, pair.canary.name))
        if state["moved"]:
            return Done(state=state, said=of_moving_weights(tally))
        return Done(state=state, said=of_split(tally, pair.stable.name, pair.canary.name, state["weight"]))


def _is_silent(tally: Tally) -> bool:
    return tally.asked >= SILENCE and tally.is_silent

"""`warm [POOL]`: sends prompts to the new pool alone, round by round, until its time to the first token is flat.

An answer of one token takes as long as the first token, so nothing has to be streamed. Each prompt begins in its own
way, so that no prefix cache has it. State: ``round``, what the round has answered so far; ``rounds``, the p90 of each
in milliseconds; ``sent``; ``seen``, the pods that have answered; ``bad``, rounds in a row that did not count;
``ready``, the pods that are warm once it is done, as ``PoolMembers`` names them; ``rollout``, whose servers they are,
if one is under way.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final, NamedTuple

from bot.domain.commands.tokens import Word
from bot.domain.commands.values import read_name
from bot.domain.errors import RouteError
from bot.domain.operation import NewOperation, Operation
from bot.domain.trial import Answer, Ask, percentile
from bot.domain.warm_up import ROUNDS, WARM, is_flat, slot_of
from bot.operations import own_route
from bot.operations.executor import Asked, Begun, Done, Failed, Next, State, Step, Tools
from bot.operations.gateway_request import ask_gateway
from bot.operations.own_route import CANARY, OnOwnRoute
from bot.operations.pair import PLACE, is_over, pair_before_start, pair_in, pair_of, rollout_meant
from bot.operations.reading import read_keys, read_words

AT_ONCE: Final = 4
EACH: Final = 2
"""Requests a round for each model server."""
FEWEST, MOST = 10, 60
"""Requests a round."""
GOOD: Final = 0.9
"""A round with fewer good answers does not count."""
BAD_ROUNDS: Final = 5
PAUSE: Final = timedelta(seconds=5)
"""After a bad round: a gateway or a picker may not know the route or the servers in a moment."""
A_STEP: Final = timedelta(seconds=10)
"""What is left of a round after that is sent in the next step."""
ENOUGH: Final = timedelta(minutes=10)
TOKENS: Final = 1

_senders: Final = ThreadPoolExecutor(AT_ONCE * 8, "warm")


@dataclass(frozen=True)
class Warm(OnOwnRoute):
    """It ends when the pool is warm, or fails with what it saw."""

    send: Callable[[Ask], Answer] = ask_gateway
    name: str = WARM
    about: str = "send prompts to the new pool alone until its time to the first token is flat"
    usage: str = "[POOL] [route=… namespace=… from=… rule=… reason=…]"
    within: timedelta = timedelta(minutes=15)
    undo_within: timedelta = timedelta(minutes=5)

    def read(self, words: Sequence[Word]) -> Asked:
        """Read a pool, which may be left out."""
        line = f"{self.name} {self.usage}"
        pools = read_words(words, 1, line)
        return Asked(subject=read_name("pool", pools[0]) if pools else "", parameters=read_keys(words, PLACE, line))

    def begin(self, asked: NewOperation, tools: Tools) -> Begun:
        """Find the route and the pools."""
        rollout = rollout_meant(asked, tools)
        pair = pair_of(rollout) if rollout else pair_before_start(asked, tools)
        tools.trials.aim(pair, tools.policy.trial.path, tools.policy.trial.headers)
        ready = tools.routes.members(pair.canary).ready
        if not ready:
            raise RouteError(f"InferencePool `{pair.canary.name}` has no ready model server.", hint="`check` says why.")
        state = {**own_route.begun(pair, CANARY), "round": [[], 0, ""], "rounds": [], "sent": 0, "seen": [], "bad": 0}
        state |= {"ready": list(ready), "rollout": rollout.id if rollout else ""}
        return Begun(subject=pair.canary.name, state=state, slot=slot_of(pair.canary))

    def step(self, operation: Operation, tools: Tools) -> Step:
        """Do what the state says."""
        own: own_route.Steps = {"reach": partial(own_route.reach, self.send), "ask": self._ask, "tell": self._tell}
        return own_route.take(own, operation, tools)

    # --- the steps

    def _ask(self, operation: Operation, tools: Tools) -> Step:
        """Send one more round, or a part of it: a step takes some seconds, and servers may be slow."""
        state = operation.state
        if state.get("rollout") and is_over(state["rollout"], operation.channel, tools):
            return Next(state={**state, "do": "remove", "is_over": True})
        part, size = _Part(*state.get("round", ([], 0, ""))), _size(state)
        answers = self._answers(operation, size, part, tools)
        key = own_route.key_of(state, CANARY)
        good = [each for each in answers if not each.failed and each.mark == key]
        part = part.plus(good, [each for each in answers if each not in good])
        sent, seen = state["sent"] + len(answers), sorted({*state["seen"], *(each.pod for each in good if each.pod)})
        state = {**state, "round": list(part), "sent": sent, "seen": seen}
        if part.is_lost(size):
            return self._bad_round({**state, "round": [[], 0, ""]}, part)
        if part.sent < size and _is_late(operation, tools):
            said = f"The new pool is too slow to be warmed up: it answered {sent} prompts in ten minutes."
            return Next(state={**state, "do": "remove", "failed": said})
        if part.sent < size:
            return Next(state=state)
        return self._ended({**state, "round": [[], 0, ""]}, part, operation, tools)

    def _ended(self, state: State, part: "_Part", operation: Operation, tools: Tools) -> Step:
        """Keep how long a whole round took, and stop if that is enough."""
        rules, rounds, sent, seen = tools.policy.warm_up, [*state["rounds"]], state["sent"], state["seen"]
        rounds.append(percentile(part.times, 90))
        ready = [each for each in tools.routes.members(pair_in(operation).canary).ready if each in state["ready"]]
        is_done = is_flat(rounds, rules) and not _unseen(ready, seen)
        is_enough = (sent >= rules.most and len(rounds) >= ROUNDS) or _is_late(operation, tools)
        then = "remove" if is_done or is_enough else "ask"
        return Next(state={**state, "rounds": rounds, "bad": 0, "do": then, "left": ready})

    def _answers(self, operation: Operation, size: int, part: "_Part", tools: Tools) -> Sequence[Answer]:
        """Send what is left of a round, until it is lost, or the step has taken long enough."""
        answers, begun = list[Answer](), tools.clock.now()
        while left := size - part.sent - len(answers):
            answers += _senders.map(self.send, self._asks(operation, min(left, AT_ONCE), tools))
            is_lost = part.plus((), [each for each in answers if each.failed]).is_lost(size)
            if is_lost or not tools.goes_on() or tools.clock.now() - begun > A_STEP:
                break
        return answers

    def _bad_round(self, state: State, part: "_Part") -> Step:
        """Try again some times, then give up and say what was wrong."""
        count = state["bad"] + 1
        if count < BAD_ROUNDS:
            return Next(state={**state, "bad": count}, wait=PAUSE)
        said = f"{part.bad} of {part.sent} prompts to the new pool got no good answer ({part.why})."
        return Next(state={**state, "do": "remove", "failed": said})

    def _asks(self, operation: Operation, count: int, tools: Tools) -> Sequence[Ask]:
        rules = tools.policy.trial
        aim = tools.trials.aim(pair_in(operation), rules.path, rules.headers)
        key, prompt = own_route.key_of(operation.state, CANARY), tools.policy.warm_up.prompt
        prompts = [f"{secrets.token_hex(8)} {prompt}" for _ in range(count)]
        return [own_route.ask_of(aim, rules, operation, key=key, prompt=each, tokens=TOKENS) for each in prompts]

    def _tell(self, operation: Operation, tools: Tools) -> Step:
        state = operation.state
        if state.get("is_over"):
            return Done(state={**state, "ready": []}, said="The rollout is over, so I sent no more prompts.")
        rounds, unseen = state["rounds"], _unseen(state.get("left", state["ready"]), state["seen"])
        fell = f"its time to the first token (p90) was {rounds[0]} ms at first and is {rounds[-1]} ms now"
        if not is_flat(rounds, tools.policy.warm_up):
            return Failed(f"After {state['sent']} prompts it is not flat: {fell}.")
        if unseen:
            return Failed(f"None of {state['sent']} prompts reached pod `{unseen[0]}`.")
        warm = [each for each in state["ready"] if each in state["left"] or _pod(each) in state["seen"]]
        said = f"Warm after {state['sent']} prompts: {fell}. No user's request was touched."
        return Done(state={**state, "ready": warm}, said=said)


class _Part(NamedTuple):
    """What a round has answered so far: the milliseconds of good answers, how many were bad, and why the first was."""

    times: list[int]
    bad: int
    why: str

    def plus(self, good: Iterable[Answer], bad: Sequence[Answer]) -> "_Part":
        why = self.why or next((each.failure if each.failed else "not through its own route" for each in bad), "")
        return _Part([*self.times, *(each.milliseconds for each in good)], self.bad + len(bad), why)

    def is_lost(self, size: int) -> bool:
        """Say whether too many answers were bad for the round to count."""
        return size - self.bad < GOOD * size

    @property
    def sent(self) -> int:
        return len(self.times) + self.bad


def _is_late(operation: Operation, tools: Tools) -> bool:
    return tools.clock.now() - operation.started_at > ENOUGH


def _size(state: State) -> int:
    """Return how many prompts a round has."""
    return min(max(FEWEST, EACH * len(state["ready"])), MOST)


def _pod(ready: str) -> str:
    """Return the name of a ready pod."""
    return ready.partition("/")[0]


def _unseen(ready: Sequence[str], seen: Sequence[str]) -> Sequence[str]:
    """Return the ready pods that have not answered; none if answers do not name pods."""
    return sorted(set(map(_pod, ready)) - set(seen)) if seen else []

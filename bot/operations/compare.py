"""`compare [POOL]`: both pools answer the policy's prompts, and people vote in the thread which answer is better.

Nobody is told whose answer is whose, not even at the end: the same prompts may be compared again. Each pool is asked
alone (own_route.py), and no user's request is touched. State: ``comparison``; ``asked``, prompts so far; ``missed``,
for each pool how many it did not answer, and why not the last one; ``put``, questions that are in the thread.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, Final

from bot.domain.commands.tokens import Word
from bot.domain.commands.values import read_name
from bot.domain.comparison import (
    COMPARE,
    LONGEST_ANSWER,
    VOTES_FOR,
    Comparison,
    Question,
    comparison_in,
    rollout_in,
    slot_of,
)
from bot.domain.errors import UsageError
from bot.domain.masking import masked
from bot.domain.operation import NewOperation, Operation
from bot.domain.prose import visible
from bot.domain.sentences.comparison import of_opinion, of_too_few
from bot.domain.trial import Answer, Ask
from bot.operations import own_route
from bot.operations.executor import Asked, Begun, Done, Failed, Next, State, Step, Tools
from bot.operations.gateway_request import ask_gateway
from bot.operations.own_route import CANARY, STABLE, OnOwnRoute
from bot.operations.pair import is_over, pair_in, pair_of, rollout_meant
from bot.operations.reading import read_keys, read_words

KEYS: Final = ("route", "namespace")
TRIES: Final = 3
"""So often a prompt is sent to a pool that does not answer it: a gateway may not have the route in a moment."""
PAUSE: Final = 2.0
"""Seconds before it is sent again."""

SLOW: Final = timedelta(seconds=10)
"""What took so long is not sent again."""
A_TOKEN: Final = timedelta(seconds=0.1)
"""An answer may take so long for each of its tokens."""
LOOKS_EVERY: Final = timedelta(minutes=1)
"""While people vote: whether the rollout is over."""

ASKS_FOR: Final = timedelta(minutes=8)
"""After that no more prompts are sent: the route must be gone before the sweep takes it for a stray one."""

_pools: Final = ThreadPoolExecutor(8, "compare")

TOO_LATE: Final = "The rollout is over, so nobody has to vote."
STRAYED: Final = "The gateway did not send every prompt through the comparison's own route. Type `compare` again later."
NO_PROMPTS: Final = "Write the prompts that both pools should answer into `compare.prompts` of the policy."


@dataclass(frozen=True)
class Compare(OnOwnRoute):
    """``shuffle`` says for a question whether the new pool's answer is shown first."""

    send: Callable[[Ask], Answer] = ask_gateway
    shuffle: Callable[[], bool] = lambda: random.random() < 0.5
    name: str = COMPARE
    about: str = "let both pools answer the policy's prompts, and people vote which answers are better"
    usage: str = "[POOL] [route=… namespace=… reason=…]"
    within: timedelta = VOTES_FOR + timedelta(minutes=15)
    undo_within: timedelta = timedelta(minutes=5)

    def read(self, words: Sequence[Word]) -> Asked:
        """Read a pool, which may be left out."""
        line = f"{self.name} {self.usage}"
        pools = read_words(words, 1, line)
        return Asked(subject=read_name("pool", pools[0]) if pools else "", parameters=read_keys(words, KEYS, line))

    def begin(self, asked: NewOperation, tools: Tools) -> Begun:
        """Find the rollout whose pools are asked."""
        rules = tools.policy.compare
        if not rules.prompts:
            raise UsageError("There is nothing to compare.", hint=NO_PROMPTS)
        rollout = rollout_meant(asked, tools)
        if rollout is None:
            raise UsageError(
                f"No rollout to `{asked.subject}` is under way.", hint="`start` one, with a small weight, or `try` it."
            )
        if not asked.channel:
            raise UsageError("People vote in Slack, and this has no channel.", hint="Ask for it in a channel.")
        pair = pair_of(rollout)
        tools.trials.aim(pair, tools.policy.trial.path, tools.policy.trial.headers)
        state = {
            **own_route.begun(pair, CANARY, STABLE),
            "comparison": Comparison(voters=rules.voters).dumps(),
            "prompts": list(rules.prompts),
            "asked": 0,
            "missed": {},
            "put": 0,
        }
        return Begun(subject=pair.canary.name, state=state, slot=slot_of(rollout))

    def step(self, operation: Operation, tools: Tools) -> Step:
        """Do what the state says."""
        return own_route.take(
            {
                "reach": partial(own_route.reach, self.send),
                "ask": self._ask,
                "tell": self._put,
                "votes": self._votes,
                "result": self._result,
            },
            operation,
            tools,
        )

    # --- the steps

    def _ask(self, operation: Operation, tools: Tools) -> Step:
        """Let both pools answer one more prompt."""
        state, comparison = operation.state, comparison_in(operation)
        if is_over(rollout_in(operation), operation.channel, tools):
            return Next(state={**state, "do": "remove"})
        prompts, at = state["prompts"], state["asked"]
        new, old = _pools.map(lambda name: self._answer(operation, tools, prompts[at], name), (CANARY, STABLE))
        is_late = tools.clock.now() - operation.started_at > ASKS_FOR
        if _strayed(state, CANARY, new) or _strayed(state, STABLE, old):
            return _without_it(state, comparison) if is_late else Next(state=state, wait=own_route.PAUSE)
        missed: Mapping[str, Any] = state["missed"]
        for name, answer in ((CANARY, new), (STABLE, old)):
            if not answer.text:
                count, _ = missed.get(name, (0, ""))
                missed = {**missed, name: (count + 1, answer.failure if answer.failed else "it said nothing")}
        if new.text and old.text:
            question = Question(prompt=prompts[at], new=new.text, old=old.text, new_is_a=self.shuffle())
            comparison = comparison.asking((*comparison.questions, question))
        then = "ask" if at + 1 < len(prompts) and not is_late else "remove"
        kept = {"comparison": comparison.dumps(), "asked": at + 1, "missed": dict(missed)}
        said = _left_out(comparison, at + 1, len(prompts), missed) if then == "remove" else ""
        return Next(state={**state, **kept, "do": then}, said=said)

    def _answer(self, operation: Operation, tools: Tools, prompt: str, name: str) -> Answer:
        """Return what a pool answers; its text is empty if that is no answer."""
        rules, key = tools.policy.trial, own_route.key_of(operation.state, name)
        aim = tools.trials.aim(pair_in(operation), rules.path, rules.headers)
        tokens = tools.policy.compare.tokens
        ask = own_route.ask_of(aim, rules, operation, key=key, prompt=prompt, tokens=tokens)
        ask = replace(ask, timeout=max(ask.timeout, tokens * A_TOKEN))
        answer, begun = Answer(), tools.clock.now()
        for attempt in range(TRIES):
            if attempt and tools.clock.now() - begun > SLOW:
                break
            if attempt:
                tools.clock.sleep(PAUSE)
            answer = self.send(ask)
            if not answer.failed and answer.mark == key and answer.text.strip():
                return replace(answer, text=_shown(answer.text))
        return replace(answer, text="")

    def _put(self, operation: Operation, tools: Tools) -> Step:
        """Put one more question to people. A new pool that leaves prompts without an answer has lost already."""
        if is_over(rollout_in(operation), operation.channel, tools):
            return Done(state=operation.state, said=TOO_LATE)
        state, comparison = operation.state, comparison_in(operation)
        asked, missed = state["asked"], state["missed"]
        if CANARY in missed and not comparison.questions and STABLE in missed:
            why = f"{missed[CANARY][1]}; {missed[STABLE][1]}"
            return Failed(f"Neither pool answered any of {asked} prompts ({why}). `try` shows what they answer.")
        if CANARY in missed:
            count, why = missed[CANARY]
            return Failed(
                f"The new pool did not answer {count} of {asked} prompts ({why}). `try` shows what it answers."
            )
        if not comparison.questions:
            return Failed(
                f"The old pool answered none of {asked} prompts ({missed[STABLE][1]}). `try` shows what it answers."
            )
        put = state["put"] + 1
        then = "tell" if put < len(comparison.questions) else "votes"
        return Next(state={**state, "put": put, "do": then}, question=put)

    def _votes(self, operation: Operation, tools: Tools) -> Step:
        """Wait until enough people have voted, or the time is over."""
        left = operation.started_at + VOTES_FOR - tools.clock.now()
        if comparison_in(operation).is_enough or left <= timedelta(0):
            return Next(state={**operation.state, "do": "result"})
        if is_over(rollout_in(operation), operation.channel, tools):
            return Done(state=operation.state, said=TOO_LATE)
        return Next(state=operation.state, wait=min(left, LOOKS_EVERY))

    def _result(self, operation: Operation, tools: Tools) -> Step:
        comparison = comparison_in(operation)
        if not comparison.is_enough:
            return Failed(f"{of_too_few(comparison)} {of_opinion(comparison.opinion)}")
        return Done(state=operation.state, said=of_opinion(comparison.opinion))


def _strayed(state: State, name: str, answer: Answer) -> bool:
    """Say whether an answer came past the operation's own route: some proxy of the gateway does not have it yet."""
    return not answer.failed and answer.mark != own_route.key_of(state, name)


def _without_it(state: State, comparison: Comparison) -> Step:
    """Go on with the prompts that came through the route; give up if none did."""
    if not comparison.questions and not state["missed"]:
        return Next(state={**state, "do": "remove", "failed": STRAYED})
    said = _left_out(comparison, state["asked"], len(state["prompts"]), state["missed"])
    return Next(state={**state, "do": "remove"}, said=said)


def _shown(text: str) -> str:
    """Return what people see of an answer; where it is cut, they are told, or they would take it for broken off."""
    seen = visible(text).strip()
    more = " … (the answer goes on)" if len(seen) > LONGEST_ANSWER else ""
    return f"{masked(seen[:LONGEST_ANSWER])}{more}"


def _left_out(comparison: Comparison, asked: int, prompts: int, missed: Mapping[str, Any]) -> str:
    """Say why people vote on fewer questions than the policy has; empty if they do not, or never will."""
    if not comparison.questions or CANARY in missed:
        return ""
    late = f"There was time for {asked} of {prompts} prompts. " if asked < prompts else ""
    if STABLE not in missed:
        return late.strip()
    count, why = missed[STABLE]
    return f"{late}The old pool did not answer {count} of {asked} prompts ({why}), so people are not asked about those."

"""`backtest [24h] [POOL]`: the gates over the past, to see what they say of a pool that is good.

One half of a pool's model servers stands for the new pool and the other one for the old: they are equally good, so each
hold and each fail would have been a false alarm. An hour a step is asked for. State: ``pool``; ``halves``, the pods of
each; ``at`` and ``end`` in seconds since 1970; ``cut``, into how many parts a step is cut; ``scores``; ``told``, how
many gates' scores are.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from bot.domain.backtest import BACKTEST, Scores
from bot.domain.commands.tokens import Word
from bot.domain.commands.values import read_name
from bot.domain.errors import GoneError, MetricsError, NotHereError, RouteError, UsageError
from bot.domain.gate import GateAnswer, strictest
from bot.domain.operation import NewOperation, Operation
from bot.domain.plan import parse_duration, show_duration
from bot.domain.rollout import Pool
from bot.domain.sentences.backtest import of_gate, of_scores
from bot.engine.past_port import Past, PastWindow
from bot.engine.route_port import PoolMembers
from bot.operations.executor import Asked, Begun, Done, Next, Step, Tools
from bot.operations.pair import rollout_meant
from bot.operations.reading import is_bare, read_keys, read_words

KEYS: Final = ("past", "route", "namespace")
A_TIME: Final = re.compile(r"(\d+[smhdw])+")
USUAL, USUAL_WORDS, LONGEST = timedelta(hours=24), "24h", timedelta(days=7)
A_STEP: Final = timedelta(hours=1)
A_STEP_PODS: Final = 20
"""With more model servers a step asks for less than an hour, so that an answer stays as long."""
AGAIN: Final = timedelta(seconds=5)
NAME_ONE: Final = "Name the pool whose past you want to look at: `backtest POOL`."
NO_PROMETHEUS: Final = "The policy names no Prometheus, so there is no past to look at."


@dataclass(frozen=True)
class BacktestGates:
    """It changes nothing, in the cluster or elsewhere."""

    name: str = BACKTEST
    about: str = "the gates over the past: how often they would have held or failed for a pool that is good"
    usage: str = "[24h] [POOL] [route=… namespace=… reason=…]"
    within: timedelta = timedelta(minutes=30)
    undo_within: timedelta = timedelta(minutes=1)

    def read(self, words: Sequence[Word]) -> Asked:
        """Read a time and a pool, in any order; both may be left out."""
        line = f"{self.name} {self.usage}"
        read_words(words, 2, line)
        if bare := next((word.value for word in words if not word.key and word.value.isdecimal()), ""):
            raise UsageError(f"`{bare}` is no time and no pool.", hint=f"Write a time like `{bare}m` or `24h`.")
        times = [word.value for word in words if not word.key and A_TIME.fullmatch(word.value)]
        pools = [word.value for word in words if is_bare(word) and (word.key or not A_TIME.fullmatch(word.value))]
        parameters = dict(read_keys(words, KEYS, line))
        if len(times) + ("past" in parameters) > 1 or len(pools) > 1:
            raise UsageError(
                "One time and one pool are enough.", hint=f"Write a time in one word, like `10m`. Usage: `{line}`."
            )
        if times:
            parameters["past"] = times[0]
        return Asked(subject=read_name("pool", pools[0]) if pools else "", parameters=parameters)

    def begin(self, asked: NewOperation, tools: Tools) -> Begun:
        """Find the pool, and cut its servers in two."""
        past = _past(tools)
        length = parse_duration(asked.parameters["past"], "past") if "past" in asked.parameters else USUAL
        if not past.window <= length <= LONGEST:
            between = f"{show_duration(past.window)} to {show_duration(LONGEST)}"
            raise UsageError(f"A backtest looks at {between} of the past.", hint="Leave the time out for 24 hours.")
        members = _members(asked, tools)
        if len(members.pods) < 2:
            few = f"Two halves need two model servers, and `{members.pool.name}` has {len(members.pods)}."
            raise RouteError(few, hint="Name a pool with more of them.")
        end = tools.clock.now()
        state = {
            "pool": [members.pool.namespace, members.pool.name, members.pool.group],
            "halves": [list(members.pods[::2]), list(members.pods[1::2])],
            "at": (end - length).timestamp(),
            "end": end.timestamp(),
            "past": asked.parameters.get("past", USUAL_WORDS),
            "cut": 1,
            "scores": Scores().dumps(),
            "told": 0,
        }
        return Begun(subject=members.pool.name, state=state, slot=BACKTEST)  # one at a time: each reads long answers

    def step(self, operation: Operation, tools: Tools) -> Step:
        """Judge one more hour; then tell of each gate."""
        state = operation.state
        scores = Scores.loads(state["scores"])
        if state["at"] < state["end"]:
            return self._judge(operation, scores, _past(tools))
        names = sorted(scores.gates)
        if state["told"] < len(names):
            name = names[state["told"]]
            return Next(state={**state, "told": state["told"] + 1}, said=of_gate(name, scores.of(name)))
        return Done(state=state, said=of_scores(scores, state["pool"][1], state["past"]))

    def undo(self, operation: Operation, tools: Tools) -> Step:
        """Stop; there is nothing to take back."""
        return Done(state=operation.state, said="Nothing was changed.")

    def left(self, operation: Operation) -> str:
        """Say that nothing is left."""
        return ""

    def sweep(self, tools: Tools) -> None:
        """Leave nothing behind."""

    def _judge(self, operation: Operation, scores: Scores, past: Past) -> Step:
        state = operation.state
        pool = Pool(*state["pool"])
        canary, stable = (PoolMembers(pool=pool, pods=tuple(pods)) for pods in state["halves"])
        begin = datetime.fromtimestamp(state["at"], UTC)
        pods = len(canary.pods) + len(stable.pods)
        length = max(past.window, A_STEP * A_STEP_PODS / max(A_STEP_PODS, pods) / state.get("cut", 1))
        until = min(begin + length, datetime.fromtimestamp(state["end"], UTC))
        try:
            windows = past.judge(canary, stable, begin, until)
        except MetricsError:
            if until - begin <= past.window:
                raise
            # Perhaps it was too much at once, or Prometheus was away for a moment.
            return Next(state={**state, "cut": 2 * state.get("cut", 1)}, wait=AGAIN)
        for window in windows:
            scores = _plus(scores, window)
        return Next(state={**state, "at": until.timestamp(), "scores": scores.dumps()})


def _plus(scores: Scores, window: PastWindow) -> Scores:
    scores = replace(scores, windows=scores.windows + 1)
    if window.lack:
        return replace(scores, lacking=scores.lacking + 1, lack=window.lack)
    if window.is_thin:
        return replace(scores, thin=scores.thin + 1)
    answer = strictest(tuple(window.findings.values()))
    scores = replace(
        scores,
        failed=scores.failed + (answer is GateAnswer.FAIL),
        held=scores.held + (answer is GateAnswer.HOLD),
    )
    counted = {name: scores.of(name).plus(finding) for name, finding in window.findings.items()}
    return replace(scores, gates={**scores.gates, **counted})


def _past(tools: Tools) -> Past:
    if tools.past is None:
        raise UsageError(NO_PROMETHEUS, hint="Set `evidence.prometheus`.")
    return tools.past


def _members(asked: NewOperation, tools: Tools) -> PoolMembers:
    """Name the servers of the pool that is meant: the one that is named, else the old one of the rollout here."""
    if not asked.subject:
        try:
            rollout = rollout_meant(asked, tools)
        except NotHereError as error:
            raise UsageError("This channel has no rollout.", hint=NAME_ONE) from error
        assert rollout is not None  # without a name, none is an error
        return tools.routes.members(rollout.stable)
    wanted = asked.parameters.get("namespace", "")
    for namespace in tools.policy.namespaces:
        if wanted in ("", namespace):
            try:
                return tools.routes.members(Pool(namespace, asked.subject))
            except GoneError:
                continue
    where = ", ".join(f"`{each}`" for each in tools.policy.namespaces)
    raise RouteError(
        f"There is no InferencePool `{asked.subject}` in {where}.", hint="See `kubectl get inferencepool`."
    )

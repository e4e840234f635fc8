"""`gates`: each gate now, its figures, what it would take to fail, and a query for the same numbers."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from typing import Final

from bot.domain.gate import GateAnswer, Look, OnFail
from bot.domain.prose import Code, Prose, Verbatim, ended, joined, said, say, sentence
from bot.domain.rollout import SLOTLESS, Phase, Rollout
from bot.domain.sentences.reasons import reason
from bot.domain.verbs.asking import Asking, Reply
from bot.domain.verbs.declaration import Kind, Verb

_MARKS: Final = {
    GateAnswer.FAIL: say("⛔ *fail*"),
    GateAnswer.HOLD: say("⏳ *hold*"),
    GateAnswer.PASS: say("✅ pass"),
}
_LONGEST_QUERY: Final = 1000


def _answer(asking: Asking) -> Reply:
    command, sources = asking.command, asking.sources
    entry = sources.rollouts.find(command.subject, asking.origin.channel, command.where, verb=command.verb)
    if entry.rollout.phase not in GATES.phases:
        return Reply(said=_over(entry.rollout))
    looks = sources.gates.look(entry)
    title = say("*The gates of `{}` now*", entry.rollout.canary.name)
    return Reply(said=joined("\n\n", [title, *(_line(list(group)) for _, group in groupby(looks, _without_name))]))


def _over(rollout: Rollout) -> Prose:
    what = "is finished" if rollout.phase is Phase.FINISHED else "is over"
    told = say("`{}` {}; nobody asks its gates any more.", rollout.canary.name, what)
    if rollout.phase is not Phase.ROLLED_BACK or not rollout.why:
        return told
    return say("{} It was rolled back: {}", told, ended(reason(rollout.why, rollout.by)))


def _without_name(look: Look) -> Look:
    """Return what gates that say the same have in common."""
    return replace(look, finding=replace(look.finding, gate="", on_fail=OnFail.ROLL_BACK))


def _line(group: Sequence[Look]) -> Prose:
    """Tell of gates that say the same."""
    look, finding = group[0], group[0].finding
    evidence = finding.evidence.removeprefix(f"{finding.gate} ")
    seen = say(": {}", said(evidence, 200)) if evidence else Prose()
    names = joined(", ", [Prose((Code(each.finding.gate),)) for each in group])
    head = say("{}  {}{}", _MARKS[finding.answer], names, seen)
    more = [sentence(text) for text in (finding.reason, look.details) if text]
    return joined("\n", [head, *more, _query(look.promql)])


def _query(promql: str) -> Prose:
    if not promql:
        return Prose()
    instead = say("it does not fit here; `rolloutbot gates` in the bot's pod shows it.")
    return say("Query: {}", Verbatim(promql, _LONGEST_QUERY, instead))


GATES = Verb(
    name="gates",
    kind=Kind.INQUIRY,
    help="each gate now: its figures, and what it would take to fail",
    usage="[POOL]",
    phases=frozenset(Phase) - SLOTLESS,
    within=timedelta(seconds=15),
    answer=_answer,
)

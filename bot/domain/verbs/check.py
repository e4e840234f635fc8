"""`check`: what a start would find, without starting: a line for each thing that was looked at, the worst first."""

from datetime import timedelta
from typing import Final

from bot.domain.check import Grade, Line, Report
from bot.domain.commands.request import CHECK as NAME
from bot.domain.prose import Prose, joined, say, sentence
from bot.domain.verbs.asking import Asking, Reply
from bot.domain.verbs.declaration import Kind, Verb

_MARKS: Final = {Grade.STOP: say("⛔ *stop*"), Grade.WARN: say("⚠️ *warn*"), Grade.PASS: say("✅ pass")}


def _answer(asking: Asking) -> Reply:
    report = asking.sources.starts.check(asking.command, asking.by)
    lines = [_line(line) for line in report.worst_first()]
    return Reply(said=joined("\n", [_verdict(asking, report), *lines]), report=report)


def _verdict(asking: Asking, report: Report) -> Prose:
    stops, warnings = (len(report.of(grade)) for grade in (Grade.STOP, Grade.WARN))
    pool = asking.command.subject
    if stops:
        return say("*A rollout of `{}` cannot start:* {}.", pool, _count(stops, warnings))
    if report.holds:
        return say("*A rollout of `{}` would hold before its first weight:* {}.", pool, _count(stops, warnings))
    if warnings:
        return say("*A rollout of `{}` can start*, with {}.", pool, _count(stops, warnings))
    return say("*A rollout of `{}` can start.*", pool)


def _count(stops: int, warnings: int) -> Prose:
    of_stops = say("1 thing stops it") if stops == 1 else say("{} things stop it", stops) if stops else Prose()
    of_warnings = say("1 warning") if warnings == 1 else say("{} warnings", warnings) if warnings else Prose()
    return joined(", ", (of_stops, of_warnings))


def _line(line: Line) -> Prose:
    return say("{}  {}: {}", _MARKS[line.grade], line.topic, sentence(line.text))


CHECK = Verb(
    name=NAME,
    kind=Kind.INQUIRY,
    help="what a start would find, without starting",
    usage="POOL [WEIGHT]",
    options="[from=POOL route=NAME namespace=NAME rule=NAME mirror=10]",
    own_keys=("weight", "from", "route", "namespace", "rule", "mirror"),
    instead_of=("preflight", "validate", "verify", "lint", "doctor"),
    within=timedelta(seconds=10),
    answer=_answer,
)

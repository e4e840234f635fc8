"""Rollouts in plain words, for a screen of 80 columns and for programs that read lines."""

from collections.abc import Iterator, Sequence

from bot.domain.access import Access
from bot.domain.decisions.by_people import describe
from bot.domain.events import Event, EventKind
from bot.domain.operation import Operation
from bot.domain.prose import Person, Prose, moment, plain, say
from bot.domain.rollout import Acceptance, Entry, Rollout
from bot.domain.sentences.gates import evidence
from bot.domain.sentences.what_happened import told
from bot.domain.sentences.what_it_waits_for import waits, why
from bot.domain.sentences.where_it_stands import headword
from bot.domain.weights import is_moving, weight_there
from bot.terminal.names import Names

_GATEWAY = {
    Acceptance.NOT_WRITTEN: "has nothing to accept yet",
    Acceptance.WAITING: "has not said yet whether it accepts this",
    Acceptance.ACCEPTED: "accepts this",
    Acceptance.UNKNOWN: "does not say whether it accepts this",
    Acceptance.REFUSED: "does not take all of this",
}


def printable(text: str) -> str:
    """Return a text without what could steer a terminal; others' words are in many of our sentences."""
    return "".join(character for character in text if character.isprintable() or character == "\n")


def drawn(prose: Prose, names: Names) -> str:
    """Draw prose for a terminal, whole and without marks but the backticks of code."""
    return printable(plain(prose, names.of))


def line(entry: Entry) -> tuple[str, str, str, str]:
    """Describe one of many: pool, how it stands, route, id."""
    rollout = entry.rollout
    return rollout.canary.name, headword(entry), f"{rollout.namespace}/{rollout.route}", rollout.id


def operation_line(operation: Operation) -> tuple[str, str, str, str]:
    """Describe one operation: what it does, where it stands, its id, and the last news."""
    said = operation.trouble or (operation.progress[-1] if operation.progress else "")
    return operation.name, operation.phase.value, operation.id, printable(said)


def facts(entry: Entry, access: Access, names: Names) -> Iterator[tuple[str, str]]:
    """Describe one rollout, as names and values; the names are stable."""
    rollout = entry.rollout
    yield "pool", rollout.canary.name
    yield "old pool", rollout.stable.name
    yield "state", describe(rollout)
    yield "weight", _weight(entry)
    yield "steps", _steps(rollout)
    yield "gateway", _GATEWAY[entry.acceptance]
    if entry.readiness is not None:
        ready = entry.readiness
        old = f"old {ready.stable_ready} of {ready.stable_of}"
        yield "ready", f"new {ready.canary_ready} of {ready.canary_of}, {old}, {moment(ready.at).utc}"
    if seen := evidence(entry):
        yield "gates", drawn(seen, names)
    yield "route", f"{rollout.namespace}/{rollout.route}"
    yield "card", f"in {printable(rollout.channel)}" if rollout.channel else "none, started in a terminal"
    yield "rollout", rollout.id
    reason = say(": {}", rollout.reason) if rollout.reason else Prose()
    started = say("{} by {}{}", moment(rollout.started_at), Person(rollout.started_by), reason)
    yield "started", drawn(started, names)
    yield "why", drawn(why(waits(entry, access)), names)


def _weight(entry: Entry) -> str:
    there, rollout = weight_there(entry), entry.rollout
    if is_moving(entry):
        return f"{rollout.weight} % wanted, {there} % when the route was last seen"
    return f"{there} % new, {100 - there} % old"


def _steps(rollout: Rollout) -> str:
    plan = rollout.plan
    named = [f"mirror-{plan.mirror}" if plan.mirror and at == 0 else str(step) for at, step in enumerate(plan.steps)]
    steps = " ".join(
        f"[{step}]" if at == rollout.step and not rollout.is_over else step for at, step in enumerate(named)
    )
    before = (0, *plan.steps)
    asked = [str(step) for at, step in enumerate(plan.steps) if plan.needs_approval(before[at], step)]
    return f"{steps}, approval for {', '.join(asked)}" if asked else steps


def story(events: Sequence[Event], entry: Entry, names: Names) -> list[tuple[str, str]]:
    """Tell what happened: time and sentence, who is in the sentence. A terminal shows no charts."""
    sentences = told(events, entry)
    return [
        (f"{event.at:%Y-%m-%d %H:%M:%S}", drawn(sentence, names))
        for event, sentence in zip(events, sentences, strict=True)
        if event.kind is not EventKind.PICTURE
    ]

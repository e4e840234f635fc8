"""Rollouts in plain words, for a screen of 80 columns and for programs that read lines."""

import re
from collections.abc import Iterator, Mapping, Sequence

from bot.domain.access import Access
from bot.domain.decisions.by_people import describe
from bot.domain.events import Event
from bot.domain.operation import Operation
from bot.domain.rollout import Acceptance, Entry, Rollout
from bot.domain.waiting import mention, utc, waits, weight_there, why
from handlers.state import headword, is_moving
from handlers.thread import told

Names = Mapping[str, str]
"""Slack ids by Unix user, as the policy has them."""

_PERSON = re.compile(r"<@([A-Z0-9]+)>")
_DATE = re.compile(r"<!date\^[^|>]*\|([^>]*)>")
_BOLD = re.compile(r"\*([^*\n]+)\*")
_ESCAPES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))

_GATEWAY = {
    Acceptance.NOT_WRITTEN: "has nothing to accept yet",
    Acceptance.WAITING: "has not said yet whether it accepts this",
    Acceptance.ACCEPTED: "accepts this",
    Acceptance.UNKNOWN: "does not say whether it accepts this",
}


def printable(text: str) -> str:
    """Return a text without what could steer a terminal; others' words are in many of our sentences."""
    return "".join(character for character in text if character.isprintable() or character == "\n")


def for_terminal(text: str, names: Names) -> str:
    """Write people for a terminal: by Unix user where the policy knows one, else by Slack id."""
    unix = {slack: name for name, slack in names.items()}
    return printable(_PERSON.sub(lambda match: unix.get(match[1], match[1]), text))


def unmarked(text: str, names: Names) -> str:
    """Take Slack's marks out of a sentence that was written for it."""
    text = for_terminal(_BOLD.sub(r"\1", _DATE.sub(r"\1", text)), names)
    for escaped, character in _ESCAPES:
        text = text.replace(escaped, character)
    return text


def line(entry: Entry) -> tuple[str, str, str, str]:
    """Tell of one of many: pool, how it stands, route, id."""
    rollout = entry.rollout
    return rollout.canary.name, headword(entry), f"{rollout.namespace}/{rollout.route}", rollout.id


def operation_line(operation: Operation) -> tuple[str, str, str, str]:
    """Tell of one operation: what, where it is, its id, and the last that was said of it."""
    said = operation.trouble or (operation.progress[-1] if operation.progress else "")
    return operation.name, operation.phase.value, operation.id, printable(said)


def facts(entry: Entry, access: Access, names: Names) -> Iterator[tuple[str, str]]:
    """Tell of one rollout, as names and values; the names are stable."""
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
        yield "ready", f"new {ready.canary_ready} of {ready.canary_of}, {old}, {utc(ready.at)}"
    yield "route", f"{rollout.namespace}/{rollout.route}"
    yield "card", f"in {rollout.channel}" if rollout.channel else "none, started in a terminal"
    yield "rollout", rollout.id
    reason = f": {printable(rollout.reason)}" if rollout.reason else ""
    yield "started", f"{utc(rollout.started_at)} by {for_terminal(mention(rollout.started_by), names)}{reason}"
    yield "why", for_terminal(why(waits(entry, access)), names)


def _weight(entry: Entry) -> str:
    there, rollout = weight_there(entry), entry.rollout
    if is_moving(entry):
        return f"{rollout.weight} % wanted, {there} % when the route was last seen"
    return f"{there} % new, {100 - there} % old"


def _steps(rollout: Rollout) -> str:
    plan = rollout.plan
    steps = " ".join(
        f"[{step}]" if at == rollout.step and not rollout.is_over else str(step) for at, step in enumerate(plan.steps)
    )
    before = (0, *plan.steps)
    asked = [str(step) for at, step in enumerate(plan.steps) if plan.needs_approval(before[at], step)]
    return f"{steps}, approval for {', '.join(asked)}" if asked else steps


def story(events: Sequence[Event], entry: Entry, names: Names) -> list[tuple[str, str]]:
    """Tell what happened: time and sentence, who is in the sentence."""
    sentences = told(events, entry)
    return [
        (f"{event.at:%Y-%m-%d %H:%M:%S}", unmarked(text, names)) for event, text in zip(events, sentences, strict=True)
    ]

"""The buttons of a card: only those that do something in the phase, and what a dangerous one asks first."""

import json
from dataclasses import dataclass
from typing import Any

from bot.domain.commands.request import Verb
from bot.domain.decisions.drift import is_fight, lacks_to_adopt, lacks_to_restore, share
from bot.domain.decisions.moves import must_ask
from bot.domain.errors import UsageError
from bot.domain.rollout import Acceptance, Entry, Phase, Rollout
from bot.domain.weights import asked_weight, weight_there
from handlers.mrkdwn import shorten

Block = dict[str, Any]

PRESSABLE = (
    Verb.ADVANCE,
    Verb.APPROVE,
    Verb.REJECT,
    Verb.PAUSE,
    Verb.RESUME,
    Verb.RESTORE,
    Verb.ADOPT,
    Verb.PROMOTE,
    Verb.ROLLBACK,
    Verb.FINISH,
    Verb.END,
    Verb.WHY,
)

_SHOWN: dict[Phase, tuple[Verb, ...]] = {
    Phase.STARTING: (Verb.ROLLBACK, Verb.PAUSE, Verb.WHY),
    Phase.PROGRESSING: (Verb.ROLLBACK, Verb.PAUSE, Verb.ADVANCE, Verb.PROMOTE, Verb.WHY),
    Phase.HOLDING: (Verb.ROLLBACK, Verb.PAUSE, Verb.ADVANCE, Verb.WHY),
    Phase.AWAITING_APPROVAL: (Verb.ROLLBACK, Verb.PAUSE, Verb.APPROVE, Verb.REJECT, Verb.WHY),
    Phase.PAUSED: (Verb.ROLLBACK, Verb.RESUME, Verb.END, Verb.WHY),
    Phase.PROMOTED: (Verb.ROLLBACK, Verb.PAUSE, Verb.FINISH, Verb.WHY),
    Phase.FINISHED: (Verb.ROLLBACK, Verb.WHY),
}
"""The brakes come first and stay where they are, so that nothing else comes to lie under a finger."""

_EXPECTED = {
    Phase.PROGRESSING: Verb.ADVANCE,
    Phase.AWAITING_APPROVAL: Verb.APPROVE,
    Phase.PAUSED: Verb.RESUME,
    Phase.PROMOTED: Verb.FINISH,
}


@dataclass(frozen=True, slots=True)
class Press:
    """What a button carries: which rollout, and the turn it was drawn in."""

    id: str
    turn: int

    def dumps(self) -> str:
        return json.dumps({"id": self.id, "turn": self.turn}, separators=(",", ":"))


def read_press(value: object) -> Press:
    """Read a button's value; it comes back from outside, so anything may be in it."""
    try:
        document = json.loads(value) if isinstance(value, str) and len(value) <= 2000 else None
    except ValueError:
        document = None
    match document:
        case {"id": str(rollout_id), "turn": int(turn)} if rollout_id and not isinstance(turn, bool):
            return Press(rollout_id, turn)
        case _:
            raise UsageError("This button carries nothing I can read.", hint="Use the newest card of the rollout.")


def action_id(verb: Verb) -> str:
    """Return the action id of a verb's button."""
    return f"rollout_{verb.value}"


def verbs(entry: Entry) -> tuple[Verb, ...]:
    """Return the verbs that have a button now, the brakes first."""
    shown = _drift_verbs(entry.rollout) or _SHOWN.get(entry.rollout.phase, ())
    idle = {Verb.PROMOTE} if _next_is_last(entry.rollout) else set()
    return tuple(verb for verb in shown if verb not in idle | (set() if _is_settled(entry) else _NEED_SETTLED))


def _drift_verbs(rollout: Rollout) -> tuple[Verb, ...]:
    """Return what is offered over somebody else's weights; in a fight, another restore would change nothing."""
    if rollout.phase is not Phase.PAUSED or not rollout.drifted:
        return ()
    restore = () if is_fight(rollout) or lacks_to_restore(rollout) else (Verb.RESTORE,)
    adopt = () if lacks_to_adopt(rollout) else (Verb.ADOPT,)
    return (Verb.ROLLBACK, *restore, *adopt, Verb.END, Verb.WHY)


_NEED_SETTLED = {Verb.ADVANCE, Verb.PROMOTE, Verb.FINISH}


def _is_settled(entry: Entry) -> bool:
    """Say whether the last write is done, without which no further step up is taken."""
    return entry.is_applied and entry.acceptance is not Acceptance.WAITING


def draw_buttons(entry: Entry) -> list[Block]:
    """Return the elements of the card's actions block; none where the rollout is over."""
    return [_button(verb, entry) for verb in verbs(entry)]


def _next_is_last(rollout: Rollout) -> bool:
    return rollout.next_step in (None, _last(rollout))


def _last(rollout: Rollout) -> int:
    return len(rollout.plan.steps) - 1


def _button(verb: Verb, entry: Entry) -> Block:
    rollout = entry.rollout
    block: Block = {
        "type": "button",
        "action_id": action_id(verb),
        "text": {"type": "plain_text", "text": _label(verb, rollout), "emoji": False},
        "value": Press(rollout.id, rollout.turn).dumps(),
        "accessibility_label": f"{_label(verb, rollout)}: {shorten(rollout.canary.name, 40)}",
    }
    if verb is Verb.ROLLBACK and rollout.phase is not Phase.FINISHED:  # there people look for "remove", not for this
        block["style"] = "danger"
    elif verb is _EXPECTED.get(rollout.phase) or verb is Verb.RESTORE:
        block["style"] = "primary"
    question = _question(verb, entry)
    return block | ({"confirm": question} if question else {})


def _label(verb: Verb, rollout: Rollout) -> str:
    match verb:
        case Verb.ADVANCE:
            return _go_or_ask("Advance to", rollout, _last(rollout) if rollout.next_step is None else rollout.next_step)
        case Verb.APPROVE | Verb.REJECT:
            return f"{verb.value.capitalize()} {asked_weight(rollout)} %"
        case Verb.ROLLBACK:
            return "Roll back to 0 %"
        case Verb.PROMOTE:
            return _go_or_ask("Promote to", rollout, _last(rollout))
        case Verb.RESUME:
            return f"Resume at {rollout.weight} %" if rollout.step >= 0 else "Resume"
        case Verb.RESTORE:
            return f"Restore {rollout.weight} %"
        case Verb.ADOPT:
            return f"Adopt {_theirs(rollout)} %"
        case Verb.FINISH:
            return "Finish: drop the old pool"
        case Verb.END:
            return "End, keep the weights"
        case Verb.WHY:
            return "Why?"
        case _:
            return verb.value.capitalize()


def _go_or_ask(lead: str, rollout: Rollout, step: int) -> str:
    """Say what a button does: where people have to approve first, it only asks them."""
    return f"{'Ask for' if must_ask(rollout, step) else lead} {rollout.plan.steps[step]} %"


def _question(verb: Verb, entry: Entry) -> Block | None:
    rollout, there = entry.rollout, weight_there(entry)
    old, new = (shorten(pool.name, 60) for pool in (rollout.stable, rollout.canary))
    match verb:
        case Verb.ROLLBACK:
            return _confirm("Roll back?", _way_back(entry, old, new) + _stable_warning(entry), "Roll back", "danger")
        case Verb.PROMOTE:
            text = f"Traffic goes from {there} % to 100 % on {new}; the steps between are skipped."
            if must_ask(rollout, _last(rollout)):
                text = f"I ask for approval of 100 % on {new}; with it, the steps between are skipped."
            return _confirm("Promote?", text, "Promote", "primary")
        case Verb.FINISH:
            text = f"{old} leaves the route, {new} keeps 100 %. You can still roll back while {old} runs."
            return _confirm("Finish?", text, "Finish", "primary")
        case Verb.END:
            stay = "as they are" if rollout.drifted else f"at {there} % on {new} and {100 - there} % on {old}"
            return _confirm("End?", f"I let go of the route. The weights stay {stay}.", "End", "danger")
        case Verb.RESTORE:
            text = f"I write {rollout.weight} % on {new} over what is there now, and go on."
            return _confirm("Restore?", text, "Restore", "primary")
        case Verb.ADOPT:
            text = f"{_theirs(rollout)} % on {new} becomes the present step, and I go on from there."
            return _confirm("Adopt?", text, "Adopt", "primary")
        case _:
            return None


def _theirs(rollout: Rollout) -> int:
    """Return the canary's percent that somebody else has set; a rollout of which it cannot be said has no Adopt."""
    return (share(rollout.drift) if rollout.drift else None) or 0


def _way_back(entry: Entry, old: str, new: str) -> str:
    there = weight_there(entry)
    if entry.rollout.drifted:
        return f"Traffic goes back to 100 % on {old} and 0 % on {new}, whatever it is now."
    if there == 0:
        return f"No traffic has moved: {old} keeps 100 %, and this rollout is over."
    return f"Traffic goes from {there} % on {new} back to 100 % on {old}."


def _stable_warning(entry: Entry) -> str:
    seen = entry.readiness
    if seen is None or seen.stable_ready > 0:
        return ""
    return " It has no ready endpoint now: requests will fail until it has one."


def _confirm(title: str, text: str, yes: str, style: str) -> Block:
    return {
        "title": {"type": "plain_text", "text": title},
        "text": {"type": "plain_text", "text": text},
        "confirm": {"type": "plain_text", "text": yes},
        "deny": {"type": "plain_text", "text": "Cancel"},
        "style": style,
    }

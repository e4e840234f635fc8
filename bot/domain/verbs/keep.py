"""`keep`: keep the old pool of a finished rollout longer, before people are asked whether to delete it."""

from dataclasses import replace

from bot.domain.access import AccessList
from bot.domain.commands.request import Request
from bot.domain.deadlines import next_look
from bot.domain.decisions.moves import Moment, after, event
from bot.domain.errors import TransitionError
from bot.domain.events import EventKind
from bot.domain.gate import Verdict
from bot.domain.plan import show_duration
from bot.domain.rollout import Change, Entry, Phase
from bot.domain.verbs.button import Button
from bot.domain.verbs.declaration import Kind, Verb


def _keep(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    rollout = entry.rollout
    if rollout.plan.keep is None or rollout.kept_until is None:
        raise TransitionError(
            f"Nothing deletes `{rollout.stable.name}` by itself.", hint="It stays until somebody asks for `clean`."
        )
    until = max(rollout.kept_until, moment.now) + rollout.plan.keep
    to = replace(after(entry, moment), kept_until=until)
    told = event(EventKind.KEPT_LONGER, moment, to, request.command.reason)
    return Change(after=to, events=(told,), due=next_look(to, moment.now))


def _label(entry: Entry) -> str:
    keep = entry.rollout.plan.keep
    return f"Keep old pool {show_duration(keep)} longer" if keep else "Keep old pool longer"


KEEP = Verb(
    name="keep",
    kind=Kind.ORDER,
    help="keep the old pool of a finished rollout longer",
    usage="[POOL] [reason]",
    instead_of=("extend", "postpone", "snooze"),
    access=AccessList.RUN,
    phases=frozenset({Phase.FINISHED}),
    works=lambda rollout: rollout.kept_until is not None,
    decide=_keep,
    button=Button(label=_label),
)

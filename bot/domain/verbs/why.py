"""`why`: what a rollout waits for, who can act, and until when."""

from bot.domain.rollout import OVER, Phase
from bot.domain.sentences.what_it_waits_for import waits
from bot.domain.verbs.asking import Asking, Reply
from bot.domain.verbs.button import Button, Position
from bot.domain.verbs.declaration import Kind, Verb


def _answer(asking: Asking) -> Reply:
    command = asking.command
    entry = asking.sources.rollouts.find(command.subject, asking.origin.channel, command.where, verb=command.verb)
    return Reply(rollouts=(entry,), wait=waits(entry, asking.sources.rules.access))


WHY = Verb(
    name="why",
    kind=Kind.QUESTION,
    help="what it waits for, who can act, and until when",
    usage="[POOL]",
    phases=frozenset(Phase),
    answer=_answer,
    button=Button(
        label=lambda entry: "Why?", place=Position.QUESTION, shown=lambda entry: entry.rollout.phase not in OVER
    ),
)

"""A refusal that lets people choose: the rollouts that their words may mean, each with the verb's own button."""

from bot.domain.choices import Choices
from bot.domain.errors import UserError
from bot.domain.prose import Code, Prose, joined, say, sentence, short
from bot.domain.rollout import Entry, Rollout
from bot.domain.sentences.which_one import naming
from bot.domain.verbs.button import Button, Position, Style
from bot.domain.verbs.registry import verb_of
from bot.domain.weights import weight_there
from handlers import replies
from handlers.backend import Others, nobody_else
from handlers.blocks import Block, context, plain, section
from handlers.buttons import draw_button, drawn
from handlers.cards import Card, route
from handlers.clicks import CHOICE
from handlers.mrkdwn import shorten, spoken

MOST = 20
"""How many rollouts are listed. Slack takes 50 blocks, but only some 13,000 characters in all of them."""

LONGEST = 150
"""How many characters of what names a rollout are shown to be typed; instead of longer ones stands its id."""


def refused(error: UserError, more: Prose | None = None, *, others: Others = nobody_else) -> Prose | Card:
    """Say why a request was refused, and ``more``; draw what to choose from, if there is a choice.

    ``others`` has a sentence for people who ask in vain.
    """
    said = joined(" ", (replies.mishap(error, "", others), more or Prose()))
    if error.choices is None:
        return said
    return _draw(said, joined(" ", (sentence(error.message), more or Prose())), error.choices)


def _draw(aloud: Prose, said: Prose, choices: Choices) -> Card:
    """Draw a list under a sentence; ``aloud`` is all of it for screen readers."""
    shown = choices.entries[:MOST]
    left = len(choices.entries) - len(shown)
    asked = say("{} Which one do you mean?", short(said, 800))
    blocks = [section("choices", asked), *(_choice(entry, choices) for entry in shown)]
    if left:
        blocks.append(context("choices:more", say("… and {} more: name one, as in the lines above.", left)))
    return Card(text=spoken(aloud), blocks=blocks)


def _choice(entry: Entry, choices: Choices) -> Block:
    """Draw one rollout: its route, its weight now, what to type, and the verb's button if it works on it."""
    rollout, verb = entry.rollout, verb_of(choices.verb)
    typed = naming(rollout, [each.rollout for each in (*choices.entries, *choices.beside)])
    told = say(
        "`{}` on {}\n*{} %* now  ·  {}  ·  {}",
        rollout.canary.name,
        route(rollout),
        weight_there(entry),
        rollout.phase.value.replace("_", " "),
        Code(f"{verb.name} {typed if len(typed) <= LONGEST else rollout.id}"),
    )
    block = section(f"{CHOICE}{rollout.id}", told)
    if verb.button is None or verb not in drawn(entry):
        return block
    button = draw_button(verb.name, verb.button, entry)
    return block | {"accessory": button | _told_apart(button, rollout) | _red(verb.button)}


def _told_apart(button: Block, rollout: Rollout) -> Block:
    """Return what names the route on a button, for those who hear it, and in its dialog."""
    name = shorten(rollout.route, 50)
    label = {"accessibility_label": f"{shorten(button['text']['text'], 20)}: {name}"}
    if "confirm" not in button:
        return label
    title = f"{button['confirm']['title']['text'].rstrip('?')} on {name}?"
    return label | {"confirm": button["confirm"] | {"title": plain(title)}}


def _red(button: Button) -> Block:
    """Make every roll back red: in a list of them nobody looks for another button."""
    return {"style": Style.DANGER.value} if button.place is Position.ROLLBACK else {}

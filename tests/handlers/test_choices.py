"""A refusal that lets people choose: one rollout a line, with its route and a button of its own."""

from dataclasses import replace

import pytest

from bot.domain.choices import Choices
from bot.domain.errors import UsageError
from bot.domain.prose import Prose
from bot.domain.rollout import Entry, Phase
from bot.domain.verbs.registry import verbs
from handlers.cards import Card
from handlers.choices import MOST, refused
from sandbox.strict_slack.block_kit import faults
from tests.handlers.records import NEW, OLD, a_rollout, an_entry, awaiting, in_phase


def on(route: str, entry: Entry | None = None, number: int = 1) -> Entry:
    entry = entry or an_entry()
    return replace(entry, rollout=replace(entry.rollout, route=route, id=f"r-{number:08x}"))


def drawn(verb: str, *entries: Entry) -> Card:
    error = UsageError(f"`{NEW}` has several rollouts.", hint="Name one: …", choices=Choices(verb, entries))
    card = refused(error)
    assert isinstance(card, Card)
    assert faults(card.text, card.blocks) == []
    return card


def buttons(card: Card) -> dict[str, str]:
    """Return the label of each button, by the rollout that it names."""
    found = [block["accessory"] for block in card.blocks if "accessory" in block]
    return {button["value"].split('"')[3]: button["text"]["text"] for button in found}


def test_each_line_names_the_route_the_weight_and_what_to_type_and_has_a_red_button_that_asks_first() -> None:
    card = drawn("rollback", on("one"), on("two", number=2))
    assert card.text == f"{NEW} has several rollouts. Name one: …"
    lead, first, second = card.blocks
    assert lead["text"]["text"] == f"`{NEW}` has several rollouts. Which one do you mean?"
    assert second["text"]["text"].startswith(f"`{NEW}` on `default/two`\n")
    assert first == {
        "type": "section",
        "block_id": "choice:r-00000001",
        "text": {
            "type": "mrkdwn",
            "text": f"`{NEW}` on `default/one`\n*25 %* now  ·  progressing  ·  `rollback {NEW} route=one`",
            "verbatim": True,
        },
        "expand": True,
        "accessory": {
            "type": "button",
            "action_id": "rollout_rollback",
            "text": {"type": "plain_text", "text": "Roll back to 0 %", "emoji": False},
            "value": '{"id":"r-00000001","turn":4}',
            "accessibility_label": "Roll back to 0 %: one",
            "style": "danger",
            "confirm": {
                "title": {"type": "plain_text", "text": "Roll back on one?", "emoji": False},
                "text": {"type": "plain_text", "text": f"All traffic goes back to {OLD}. {NEW} has 25 % now."},
                "confirm": {"type": "plain_text", "text": "Roll back"},
                "deny": {"type": "plain_text", "text": "Go back"},
                "style": "danger",
            },
        },
    }


def test_a_roll_back_of_finished_rollouts_is_red_too() -> None:
    (block,) = drawn("rollback", on("one", an_entry(in_phase(Phase.FINISHED)))).blocks[1:]
    assert block["accessory"]["style"] == "danger"


@pytest.mark.parametrize("verb", [verb.name for verb in verbs() if verb.button])
def test_a_verb_has_its_button_beside_the_rollouts_on_which_it_works_alone(verb: str) -> None:
    states = [an_entry(), an_entry(in_phase(Phase.PAUSED)), an_entry(in_phase(Phase.PROMOTED)), an_entry(awaiting())]
    entries = [on("one", entry, number) for number, entry in enumerate(states)]
    works = {
        "rollback": {0: "Roll back to 0 %", 1: "Roll back to 0 %", 2: "Roll back to 0 %", 3: "Roll back to 0 %"},
        "pause": {0: "Pause", 2: "Pause", 3: "Pause"},
        "why": {0: "Why?", 1: "Why?", 2: "Why?", 3: "Why?"},
        "approve": {3: "Approve 50 %"},
        "reject": {3: "Reject 50 %"},
        "resume": {1: "Resume at 25 %"},
        "advance": {0: "Ask for 50 %"},
        "promote": {0: "Ask for 100 %"},
        "end": {1: "End, keep the weights"},
        "finish": {2: "Finish: drop the old pool"},
        "restore": {},
        "adopt": {},
        "keep": {},
    }
    named: dict[int, str] = works[verb]
    assert buttons(drawn(verb, *entries)) == {f"r-{number:08x}": label for number, label in named.items()}


def test_a_long_list_is_cut_and_the_rest_counted_whatever_the_names_are() -> None:
    long = a_rollout(
        canary=replace(a_rollout().canary, name="é-" * 126 + "x"),
        stable=replace(a_rollout().stable, name="<-" * 126 + "x"),
        namespace="n" * 63,
        phase=Phase.AWAITING_APPROVAL,
    )
    entries = [on(f"{'&' * 250}{number:03}", an_entry(long), number) for number in range(60)]
    card = drawn("rollback", *entries)
    assert len(card.blocks) == MOST + 2
    assert card.blocks[-1]["elements"][0]["text"] == "… and 40 more: name one, as in the lines above."


def test_without_a_choice_a_refusal_is_only_a_sentence() -> None:
    said = refused(UsageError("No.", hint="Do it."))
    assert isinstance(said, Prose)
    assert str(said) == "No. Do it."

"""Somebody who may edit routes and has no key: writes notes of his own, in other people's names."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bot.engine.encoding import note_text
from chaos.people import PEOPLE

FORGED_ID = "r-f0f0f0f0"
"""A rollout that nobody started."""

WORDS = ("forged", "", "x" * 16_000, "\ud800", "xoxb-1-forged", "\u202e`<!channel>")
"""Why somebody rolled back, in words that are to do harm."""

Document = dict[str, Any]


def forge(text: str, others: Sequence[str], place: Mapping[str, str], dice: random.Random) -> tuple[str, str]:
    """Return a note to put in place of ``text``, and what was done. ``others`` are notes of other routes.

    ``place`` is what a note calls this route: namespace, route, route_uid.
    """
    if others and dice.random() < 0.3:
        document = json.loads(dice.choice(others))
        if dice.random() < 0.5:
            return note_text(document), "copies another route's note"
        document["rollout"] |= place
        return note_text(document), "copies another route's note and names this one in it"
    document, change = json.loads(text), dice.choice(CHANGES)
    change(document, dice)
    return note_text(document), change.__name__.strip("_").replace("_", " ")


def _unsigns(document: Document, dice: random.Random) -> None:
    document.pop("mac", None)


def _goes_further(document: Document, dice: random.Random) -> None:
    record = document["rollout"]
    record |= {
        "phase": "progressing",
        "step": len(record["plan"]["steps"]) - 1,
        "decision": f"d-{dice.randrange(10**9)}",
    }
    record["revision"] += 1


def _goes_further_under_the_same_decision(document: Document, dice: random.Random) -> None:
    document["rollout"] |= {"phase": "promoted", "step": len(document["rollout"]["plan"]["steps"]) - 1}


def _approves(document: Document, dice: random.Random) -> None:
    document["rollout"]["ask"] = {"id": "a-1", "step": 1, "approvals": list(PEOPLE)}
    document["rollout"]["plan"] |= {"approve_at": [], "interval": "PT1S"}


def _takes_a_name(document: Document, dice: random.Random) -> None:
    document["rollout"] |= {"started_by": dice.choice(PEOPLE), "by": dice.choice(PEOPLE), "reason": "said so"}


def _swaps_the_pools(document: Document, dice: random.Random) -> None:
    record = document["rollout"]
    record["stable"], record["canary"] = record["canary"], record["stable"]
    for rule in record["rules"]:
        ref = json.loads(rule["stable_ref"])
        rule["stable_ref"] = json.dumps({**ref, "name": record["stable"]["name"]})


def _rolls_back(document: Document, dice: random.Random) -> None:
    record = document["rollout"]
    record |= {
        "phase": "rolled_back",
        "by": dice.choice(PEOPLE),
        "why": dice.choice(WORDS),
        "decision": f"d-{dice.randrange(10**9)}",
    }
    record["revision"] += 1


def _rolls_back_beside_the_record(document: Document, dice: random.Random) -> None:
    at = dice.choice(("2199-01-01T00:00:00Z", document["rollout"]["decided_at"], "never"))
    document["rolled_back"] = {
        "decision": f"d-{dice.randrange(10**9)}",
        "at": at,
        "by": dice.choice(PEOPLE),
        "why": dice.choice(WORDS),
    }


def _names_other_rules(document: Document, dice: random.Random) -> None:
    record = document["rollout"]
    record["rules"] = [{**rule, "key": f"none-{place}", "index": 15} for place, rule in enumerate(record["rules"] * 2)]
    record |= _next(record, dice)


def _invents_a_rollout(document: Document, dice: random.Random) -> None:
    document["rollout"] |= {"id": FORGED_ID, **_next(document["rollout"], dice)}


def _next(record: Document, dice: random.Random) -> Document:
    """Return the marks of a later decision."""
    return {"decision": f"d-{dice.randrange(10**9)}", "revision": record["revision"] + 1}


CHANGES: Sequence[Callable[[Document, random.Random], None]] = (
    _unsigns,
    _goes_further,
    _goes_further_under_the_same_decision,
    _approves,
    _takes_a_name,
    _swaps_the_pools,
    _rolls_back,
    _rolls_back_beside_the_record,
    _names_other_rules,
    _invents_a_rollout,
)

"""A refusal that lets people choose: what to type for each of the rollouts that their words may mean."""

from bot.domain.errors import UserError
from bot.domain.prose import Prose, Text, joined, sentence
from bot.domain.sentences.where_it_stands import headword
from bot.domain.sentences.which_one import naming
from bot.terminal.answer import PROGRAM, Answer, Exit


def refused(error: UserError, verb: str, code: Exit) -> Answer:
    """Say why a command was refused, and list what to type instead; programs get the rollouts too."""
    if error.choices is None:
        return Answer(said=error.prose, exit=code)
    entries, beside = error.choices.entries, error.choices.beside
    among = [entry.rollout for entry in (*entries, *beside)]
    rows = [
        (
            f"    {PROGRAM} {verb} {naming(entry.rollout, among)}",
            f"# {headword(entry)}, {entry.rollout.namespace}/{entry.rollout.route}",
        )
        for entry in entries
    ]
    width = max(len(typed) for typed, _ in rows)
    lines = [Prose((Text(f"{typed:<{width}}  {stands}"),)) for typed, stands in rows]
    said = joined("\n", [sentence(f"{error.message} Type one of these:"), *lines])
    return Answer(said=said, exit=code, entries=entries, shows_entries=False)

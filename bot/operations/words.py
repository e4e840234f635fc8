"""A line that begins or cancels an operation: ``KIND`` and what its executor reads, or ``cancel [ID] [reason]``."""

import re
from collections.abc import Sequence

from bot.domain.commands.request import APPROVE, CANCEL, END, START, VOTE, Command, OperationWords, vote_words
from bot.domain.commands.tokens import Word
from bot.domain.commands.values import cut_reason, is_name
from bot.domain.comparison import COMPARE, Choice
from bot.domain.errors import UsageError
from bot.domain.operation import is_operation_id
from bot.domain.prose import Code, Prose, joined, say
from bot.operations.executor import Executor
from bot.operations.reading import REASON
from bot.operations.registry import Registry

_QUESTION = re.compile(r"[0-9]{1,3}")

CANCEL_USAGE = f"{CANCEL} [ID] [reason]"
"""How people cancel, after the slash command or the program's name."""

VOTE_USAGE = f"{VOTE} ID QUESTION a|b|same"
"""How people vote without a button."""

VOTE_ABOUT = "answer a question of a comparison without its buttons"

CANCEL_ABOUT = "stop an operation and take back what it did, or clean up after one that failed"


def usage(executor: Executor) -> str:
    """Return how people begin an operation, after the slash command or the program's name."""
    return f"{executor.name} {executor.usage}"


def typed_lines(registry: Registry) -> Sequence[tuple[str, str]]:
    """Return everything that people may type about operations, and what it does; none without executors."""
    if not registry.executors:
        return ()
    votes = ((VOTE_USAGE, VOTE_ABOUT),) if registry.named(COMPARE) else ()
    return (*((usage(executor), executor.about) for executor in registry), *votes, (CANCEL_USAGE, CANCEL_ABOUT))


def help_text(registry: Registry, program: str) -> Prose:
    """List operations as they are typed behind ``program``; empty if there are none."""
    return joined("\n", [say("{}\n{}", Code(f"{program} {line}"), about) for line, about in typed_lines(registry)])


def read_operation_words(line: Sequence[Word], registry: Registry) -> Command | None:
    """Read a line about an operation; None if it is not about one. Raises UsageError."""
    first = line[0].value.lower() if line else ""
    if executor := registry.named(first):
        return _begin(executor, line[1:])
    if first == APPROVE and len(line) > 1 and is_operation_id(line[1].value):
        return _of_one(line[1:], OperationWords(approves=True))
    if first == VOTE and registry.executors:
        return _vote(line[1:])
    # Without operations, people who type `cancel` want to pause or roll back.
    return _of_one(line[1:], OperationWords()) if first == CANCEL and registry.executors else None


def _begin(executor: Executor, rest: Sequence[Word]) -> Command:
    asked = executor.read(rest)
    given = dict(asked.parameters)
    reason, left_out = cut_reason(given.pop(REASON, ""))
    return Command(
        verb=START,
        subject=asked.subject,
        reason=reason,
        left_out=left_out,
        operation=OperationWords(kind=executor.name, parameters=given),
    )


def _vote(rest: Sequence[Word]) -> Command:
    """Read an answer to a question: the comparison, the question's number, and the choice."""
    match [word.raw.lower() for word in rest]:
        case [id_, number, choice] if is_operation_id(id_) and _QUESTION.fullmatch(number) and choice in set(Choice):
            return Command(verb=END, subject=id_, operation=vote_words(int(number), choice))
        case [id_, *_] if is_operation_id(id_):
            raise UsageError("That is no vote.", hint=f"Usage: `{VOTE_USAGE}`.")
        case _:
            needs = "`vote` needs the id that is on the comparison's card, like `o-7f3a2c01`."
            raise UsageError(needs, hint=f"Usage: `{VOTE_USAGE}`. The buttons in the thread do the same.")


def _of_one(rest: Sequence[Word], words: OperationWords) -> Command:
    """Read which one is meant: the first word if it may be a name, else the only operation; the rest is the reason."""
    subject = rest[0].value if rest and not rest[0].key and is_name(rest[0].value) else ""
    said = rest[1:] if subject else rest
    reason, left_out = cut_reason(" ".join(word.value if word.key in ("", REASON) else word.raw for word in said))
    return Command(verb=END, subject=subject, reason=reason, left_out=left_out, operation=words)

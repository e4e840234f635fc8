"""A line that begins or cancels an operation: ``KIND`` and what its executor reads, or ``cancel [ID] [reason]``."""

from collections.abc import Sequence

from bot.domain.commands.request import APPROVE, CANCEL, END, START, Command, OperationWords
from bot.domain.commands.tokens import Word
from bot.domain.commands.values import cut_reason, is_name
from bot.domain.operation import is_operation_id
from bot.domain.prose import Code, Prose, joined, say
from bot.operations.executor import Executor
from bot.operations.reading import REASON
from bot.operations.registry import Registry

CANCEL_USAGE = f"{CANCEL} [ID] [reason]"
"""How people cancel, after the slash command or the program's name."""

CANCEL_ABOUT = "stop an operation and take back what it did, or clean up after one that failed"


def usage(executor: Executor) -> str:
    """Return how people begin an operation, after the slash command or the program's name."""
    return f"{executor.name} {executor.usage}"


def help_text(registry: Registry, program: str) -> Prose:
    """List operations as they are typed behind ``program``; empty if there are none."""
    lines = [say("{}\n{}", Code(f"{program} {usage(executor)}"), executor.about) for executor in registry]
    return joined("\n", [*lines, say("{}\n{}", Code(f"{program} {CANCEL_USAGE}"), CANCEL_ABOUT)]) if lines else Prose()


def read_operation_words(line: Sequence[Word], registry: Registry) -> Command | None:
    """Read a line about an operation; None if it is not about one. Raises UsageError."""
    first = line[0].value.lower() if line else ""
    if executor := registry.named(first):
        return _begin(executor, line[1:])
    if first == APPROVE and len(line) > 1 and is_operation_id(line[1].value):
        return _of_one(line[1:], OperationWords(approves=True))
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


def _of_one(rest: Sequence[Word], words: OperationWords) -> Command:
    """Read which one is meant: the first word if it may be a name, else the only operation; the rest is the reason."""
    subject = rest[0].value if rest and not rest[0].key and is_name(rest[0].value) else ""
    said = rest[1:] if subject else rest
    reason, left_out = cut_reason(" ".join(word.value if word.key in ("", REASON) else word.raw for word in said))
    return Command(verb=END, subject=subject, reason=reason, left_out=left_out, operation=words)

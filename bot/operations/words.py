"""A line that begins or cancels an operation: ``KIND SUBJECT [key=value …] [reason=…]``, ``cancel [ID] [reason]``."""

from collections.abc import Sequence

from bot.domain.commands.request import CANCEL, END, START, Command, OperationWords
from bot.domain.commands.tokens import Word, shown
from bot.domain.commands.values import cut_reason, is_name, read_name
from bot.domain.errors import UsageError
from bot.domain.prose import Code, Prose, joined, say
from bot.domain.slips import likely_meant
from bot.operations.executor import Executor
from bot.operations.registry import Registry

CANCEL_USAGE = f"{CANCEL} [ID] [reason]"
"""How people cancel, after the slash command or the program's name."""

CANCEL_ABOUT = "stop an operation and take back what it did, or clean up after one that failed"

REASON = "reason"
LONGEST_VALUE = 1000


def usage(executor: Executor) -> str:
    """Return how people begin an operation, after the slash command or the program's name."""
    keys = " ".join(f"{key}=…" for key in (*executor.keys, REASON))
    return f"{executor.name} SUBJECT [{keys}]"


def help_text(registry: Registry, program: str) -> Prose:
    """List operations as they are typed behind ``program``; empty if there are none."""
    lines = [say("{}\n{}", Code(f"{program} {usage(executor)}"), executor.about) for executor in registry]
    return joined("\n", [*lines, say("{}\n{}", Code(f"{program} {CANCEL_USAGE}"), CANCEL_ABOUT)]) if lines else Prose()


def read_operation_words(line: Sequence[Word], registry: Registry) -> Command | None:
    """Read a line about an operation; None if it is not about one. Raises UsageError."""
    first = line[0].value.lower() if line else ""
    if executor := registry.named(first):
        return _begin(executor, line[1:])
    # Without operations, people who type `cancel` want to pause or roll back.
    return _cancel(line[1:]) if first == CANCEL and registry.executors else None


def _begin(executor: Executor, rest: Sequence[Word]) -> Command:
    bare = [word for word in rest if not word.key]
    if len(bare) != 1:
        wrong = f"{shown(bare[1].raw)} is one word too many." if bare else f"`{executor.name}` needs a subject."
        raise UsageError(wrong, hint=f"Usage: `{usage(executor)}`.")
    given = _parameters(executor, [word for word in rest if word.key])
    reason, left_out = cut_reason(given.pop(REASON, ""))
    return Command(
        verb=START,
        subject=read_name("subject", bare[0].value),
        reason=reason,
        left_out=left_out,
        operation=OperationWords(kind=executor.name, parameters=given),
    )


def _parameters(executor: Executor, words: Sequence[Word]) -> dict[str, str]:
    known, given = (*executor.keys, REASON), dict[str, str]()
    for word in words:
        if word.key not in known:
            near = likely_meant(word.key, known)
            hint = f"Did you mean `{near[0]}`?" if near else f"Usage: `{usage(executor)}`."
            raise UsageError(f"{shown(word.key)} is not a key of `{executor.name}`.", hint=hint)
        if word.key in given:
            raise UsageError(f"`{word.key}` is there twice.", hint="Leave one of them out.")
        if len(word.value) > LONGEST_VALUE and word.key != REASON:
            raise UsageError(f"`{word.key}` is too long.", hint=f"Give at most {LONGEST_VALUE} characters.")
        given[word.key] = word.value
    return given


def _cancel(rest: Sequence[Word]) -> Command:
    """Read what to cancel: the first word if it may be a name, else the only operation; the rest is the reason."""
    subject = rest[0].value if rest and not rest[0].key and is_name(rest[0].value) else ""
    words = rest[1:] if subject else rest
    reason, left_out = cut_reason(" ".join(word.value if word.key in ("", REASON) else word.raw for word in words))
    return Command(verb=END, subject=subject, reason=reason, left_out=left_out, operation=OperationWords())

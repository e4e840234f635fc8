"""The values people type: weights, lists of percents, names, reasons. Each wrong one gives one sentence."""

import re
from itertools import pairwise

from bot.domain.commands.tokens import shown
from bot.domain.errors import UsageError
from bot.domain.masking import masked
from bot.domain.plan import ALL_STEPS
from bot.domain.prose import Prose, one_line, say

LONGEST_REASON = 3000
LONGEST_NAME = 253

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PERCENT = re.compile(r"([0-9]{1,9}) ?%?")
_PATH = re.compile(r"/[A-Za-z0-9/._~%-]{0,253}")
_STEPS_HINT = "Write it like `steps=10,25,50,100`."
_MARKS_HINT = "Write it like `approve=50,100`, `approve=all` or `approve=none`."


def read_percent(text: str) -> int | None:
    """Read ``10`` or ``10%``, 1 to 100, in ASCII digits; None if it is anything else."""
    match = _PERCENT.fullmatch(text.strip())
    return int(match[1]) if match and 1 <= int(match[1]) <= 100 else None


def read_weight(text: str, pool: str, command: str) -> int:
    """Read the first weight of a start."""
    percent = read_percent(text)
    if percent is not None:
        return percent
    example = f"{command} start {pool} 10"
    raise UsageError(f"{shown(text)} is not a weight: give a whole number of percent from 1 to 100, as in `{example}`.")


def read_mirror(text: str) -> int:
    """Read which share of the requests is copied before the first weight."""
    percent = read_percent(text)
    if percent is None:
        wrong = f"{shown(text)} in `mirror` is not a whole number of percent from 1 to 100."
        raise UsageError(wrong, hint="Write it like `mirror=10`.")
    return percent


def require_pool_first(pool: str, weight: str, command: str) -> None:
    """Raise UsageError if somebody wrote the weight and then the pool."""
    percent = read_percent(pool)
    if percent is not None and read_percent(weight) is None:
        typed = f"{command} start {read_name('pool', weight)} {percent}"
        raise UsageError(f"The pool comes first, then the weight: type `{typed}`.")


def read_steps(text: str) -> tuple[int, ...]:
    """Read ``10,25,50,100``."""
    steps = _percents("steps", text, _STEPS_HINT)
    for before, after in pairwise(steps):
        if after <= before:
            raise UsageError(f"`steps` must rise, but {after} follows {before}.", hint=_STEPS_HINT)
    return steps


def read_marks(text: str) -> tuple[int, ...]:
    """Read ``50,100``, ``all`` or ``none``."""
    if text.lower() in ("all", "none"):
        return ALL_STEPS if text.lower() == "all" else ()
    return tuple(sorted(set(_percents("approve", text, _MARKS_HINT))))


def _percents(key: str, text: str, hint: str) -> tuple[int, ...]:
    found = []
    for part in text.split(","):
        number = read_percent(part)
        if number is None:
            wrong = shown(part if part.strip() else text)
            raise UsageError(f"{wrong} in `{key}` is not a whole number of percent from 1 to 100.", hint=hint)
        found.append(number)
    return tuple(found)


def is_name(text: str) -> bool:
    """Say whether it has the shape of an object's name (a DNS-1123 subdomain); a rollout's id has it too."""
    return len(text) <= LONGEST_NAME and _NAME.fullmatch(text) is not None


def read_name(key: str, text: str) -> str:
    """Read the name of a pool, route, namespace or rule. It corrects nothing silently."""
    if is_name(text):
        return text
    wrong = f"{shown(text)} is not a name for `{key}`: names have lower-case letters, digits, `-` and `.`"
    if len(text) > LONGEST_NAME:
        raise UsageError(f"{wrong}, and at most {LONGEST_NAME} characters.", hint="See `kubectl get` for it.")
    meant = bare_name(text)
    raise UsageError(f"{wrong}.", hint=f"Did you mean `{meant}`?" if meant else "See `kubectl get` for it.")


def read_rules(text: str) -> str:
    """Read which rules of a route are meant: names, numbers counted from 1, or paths, with commas between them."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    for part in parts:
        if not _PATH.fullmatch(part):
            read_name("rule", part)
    return ",".join(parts)


def lookalike(text: str) -> str:
    """Return the name that somebody probably meant by a word that is not one: ``vllm-new`` for ``Vllm-new:``.

    Plain words of a sentence are left alone: only what has a ``-`` inside looks like a pool's name.
    """
    meant = bare_name(text)
    return meant if "-" in meant else ""


def bare_name(text: str) -> str:
    """Return the name in a word, without capitals, marks and a namespace; empty if there is none."""
    meant = _bare(text)
    return meant if is_name(meant) else ""


def _bare(text: str) -> str:
    return text.strip(" ,:;.!?*_~`'\"“”‘’()").lower().rsplit("/", 1)[-1]


def say_cut(left_out: int) -> Prose:
    """Say that a reason was cut; empty if it was not."""
    if not left_out:
        return Prose()
    return say(
        "The reason was too long: I left its last {} characters out, so put them in the thread.", f"{left_out:,}"
    )


def cut_reason(text: str) -> tuple[str, int]:
    """Return a reason that fits onto a card, without secrets, and how many of its characters were too many."""
    reason = masked(one_line(text).strip())  # only then: what nobody sees may stand inside a secret
    if len(reason) <= LONGEST_REASON:
        return reason, 0
    kept = reason[: LONGEST_REASON - 1].rstrip()
    return f"{kept}…", len(reason) - len(kept)

"""The grammar of ``/rollout``: a line of text becomes a Command, or one sentence that says what to type instead.

A brake is not refused for its spelling: an odd word behind ``rollback`` or ``pause`` is part of the reason.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bot.domain.commands.request import BRAKES, Command, StartWords, Verb
from bot.domain.commands.tokens import Word, shown, words
from bot.domain.commands.values import is_name, lookalike, read_marks, read_name, read_reason, read_steps, read_weight
from bot.domain.errors import UsageError
from bot.domain.plan import Wishes, parse_duration
from bot.domain.slips import likely_meant

USAGE: dict[Verb, str] = {
    Verb.START: (
        "{command} start POOL WEIGHT [from=POOL route=NAME namespace=NAME rule=NAME steps=10,25,50,100 every=10m "
        'bake=30m approve=50,100|all|none reason="…"]'
    ),
    Verb.STATUS: "{command} status [POOL]",
    Verb.WHY: "{command} why [POOL]",
    Verb.APPROVE: "{command} approve [POOL] [reason]",
    Verb.REJECT: "{command} reject [POOL] reason",
    Verb.PAUSE: "{command} pause [POOL] [reason]",
    Verb.RESUME: "{command} resume [POOL] [reason]",
    Verb.ADVANCE: "{command} advance [POOL] [reason]",
    Verb.PROMOTE: "{command} promote [POOL] [reason]",
    Verb.RESTORE: "{command} restore [POOL] [reason]",
    Verb.ADOPT: "{command} adopt [POOL] [reason]",
    Verb.ROLLBACK: "{command} rollback [POOL] [reason]",
    Verb.FINISH: "{command} finish [POOL] [reason]",
    Verb.END: "{command} end [POOL] [reason]",
    Verb.HELP: "{command} help",
}
"""How each verb is typed; ``{command}`` stands for the slash command."""

_KEYS = {
    Verb.START: ("pool", "weight", "from", "route", "namespace", "rule", "steps", "every", "bake", "approve", "reason"),
    Verb.STATUS: ("pool",),
    Verb.WHY: ("pool",),
}
_ORDER_KEYS = ("pool", "reason")
_LISTS = ("steps", "approve")
_SAME = {"roll-back": "rollback", "roll_back": "rollback", "?": "help"}
_MEANT = {
    **dict.fromkeys(("abort", "undo", "revert", "back"), "`rollback`"),
    **dict.fromkeys(("stop", "halt", "cancel"), "`pause` or `rollback`"),
    **dict.fromkeys(("hold", "wait", "freeze"), "`pause`"),
    **dict.fromkeys(("continue", "unpause", "go", "proceed"), "`resume`"),
    **dict.fromkeys(("next", "step", "increase"), "`advance`"),
    **dict.fromkeys(("accept", "ok", "yes", "lgtm", "confirm"), "`approve`"),
    **dict.fromkeys(("deny", "decline", "no"), "`reject`"),
    **dict.fromkeys(("complete", "done"), "`promote` or `finish`"),
    **dict.fromkeys(("list", "ls", "show", "get", "info"), "`status`"),
    **dict.fromkeys(("begin", "create", "deploy", "new"), "`start`"),
    **dict.fromkeys(("delete", "remove", "forget"), "`end`"),
}
_MEANT_KEY = {"interval": "every", "ns": "namespace", "n": "namespace", "stable": "from", "old": "from"}


def parse(text: str, *, command: str = "/rollout") -> Command:
    """Read what follows the slash command. Raises UsageError, and nothing else."""
    line = words(text)
    if line and line[0].raw == command:  # a whole line, pasted behind the command
        line = line[1:]
    return parse_words(line, command=command)


def parse_words(line: Sequence[Word], *, command: str) -> Command:
    """Read a line that is cut into words. Raises UsageError, and nothing else."""
    if not line or _asks_help(line[:1]):
        return Command(verb=Verb.HELP)
    verb, rest = _verb(line, command)
    if verb is Verb.HELP or _asks_help(rest):
        return Command(verb=Verb.HELP)
    if verb is Verb.START:
        return _start(rest, command)
    if verb in (Verb.STATUS, Verb.WHY):
        return _question(verb, rest, command)
    return _order(verb, rest, command)


def _asks_help(rest: Sequence[Word]) -> bool:
    return bool(rest) and rest[0].flag in ("help", "h")


def _verb(line: Sequence[Word], command: str) -> tuple[Verb, Sequence[Word]]:
    first = line[0].value.lower()  # phones write the first word with a capital
    if first == "roll" and len(line) > 1 and line[1].value.lower() == "back":
        return Verb.ROLLBACK, line[2:]
    first = _SAME.get(first, first)
    if first in set(Verb):
        return Verb(first), line[1:]
    meant = _MEANT.get(first) or (f"`{near[0]}`" if (near := likely_meant(first, Verb)) else "")
    hint = f"Did you mean {meant}?" if meant else f"Say `{command} help` for the list."
    raise UsageError(f"{shown(line[0].raw)} is not a verb of `{command}`.", hint=hint)


def _usage(verb: Verb, sentence: str, command: str) -> UsageError:
    return UsageError(sentence, hint=f"Usage: `{USAGE[verb].format(command=command)}`.")


# --- start -----------------------------------------------------------------------------------------------------


def _start(rest: Sequence[Word], command: str) -> Command:
    said = _sort(Verb.START, rest, command)
    given = [word.value for word in said.bare if word.value != "%"]
    pool, weight = [said.keys.get(key) or (given.pop(0) if given else "") for key in ("pool", "weight")]
    if not weight and (not pool or pool.rstrip("%").isdigit()):  # a lone number is the weight
        raise _usage(Verb.START, f"`start` needs {'a pool' if pool else 'a pool and a weight'}.", command)
    if given:
        raise _too_many(given, command)
    name = read_name("pool", pool)
    if not weight:
        raise UsageError(f"`start` needs a weight: type `{command} start {name} 10`.")
    return Command(
        verb=Verb.START,
        subject=name,
        reason=read_reason(said.keys.get("reason", "")),
        start=_start_words(read_weight(weight, name, command), said.keys),
    )


def _too_many(given: Sequence[str], command: str) -> UsageError:
    if given[0].lower() in _KEYS[Verb.START] and len(given) > 1:
        wrong, right = shown(f"{given[0]} {given[1]}"), shown(f"{given[0].lower()}={given[1]}")
        return UsageError(f"{wrong} lacks a `=`.", hint=f"Write {right}.")
    return _usage(Verb.START, f'{shown(given[0])} is one word too many; write a reason as `reason="…"`.', command)


def _start_words(weight: int, keys: dict[str, str]) -> StartWords:
    names = {key: read_name(key, keys[key]) for key in ("from", "route", "namespace", "rule") if key in keys}
    times = {key: parse_duration(keys[key][:40], key) for key in ("every", "bake") if key in keys}
    return StartWords(
        weight=weight,
        stable=names.get("from", ""),
        route=names.get("route", ""),
        namespace=names.get("namespace", ""),
        rule=names.get("rule", ""),
        wishes=Wishes(
            steps=read_steps(keys["steps"]) if "steps" in keys else None,
            interval=times.get("every"),
            bake=times.get("bake"),
            approve_at=read_marks(keys["approve"]) if "approve" in keys else None,
        ),
    )


# --- the other verbs -------------------------------------------------------------------------------------------


def _question(verb: Verb, rest: Sequence[Word], command: str) -> Command:
    said = _sort(verb, rest, command)
    given = [*said.keys.values(), *(word.value for word in said.bare)]
    if len(given) > 1:
        raise _usage(verb, f"{shown(given[1])} is one word too many.", command)
    return Command(verb=verb, subject=read_name("pool", given[0]) if given else "")


def _order(verb: Verb, rest: Sequence[Word], command: str) -> Command:
    said = _sort(verb, rest, command)
    subject, text = read_name("pool", said.keys["pool"]) if "pool" in said.keys else "", said.bare
    if not subject and (at := _subject(text)) is not None:
        subject, text = text[at].value, text[:at] + text[at + 1 :]
    # Quotes around the whole reason go, quotes inside it stay.
    reason = read_reason(" ".join(word.raw if len(text) > 1 and not word.key else word.value for word in text))
    if verb is Verb.REJECT and not reason:
        example = f'{command} reject {subject or "POOL"} reason="p99 doubled"'
        raise UsageError("`reject` needs a reason.", hint=f"Say why, as in `{example}`.")
    return Command(verb=verb, subject=subject, reason=reason)


def _subject(text: Sequence[Word]) -> int | None:
    """Say which word is the pool: the first one without a key, where it has the shape of a name."""
    at = next((index for index, word in enumerate(text) if not (word.key and word.quoted)), None)
    if at is None or text[at].key or is_name(text[at].value):
        return None if at is None or text[at].key else at
    if meant := lookalike(text[at].value):
        raise UsageError(f"{shown(text[at].raw)} is not a pool's name.", hint=f"Did you mean `{meant}`?")
    return None


# --- words with and without keys -------------------------------------------------------------------------------


@dataclass(slots=True)
class _Said:
    """The words behind a verb. A reason of an order stays among the bare ones, in its place."""

    bare: list[Word] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)


def _sort(verb: Verb, rest: Sequence[Word], command: str) -> _Said:
    said, line = _Said(), iter(rest)
    for word in line:
        key = word.key or word.flag
        if key and key not in _KEYS.get(verb, _ORDER_KEYS):
            _refuse_key(verb, key, command)
            key = ""
        if not key:
            said.bare.append(Word(raw=word.raw, value=word.raw) if word.key else word)
            continue
        value = _value(key, word, line)
        if not value.value and not (key == "reason" and verb in BRAKES):
            raise UsageError(f"`{key}` has no value.", hint=f"Write it as `{key}=…`, without a space.")
        if key == "reason" and verb is not Verb.START:
            said.bare.append(value)
        elif key in said.keys:
            raise UsageError(f"`{key}` is there twice.", hint="Leave one of them out.")
        else:
            said.keys[key] = value.value
    return said


def _value(key: str, word: Word, line: Iterator[Word]) -> Word:
    given = next(line, None) if word.flag else word
    text = given.value if given else ""
    while key in _LISTS and text.endswith(",") and (more := next(line, None)):
        text += more.value  # steps=10, 25, 50
    return Word(raw=text, value=text, key=key, quoted=given is not None and given.quoted)


def _refuse_key(verb: Verb, key: str, command: str) -> None:
    """Raise UsageError, unless the word is part of a reason, as in ``rollback p99=3s``."""
    known = _KEYS.get(verb, _ORDER_KEYS)
    near = _MEANT_KEY.get(key, "") or next(iter(likely_meant(key, known)), "")
    near = near if near in known else ""
    if verb not in _KEYS and (verb in BRAKES or not near):
        return
    sentence = f"{shown(key)} is not a key of `{verb}`."
    raise UsageError(sentence, hint=f"Did you mean `{near}`?") if near else _usage(verb, sentence, command)

"""The grammar of ``/rollout``: a line of text becomes a Command, or one sentence that says what to type instead.

A brake is not refused for its spelling: an odd word after ``rollback`` or ``pause`` is part of the reason.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bot.domain.commands.request import CHECK, HELP, Command, StartWords, Where
from bot.domain.commands.tokens import Word, shown, words
from bot.domain.commands.values import (
    bare_name,
    cut_reason,
    is_name,
    lookalike,
    read_marks,
    read_mirror,
    read_name,
    read_rules,
    read_steps,
    read_weight,
    require_pool_first,
)
from bot.domain.errors import UsageError
from bot.domain.masking import has_secret
from bot.domain.plan import Wishes, parse_duration
from bot.domain.slips import likely_meant
from bot.domain.verbs.declaration import Kind, Verb
from bot.domain.verbs.registry import spelled_verb, verbs

SHORTEST = 3
"""So many letters of a question's name are enough, if no other begins so."""

_LISTS = ("steps", "approve", "rule")
_MEANT_KEY = {"interval": "every", "ns": "namespace", "n": "namespace", "stable": "from", "old": "from"}


def parse(text: str, *, command: str = "/rollout") -> Command:
    """Read what follows the slash command. Raises UsageError, and nothing else."""
    line = words(text)
    if line and line[0].raw == command:  # a whole line, pasted after the command
        line = line[1:]
    return parse_words(line, command=command)


def parse_words(line: Sequence[Word], *, command: str) -> Command:
    """Read a line that is cut into words. Raises UsageError, and nothing else."""
    if not line or _asks_help(line[:1]):
        return Command(verb=HELP)
    verb, rest = spelled(line, command)
    if verb.name == HELP or _asks_help(rest):
        return Command(verb=HELP)
    if verb.kind is Kind.START:
        return _start(verb, rest, command)
    if verb.name == CHECK:
        return _check(verb, rest, command)
    return read_question(verb, rest, command) if verb.asks else _order(verb, rest, command)


def _asks_help(rest: Sequence[Word]) -> bool:
    return bool(rest) and rest[0].flag in ("help", "h")


def spelled(line: Sequence[Word], command: str) -> tuple[Verb, Sequence[Word]]:
    """Return the verb that a line begins with, which may be two words, and the rest. Raises UsageError."""
    for count in (2, 1):
        typed = " ".join([word.value for word in line[:count]]).lower()  # phones write the first one with a capital
        if verb := spelled_verb(typed.rstrip(",:;.!")):
            return verb, line[count:]
    if verb := _question_begun(line[0].value.lower()):
        return verb, line[1:]
    raise _unknown(line[0], command)


def _question_begun(typed: str) -> Verb | None:
    """Return the question whose name alone begins so, as `stat`; an order has to be written out."""
    begun = [verb for verb in verbs() if verb.name.startswith(typed)]
    return begun[0] if len(typed) >= SHORTEST and len(begun) == 1 and begun[0].asks else None


def _unknown(word: Word, command: str) -> UsageError:
    said = word.value.lower()
    meant = [verb.name for verb in verbs() if said in verb.instead_of]
    near = meant or likely_meant(said, [verb.name for verb in verbs()])[:1]
    names = " or ".join(f"`{name}`" for name in near)
    hint = f"Did you mean {names}?" if near else f"Say `{command} help` for the list."
    return UsageError(f"{shown(word.raw)} is not a verb of `{command}`.", hint=hint)


def _usage(verb: Verb, sentence: str, command: str) -> UsageError:
    return UsageError(sentence, hint=f"Usage: `{verb.line(command)}`.")


# --- start -----------------------------------------------------------------------------------------------------


def _start(verb: Verb, rest: Sequence[Word], command: str) -> Command:
    said = _sort(verb, rest, command)
    given = [word.value for word in said.bare if word.value != "%"]
    pool, weight = [said.keys.get(key) or (given.pop(0) if given else "") for key in ("pool", "weight")]
    if not weight and (not pool or pool.rstrip("%").isdigit()):  # a lone number is the weight
        raise _usage(verb, f"`start` needs {'a pool' if pool else 'a pool and a weight'}.", command)
    if given:
        raise _too_many(verb, given, command)
    if weight:
        require_pool_first(pool, weight, command)
    name = read_name("pool", pool)
    if not weight:
        raise UsageError(f"`start` needs a weight: type `{command} start {name} 10`.")
    reason, left_out = cut_reason(said.keys.get("reason", ""))
    words = _start_words(read_weight(weight, name, command), said.keys)
    return Command(verb=verb.name, subject=name, reason=reason, start=words, left_out=left_out)


def _check(verb: Verb, rest: Sequence[Word], command: str) -> Command:
    """Read the words of a start that nobody begins; its weight may be left open."""
    said = _sort(verb, rest, command)
    given = [word.value for word in said.bare if word.value != "%"]
    pool, weight = [said.keys.get(key) or (given.pop(0) if given else "") for key in ("pool", "weight")]
    if not pool:
        raise _usage(verb, f"`{verb.name}` needs a pool.", command)
    if given:
        raise _too_many(verb, given, command)
    name = read_name("pool", pool)
    share = read_weight(weight, name, command) if weight else 0
    return Command(verb=verb.name, subject=name, start=_start_words(share, said.keys))


def _too_many(verb: Verb, given: Sequence[str], command: str) -> UsageError:
    if given[0].lower() in verb.keys and len(given) > 1:
        wrong, right = shown(f"{given[0]} {given[1]}"), shown(f"{given[0].lower()}={given[1]}")
        return UsageError(f"{wrong} lacks a `=`.", hint=f"Write {right}.")
    quoted = '; write a reason as `reason="…"`' if "reason" in verb.keys else ""
    return _usage(verb, f"{shown(given[0])} is one word too many{quoted}.", command)


def _start_words(weight: int, keys: dict[str, str]) -> StartWords:
    names = {key: read_name(key, keys[key]) for key in ("from", "namespace") if key in keys}
    times = {key: parse_duration(keys[key][:40], key) for key in ("every", "bake") if key in keys}
    return StartWords(
        weight=weight,
        stable=names.get("from", ""),
        route=_read_route(keys["route"]) if "route" in keys else "",
        namespace=names.get("namespace", ""),
        rule=read_rules(keys["rule"]) if "rule" in keys else "",
        wishes=Wishes(
            steps=read_steps(keys["steps"]) if "steps" in keys else None,
            interval=times.get("every"),
            bake=times.get("bake"),
            approve_at=read_marks(keys["approve"]) if "approve" in keys else None,
            mirror=read_mirror(keys["mirror"]) if "mirror" in keys else None,
        ),
    )


def _read_route(text: str) -> str:
    """Read the name of a route, which may have its namespace before it, as our lists write it."""
    return "/".join(read_name("route", part) for part in text.split("/", 1))


# --- the other verbs -------------------------------------------------------------------------------------------


def read_question(verb: Verb, rest: Sequence[Word], command: str) -> Command:
    """Read what follows a question: which rollout it is about. Raises UsageError."""
    said = _sort(verb, rest, command)
    where = _where(said.keys)
    given = [*said.keys.values(), *(word.value for word in said.bare)]
    if len(given) > 1:
        raise _usage(verb, f"{shown(given[1])} is one word too many.", command)
    return Command(verb=verb.name, subject=read_name("pool", given[0]) if given else "", where=where)


def _order(verb: Verb, rest: Sequence[Word], command: str) -> Command:
    said = _sort(verb, rest, command)
    where = _where(said.keys)
    subject, text = read_name("pool", said.keys["pool"]) if "pool" in said.keys else "", said.bare
    if not subject and (at := _subject(verb, text)) is not None:
        subject, text = text[at].value, text[:at] + text[at + 1 :]
    # Quotes around the whole reason go, quotes inside it stay.
    words = " ".join([word.raw if len(text) > 1 and not word.key else word.value for word in text])
    reason, left_out = cut_reason(words)
    if verb.needs_reason and not reason:
        example = f'{command} {verb.name} {subject or "POOL"} reason="p99 doubled"'
        raise UsageError(f"`{verb.name}` needs a reason.", hint=f"Say why, as in `{example}`.")
    return Command(verb=verb.name, subject=subject, where=where, reason=reason, left_out=left_out)


def _where(keys: dict[str, str]) -> Where:
    """Take out of the keys what they say of the route."""
    where = Where.of(keys.pop("route", ""), keys.pop("namespace", ""))
    for key, name in (("route", where.route), ("namespace", where.namespace)):
        if name:
            read_name(key, name)
    return where


def _subject(verb: Verb, text: Sequence[Word]) -> int | None:
    """Say which word is the pool: the first one without a key, if it has the shape of a name.

    If it may also be the first word of a reason, the lookup decides, which knows the pools.
    """
    at = next((index for index, word in enumerate(text) if not (word.key and word.quoted)), None)
    if at is None or text[at].key:
        return None
    if has_secret(text[at].value):
        return None
    if is_name(text[at].value):
        return at
    if not verb.takes_any_word and (meant := lookalike(text[at].value)):
        raise UsageError(f"{shown(text[at].raw)} is not a pool's name.", hint=f"Did you mean `{meant}`?")
    return None


# --- words with and without keys -------------------------------------------------------------------------------


@dataclass(slots=True)
class _Said:
    """The words after a verb. An order's reason stays among the bare words, in its place."""

    bare: list[Word] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)


def _sort(verb: Verb, rest: Sequence[Word], command: str) -> _Said:
    said, line = _Said(), iter(rest)
    for word in line:
        key = word.key or word.flag
        if key and key not in verb.keys:
            _refuse_key(verb, key, command)
            key = ""
        if not key:
            said.bare.append(_plain(word) if word.key else word)
            continue
        value = _value(key, word, line)
        if key == "reason" and verb.kind is Kind.ORDER:
            _require_value(verb, key, value)
            said.bare.append(value)
        elif verb.is_brake:
            _take_name(said, key, word, value)
        else:
            _require_value(verb, key, value)
            if key in said.keys:
                raise UsageError(f"`{key}` is there twice.", hint="Leave one of them out.")
            said.keys[key] = value.value
    return said


def _plain(word: Word) -> Word:
    return Word(raw=word.raw, value=word.raw)


def _take_name(said: _Said, key: str, word: Word, value: Word) -> None:
    """Take a brake's pool, route or namespace, however it is spelled; what cannot be one, or a second one, joins the
    reason.
    """
    name = _spelled_name(key, value.value)
    if name and not has_secret(name) and key not in said.keys:
        said.keys[key] = name
    elif value.value:
        said.bare.append(_plain(word) if word.key else value)


def _spelled_name(key: str, text: str) -> str:
    """Return the name in a word, a route's with the namespace before it; empty if there is none, as in a path."""
    if is_name(text):
        return text
    if key != "route" or "/" not in text:
        return bare_name(text)
    names = [bare_name(part) for part in text.split("/")]
    return "/".join(names) if len(names) == 2 and all(names) else ""


def _require_value(verb: Verb, key: str, value: Word) -> None:
    if not value.value and not verb.is_brake:
        raise UsageError(f"`{key}` has no value.", hint=f"Write it as `{key}=…`, without a space.")


def _value(key: str, word: Word, line: Iterator[Word]) -> Word:
    given = next(line, None) if word.flag else word
    text = given.value if given else ""
    while key in _LISTS and text.endswith(",") and (more := next(line, None)):
        text += more.value  # steps=10, 25, 50
    return Word(raw=text, value=text, key=key, quoted=given is not None and given.quoted)


def _refuse_key(verb: Verb, key: str, command: str) -> None:
    """Raise UsageError, unless the word is part of a reason, as in ``rollback p99=3s``."""
    near = _MEANT_KEY.get(key, "") or next(iter(likely_meant(key, verb.keys)), "")
    near = near if near in verb.keys else ""
    if verb.kind is Kind.ORDER and (verb.is_brake or not near):
        return
    sentence = f"{shown(key)} is not a key of `{verb.name}`."
    raise UsageError(sentence, hint=f"Did you mean `{near}`?") if near else _usage(verb, sentence, command)

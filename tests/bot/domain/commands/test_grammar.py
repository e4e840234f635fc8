"""The grammar of `/rollout`, as tables: what is typed, what is understood, and every sentence that refuses."""

from datetime import timedelta

import pytest

from bot.domain.commands.grammar import parse, parse_words
from bot.domain.commands.request import Command, StartWords
from bot.domain.commands.tokens import arguments
from bot.domain.errors import UsageError
from bot.domain.plan import ALL_STEPS, Wishes
from bot.domain.verbs.declaration import Kind
from bot.domain.verbs.registry import verbs

POOL = "vllm-llama3-8b-instruct-new"
START_USAGE = (
    "Usage: `/rollout start POOL WEIGHT [from=POOL route=NAME namespace=NAME rule=NAME mirror=10 steps=10,25,50,100 "
    'every=10m bake=30m approve=50,100|all|none reason="…"]`.'
)
TOO_MANY = f'is one word too many; write a reason as `reason="…"`. {START_USAGE}'
STEPS_HINT = "Write it like `steps=10,25,50,100`."
MARKS_HINT = "Write it like `approve=50,100`, `approve=all` or `approve=none`."
NOT_A_WEIGHT = f"is not a weight: give a whole number of percent from 1 to 100, as in `/rollout start {POOL} 10`."
SWAP_THEM = f"The pool comes first, then the weight: type `/rollout start {POOL} 10`."
NOT_A_NAME = "names have lower-case letters, digits, `-` and `.`"


def a_start(weight: int = 10, *, reason: str = "", stable: str = "", wishes: Wishes | None = None) -> Command:
    words = StartWords(weight=weight, stable=stable, wishes=wishes or Wishes())
    return Command(verb="start", subject=POOL, reason=reason, start=words)


def an_order(verb: str, subject: str = "", reason: str = "") -> Command:
    return Command(verb=verb, subject=subject, reason=reason)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (f"start {POOL} 10", a_start()),
        (f"Start {POOL} 10%", a_start()),
        (f"start {POOL} 10 %", a_start()),
        (f"start\u00a0{POOL}\u202f100", a_start(100)),
        (f"start `{POOL}` 1", a_start(1)),
        (f"start pool={POOL} weight=10", a_start()),
        (f"/rollout start {POOL} 10", a_start()),
        (f"start \u2068{POOL}\u2069 10", a_start()),
        (f"start {POOL} 10 from=old", a_start(stable="old")),
        (f"start {POOL} 10 --from old", a_start(stable="old")),
        (f"start {POOL} 10 —from old", a_start(stable="old")),
        (f"start {POOL} 10 –From=old", a_start(stable="old")),
        (f"start --from=old {POOL} 10", a_start(stable="old")),
        (f"start {POOL} 10 mirror=20", a_start(wishes=Wishes(mirror=20))),
        (f"start {POOL} 10 --mirror 20%", a_start(wishes=Wishes(mirror=20))),
        (f"start {POOL} 10 steps=10,25,50", a_start(wishes=Wishes(steps=(10, 25, 50)))),
        (f"start {POOL} 10 steps=10, 25%, 50", a_start(wishes=Wishes(steps=(10, 25, 50)))),
        (f"start {POOL} 10 steps=“10, 25, 50”", a_start(wishes=Wishes(steps=(10, 25, 50)))),
        (f"start {POOL} 10 every=90s", a_start(wishes=Wishes(interval=timedelta(seconds=90)))),
        (f"start {POOL} 10 --bake 2h", a_start(wishes=Wishes(bake=timedelta(hours=2)))),
        (f"start {POOL} 10 approve=100,50", a_start(wishes=Wishes(approve_at=(50, 100)))),
        (f"start {POOL} 10 approve=All", a_start(wishes=Wishes(approve_at=ALL_STEPS))),
        (f"start {POOL} 10 approve=none", a_start(wishes=Wishes(approve_at=()))),
        (f'start {POOL} 10 reason="H100 nodes"', a_start(reason="H100 nodes")),
        (f"start {POOL} 10 reason=“H100 nodes”", a_start(reason="H100 nodes")),
        (f"start {POOL} 10 reason=„H100 nodes“", a_start(reason="H100 nodes")),
        (f"start {POOL} 10 reason=«H100 nodes»", a_start(reason="H100 nodes")),
        (f"start {POOL} 10 reason=‘don’t wait’", a_start(reason="don’t wait")),
        (f"start {POOL} 10 reason='don't wait'", a_start(reason="don't wait")),
        (f'start {POOL} 10 reason="never closed', a_start(reason="never closed")),
        (f'start {POOL} 10 reason="for <@U1|bob> in <#C1|llm>"', a_start(reason="for @bob in #llm")),
        (f'start {POOL} 10 reason="for <@U1> in <#C98|>"', a_start(reason="for @U1 in #C98")),
    ],
)
def test_a_start_is_understood(text: str, command: Command) -> None:
    assert parse(text) == command


def test_all_words_of_a_start() -> None:
    text = f"start {POOL} 5 from=old route=llm-route namespace=models rule=chat"
    words = StartWords(weight=5, stable="old", route="llm-route", namespace="models", rule="chat")
    assert parse(text) == Command(verb="start", subject=POOL, start=words)


def test_a_pool_with_dots_that_slack_made_a_link_of() -> None:
    assert parse("start <http://pool.example.com|pool.example.com> 10").subject == "pool.example.com"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("", an_order("help")),
        ("  \u00a0 ", an_order("help")),
        ("help", an_order("help")),
        ("Help start", an_order("help")),
        ("--help", an_order("help")),
        ("—help", an_order("help")),
        ("?", an_order("help")),
        ("rollback --help", an_order("help")),
        ("rollback -h", an_order("help")),
        ("status", an_order("status")),
        (f"STATUS {POOL}", an_order("status", POOL)),
        (f"why pool={POOL}", an_order("why", POOL)),
        ("why r-7f3a2c91", an_order("why", "r-7f3a2c91")),
    ],
)
def test_a_question_is_understood(text: str, command: Command) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "subject", "reason"),
    [
        ("Rollback", "", ""),
        ("roll back", "", ""),
        ("Roll-back", "", ""),
        ("roll_back", "", ""),
        (f"rollback {POOL}", POOL, ""),
        ("rollback r-7f3a2c91", "r-7f3a2c91", ""),
        (f"roll back {POOL} p99 doubled", POOL, "p99 doubled"),
        (f"rollback {POOL}\u00a0p99   doubled", POOL, "p99 doubled"),
        ("rollback Latency is bad", "", "Latency is bad"),
        ("rollback 5% errors", "", "5% errors"),
        ('rollback reason="p99 doubled"', "", "p99 doubled"),
        ("rollback reason=p99 doubled", "", "p99 doubled"),
        (f'rollback reason="p99 doubled" {POOL}', POOL, "p99 doubled"),
        (f"rollback {POOL} --reason “p99 doubled”", POOL, "p99 doubled"),
        (f"rollback {POOL} “p99 doubled”", POOL, "p99 doubled"),
        (f"rollback {POOL} the “new” one", POOL, "the “new” one"),
        (f"rollback {POOL} it's slow", POOL, "it's slow"),
        (f"rollback {POOL} — too slow", POOL, "— too slow"),
        (f"rollback {POOL} —too slow", POOL, "—too slow"),
        (f"rollback {POOL} p99=3s errors=5%", POOL, "p99=3s errors=5%"),
        (f"rollback {POOL} reson=slow", POOL, "reson=slow"),
        (f"rollback {POOL} reason=", POOL, ""),
        (f"rollback {POOL} --reason", POOL, ""),
        (f'rollback {POOL} "oops', POOL, "oops"),
        (f"rollback pool={POOL} p99 doubled", POOL, "p99 doubled"),
        ("rollback <@U1|bob> says so", "", "@bob says so"),
        (f"rollback {POOL} a &lt; b &amp;&amp; c &gt; d é — 🚀", POOL, "a < b && c > d é — 🚀"),
        (f"rollback {POOL} &amp;lt; stays", POOL, "&lt; stays"),
        (f"rollback {POOL} a < b", POOL, "a < b"),
        (f"rollback {POOL} see <https://g.io/d?a=1&amp;b=2>", POOL, "see https://g.io/d?a=1&b=2"),
        (f"rollback {POOL} see <https://g.io/d|the graph>", POOL, "see the graph (https://g.io/d)"),
        (f"rollback {POOL} ask <!subteam^S1|@oncall> or <!here>", POOL, "ask @oncall or @here"),
        (f"rollback {POOL} mail <mailto:a@b.io|a@b.io>", POOL, "mail a@b.io"),
    ],
)
def test_a_roll_back_is_understood(text: str, subject: str, reason: str) -> None:
    assert parse(text) == an_order("rollback", subject, reason)


ODD = {
    "rollback OOM-kills everywhere": ("", "OOM-kills everywhere"),
    "rollback Vllm-New": ("", "Vllm-New"),
    "Rollback! now": ("now", ""),
    "rollback: it is slow": ("it", "is slow"),
    "`rollback` it": ("it", ""),
    "rollback pool=Vllm-New slow": ("vllm-new", "slow"),
    "rollback --pool Vllm-New slow": ("vllm-new", "slow"),
    "rollback pool=vllm_new slow": ("", "pool=vllm_new slow"),
    f"rollback pool={POOL} pool=other": (POOL, "pool=other"),
    f"rollback {POOL} pool=": (POOL, ""),
    f"rollback {POOL} --pool": (POOL, ""),
    f"rollback {POOL} name=models --rule x": (POOL, "name=models --rule x"),
    f"rollback {POOL} route=/v1/chat is slow": (POOL, "route=/v1/chat is slow"),
    f"rollback {POOL} route= --namespace": (POOL, ""),
    f"rollback {POOL} other-new": (POOL, "other-new"),
    "rollback 🔥🔥": ("", "🔥🔥"),
    "rollback :fire:": ("", ":fire:"),
    "rollback <@U1|bob>": ("", "@bob"),
    'rollback ""': ("", ""),
    f'rollback "{POOL}"\n"first line\nsecond"': (POOL, "first line second"),
    "rollback = ==": ("", "= =="),
}


@pytest.mark.parametrize("verb", ["rollback", "pause"])
@pytest.mark.parametrize(("text", "meant"), ODD.items(), ids=ODD)
def test_a_brake_is_not_refused_for_its_spelling(verb: str, text: str, meant: tuple[str, str]) -> None:
    command = parse(text.replace("rollback", verb).replace("Rollback", verb.capitalize()))
    assert command == an_order(verb, *meant)


@pytest.mark.parametrize("verb", [verb.name for verb in verbs() if verb.kind is Kind.ORDER])
def test_every_order_takes_a_pool_and_a_reason(verb: str) -> None:
    assert parse(f"{verb} {POOL} looks right") == an_order(verb, POOL, "looks right")


@pytest.mark.parametrize("text", [f"rollback {POOL} ", f"advance {POOL} ", f"start {POOL} 10 reason="])
def test_a_reason_that_is_too_long_is_cut(text: str) -> None:
    command = parse(f"{text}{'🔥' * 8000}")
    assert (command.subject, command.reason, command.left_out) == (POOL, f"{'🔥' * 2999}…", 5001)


def test_a_reason_may_have_3000_characters_of_any_kind() -> None:
    reason = ("a&<>é—🚀" * 500)[:3000].replace(" ", "x")
    typed = reason.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert parse(f"pause {POOL} “{typed}”").reason == reason


REFUSED = [
    (f"start {POOL} 0", f"`0` {NOT_A_WEIGHT}"),
    (f"start {POOL} 101", f"`101` {NOT_A_WEIGHT}"),
    (f"start {POOL} 1.5", f"`1.5` {NOT_A_WEIGHT}"),
    (f"start {POOL} ten", f"`ten` {NOT_A_WEIGHT}"),
    (f"start {POOL} ٣", f"`٣` {NOT_A_WEIGHT}"),
    (f"start {POOL} １０", f"`１０` {NOT_A_WEIGHT}"),
    (f"start {POOL} -5", f"`-5` {NOT_A_WEIGHT}"),
    (f"start {POOL} 10%%", f"`10%%` {NOT_A_WEIGHT}"),
    (f"start 10 {POOL}", SWAP_THEM),
    (f"start 10% {POOL}", SWAP_THEM),
    (f"start 10 % {POOL}", SWAP_THEM),
    (f"start 10 {POOL} every=5m", SWAP_THEM),
    (f"start pool=10 weight={POOL}", SWAP_THEM),
    (
        "start 10 Vllm-New",
        f"`Vllm-New` is not a name for `pool`: {NOT_A_NAME}. Did you mean `vllm-new`?",
    ),
    ("start", f"`start` needs a pool and a weight. {START_USAGE}"),
    (f"start {POOL}", f"`start` needs a weight: type `/rollout start {POOL} 10`."),
    ("start 10 %", f"`start` needs a pool. {START_USAGE}"),
    ("start vllm_new", f"`vllm_new` is not a name for `pool`: {NOT_A_NAME}. See `kubectl get` for it."),
    (f"start {POOL} 10 20", f"`20` {TOO_MANY}"),
    (f"start {POOL} 10 reason=H100 nodes", f"`nodes` {TOO_MANY}"),
    (f'start {POOL} 10 "H100 nodes"', f"`H100 nodes` {TOO_MANY}"),
    (f"start {POOL} 10 every 5m", "`every 5m` lacks a `=`. Write `every=5m`."),
    ("start Vllm-New 10", f"`Vllm-New` is not a name for `pool`: {NOT_A_NAME}. Did you mean `vllm-new`?"),
    ("start vllm_new 10", f"`vllm_new` is not a name for `pool`: {NOT_A_NAME}. See `kubectl get` for it."),
    (
        f"start {'a' * 254} 10",
        f"`{'a' * 59}…` is not a name for `pool`: {NOT_A_NAME}, and at most 253 characters. See `kubectl get` for it.",
    ),
    (f"start {POOL} 10 route=LLM", f"`LLM` is not a name for `route`: {NOT_A_NAME}. Did you mean `llm`?"),
    (f"start {POOL} 10 evry=5m", "`evry` is not a key of `start`. Did you mean `every`?"),
    (f"start {POOL} 10 —nmespace x", "`nmespace` is not a key of `start`. Did you mean `namespace`?"),
    (f"start {POOL} 10 -n x", "`n` is not a key of `start`. Did you mean `namespace`?"),
    (f"start {POOL} 10 colour=red", f"`colour` is not a key of `start`. {START_USAGE}"),
    (f"start {POOL} 10 every=", "`every` has no value. Write it as `every=…`, without a space."),
    (f"start {POOL} 10 --every", "`every` has no value. Write it as `every=…`, without a space."),
    (f"start {POOL} 10 every=1m every=2m", "`every` is there twice. Leave one of them out."),
    (
        f"start {POOL} 10 every=soon",
        "`every=soon` is not a duration. Write it like `every=90s`, `10m`, `2h` or `1d`.",
    ),
    (f"start {POOL} 10 bake=31d", "`bake=31d` is out of range. Choose between `1s` and `30d`."),
    (
        f"start {POOL} 10 mirror=0",
        "`0` in `mirror` is not a whole number of percent from 1 to 100. Write it like `mirror=10`.",
    ),
    (f"start {POOL} 10 steps=10,10", f"`steps` must rise, but 10 follows 10. {STEPS_HINT}"),
    (f"start {POOL} 10 steps=50,25", f"`steps` must rise, but 25 follows 50. {STEPS_HINT}"),
    (f"start {POOL} 10 steps=10,x", f"`x` in `steps` is not a whole number of percent from 1 to 100. {STEPS_HINT}"),
    (f"start {POOL} 10 steps=0,5", f"`0` in `steps` is not a whole number of percent from 1 to 100. {STEPS_HINT}"),
    (f"start {POOL} 10 steps=5,,9", f"`5,,9` in `steps` is not a whole number of percent from 1 to 100. {STEPS_HINT}"),
    (
        f"start {POOL} 10 approve=maybe",
        f"`maybe` in `approve` is not a whole number of percent from 1 to 100. {MARKS_HINT}",
    ),
    ("status one two", "`two` is one word too many. Usage: `/rollout status [POOL]`."),
    ("why One-Pool", f"`One-Pool` is not a name for `pool`: {NOT_A_NAME}. Did you mean `one-pool`?"),
    ("status reason=x", "`reason` is not a key of `status`. Usage: `/rollout status [POOL]`."),
    ("stauts", "`stauts` is not a verb of `/rollout`. Did you mean `status`?"),
    ("aprove x", "`aprove` is not a verb of `/rollout`. Did you mean `approve`?"),
    ("abort", "`abort` is not a verb of `/rollout`. Did you mean `rollback`?"),
    ("Undo", "`Undo` is not a verb of `/rollout`. Did you mean `rollback`?"),
    ("stop", "`stop` is not a verb of `/rollout`. Did you mean `pause` or `rollback`?"),
    ("continue", "`continue` is not a verb of `/rollout`. Did you mean `resume`?"),
    ("xyzzy `rm`", "`xyzzy` is not a verb of `/rollout`. Say `/rollout help` for the list."),
    ("advance Vllm-New", "`Vllm-New` is not a pool's name. Did you mean `vllm-new`?"),
    ("advance vllm-new: slow", "`vllm-new:` is not a pool's name. Did you mean `vllm-new`?"),
    ("promote default/vllm-new", "`default/vllm-new` is not a pool's name. Did you mean `vllm-new`?"),
    ("approve reson=fine", "`reson` is not a key of `approve`. Did you mean `reason`?"),
    ("approve --reason", "`reason` has no value. Write it as `reason=…`, without a space."),
    ("reject", '`reject` needs a reason. Say why, as in `/rollout reject POOL reason="p99 doubled"`.'),
    (f"reject {POOL}", f'`reject` needs a reason. Say why, as in `/rollout reject {POOL} reason="p99 doubled"`.'),
]


@pytest.mark.parametrize(("text", "sentence"), REFUSED)
def test_what_is_wrong_gets_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse(text)
    assert str(refusal.value) == sentence


def test_sentences_name_the_command_of_this_workspace() -> None:
    with pytest.raises(UsageError) as refusal:
        parse("foo", command="/llm")
    assert str(refusal.value) == "`foo` is not a verb of `/llm`. Say `/llm help` for the list."


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["start", POOL, "10", "reason=H100 nodes"], a_start(reason="H100 nodes")),
        (["start", POOL, "10", "--reason", 'it\'s "new" &amp; <@U1|x>'], a_start(reason='it\'s "new" &amp; <@U1|x>')),
        (["start", "--weight", "10", f"pool={POOL}", "--from=old"], a_start(stable="old")),
        (["rollback", POOL, '"p99', "doubled"], an_order("rollback", POOL, '"p99 doubled')),
        (["rollback", "p99 doubled"], an_order("rollback", "", "p99 doubled")),
        (["rollback", POOL, "p99=3 s"], an_order("rollback", POOL, "p99=3 s")),
        (["rollback", "", "--", "\x1b[31mp99"], an_order("rollback", "", "-- [31mp99")),
        (["roll", "back", POOL], an_order("rollback", POOL)),
        (["pause", "-h"], Command(verb="help")),
    ],
)
def test_words_that_a_shell_has_cut_are_taken_as_they_are(words: list[str], command: Command) -> None:
    assert parse_words(arguments(words), command="rolloutbot") == command


@pytest.mark.parametrize(("typed", "verb"), [("stat", "status"), ("Stat", "status"), ("statu", "status")])
def test_the_beginning_of_a_question_is_enough(typed: str, verb: str) -> None:
    assert parse(typed) == Command(verb=verb)
    assert parse(f"{typed} {POOL}") == Command(verb=verb, subject=POOL)


@pytest.mark.parametrize("typed", ["st", "roll", "rollb", "pau", "sta"])
def test_the_beginning_of_an_order_is_not(typed: str) -> None:
    with pytest.raises(UsageError, match="is not a verb of `/rollout`"):
        parse(typed)

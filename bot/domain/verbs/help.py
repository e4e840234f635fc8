"""`help`: every verb that exists, as it is typed, and the gates."""

from collections.abc import Mapping, Sequence

from bot.domain.commands.request import HELP as NAME
from bot.domain.prose import Code, Prose, joined, say, sentence
from bot.domain.verbs.asking import Asking, Reply
from bot.domain.verbs.declaration import Kind, Verb


def _answer(asking: Asking) -> Reply:
    return Reply(said=help_text(asking.verbs, asking.sources.gates.about, asking.program))


def help_text(
    groups: Sequence[Sequence[Verb]],
    gates: Mapping[str, str],
    program: str,
    *,
    checked: str = "Checked before every step up:",
) -> Prose:
    """List verbs as they are typed behind ``program``, and what each gate checks, below ``checked``."""
    listed = [joined("\n", (_told(verb, program) for verb in group)) for group in groups]
    closing = _closing([verb for group in groups for verb in group], program)
    return joined("\n\n", [*listed, closing, _gates(gates, checked)])


def _gates(gates: Mapping[str, str], checked: str) -> Prose:
    """List gates; empty if there are none."""
    listed = [say("`{}`: {}", name, about) for name, about in gates.items()]
    return joined("\n", [say("{}", checked), *listed]) if listed else Prose()


def _told(verb: Verb, program: str) -> Prose:
    return say("{}\n{}", Code(verb.line(program, options=False)), sentence(verb.help))


def _closing(verbs: Sequence[Verb], program: str) -> Prose:
    pool = say("POOL is the new pool's name, a rollout's id, or nothing if the channel has one rollout.")
    example = say("For example: `{} start vllm-llama3-8b-instruct-new 10`", program)
    also = [say("With `{}` also:\n{}", verb.name, Code(verb.options)) for verb in verbs if verb.options]
    several = say("If a pool has several rollouts, add `route=NAME`, and `namespace=NAME` if that is not enough.")
    return joined("\n", [pool, several, example, *also])


HELP = Verb(name=NAME, kind=Kind.QUESTION, help="show this list", spellings=("?",), answer=_answer)

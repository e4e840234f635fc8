"""`help`: every verb that exists, as it is typed."""

from collections.abc import Sequence

from bot.domain.commands.request import HELP as NAME
from bot.domain.prose import Code, Prose, joined, say, sentence
from bot.domain.verbs.asking import Asking, Reply
from bot.domain.verbs.declaration import Kind, Verb


def _answer(asking: Asking) -> Reply:
    return Reply(said=help_text(asking.verbs, asking.program))


def help_text(groups: Sequence[Sequence[Verb]], program: str) -> Prose:
    """List verbs as they are typed behind ``program``."""
    listed = [joined("\n", (_told(verb, program) for verb in group)) for group in groups]
    return joined("\n\n", [*listed, _closing([verb for group in groups for verb in group], program)])


def _told(verb: Verb, program: str) -> Prose:
    return say("{}\n{}", Code(verb.line(program, options=False)), sentence(verb.help))


def _closing(verbs: Sequence[Verb], program: str) -> Prose:
    pool = say("POOL is the new pool's name, a rollout's id, or nothing where the channel has one rollout.")
    example = say("For example: `{} start vllm-llama3-8b-instruct-new 10`", program)
    also = [say("With `{}` also:\n{}", verb.name, Code(verb.options)) for verb in verbs if verb.options]
    return joined("\n", [pool, example, *also])


HELP = Verb(name=NAME, kind=Kind.QUESTION, help="show this list", spellings=("?",), answer=_answer)

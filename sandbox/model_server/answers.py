"""What a model server says: the bodies of the OpenAI API, and the words of a model that does not think."""

import json
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]

_TEXT = (
    "the fog rolls over the hills and the bread is warm a queue forms before noon because the broth is clear "
    "rich and slow every table tells its neighbour about the dumplings and nobody leaves hungry"
)
WORDS = _TEXT.split()
DEFAULT_TOKENS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request for a completion that can be answered."""

    model: str
    prompt: str
    tokens: int
    is_chat: bool
    is_stream: bool
    wants_usage: bool

    @property
    def prompt_tokens(self) -> int:
        """Return how many tokens the prompt has: one for each word."""
        return max(1, len(self.prompt.split()))


def question(body: Any, *, default_model: str, is_chat: bool) -> Question:
    """Read a request. Raises ValueError with the words for whoever sent it."""
    if not isinstance(body, dict):
        raise ValueError("The body is not a JSON object.")
    tokens = body.get("max_tokens") or body.get("max_completion_tokens") or DEFAULT_TOKENS
    if not isinstance(tokens, int) or not 1 <= tokens <= 8192:
        raise ValueError("max_tokens is a number from 1 to 8192.")
    options = body.get("stream_options") or {}
    return Question(
        model=str(body.get("model") or default_model),
        prompt=_chat_text(body.get("messages")) if is_chat else str(body.get("prompt", "")),
        tokens=tokens,
        is_chat=is_chat,
        is_stream=bool(body.get("stream")),
        wants_usage=isinstance(options, dict) and bool(options.get("include_usage")),
    )


def _chat_text(messages: Any) -> str:
    if not isinstance(messages, list) or not messages:
        raise ValueError("messages is a list of at least one message.")
    return " ".join(str(message.get("content", "")) for message in messages if isinstance(message, dict))


def words_of(asked: Question, voice: str) -> Sequence[str]:
    """Return the words of the answer, always the same ones for the same model, prompt and voice."""
    chance = random.Random(f"{voice} {asked.model} {asked.prompt}")
    return [f" {chance.choice(WORDS)}" for _ in range(asked.tokens)]


def whole(asked: Question, identity: str, words: Sequence[str]) -> Body:
    """Return the body of an answer in one piece."""
    text = "".join(words)
    kind = "chat.completion" if asked.is_chat else "text_completion"
    said: Body = {"message": {"role": "assistant", "content": text}} if asked.is_chat else {"text": text}
    choice = {"index": 0, **said, "finish_reason": "length"}
    return {**_head(asked, identity, kind), "choices": [choice], "usage": _usage(asked)}


def pieces(asked: Question, identity: str, words: Sequence[str]) -> Iterable[bytes]:
    """Yield the events of a streamed answer, one for each word, then the end."""
    kind = "chat.completion.chunk" if asked.is_chat else "text_completion"
    for number, word in enumerate(words, 1):
        said: Body = {"delta": {"content": word}} if asked.is_chat else {"text": word}
        reason = "length" if number == len(words) else None
        yield _event({**_head(asked, identity, kind), "choices": [{"index": 0, **said, "finish_reason": reason}]})
    if asked.wants_usage:
        yield _event({**_head(asked, identity, kind), "choices": [], "usage": _usage(asked)})
    yield b"data: [DONE]\n\n"


def models(names: Iterable[str], base: str) -> Body:
    """Return the list of models: the base model, and the adapters on it."""
    return {
        "object": "list",
        "data": [
            {"id": name, "object": "model", "owned_by": "vllm", "root": name, "parent": None if name == base else base}
            for name in names
        ],
    }


def refusal(status: int, message: str) -> Body:
    """Return the body of a refusal, as vLLM writes it."""
    kinds = {400: "BadRequestError", 404: "NotFoundError"}
    kind = kinds.get(status, "InternalServerError")
    return {"error": {"message": message, "type": kind, "param": None, "code": status}}


def _head(asked: Question, identity: str, kind: str) -> Body:
    return {"id": identity, "object": kind, "created": int(time.time()), "model": asked.model}


def _usage(asked: Question) -> Body:
    known = {"prompt_tokens": asked.prompt_tokens, "completion_tokens": asked.tokens}
    return {**known, "total_tokens": sum(known.values())}


def _event(body: Body) -> bytes:
    return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"

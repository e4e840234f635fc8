"""Slack's payloads: what each kind must hold. Bolt and the listeners see that much of a payload, and nothing else."""

import logging
from collections.abc import Mapping
from typing import Annotated, Any, Final, NotRequired

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError
from slack_bolt import App, BoltRequest, BoltResponse
from typing_extensions import TypedDict

log = logging.getLogger(__name__)

Id = Annotated[str, StringConstraints(pattern=r"\A[A-Za-z0-9_-]{1,64}\z")]
"""Of a person, a channel or a team."""

Mark = Annotated[str, StringConstraints(pattern=r"\A[\x21-\x7e]{1,255}\z")]
"""A trigger, a time, or the name of a block or an action."""

Words = Annotated[str, StringConstraints(max_length=100_000)]


class MalformedError(Exception):
    """A payload that no listener could read; its text holds nothing of the payload's."""


class _Known(TypedDict):
    id: Id


class _Command(TypedDict):
    command: Words
    user_id: Id
    channel_id: Id
    trigger_id: Mark
    text: NotRequired[Words]
    channel_name: NotRequired[Words]
    response_url: NotRequired[Words]


class _Channel(TypedDict):
    id: Id
    name: NotRequired[Words | None]


class _Container(TypedDict):
    channel_id: NotRequired[Id | None]
    message_ts: NotRequired[Mark | None]


class _Action(TypedDict):
    type: Mark
    action_id: Mark
    block_id: NotRequired[Words]
    value: NotRequired[Words | None]
    action_ts: NotRequired[Mark]
    selected_option: NotRequired[dict[str, Any] | None]


class _Click(TypedDict):
    type: Mark
    user: _Known
    actions: Annotated[list[_Action], Field(min_length=1, max_length=25)]
    channel: NotRequired[_Channel | None]
    container: NotRequired[_Container | None]
    trigger_id: NotRequired[Mark | None]
    response_url: NotRequired[Words | None]


class _View(TypedDict):
    id: NotRequired[Mark | None]
    type: Mark
    callback_id: Words
    private_metadata: NotRequired[Words | None]
    state: NotRequired[Any]
    blocks: NotRequired[Any]


class _Submission(TypedDict):
    type: Mark
    user: _Known
    view: _View


class _AboutHome(TypedDict):
    type: Mark
    user: Id
    tab: NotRequired[Mark]


class _Event(TypedDict):
    type: Mark
    event: _AboutHome


class _Handshake(TypedDict):
    """How Slack asks whether an address is ours."""

    type: Mark
    challenge: Words


_COMMAND: Final = TypeAdapter(_Command)
_BY_TYPE: Final[Mapping[object, TypeAdapter[Any]]] = {
    "block_actions": TypeAdapter(_Click),
    "view_submission": TypeAdapter(_Submission),
    "event_callback": TypeAdapter(_Event),
    "url_verification": TypeAdapter(_Handshake),
}


def hear(app: App, document: object) -> BoltResponse:
    """Let the app answer a payload that is known to come from Slack. Raises MalformedError."""
    request = BoltRequest(mode="socket_mode", body=read_payload(document))  # the mode: a body that is read
    try:
        answer = app.dispatch(request)
    except (LookupError, TypeError, AttributeError) as error:  # of Bolt's own; it hands ours to our error handler
        log.debug("Bolt broke at a payload.", exc_info=True)
        raise MalformedError(f"Bolt cannot read it ({type(error).__name__})") from error
    if answer.status == 404:
        log.warning("No part of the bot listens to what Slack sent.")
    return answer


def read_payload(document: object) -> dict[str, Any]:
    """Return the known part of a payload. Raises MalformedError."""
    if not isinstance(document, dict):
        raise MalformedError("it is no object")
    kind = document.get("type")
    known = _COMMAND if "command" in document else _BY_TYPE.get(kind) if isinstance(kind, str) else None
    if known is None:
        raise MalformedError("its kind is not known")
    try:
        return dict(known.validate_python(document))
    except (ValidationError, RecursionError) as error:
        raise MalformedError(_fault(error)) from None


def _fault(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))[:80]}: {first['type']}"

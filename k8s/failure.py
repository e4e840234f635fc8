"""The API server's refusals as our errors, in sentences that are safe to show.

Never the body, a token or a URL: a body can hold anything, and messages of webhooks hold addresses.
"""

import json
import re
from typing import Any, Final

import urllib3
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException

from bot.domain.errors import ClusterError, GoneError, NoRoomError, RaceError, RefusedError
from bot.domain.trust import tls_failure
from k8s.messages import redacted

BARE: Final = "the server rejected our request due to an error in our request"
"""The whole message of a 422 when a ``test`` of a JSON Patch failed; there are no causes then."""

THE_BOT: Final = "The bot"
"""Whose rights a request has, unless a person runs the program."""

_FORBIDDEN: Final = re.compile(
    r'cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]+)")?'
)
_GRANT: Final = "Grant it to the bot's ServiceAccount in a Role, as `manifests/kustomize/rights` does."
_GRANT_PERSON: Final = (
    "Ask for that right (a Role like that of `manifests/kustomize/rights` has it), or do it in the bot's pod."
)
_AUTHORITY: Final = "Check `server` and `certificate-authority` in the kubeconfig."
_WEBHOOK: Final = re.compile(r'failed calling webhook "([^"]+)"')


def no_answer(error: Exception, what: str) -> ClusterError:
    """Turn a failure without an answer into our error: nobody listens, nothing comes, or it breaks off."""
    cause = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
    match cause:
        case urllib3.exceptions.SSLError() | ApiException():
            why = tls_failure(cause) or "TLS failed"
            return ClusterError(f"The API server could not be trusted: {why}.", hint=_AUTHORITY, is_stranger=True)
        case urllib3.exceptions.ReadTimeoutError():
            problem = "did not answer in time"
        case urllib3.exceptions.ConnectTimeoutError() | urllib3.exceptions.NewConnectionError():
            problem = "could not be reached"
        case ConfigException() | OSError():  # urllib3 wraps network errors, so this is a token's file
            problem = "cannot be asked: the bot cannot read its credentials"
        case _:
            problem = "broke off its answer"
    return ClusterError(f"The API server {problem} (asked for {what}).")


def failure(
    code: int, body: bytes, what: str, account: str = THE_BOT, *, retry_after: str | None = None
) -> ClusterError:
    """Turn an answer that is not 2xx into our error; ``what`` names the object, ``account`` who asks."""
    status = _status(body)
    message = redacted(status.get("message"))
    if code == 409 or (code == 422 and _is_failed_test(status)):
        return RaceError(f"{_capital(what)} changed since it was read.")
    if code == 429 or code >= 500 or code < 400:
        text = f"The API server answered {code}{_webhook(message)} (asked for {what})."
        return ClusterError(text, retry_after=_seconds(retry_after))
    if code == 401:
        return ClusterError(
            f"The API server does not know {account[:1].lower()}{account[1:]} (401).",
            hint="Check its token or kubeconfig.",
            is_stranger=True,
        )
    if code == 403 and (found := _FORBIDDEN.search(message)):
        return _forbidden(found, account)
    if code == 404:
        return _not_there(status, what)
    refused = NoRoomError if code == 422 and _is_full(status) else RefusedError
    return refused(f"The API server refused {what} ({code}): {message or 'it gave no reason'}")


def _is_failed_test(status: dict[str, Any]) -> bool:
    details = status.get("details") or {}
    return not details.get("causes") and status.get("message") == BARE


def _is_full(status: dict[str, Any]) -> bool:
    """Say whether an object was refused because its annotations are too long together."""
    causes = (status.get("details") or {}).get("causes") or ()
    return any(str(each.get("field")) == "metadata.annotations" for each in causes)


def _seconds(retry_after: str | None) -> float:
    """Read a Retry-After in whole seconds; a date, which the API server never sends, counts as none."""
    return float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else 0.0


def _webhook(message: str) -> str:
    found = _WEBHOOK.search(message)
    return f" because it failed to call the webhook `{found[1]}`" if found else ""


def _forbidden(found: re.Match[str], account: str) -> RefusedError:
    group = f" of {found['group']}" if found["group"] else ""
    where = f"in namespace `{found['namespace']}`" if found["namespace"] else "in the whole cluster"
    return RefusedError(
        f"{account} may not `{found['verb']}` `{found['resource']}`{group} {where}.",
        hint=_GRANT if account == THE_BOT else _GRANT_PERSON,
    )


def _not_there(status: dict[str, Any], what: str) -> RefusedError:
    if status.get("reason") == "NotFound" and (status.get("details") or {}).get("name"):
        return GoneError(f"{_capital(what)} is not there (404).")
    return RefusedError(
        f"The API server does not serve what was asked for with {what} (404).",
        hint="Install the CustomResourceDefinitions of the Gateway API and of InferencePool v1.",
    )


def _status(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _capital(what: str) -> str:
    return what[:1].upper() + what[1:]

"""Why TLS failed, in a few words: OpenSSL's own, without the names and addresses in them."""

import ssl
from collections.abc import Iterator


def tls_failure(error: BaseException) -> str:
    """Say what went wrong with TLS, anywhere below an error; empty if it was something else."""
    for each in _below(error, set()):
        if isinstance(each, ssl.SSLCertVerificationError):
            return each.verify_message.split(",")[0].strip().lower() or "its certificate is not good"
        if isinstance(each, ssl.SSLError) and "WRONG_VERSION_NUMBER" in str(each.reason):
            return "it speaks no TLS at that port"
    return ""


def _below(error: object, seen: set[int]) -> Iterator[BaseException]:
    """Yield an error and those that it was made of: vendors wrap them in several ways."""
    if not isinstance(error, BaseException) or id(error) in seen:
        return
    seen.add(id(error))
    yield error
    for cause in (error.__cause__, error.__context__, getattr(error, "reason", None), *error.args):
        yield from _below(cause, seen)

"""Messages of API servers, webhooks and gateways, made safe to show: they may hold addresses and tokens."""

import re
from typing import Final

from bot.domain.masking import masked
from bot.domain.prose import one_line

LONGEST: Final = 400
READ: Final = 10 * LONGEST
"""Characters in which secrets are looked for. The end of what was cut, which may be half a secret, is not shown."""

_URL: Final = re.compile(r"\b[a-z][a-z0-9+.-]{0,30}://[^\s\"']+", re.IGNORECASE)
_AUTHORIZATION: Final = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)


def redacted(message: object) -> str:
    """Return a message on one line, at most LONGEST characters long, without addresses and tokens.

    Backticks are our own mark for code, so they are removed.
    """
    text = one_line(str(message or "")[:READ].replace("`", "'")).strip()
    text = masked(_AUTHORIZATION.sub("…", _URL.sub("…", text)), "…")
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"

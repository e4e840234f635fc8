"""Where the sandbox keeps things: outside the checkout, in one cache folder for each person."""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
TOOLS = CHECKOUT / "tools"
NPM = CHECKOUT / "sandbox" / "npm"


def cache() -> Path:
    """Return the folder for what is built or installed once."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rolloutbot-sandbox"


def runs() -> Path:
    """Return the folder with one sub-folder per running sandbox."""
    return cache() / "run"

"""Secrets in texts of other people and programs: they are masked before anybody else can read the text.

Each pattern takes time in proportion to the text, whatever is in it.
"""

import re
from typing import Final

_SECRET: Final = re.compile(
    r"""
      \bx(?:ox[a-z](?:\.xox[a-z])?|app)-[\w-]+          # Slack
    | \beyJ[\w-]{10,}(?:\.[\w-]+)*                      # a JWT, such as a ServiceAccount's token
    | \b(?:gh[a-z]_|github_pat_|glpat-|hf_|sk-)[\w-]{16,}   # GitHub, GitLab, Hugging Face, model APIs
    | \bA(?:KI|SI)A[A-Z0-9]{16}\b                       # AWS
    | (?<=hooks\.slack\.com/)[^\s"'<>]+                 # lets anyone answer
    | (?<=://)[^\s/@:]*:[^\s/@]+(?=@)                   # user and password of an address
    | (?<=\bbearer\s)\s*[\w.~+/=-]{8,}
    """,
    re.VERBOSE | re.IGNORECASE,
)


def masked(text: str, mark: str = "***") -> str:
    """Return a text with a mark in the place of each secret."""
    return _SECRET.sub(mark, text)


def has_secret(text: str) -> bool:
    """Say whether there is something to mask in a text."""
    return _SECRET.search(text) is not None

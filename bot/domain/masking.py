"""Secrets in texts of other people and programs: they are masked before anybody else can read the text.

Each pattern takes time in proportion to the text, whatever is in it. A text whose invisible characters will be removed
is masked after that.
"""

import re
from typing import Final

_SECRET: Final = re.compile(
    r"""
      (?:(?<![a-z0-9])|(?<=\\[nrt]))(?:                   # a word begins, also after the line break of a ``repr``
          x(?:ox[a-z](?:\.xox[a-z])?|app|wfp)-[\w%+/=-]+                        # Slack
        | eyJ[\w-]{10,}(?:\.[\w-]+)*                     # a JWT, such as a ServiceAccount's token
        | (?:gh[a-z]_|github_pat_|glpat-)[\w-]{16,}      # GitHub, GitLab
        | (?:hf_|nvapi-|[sr]k[-_]|AIza)[\w-]{16,}        # Hugging Face, NVIDIA, model APIs, Google
        | (?:npm_|pypi-|dckr_pat_)[\w-]{16,}             # registries
        | A(?:KI|SI)A[A-Z0-9]{16}(?![a-z0-9])            # AWS
        | [a-z0-9]{6}\.(?=[a-z]{0,15}[0-9])[a-z0-9]{16}(?![a-z0-9.-])           # kubeadm
      )
    | -----BEGIN\ [A-Z ]{0,40}PRIVATE\ KEY-----[\s\S]*?(?:-----END\ [A-Z ]{0,40}PRIVATE\ KEY-----|\Z)
    | (?:(?<=hooks\.slack\.com/)|(?<=hooks\.slack-gov\.com/))[^\s"'<>]+        # lets anyone answer
    | (?<=://)(?![^\s"'<>/:@]{0,200}+/)(?:[^\s"'<>@]{0,300}+@)*[^\s"'<>@]{1,300}+(?=@)  # user and password
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NAMED: Final = re.compile(
    r"""(?P<name>
        authorization["']?\s{0,4}[:=]\s{0,4}["']?(?:[a-z]{1,20}\s{1,4})?
      | (?<![a-z0-9])bearer[\s:=]{1,4}
      | (?:password|passwd|pwd|secret|token|(?:api|access|secret|private|signing)[_-]?key)["']?=["']?
    )[^\s"'<>&,;]{8,}""",
    re.VERBOSE | re.IGNORECASE,
)
"""What a name calls a secret; the name stays."""


def masked(text: str, mark: str = "***") -> str:
    """Return a text with a mark in the place of each secret."""
    return _NAMED.sub(lambda found: f"{found['name']}{mark}", _SECRET.sub(lambda _: mark, text))


def has_secret(text: str) -> bool:
    """Say whether there is something to mask in a text."""
    return _SECRET.search(text) is not None or _NAMED.search(text) is not None

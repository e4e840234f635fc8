"""Secrets in texts of other people and programs: they are masked before anybody else can read the text.

Each pattern takes time in proportion to the text, whatever is in it. A text whose invisible characters will be removed
is masked after that, and one that will be cut is cut before: what it costs depends on what is read.
"""

import re
from typing import Final

_SECRET: Final = re.compile(
    r"""
      (?:(?<![a-z0-9])|(?<=\\[nrt]))(?:                    # a word begins, also after the line break of a ``repr``
          x(?:ox[a-z](?:\.xox[a-z])?|app|wfp)-[\w%+/=-]+   # Slack
        | eyJ[\w-]{10,}(?:\.[\w-]+)*                       # a JWT, such as a ServiceAccount's token
        | (?:gh[a-z]_|github_pat_|glpat-)[\w-]{16,}        # GitHub, GitLab
        | (?-i:hf_|nvapi-|[sr]k[-_]|AIza|npm_|pypi-|dckr_pat_)     # models, Google, registries;
          (?=[\w-]{0,100}?(?-i:[A-Z])|[\w-]{0,40}?[a-z0-9]{16})    # no name of a pool or a package
          [\w-]{16,}
        | A(?:KI|SI)A[A-Z0-9]{16}(?![a-z0-9])              # AWS
        | [a-z0-9]{6}\.(?=[a-z]{0,15}[0-9])[a-z0-9]{16}(?![a-z0-9.-])      # kubeadm
      )
    | -----BEGIN\ [A-Z ]{0,40}PRIVATE\ KEY-----[\s\S]*?(?:-----END\ [A-Z ]{0,40}PRIVATE\ KEY-----|\Z)
    | (?:(?<=hooks\.slack\.com/)|(?<=hooks\.slack-gov\.com/))[^\s"'<>]+    # lets anyone answer
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NAMED: Final = re.compile(
    r"""(?P<name>
        authorization["']?\s{0,4}[:=]\s{0,4}["']?(?:(?:basic|bearer|digest|negotiate|token)\s{1,4}|(?=[^\s"'<>]{0,60}[0-9]))
      | (?<![a-z0-9])bearer[\s:=]{1,4}
      | (?:password|passwd|pwd|secret|token|(?:api|access|secret|private|signing)[_-]?key)["']?
        (?:=|\s{0,2}:\s{0,2}(?=["']?[^\s"'<>]{0,60}[0-9]))["']?
    )[^\s"'<>&,;]{8,}""",
    re.VERBOSE | re.IGNORECASE,
)
"""What a name calls a secret; the name stays."""

_ADDRESS: Final = re.compile(r"://(?P<rest>[^\s\"'<>]+)")
_HAS_PASSWORD: Final = re.compile(r"[^/@]*@|[^/:@]*:(?![0-9]{1,5}(?:[/?#]|\Z))")
"""How an address with a user begins; what follows the colon of another one is a port."""


def masked(text: str, mark: str = "***") -> str:
    """Return a text with a mark in the place of each secret."""
    for pattern in (_SECRET, _ADDRESS, _NAMED):
        text = pattern.sub(lambda found: _mask(found, mark), text)
    return text


def has_secret(text: str) -> bool:
    """Say whether there is something to mask in a text."""
    return masked(text) != text


def _mask(found: re.Match[str], mark: str) -> str:
    parts = found.groupdict()
    if "rest" in parts:
        return f"://{_without_user(parts['rest'], mark)}"
    return f"{parts.get('name', '')}{mark}"


def _without_user(address: str, mark: str) -> str:
    """Mask user and password of an address: up to the last ``@``, because a password may hold one."""
    user, at, rest = address.rpartition("@")
    return f"{mark}@{rest}" if at and user != mark and _HAS_PASSWORD.match(address) else address

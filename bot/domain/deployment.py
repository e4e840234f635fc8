"""A new pool's deployment, drafted from the release of the old one. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from bot.domain.errors import UsageError
from bot.domain.rollout import Pool

DEPLOY: Final = "deploy"
"""The word that people type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployRules:
    """What the policy lets people deploy: where each chart is, by its name, and which values they may change.

    A key that ends in ``.*`` allows every value below it. ``model_servers`` names the Deployment that is copied for the
    new pool, ``{pool}`` in it is the pool's name; empty: the new model servers exist already.
    """

    charts: Mapping[str, str] = field(default_factory=dict)
    settable: tuple[str, ...] = ()
    approval: bool = True
    model_servers: str = ""

    def allows(self, key: str) -> bool:
        """Say whether people may change a value."""
        return any(fnmatchcase(key, allowed) for allowed in self.settable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What would be installed.

    ``values`` are the release's own, ``makes`` the kinds and names of its objects, ``manifest`` a digest of all.
    ``differs`` and ``stops`` are sentences: how it differs from the old release, and what forbids it. ``serves`` says
    which model servers the new pool would find. ``servers`` is the Deployment that is made for it; None: none.
    """

    pool: Pool
    old_release: str
    chart: str  # where it is
    version: str
    values: Mapping[str, Any]
    makes: tuple[tuple[str, str], ...]
    manifest: str = ""
    differs: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    serves: str = ""
    servers: Mapping[str, Any] | None = None

    @property
    def digest(self) -> str:
        """Stand for exactly what would be installed, for people to agree to."""
        said = [
            self.pool.namespace,
            self.pool.name,
            self.chart,
            self.version,
            self.values,
            self.makes,
            self.manifest,
            [each for each in self.differs if _REPLICAS not in each],
            _without_replicas(self.servers),
        ]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def changed_values(values: Mapping[str, Any], changes: Mapping[str, str]) -> dict[str, Any]:
    """Return values with some of them set, by dotted keys; a dot in a name is written ``\\.``.

    What is set gets the type of what was there; where nothing was, ``true``, ``false`` and whole numbers are read as
    such. Raises UsageError.
    """
    result: dict[str, Any] = json.loads(json.dumps(values))
    for key, text in changes.items():
        *path, last = (part.replace("\0", ".") for part in key.replace("\\.", "\0").split("."))
        at = result
        for part in path:
            at = at.setdefault(part, {})
            if not isinstance(at, dict):
                raise UsageError(f"`{key}` is not a value of the old release's: `{part}` holds a value itself.")
        at[last] = _typed(key, at.get(last), text)
    return result


def _typed(key: str, before: Any, text: str) -> Any:
    if isinstance(before, dict | list):
        raise UsageError(f"`{key}` holds several values.", hint="Set one of them.")
    if isinstance(before, str):
        return text
    if text in ("true", "false"):
        return text == "true"
    if text.lstrip("-").isdecimal() and text.isascii():
        return int(text)
    if isinstance(before, bool | int):
        raise UsageError(f"`{key}` is `{json.dumps(before)}` now, so it cannot be `{text}`.")
    return text


_REPLICAS: Final = "spec.replicas"


def _without_replicas(servers: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Leave out how many there are, which an autoscaler of the old ones may change at any moment."""
    if servers is None:
        return None
    return {**servers, "spec": {key: value for key, value in servers["spec"].items() if key != "replicas"}}


SERVERS: Final = "servers."
"""How the keys of changes begin that are about the model servers."""


def apart(changes: Mapping[str, str]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the changes of the chart's values, and those of the model servers."""
    servers = {key.removeprefix(SERVERS): value for key, value in changes.items() if key.startswith(SERVERS)}
    return {key: value for key, value in changes.items() if not key.startswith(SERVERS)}, servers


def renamed(values: Any, old: str, new: str) -> Any:
    """Return values in which the labels of the model servers that have the old pool's name have the new one's."""
    labels = ((values.get("inferencePool") or {}).get("modelServers") or {}).get("matchLabels")
    if not isinstance(labels, dict):
        return values
    changed = {key: new if value == old else value for key, value in labels.items()}
    servers = {**values["inferencePool"]["modelServers"], "matchLabels": changed}
    return {**values, "inferencePool": {**values["inferencePool"], "modelServers": servers}}

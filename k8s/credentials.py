"""The token of a kubeconfig, which we read again when the API server no longer accepts it.

The vendor's client reads a pod's token again once a minute, and runs a plugin again when its token expires. But a token
in a kubeconfig, or in a file beside it, it reads only once.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

import yaml
from kubernetes.client import Configuration
from kubernetes.config import ConfigException

TOKEN: Final = "BearerToken"
READ_AGAIN_SECONDS: Final = 10.0
UNUSABLE: Final = (ConfigException, OSError, yaml.YAMLError, AttributeError, TypeError)
"""The errors of a malformed kubeconfig: the vendor checks little."""


class Credentials:
    """The hook that the vendor's client calls before each request; ``read`` reads the kubeconfig."""

    def __init__(self, source: Configuration, read: Callable[[], Configuration]) -> None:
        self._source = source
        self._read = read
        self._lock = threading.Lock()
        self._doubted = False
        self._read_at = -READ_AGAIN_SECONDS

    def doubt(self) -> None:
        """Read the kubeconfig again before the next request, but not more often than every few seconds."""
        self._doubted = True

    def __call__(self, configuration: Configuration) -> None:
        """Give a configuration the current token. Raises ConfigException."""
        with self._lock:
            if self._doubted and time.monotonic() - self._read_at >= READ_AGAIN_SECONDS:
                self._read_at, self._doubted = time.monotonic(), False
                self._source = self._read_again()
        token = self._source.get_api_key_with_prefix(TOKEN)
        if token:
            configuration.api_key[TOKEN] = token.strip()

    def _read_again(self) -> Configuration:
        try:
            return self._read()
        except UNUSABLE as error:
            raise ConfigException("I could not read the kubeconfig again.") from error


def doubt(configuration: Configuration) -> None:
    """Say that the API server did not know the token."""
    hook: object = configuration.refresh_api_key_hook
    if isinstance(hook, Credentials):
        hook.doubt()

"""One connection to the Kubernetes API server: from a kubeconfig or the pod's own files, with deadlines."""

import copy
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient, Configuration, rest

from bot.domain.errors import ClusterError
from k8s import tls
from k8s.credentials import UNUSABLE, Credentials
from k8s.document import FIELD_MANAGER
from k8s.failure import THE_BOT

log = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 2.0
READ_SECONDS: Final = 5.0
CONNECTIONS: Final = 40

_POD_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class ExactBodies(rest.RESTClientObject):
    """Sends bytes as they are. The vendor's client encodes every JSON body itself, in other bytes than the server."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        tls.check_as_kubectl(self.pool_manager)

    def request(
        self,
        method: str,
        url: str,
        headers: dict[str, str] | None = None,
        body: object = None,
        post_params: object = None,
        _request_timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
    ) -> Any:
        """Send a request."""
        if not isinstance(body, bytes):
            return super().request(method, url, headers, body, post_params, _request_timeout)  # type: ignore[no-untyped-call]
        connect, read = _request_timeout
        timeout = urllib3.Timeout(connect=connect, read=read)
        pool = self.pool_manager
        return rest.RESTResponse(
            pool.request(method, url, body=body, headers=headers, timeout=timeout, preload_content=False)
        )


class TimeoutClient(ApiClient):
    """The vendor's client waits for ever unless every call says otherwise; this one has its own timeout."""

    timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS)
    account: str = THE_BOT

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self.rest_client = ExactBodies(configuration)

    def call_api(self, *arguments: Any, **options: Any) -> Any:
        """Send a request; if it has no timeout, it gets ours."""
        options["_request_timeout"] = options.get("_request_timeout") or self.timeout
        return super().call_api(*arguments, **options)


@dataclass(frozen=True, slots=True)
class Connection:
    """A client, and its home namespace: the kubeconfig context's, or the pod's."""

    api: ApiClient
    namespace: str


def connect(kubeconfig: str | Path | None = None, *, context: str | None = None, account: str = THE_BOT) -> Connection:
    """Connect with the kubeconfig that is named, here or in ``KUBECONFIG``, else as the pod we run in, else with the
    default kubeconfig. ``account`` is who is named where a right is missing; in a pod it is the bot all the same.

    Nothing is sent yet. Raises ClusterError if the configuration cannot be used.
    """
    configuration = Configuration()
    try:
        file = str(kubeconfig or os.environ.get("KUBECONFIG", "")) or None
        in_pod = file is None and "KUBERNETES_SERVICE_HOST" in os.environ
        namespace = _of_pod(configuration) if in_pod else _of_file(configuration, file, context)
    except UNUSABLE as e:
        raise ClusterError(
            "The configuration of the Kubernetes client cannot be used.",
            hint="Name a kubeconfig that works with `kubectl`, or run the bot in a pod with a ServiceAccount.",
        ) from e
    if not configuration.verify_ssl:
        _warn_of_no_check()
    client = client_of(configuration)
    client.account = THE_BOT if in_pod else account
    return Connection(client, namespace)


def client_of(configuration: Configuration) -> TimeoutClient:
    """Make a client that gives up in seconds, never retries by itself, and serves many threads."""
    configuration.retries = urllib3.Retry(0)
    configuration.connection_pool_maxsize = CONNECTIONS
    client = TimeoutClient(configuration)
    client.user_agent = FIELD_MANAGER
    return client


def _warn_of_no_check() -> None:
    """Warn once, where urllib3 would warn at every request."""
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    log.warning(
        "The kubeconfig says `insecure-skip-tls-verify`, so nobody checks that it is the API server who answers. "
        "Name the server's certificate in `certificate-authority` instead."
    )


def _of_pod(configuration: Configuration) -> str:
    config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    return _POD_NAMESPACE.read_text().strip()


def _of_file(configuration: Configuration, file: str | None, context: str | None) -> str:
    def read() -> Configuration:
        config.load_kube_config(file, context, source := Configuration())  # type: ignore[no-untyped-call]
        return source

    config.load_kube_config(file, context, configuration)  # type: ignore[no-untyped-call]
    configuration.refresh_api_key_hook = Credentials(copy.deepcopy(configuration), read)  # type: ignore[assignment]
    contexts, active = config.list_kube_config_contexts(file)  # type: ignore[no-untyped-call]
    chosen = next((each for each in contexts if each["name"] == context), active)
    return chosen["context"].get("namespace") or "default"

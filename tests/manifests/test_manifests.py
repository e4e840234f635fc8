"""The manifests: they parse, they fit together, and the bot gets the least rights it can work with."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.config.policy import Policy
from bot.config.policy_file import PolicyFile, read_policy
from bot.config.policy_values import Section
from bot.config.settings import Settings

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests"
KUSTOMIZE = MANIFESTS / "kustomize"
TRY, CLEAN, DEPLOY = KUSTOMIZE / "try", KUSTOMIZE / "clean", KUSTOMIZE / "deploy"
FILES = sorted(MANIFESTS.rglob("*.yaml"))
POLICIES = sorted(KUSTOMIZE.rglob("policy.yaml"))
KUSTOMIZATIONS = sorted(KUSTOMIZE.rglob("kustomization.yaml"))
SCOPES = [
    "commands",
    "chat:write",
    "users:read",
    "channels:read",
    "groups:read",
    "channels:history",
    "groups:history",
    "files:write",
]
RIGHTS = {
    ("gateway.networking.k8s.io", "httproutes"): {"get", "list", "watch", "patch"},
    ("gateway.networking.k8s.io", "referencegrants"): {"list"},
    ("inference.networking.k8s.io", "inferencepools"): {"get", "list", "watch"},
    ("inference.networking.x-k8s.io", "inferencepools"): {"list"},
    **{
        (group, resource): {"list"}
        for group in ("inference.networking.x-k8s.io", "llm-d.ai")
        for resource in ("inferenceobjectives", "inferencemodelrewrites")
    },
    ("", "pods"): {"list", "watch"},
    ("", "services"): {"get", "list", "watch"},
    ("discovery.k8s.io", "endpointslices"): {"list", "watch"},
    ("autoscaling", "horizontalpodautoscalers"): {"list"},
}


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


@pytest.fixture
def app() -> dict[str, Any]:
    return documents(MANIFESTS / "slack-app.yaml")[0]


@pytest.fixture
def pod() -> dict[str, Any]:
    spec: dict[str, Any] = documents(KUSTOMIZE / "bot" / "deployment.yaml")[0]["spec"]["template"]["spec"]
    return spec


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    only: dict[str, Any]
    (only,) = pod["containers"]
    return only


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_every_manifest_is_yaml(path: Path) -> None:
    assert documents(path)


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=names(KUSTOMIZATIONS))
def test_what_a_kustomization_names_is_there(path: Path) -> None:
    (document,) = documents(path)
    files = [name for generator in document.get("configMapGenerator", []) for name in generator["files"]]
    assert [name for name in [*document["resources"], *files] if not (path.parent / name).exists()] == []


@pytest.mark.parametrize("path", POLICIES, ids=names(POLICIES))
def test_every_policy_can_be_read(path: Path) -> None:
    assert isinstance(read_policy(path, default_namespace="default"), Policy)


# --- Slack -----------------------------------------------------------------------------------------------------


def test_the_app_asks_for_exactly_the_scopes_it_uses(app: dict[str, Any]) -> None:
    assert app["oauth_config"]["scopes"] == {"bot": SCOPES}


def test_the_app_speaks_socket_mode_and_buttons(app: dict[str, Any]) -> None:
    assert app["settings"]["socket_mode_enabled"] is True
    assert app["settings"]["interactivity"]["is_enabled"] is True


def test_the_slash_command_is_the_default_one_and_escapes_names(app: dict[str, Any]) -> None:
    (command,) = app["features"]["slash_commands"]
    assert command["command"] == Policy(namespaces=()).command
    assert command["should_escape"] is True


def test_the_app_fits_slacks_limits(app: dict[str, Any]) -> None:
    assert len(app["display_information"]["name"]) <= 35
    assert len(app["display_information"]["description"]) <= 140


# --- Kubernetes ------------------------------------------------------------------------------------------------


def test_the_role_has_exactly_the_needed_rights() -> None:
    role, binding = documents(KUSTOMIZE / "rights" / "rbac.yaml")
    granted = {
        (group, resource): set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert granted == RIGHTS
    assert sum(len(rule["apiGroups"]) * len(rule["resources"]) for rule in role["rules"]) == len(RIGHTS)
    assert [set(rule) for rule in role["rules"]] == [{"apiGroups", "resources", "verbs"}] * len(role["rules"])
    assert (role["kind"], binding["roleRef"]["kind"]) == ("Role", "Role")


def test_nothing_is_granted_anywhere_else() -> None:
    kinds = [
        document.get("kind", "")
        for path in FILES
        if path.parent not in (TRY, CLEAN, DEPLOY)
        for document in documents(path)
    ]
    assert [kind for kind in kinds if "Role" in kind] == ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]


def test_a_trials_own_route_needs_a_right_that_nothing_else_takes_in() -> None:
    role, binding = documents(TRY / "rbac.yaml")
    assert role["rules"] == [
        {"apiGroups": ["gateway.networking.k8s.io"], "resources": ["httproutes"], "verbs": ["create", "delete"]}
    ]
    assert (binding["kind"], binding["roleRef"]["name"]) == ("RoleBinding", role["metadata"]["name"])
    assert [path for path in KUSTOMIZATIONS if "try" in str(documents(path)[0].get("resources"))] == []


def test_the_rights_to_install_are_taken_in_by_nothing_else() -> None:
    role, binding = documents(DEPLOY / "rbac.yaml")
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} & {"*", "escalate", "bind"} == set()
    assert (binding["kind"], binding["roleRef"]["name"]) == ("RoleBinding", role["metadata"]["name"])
    assert [path for path in KUSTOMIZATIONS if "../deploy" in str(documents(path)[0].get("resources"))] == []


def test_the_rights_to_delete_are_taken_in_by_nothing_else() -> None:
    role, binding = documents(CLEAN / "rbac.yaml")
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list", "update", "create", "delete"}
    updated = [rule["resources"] for rule in role["rules"] if {"update", "create"} & {*rule["verbs"]}]
    assert updated == [["secrets"], ["configmaps"]]
    assert (binding["kind"], binding["roleRef"]["name"]) == ("RoleBinding", role["metadata"]["name"])
    assert [path for path in KUSTOMIZATIONS if "clean" in str(documents(path)[0].get("resources"))] == []


def test_the_container_is_locked_down(pod: dict[str, Any], container: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_two_replicas_with_time_to_stop(pod: dict[str, Any], container: dict[str, Any]) -> None:
    assert documents(KUSTOMIZE / "bot" / "deployment.yaml")[0]["spec"]["replicas"] == 2
    command, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert (command, pod["terminationGracePeriodSeconds"] - int(seconds) > 10) == ("sleep", True)


def test_a_drained_node_takes_one_replica_at_a_time() -> None:
    (budget,) = documents(KUSTOMIZE / "bot" / "poddisruptionbudget.yaml")
    (bot,) = documents(KUSTOMIZE / "bot" / "kustomization.yaml")
    labels = bot["labels"][0]["pairs"]
    assert budget["spec"] == {"maxUnavailable": 1, "selector": {"matchLabels": labels}}


def test_only_slacks_port_is_open_to_the_world_outside_the_cluster(container: dict[str, Any]) -> None:
    (policy,) = documents(KUSTOMIZE / "bot" / "networkpolicy.yaml")
    (bot,) = documents(KUSTOMIZE / "bot" / "kustomization.yaml")
    assert "networkpolicy.yaml" in bot["resources"]
    assert {port["name"] for port in container["ports"]} == {"http", "probes"}
    assert policy["spec"] == {
        "podSelector": {"matchLabels": bot["labels"][0]["pairs"]},
        "policyTypes": ["Ingress"],
        "ingress": [
            {"ports": [{"port": "http"}]},
            {"from": [{"namespaceSelector": {}}], "ports": [{"port": "probes"}]},
        ],
    }


def test_prometheus_is_led_to_the_metrics_of_the_bots_pods(container: dict[str, Any]) -> None:
    (monitor,) = documents(MANIFESTS / "prometheus" / "podmonitor.yaml")
    (bot,) = documents(KUSTOMIZE / "bot" / "kustomization.yaml")
    assert monitor["spec"]["selector"]["matchLabels"] == bot["labels"][0]["pairs"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint == {"port": "probes", "path": "/metrics", "honorLabels": True}
    assert endpoint["port"] in [port["name"] for port in container["ports"]]


def test_only_the_bots_own_pods_get_its_token(pod: dict[str, Any]) -> None:
    (account,) = documents(KUSTOMIZE / "bot" / "serviceaccount.yaml")
    assert (account["automountServiceAccountToken"], pod["automountServiceAccountToken"]) == (False, True)


def test_no_probe_asks_more_than_whether_the_bot_listens(container: dict[str, Any]) -> None:
    port = next(port for port in container["ports"] if port["name"] == "probes")
    probes = {name: probe["httpGet"] for name, probe in container.items() if name.endswith("Probe")}
    listens = {"path": "/healthz", "port": port["name"]}
    assert probes == {"startupProbe": listens, "livenessProbe": listens, "readinessProbe": listens}


def test_the_environment_is_one_the_bot_reads(container: dict[str, Any]) -> None:
    variables = {entry["name"]: entry["value"] for entry in container["env"]}
    assert variables.keys() <= {field.alias for field in Settings.model_fields.values()}
    (policy,) = [mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "policy"]
    assert variables["ROLLOUTBOT_CONFIG"] == f"{policy}/policy.yaml"
    listens = {variables[name].rpartition(":")[2] for name in ("ROLLOUTBOT_HTTP", "ROLLOUTBOT_PROBES")}
    assert listens == {str(port["containerPort"]) for port in container["ports"]}


def test_the_secret_is_named_but_not_in_the_tree(container: dict[str, Any]) -> None:
    assert container["envFrom"] == [{"secretRef": {"name": "rolloutbot"}}]
    assert [path for path in FILES for document in documents(path) if document.get("kind") == "Secret"] == []


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=names(KUSTOMIZATIONS))
def test_kustomize_takes_it(path: Path) -> None:
    built = subprocess.run(["kubectl", "kustomize", str(path.parent)], capture_output=True, text=True, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    assert list(yaml.safe_load_all(built.stdout))


# --- the image and the words about it --------------------------------------------------------------------------


def test_the_image_installs_the_lock_with_its_hashes() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes -r requirements.lock" in dockerfile
    assert re.findall("^FROM (.*)$", dockerfile, re.M) == ["${BASE} AS build", "${BASE}"]
    assert re.findall(r"^ARG BASE=python:3\.11-slim@sha256:[0-9a-f]{64}$", dockerfile, re.M)
    assert re.findall("^(?:USER|ENTRYPOINT) (.*)$", dockerfile, re.M) == ["10001:10001", '["rolloutbot"]']


def test_the_image_holds_the_packages_and_the_script_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (\w+) /opt/rolloutbot/lib/python3\.11/site-packages/\1$", dockerfile, re.M)
    assert copied == project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    module, _, function = project["project"]["scripts"]["rolloutbot"].partition(":")
    assert f"'from {module} import {function}' '{function}()'" in dockerfile


def test_nothing_is_sent_to_docker_that_is_not_copied() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == {
        source for source in re.findall(r"^COPY (\S+) ", (ROOT / "Dockerfile").read_text(), re.M) if "--" not in source
    }


def test_the_documentation_names_every_variable_and_every_key() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    variables = [str(field.alias) for field in Settings.model_fields.values()]
    missing = [name for name in [*variables, *keys_of(PolicyFile)] if f"`{name}`" not in text]
    assert missing == []


def keys_of(section: type[Section], path: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        key, inner = f"{path}{field.alias or name}", field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from keys_of(inner, f"{key}.")
        else:
            yield key


def test_the_licence_is_the_one_the_project_names() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"] == "Apache-2.0"
    licence = (ROOT / "LICENSE").read_text()
    assert "Apache License\n                           Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence

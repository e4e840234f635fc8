"""The policy file. Every mistake in it is one line with its place, ``policy.yaml:7: plan.steps: …``, all at once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from bot.config.policy import DEFAULT_PLAN, INSTALL, NO_INSTALL, Policy
from bot.config.yaml_nodes import Nodes
from bot.domain.access import Access
from bot.domain.errors import RolloutBotError
from bot.domain.plan import Plan

KEYS: Mapping[str, Sequence[str]] = {
    "": ("namespaces", "plan", "approvals", "access", "command", "install", "terminal"),
    "plan": ("steps", "every", "bake"),
    "approvals": ("at", "needed", "requester_may_approve"),
    "access": ("start", "run", "approve", "rollback"),
    "terminal": ("users",),
}
"""The keys of the file and of its sections."""

MOST_APPROVALS = 20
DEFAULT_COMMAND = "/rollout"

_USER = re.compile(r"[UW][A-Z0-9]{4,20}")
_NO_USER = (
    "is not the id of a Slack user; copy it from the person's profile (Copy member ID), it looks like `U012AB3CD`"
)
_UNIX_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.@-]{0,31}")
_NO_UNIX_USER = "is not the name of a Unix user; see `id -un`"
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_COMMAND = re.compile(r"/[a-z0-9][a-z0-9_-]{0,30}")
_NO_COMMAND = "is not a slash command; write it like `/rollout`, in lower case, at most 32 characters"


class ConfigError(RolloutBotError):
    """Mistakes in the environment or the policy file; ``mistakes`` has one sentence for each."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


def read_policy(path: Path, *, default_namespace: str) -> Policy:
    """Read a policy file. Raises ConfigError with every mistake in it."""
    root, nodes = _compose(path), Nodes(str(path))
    top = nodes.section(root, "", KEYS[""])
    sections = {name: nodes.section(top.get(name), name, KEYS[name]) for name in KEYS if name}
    plan = _approvals(nodes, sections["approvals"], _plan(nodes, sections["plan"]))
    access = Access(**{name: _users(nodes, node, f"access.{name}") for name, node in sections["access"].items()})
    if access.approve and "needed" in sections["approvals"] and len(access.approve) < plan.approvals:
        few = f"asks for {plan.approvals} approvals, but access.approve names only {len(access.approve)} users"
        nodes.wrong(sections["approvals"]["needed"], "approvals.needed", few)
    policy = Policy(
        namespaces=_namespaces(nodes, top["namespaces"]) if "namespaces" in top else (default_namespace,),
        plan=plan,
        access=access,
        command=nodes.text(top["command"], "command", _COMMAND, _NO_COMMAND) if "command" in top else DEFAULT_COMMAND,
        install=nodes.text(top["install"], "install", INSTALL, NO_INSTALL) if "install" in top else "",
        unix_users=_unix_users(nodes, sections["terminal"].get("users")),
        from_file=True,
    )
    if nodes.mistakes:
        raise ConfigError([sentence for _, sentence in sorted(nodes.mistakes, key=lambda mistake: mistake[0])])
    return policy


def _compose(path: Path) -> yaml.Node | None:
    try:
        root: yaml.Node | None = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror}); name a file that can be read."]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not written in UTF-8; save it as UTF-8."]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError([f"{path}:{mark.line + 1 if mark else 1}: is not YAML: {error.problem}."]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(
            [f"{path}: is not YAML; it holds a character or a depth that YAML does not allow."]
        ) from error
    return root


def _namespaces(nodes: Nodes, node: yaml.Node) -> tuple[str, ...]:
    wrong = "is not a namespace's name; see `kubectl get namespaces`"
    _refuse_empty(nodes, node, "namespaces")
    return nodes.texts(node, "namespaces", _NAMESPACE, wrong, "[default]")


def _users(nodes: Nodes, node: yaml.Node, path: str) -> frozenset[str]:
    return frozenset(nodes.texts(node, path, _USER, _NO_USER, "[U012AB3CD]"))


def _unix_users(nodes: Nodes, node: yaml.Node | None) -> Mapping[str, str]:
    path, example = "terminal.users", "{alice: U012AB3CD}"
    named = nodes.named(node, path, _UNIX_USER, _NO_UNIX_USER, example)
    return {name: nodes.text(value, f"{path}.{name}", _USER, _NO_USER) for name, value in named.items()}


def _plan(nodes: Nodes, section: Mapping[str, yaml.Node]) -> Plan:
    plan = DEFAULT_PLAN
    if node := section.get("steps"):
        _refuse_empty(nodes, node, "plan.steps")
        steps = nodes.percents(node, "plan.steps", "[10, 25, 50, 100]")
        plan = replace(plan, steps=steps if 100 in steps else (*steps, 100))
    if node := section.get("every"):
        plan = replace(plan, interval=nodes.duration(node, "plan.every"))
    if node := section.get("bake"):
        plan = replace(plan, bake=nodes.duration(node, "plan.bake"))
    return plan


def _approvals(nodes: Nodes, section: Mapping[str, yaml.Node], plan: Plan) -> Plan:
    if node := section.get("at"):
        plan = replace(plan, approve_at=nodes.percents(node, "approvals.at", "[50, 100]"))
    if node := section.get("needed"):
        plan = replace(plan, approvals=nodes.number(node, "approvals.needed", MOST_APPROVALS))
    if node := section.get("requester_may_approve"):
        plan = replace(plan, requester_may_approve=nodes.flag(node, "approvals.requester_may_approve"))
    return plan


def _refuse_empty(nodes: Nodes, node: yaml.Node, path: str) -> None:
    if isinstance(node, yaml.SequenceNode) and not node.value:
        nodes.wrong(node, path, "is empty; name at least one, or leave the key out")

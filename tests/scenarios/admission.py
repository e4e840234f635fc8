"""What refuses in a real API server: a policy that says no, a webhook that cannot be called, a right withdrawn."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sandbox.errors import ApiError
from sandbox.kube import Kube, Object, path_of, path_of_object
from sandbox.process import free_ports, wait_until
from sandbox.world import World

POLICY_API = "admissionregistration.k8s.io/v1"
RULE = {
    "apiGroups": ["gateway.networking.k8s.io"],
    "apiVersions": ["v1"],
    "operations": ["UPDATE"],
    "resources": ["httproutes"],
}


@contextmanager
def refusing_policy(world: World, message: str, *, unless: str = "false") -> Iterator[None]:
    """Have every change of a route of the world refused with 422 and a message, ``unless`` it fits an expression."""
    name = f"{world.namespace}.example.com"
    policy = {
        "matchConstraints": {"resourceRules": [RULE]},
        "validations": [{"expression": unless, "message": message, "reason": "Invalid"}],
    }
    binding = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": _only(world)},
    }
    with _installed(
        world,
        422,
        _object("ValidatingAdmissionPolicy", name, spec=policy),
        _object("ValidatingAdmissionPolicyBinding", name, spec=binding),
    ):
        yield


@contextmanager
def silent_webhook(world: World) -> Iterator[str]:
    """Have every change of a route of the world fail with 500, because a webhook cannot be called; yield its name."""
    name = f"{world.namespace}.example.com"
    webhook = {
        "name": name,
        "rules": [RULE],
        "namespaceSelector": _only(world),
        "clientConfig": {"url": f"https://127.0.0.1:{free_ports(1)[0]}/"},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": 1,
    }
    with _installed(world, 500, _object("ValidatingWebhookConfiguration", name, webhooks=[webhook])):
        yield name


@contextmanager
def without_patch(world: World, role: Object, bot: Kube) -> Iterator[None]:
    """Take the right to change routes from the bot's Role."""
    rules = [{**rule, "verbs": [verb for verb in rule["verbs"] if verb != "patch"]} for rule in role["rules"]]
    with _rules(world, role, rules, lambda: bot.merge(*_harmless(world))):
        yield


@contextmanager
def without_pods(world: World, role: Object, bot: Kube) -> Iterator[None]:
    """Take the right to see pods from the bot's Role."""
    rules = [rule for rule in role["rules"] if rule["resources"] != ["pods"]]
    with _rules(world, role, rules, lambda: bot.get(path_of("v1", "Pod", world.namespace))):
        yield


@contextmanager
def _rules(world: World, role: Object, rules: list[Object], ask: Callable[[], object]) -> Iterator[None]:
    path = path_of_object(role)
    world.kube.merge(path, {"rules": rules})
    wait_until("the right gone", lambda: _answer(ask) == 403)
    yield
    world.kube.merge(path, {"rules": role["rules"]})
    wait_until("the right back", lambda: _answer(ask) == 0)


@contextmanager
def _installed(world: World, code: int, *objects: Object) -> Iterator[None]:
    def ask() -> object:
        return world.kube.merge(*_harmless(world))

    try:
        for each in objects:
            world.kube.create(each)
        wait_until("changes refused", lambda: _answer(ask) == code)
        yield
    finally:
        for each in objects:
            world.kube.delete(path_of_object(each))
    wait_until("changes taken", lambda: _answer(ask) == 0)


def _harmless(world: World) -> tuple[str, Object]:
    """Return a change of the route that is tried only for show."""
    return f"{world.route_path()}?dryRun=All", {"metadata": {"labels": {"tried": "yes"}}}


def _answer(ask: Callable[[], object]) -> int:
    """Return the code of a refusal; 0 where there is none."""
    try:
        ask()
    except ApiError as error:
        return error.status
    return 0


def _object(kind: str, name: str, **fields: object) -> Object:
    return {"apiVersion": POLICY_API, "kind": kind, "metadata": {"name": name}, **fields}


def _only(world: World) -> Object:
    return {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}

"""Values of a release that people change, and the name that a new pool's have."""

from typing import Any

import pytest

from bot.domain.deployment import DeployRules, Draft, changed_values, renamed
from bot.domain.errors import UsageError
from bot.domain.rollout import Pool

VALUES: dict[str, Any] = {
    "inferencePool": {"modelServers": {"matchLabels": {"app": "old", "team": "search"}}, "targetPorts": [8000]},
    "inferenceExtension": {"replicas": 1, "image": {"tag": "v1.5.0"}, "monitoring": True},
}


@pytest.mark.parametrize(
    ("key", "text", "path", "value"),
    [
        ("inferenceExtension.image.tag", "v1.6.0", ("inferenceExtension", "image", "tag"), "v1.6.0"),
        ("inferenceExtension.image.tag", "2", ("inferenceExtension", "image", "tag"), "2"),
        ("inferenceExtension.replicas", "3", ("inferenceExtension", "replicas"), 3),
        ("inferenceExtension.monitoring", "false", ("inferenceExtension", "monitoring"), False),
        ("inferenceExtension.flags.v", "4", ("inferenceExtension", "flags", "v"), 4),
        ("inferenceExtension.flags.on", "true", ("inferenceExtension", "flags", "on"), True),
        ("inferenceExtension.flags.name", "a=b", ("inferenceExtension", "flags", "name"), "a=b"),
        (
            r"inferencePool.modelServers.matchLabels.example\.com/node",
            "h100",
            ("inferencePool", "modelServers", "matchLabels", "example.com/node"),
            "h100",
        ),
    ],
)
def test_a_value_gets_the_type_of_what_was_there(key: str, text: str, path: tuple[str, ...], value: object) -> None:
    found: Any = changed_values(VALUES, {key: text})
    for name in path:
        found = found[name]
    assert (found, type(found)) == (value, type(value))


def test_the_values_that_were_given_are_not_changed() -> None:
    changed_values(VALUES, {"inferenceExtension.replicas": "3"})
    assert VALUES["inferenceExtension"]["replicas"] == 1


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("inferenceExtension.replicas", "many", "`inferenceExtension.replicas` is `1` now, so it cannot be `many`."),
        ("inferenceExtension.image", "x", "`inferenceExtension.image` holds several values. Set one of them."),
        ("inferencePool.targetPorts", "1", "`inferencePool.targetPorts` holds several values. Set one of them."),
        (
            "inferenceExtension.replicas.most",
            "3",
            "`inferenceExtension.replicas.most` is not a value of the old release's: `replicas` holds a value itself.",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_refused(key: str, text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        changed_values(VALUES, {key: text})
    assert str(refused.value) == said


def test_a_label_that_is_the_old_pools_name_becomes_the_new_ones() -> None:
    labels = renamed(VALUES, "old", "new")["inferencePool"]["modelServers"]["matchLabels"]
    assert labels == {"app": "new", "team": "search"}
    assert renamed({}, "old", "new") == {}
    assert VALUES["inferencePool"]["modelServers"]["matchLabels"]["app"] == "old"


@pytest.mark.parametrize(
    ("key", "allowed"),
    [("a.b", True), ("a.c", False), ("x.y", True), ("x.y.z", True), ("x", False), ("xx.y", False), ("A.b", False)],
)
def test_only_values_that_the_policy_names_may_be_set(key: str, allowed: bool) -> None:
    assert DeployRules(settable=("a.b", "x.*")).allows(key) is allowed


def test_every_part_of_a_draft_counts_for_what_people_agree_to() -> None:
    pool = Pool("default", "new")
    same = {"pool": pool, "old_release": "old", "chart": "c", "version": "1", "values": {"a": 1}, "makes": ()}
    first = Draft(**same)  # type: ignore[arg-type]
    others: list[dict[str, Any]] = [
        {"pool": Pool("other", "new")},
        {"pool": Pool("default", "newer")},
        {"chart": "d"},
        {"version": "2"},
        {"values": {"a": 2}},
        {"makes": (("Service", "new"),)},
        {"differs": ("Service `new`, which is new",)},
    ]
    digests = {first.digest, *(Draft(**{**same, **other}).digest for other in others)}
    assert len(digests) == 1 + len(others)
    assert Draft(**{**same, "values": {"a": 1}}, serves="2 pods").digest == first.digest  # type: ignore[arg-type]


def test_how_many_model_servers_the_old_pool_has_now_is_no_news() -> None:
    servers = {"spec": {"replicas": 2, "template": {}}}
    rest: dict[str, Any] = {
        "pool": Pool("default", "new"),
        "old_release": "old",
        "chart": "c",
        "version": "1",
        "values": {},
        "makes": (),
    }
    first = Draft(**rest, servers=servers, differs=("Deployment `new`, spec.replicas: `2` → `1`",))
    more = Draft(
        **rest,
        servers={"spec": {"replicas": 5, "template": {}}},
        differs=("Deployment `new`, spec.replicas: `5` → `1`",),
    )
    other = Draft(**rest, servers={"spec": {"replicas": 2, "template": {"x": 1}}})
    assert (first.digest == more.digest, first.digest == other.digest) == (True, False)

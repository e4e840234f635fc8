"""What is read out of the Secret in which Helm keeps a release, and what is none."""

import base64
import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from k8s.helm_releases import LONGEST, HelmRelease, is_kept, owner_of, read_release

RELEASE: dict[str, Any] = {
    "name": "llama",
    "namespace": "models",
    "version": 3,
    "info": {"status": "deployed", "description": "Upgrade complete"},
    "chart": {"metadata": {"name": "inferencepool", "version": "v1.5.0"}},
    "config": {"a": 1},
    "manifest": (
        "---\n# Source: x\nkind: Service\nmetadata: {name: llama-epp}\n---\n\n---\nkind: Role\nmetadata: {name: r}\n"
    ),
    "hooks": [{"events": ["pre-delete"]}, {"events": ["post-install"]}, {}],
}


def a_secret(release: Any, data: dict[str, str] | None = None) -> dict[str, Any]:
    text = release if isinstance(release, bytes) else json.dumps(release).encode()
    packed = base64.b64encode(base64.b64encode(gzip.compress(text))).decode()
    labels = {"owner": "helm", "version": "3"}
    return {
        "metadata": {
            "name": "sh.helm.release.v1.llama.v3",
            "labels": labels,
            "creationTimestamp": "2026-11-23T12:00:00Z",
        },
        "data": data or {"release": packed},
    }


def test_a_release_is_read_with_its_objects() -> None:
    assert read_release(a_secret(RELEASE)) == HelmRelease(
        name="llama",
        namespace="models",
        revision=3,
        status="deployed",
        chart=RELEASE["chart"],
        values={"a": 1},
        objects=(
            {"kind": "Service", "metadata": {"name": "llama-epp"}},
            {"kind": "Role", "metadata": {"name": "r"}},
        ),
        labels={"owner": "helm", "version": "3"},
        begun=datetime(2026, 11, 23, 12, tzinfo=UTC),
        said="Upgrade complete",
        hooks=1,
    )


@pytest.mark.parametrize(
    "secret",
    [
        a_secret({}),
        a_secret(b"no json"),
        a_secret([RELEASE]),
        a_secret({**RELEASE, "manifest": "a: [b"}),
        a_secret({**RELEASE, "version": "x"}),
        a_secret(b" " * (LONGEST + 1)),
        a_secret(RELEASE, {"release": "!!"}),
        a_secret(RELEASE, {"other": "x"}),
    ],
)
def test_what_is_no_release_is_refused(secret: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_release(secret)


def test_helm_says_on_each_object_which_release_made_it_and_whether_it_stays() -> None:
    made = {
        "metadata": {
            "namespace": "models",
            "annotations": {"meta.helm.sh/release-name": "llama", "meta.helm.sh/release-namespace": "other"},
        }
    }
    kept = {"metadata": {"annotations": {"helm.sh/resource-policy": "keep"}}}
    assert [owner_of(made), owner_of(kept)] == [("other", "llama"), None]
    assert [is_kept(made), is_kept(kept)] == [False, True]

"""A token that is replaced where the bot found it is taken up without a restart."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.domain.errors import ClusterError
from k8s import client
from k8s.connection import connect
from k8s.httproute import HTTPROUTES
from sandbox.apiserver import ApiServer


@pytest.fixture
def document(api_server: ApiServer) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(api_server.kubeconfig().read_text())
    return found


def a_kubeconfig(folder: Path, document: dict[str, Any], **user: str) -> Path:
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump({**document, "users": [{"name": "admin", "user": user}]}))
    return file


def test_a_kubeconfig_with_another_token_is_read_again_after_the_old_one_was_not_known(
    api_server: ApiServer, document: dict[str, Any], tmp_path: Path
) -> None:
    api = connect(a_kubeconfig(tmp_path, document, token="expired")).api
    with pytest.raises(ClusterError, match="does not know the bot"):
        client.list_all(api, HTTPROUTES, "default")

    a_kubeconfig(tmp_path, document, token=api_server.tokens["admin"])
    assert client.list_all(api, HTTPROUTES, "default") == ()


def test_a_token_in_a_file_of_its_own_is_read_again_whatever_stands_at_its_end(
    api_server: ApiServer, document: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("expired\n")
    api = connect(a_kubeconfig(tmp_path, document, tokenFile="token")).api
    with pytest.raises(ClusterError, match="does not know the bot"):
        client.list_all(api, HTTPROUTES, "default")

    (tmp_path / "token").write_text(api_server.tokens["admin"] + "\n")
    assert client.list_all(api, HTTPROUTES, "default") == ()


def test_a_kubeconfig_that_is_broken_by_then_is_said_and_the_old_token_goes_on(
    document: dict[str, Any], tmp_path: Path
) -> None:
    file = a_kubeconfig(tmp_path, document, token="expired")
    api = connect(file).api
    with pytest.raises(ClusterError, match="does not know the bot"):
        client.list_all(api, HTTPROUTES, "default")

    file.write_text("not: [a kubeconfig")
    with pytest.raises(ClusterError, match="the bot cannot read its credentials"):
        client.list_all(api, HTTPROUTES, "default")
    with pytest.raises(ClusterError, match="does not know the bot"):
        client.list_all(api, HTTPROUTES, "default")

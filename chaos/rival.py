"""Somebody else who edits the routes: kubectl, a GitOps controller, a backup. The ledger records every version."""

import copy
import random
import time
from collections.abc import Callable
from typing import Any

from chaos.cast import Cast
from chaos.forger import forge
from chaos.ledger import Edit
from chaos.schedule import Blow, Kind
from chaos.world import Site, route_of
from k8s.document import ANNOTATION, annotation_of
from sandbox.errors import ApiError
from sandbox.kube import Object
from sandbox.objects import pool_ref

MANAGERS = ("kubectl-edit", "argocd-controller", "helm")


class Rival:
    """Edits one route for each blow. If somebody else wrote first, it reads the route again."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast

    def strike(self, blow: Blow) -> tuple[float, str]:
        """Make an edit, and return when and where."""
        since, dice = time.time(), random.Random(blow.seed)
        busy = [site for site in self._cast.sites if self._cast.tape.running(site.key)]
        site = dice.choice(busy or self._cast.sites)
        if blow.kind is Kind.RIVAL_RECREATES:
            return since, self._recreate(site, dice)
        edits = {
            Kind.RIVAL_WEIGHTS: _weights,
            Kind.RIVAL_NOTE: _no_note,
            Kind.RIVAL_OLD_NOTE: self._older,
            Kind.RIVAL_FORGES: self._forge,
            Kind.RIVAL_FOREIGN: _foreign,
        }
        return since, self._edit(blow.kind, site, dice, edits[blow.kind])

    def _edit(
        self, kind: Kind, site: Site, dice: random.Random, change: Callable[[Object, Site, random.Random], str]
    ) -> str:
        for _ in range(20):
            try:
                document = self._cast.kube.get(site.path)
                told = change(document, site, dice)
                if not told:
                    return "nothing to edit"
                after = self._cast.kube.replace(document, manager=dice.choice(MANAGERS))
            except ApiError as error:
                if error.status not in (404, 409):
                    raise
                time.sleep(0.02)
                continue
            if _version(after) == _version(document):
                return "nothing to edit"  # the API server writes nothing if nothing is different
            self._note(kind, site, after, told)
            return f"{site.route}: {told}"
        return f"{site.route}: too busy"

    def _older(self, document: Object, site: Site, dice: random.Random) -> str:
        """Put an older annotation back; half the time with the spec of that time, as restoring a backup does."""
        uid = document["metadata"]["uid"]
        now = annotation_of(document)
        known = self._cast.tape.of(site.key)
        older = [one for one in known if one.uid == uid and annotation_of(one.document) not in (None, now)]
        if not older:
            return ""
        then = dice.choice(older[-12:])
        document["metadata"].setdefault("annotations", {})[ANNOTATION] = annotation_of(then.document)
        if dice.random() < 0.5:
            return f"annotation of version {then.number}"
        document["spec"] = copy.deepcopy(then.document["spec"])
        return f"annotation and spec of version {then.number}"

    def _forge(self, document: Object, site: Site, dice: random.Random) -> str:
        """Put a note there that the bots never wrote, or wrote elsewhere."""
        now, meta = annotation_of(document), document["metadata"]
        if now is None:
            return ""
        newest = [self._cast.tape.newest(one.key) for one in self._cast.sites if one.key != site.key]
        others = [text for each in newest if each and (text := annotation_of(each.document))]
        place = {"namespace": meta["namespace"], "route": meta["name"], "route_uid": meta["uid"]}
        meta["annotations"][ANNOTATION], told = forge(now, others, place, dice)
        return told

    def _recreate(self, site: Site, dice: random.Random) -> str:
        """Delete the route and create it again: as its owners had it, or as it was, with the old one's annotation."""
        before = self._cast.kube.get(site.path)
        self._cast.kube.delete(site.path)
        time.sleep(dice.uniform(0, 1.5))
        made = route_of(site)
        if dice.random() < 0.5:
            made["spec"] = before["spec"]
            made["metadata"]["annotations"] = before["metadata"].get("annotations") or {}
        after = self._cast.kube.create(made)
        self._note(Kind.RIVAL_RECREATES, site, after, "created again")
        return f"{site.route}: created again"

    def _note(self, kind: Kind, site: Site, after: Object, what: str) -> None:
        self._cast.ledger.edits.append(Edit(kind=kind, route=site.key, version=_version(after)))
        self._cast.ledger.hit(kind, what.partition(" of ")[0])


def _version(document: Object) -> str:
    return str(document["metadata"]["resourceVersion"])


def _weights(document: Object, site: Site, dice: random.Random) -> str:
    """Give our pools other weights, in one rule or in all."""
    rules = [rule for rule in document["spec"]["rules"] if _ours(rule, site)]
    if not rules:
        return ""
    share = dice.choice((0, 5, 5, 20, 33, 50, 77, 100))
    for rule in rules if dice.random() < 0.75 else [dice.choice(rules)]:
        refs = _ours(rule, site)
        for ref in refs:
            ref["weight"] = 100 if len(refs) == 1 else share if ref["name"] == site.new else 100 - share
    return "weights"


def _no_note(document: Object, site: Site, dice: random.Random) -> str:
    annotations = document["metadata"].get("annotations") or {}
    return "annotation" if annotations.pop(ANNOTATION, None) else ""


def _foreign(document: Object, site: Site, dice: random.Random) -> str:
    """Edit something that the bot does not own."""
    choice = dice.choice((_label, _annotation, _hostname, _filter, _ref_filter, _new_rule, _backend, _third_ref))
    choice(document, site, str(dice.randrange(10_000)))
    return choice.__name__.strip("_").replace("_", " ")


def _label(document: Object, site: Site, word: str) -> None:
    document["metadata"].setdefault("labels", {})["edited"] = word


def _annotation(document: Object, site: Site, word: str) -> None:
    document["metadata"].setdefault("annotations", {})["example.com/edited"] = f"<{word} & more>"


def _hostname(document: Object, site: Site, word: str) -> None:
    document["spec"]["hostnames"] = [f"site-{word}.example.com"]


def _filter(document: Object, site: Site, word: str) -> None:
    document["spec"]["rules"][0]["filters"] = [_header(word)]


def _ref_filter(document: Object, site: Site, word: str) -> None:
    refs = [ref for rule in document["spec"]["rules"] for ref in _ours(rule, site)]
    for ref in refs[:1]:
        ref["filters"] = [_header(word)]


def _new_rule(document: Object, site: Site, word: str) -> None:
    """Insert a first rule, or remove it, so that the index of every other rule changes."""
    rules = document["spec"]["rules"]
    if rules[0].get("name") == "in-front":
        rules.pop(0)
        return
    match = {"path": {"type": "PathPrefix", "value": f"/{word}"}}
    rules.insert(0, {"name": "in-front", "matches": [match], "backendRefs": [{"name": "web", "port": 80}]})


def _backend(document: Object, site: Site, word: str) -> None:
    for rule in document["spec"]["rules"]:
        for ref in rule.get("backendRefs", []):
            if ref.get("kind", "Service") == "Service":
                ref["weight"] = int(word) % 100


def _third_ref(document: Object, site: Site, word: str) -> None:
    """Add a pool without traffic before or after ours, or remove it."""
    rule = next((rule for rule in document["spec"]["rules"] if _ours(rule, site)), None)
    if rule is None:
        return
    third = [ref for ref in rule["backendRefs"] if ref["name"] == "third"]
    if third:
        rule["backendRefs"].remove(third[0])
    else:
        rule["backendRefs"].insert(int(word) % (len(rule["backendRefs"]) + 1), pool_ref("third", 0))


def _header(word: str) -> dict[str, Any]:
    added = [{"name": "x-edited", "value": word}]
    return {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": added}}


def _ours(rule: Object, site: Site) -> list[Object]:
    return [ref for ref in rule.get("backendRefs", []) if ref["name"] in (site.new, site.old)]

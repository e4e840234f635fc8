"""A watch: the objects of one resource in one namespace, or in all of them, kept up to date by the API server's events.

It lists once and then follows. It asks the server to end each answer after half a minute, and gives up an answer that
stays silent for longer: the connection is half open. In both cases it goes on from the newest resourceVersion that it
has seen, without another list. If that version is too old (410), it lists again and reports the differences.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from kubernetes.client import ApiClient

from bot.domain.backoff import Backoff
from bot.domain.errors import ClusterError, RefusedError
from k8s import client
from k8s.document import Document

log = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 30
SILENCE_SECONDS: Final = ANSWER_SECONDS + 3.0
SHORT_SECONDS: Final = 1.0
"""If answers end sooner than this, one after another, the watch rests before it asks again."""

BACKOFF: Final = Backoff(timedelta(seconds=0.4), timedelta(seconds=2))
REFUSED_REST: Final = 30.0
"""Somebody has to grant a right, or install a resource, before it can work; so do not hurry."""

SAY_AGAIN: Final = 60.0
"""Seconds for which one watch's warning counts for all of them."""

WATCH: Final = {"watch": "true", "allowWatchBookmarks": "true"}
_OWNERS: Final = ("ownerReferences", "deletionTimestamp")


class Seen(StrEnum):
    """What happened to an object."""

    THERE = "there"  # new, or changed
    STATUS = "status"  # only its status has changed, or what means as little
    GONE = "gone"


Changed = Callable[[Seen, Document], None]


class Once:
    """Warns of what several watches find out at a time, once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, sentence: str) -> None:
        """Log a sentence, unless it was logged a moment ago."""
        with self._lock:
            now = self._clock()
            is_news = now - self._said.get(sentence, -SAY_AGAIN) >= SAY_AGAIN
            self._said[sentence] = now if is_news else self._said[sentence]
        if is_news:
            log.warning("%s", sentence)


class Watch:
    """Keeps the objects of one resource in one namespace (empty: in all); it calls ``changed`` in its own thread.

    ``keep`` returns what is kept of an object.
    """

    def __init__(
        self,
        api: ApiClient,
        resource: client.Resource,
        namespace: str,
        changed: Changed,
        *,
        keep: Callable[[Document], Document] = lambda document: document,
        silence: float = SILENCE_SECONDS,
        warn: Callable[[str], None] = log.warning,
    ) -> None:
        self._api, self._resource, self._namespace = api, resource, namespace
        self._changed, self._slim, self._silence, self._warn = changed, keep, silence, warn
        self._objects: dict[tuple[str, str], Document] = {}
        self._version = ""
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._stream: client.Stream | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch {namespace} {resource.plural}", daemon=True)
        self.is_live = False
        self.refusal = ""

    def start(self) -> None:
        """Start; the copies may be used once ``is_live``. ``refusal`` says why it cannot, as a sentence."""
        self._thread.start()

    def stop(self) -> None:
        """Start to stop: at once if the server is silent, a bit later if the network hangs."""
        self._stopping.set()
        if (stream := self._stream) is not None:
            stream.cut()

    def join(self, seconds: float) -> None:
        """Wait for the end."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    def objects(self) -> Sequence[Document] | None:
        """Return the copies; None while the watch is not live."""
        with self._lock:
            return tuple(self._objects.values()) if self.is_live else None

    def object(self, namespace: str, name: str) -> Document | None:
        """Return one object; None if it is not kept."""
        with self._lock:
            return self._objects.get((namespace, name)) if self.is_live else None

    def keep(self, document: Document) -> None:
        """Keep an object from the answer to our own write, unless there is a newer copy."""
        with self._lock:
            old = self._objects.get(_key(document))
            if old is not None and _uid(old) == _uid(document):
                self._put(document)

    # --- the thread

    def _run(self) -> None:
        short = 0  # this many in a row ended at once
        while not self._stopping.is_set():
            begun = time.monotonic()
            self._try()
            short = short + 1 if time.monotonic() - begun < SHORT_SECONDS else 0
            if short > 1:  # after one answer that was cut off, ask again at once
                self._stopping.wait(BACKOFF.wait(short - 1).total_seconds())

    def _try(self) -> None:
        """Follow until the answer ends; the copies stay in use unless there was no answer."""
        self._stream = None
        try:
            self._follow()
        except client.ExpiredError:
            self._version = ""
        except ClusterError as error:
            if self._stream is None:
                self._lose(error)
            if isinstance(error, RefusedError):
                self._remember_refusal(error)
                self._stopping.wait(REFUSED_REST)
            elif error.is_stranger:
                self._remember_distrust(error)
        except Exception:
            log.exception("the watch of %s broke", self._resource.label(self._namespace))
            self._version, self.is_live = "", False

    def _lose(self, error: ClusterError) -> None:
        if self.is_live and not error.is_stranger and not self._stopping.is_set():
            log.warning("%s Until it works again, I list the %s instead.", error.message, self._resource.plural)
        self.is_live = False

    def _remember_refusal(self, error: RefusedError) -> None:
        """Keep the API server's refusal, and log it if it is new."""
        if str(error) != self.refusal:
            log.warning("%s Until then, I see other people's changes up to half a minute late.", error)
        self.refusal = str(error)

    def _remember_distrust(self, error: ClusterError) -> None:
        """Keep that nothing can be asked at all. All watches find that out, so ``warn`` says it once."""
        if str(error) != self.refusal and not self._stopping.is_set():
            self._warn(str(error))
        self.refusal = str(error)

    def _follow(self) -> None:
        """Follow the changes until the server ends its answer; list first if there is no version to go on from."""
        if not self._version:
            self._list()
        query = {"resourceVersion": self._version, "timeoutSeconds": str(ANSWER_SECONDS), **WATCH}
        with client.stream(
            self._api, self._resource, self._namespace, [*query.items()], silence=self._silence
        ) as stream:
            self._stream = stream
            if self._stopping.is_set():
                return
            self.is_live, self.refusal = True, ""
            for kind, document in stream.events():
                self._take(kind, document)

    def _list(self) -> None:
        """List, and report the differences to the copies."""
        listed, self._version = client.list_at(self._api, self._resource, self._namespace)
        found: dict[tuple[str, str], Document] = {_key(each): self._slim(each) for each in listed}
        with self._lock:
            before, self._objects = self._objects, found
        for key, old in before.items():
            if key not in found or _uid(found[key]) != _uid(old):
                self._changed(Seen.GONE, old)
        for key, new in found.items():
            if _version(new) != _version(before.get(key)):
                self._changed(_seen(before.get(key), new), new)

    def _take(self, kind: str, document: dict[str, Any]) -> None:
        self._version = document["metadata"]["resourceVersion"]
        if kind == "DELETED":
            self._forget(document)
            self._changed(Seen.GONE, document)
        elif kind != "BOOKMARK" and (seen := self._keep(document)):
            self._changed(seen, document)

    def _keep(self, document: Document) -> Seen | None:
        """Keep an object; return what has happened to it, None if it is no newer than the copy."""
        with self._lock:
            old = self._objects.get(_key(document))
            return _seen(old, document) if self._put(document) else None

    def _put(self, document: Document) -> bool:
        old = self._objects.get(_key(document))
        if old is not None and _uid(old) == _uid(document) and not _is_newer(document, old):
            return False
        self._objects[_key(document)] = self._slim(document)
        return True

    def _forget(self, document: Document) -> None:
        with self._lock:
            kept = self._objects.get(_key(document))
            if kept is not None and _uid(kept) == _uid(document):
                del self._objects[_key(document)]


def _seen(old: Document | None, new: Document) -> Seen:
    """Say whether anything but the status is different."""
    if old is None:
        return Seen.THERE
    before, now = old["metadata"], new["metadata"]
    news = any(before.get(key) != now.get(key) for key in ("uid", "generation", "annotations", "labels", *_OWNERS))
    return Seen.THERE if news else Seen.STATUS


def _key(document: Document) -> tuple[str, str]:
    """Return namespace and name; no namespace for an object that is in none."""
    meta = document["metadata"]
    return str(meta.get("namespace") or ""), str(meta["name"])


def _version(document: Document | None) -> str:
    return str(document["metadata"]["resourceVersion"]) if document else ""


def _uid(document: Document) -> str:
    return str(document["metadata"]["uid"])


def _is_newer(document: Document, old: Document) -> bool:
    """Compare resourceVersions, which are rising numbers by definition (Kubernetes 1.35)."""
    new, known = (str(each["metadata"]["resourceVersion"]) for each in (document, old))
    return int(new) > int(known) if new.isdecimal() and known.isdecimal() else new != known

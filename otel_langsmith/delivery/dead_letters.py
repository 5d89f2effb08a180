"""Runs that LangSmith refused, each as a JSON file that a person can read, correct and resend."""

import base64
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from otel_langsmith.delivery.disk import Disk
from otel_langsmith.delivery.records import Record
from otel_langsmith.identity import iso_time
from otel_langsmith.wire.parts import ATTACHMENT, Part, named, unnamed

REFUSED: Final = "refused"
"""The folder for them, in that of their destination."""

SUFFIX: Final = ".json"

MAX_WORDS: Final = 1024
"""Characters of a reply that are kept; it may quote what was sent at any length."""

_UNSAFE: Final = re.compile(r"[^0-9A-Za-z-]")
_PUNCTUATION: Final = re.compile(r"[-:.]")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A refused run: when (Unix time), by which status, in what words, and the run itself."""

    record: Record
    refused_ns: int
    status: int | None
    said: str
    destination: str

    @property
    def name(self) -> str:
        """A file's name; in order of time."""
        when = _PUNCTUATION.sub("", iso_time(self.refused_ns))
        return f"{when}-{_UNSAFE.sub('_', self.record.run_id)[:64]}-{self.record.verb}{SUFFIX}"


class DeadLetters:
    """The refused runs of one destination, bounded in bytes; safe to use from many threads.

    Once it is full it takes no more, so that what was said to be kept is.

    Args:
        open_disk: The folder, made when the first run is refused.
        max_bytes: Most bytes of all files in it.
    """

    def __init__(self, open_disk: Callable[[], Disk], max_bytes: int) -> None:
        self._open_disk = open_disk
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._disk: Disk | None = None

    def keep(self, letter: DeadLetter) -> bool:
        """Whether the refused run is on disk now; if not, it is lost, for the caller to count."""
        data = written(letter)
        with self._lock:
            try:
                if self._disk is None:
                    self._disk = self._open_disk()
                if sum(self._disk.sizes().values()) + len(data) > self._max_bytes:
                    return False
                self._disk.replace(letter.name, data)
            except OSError:
                return False
        return True


def written(letter: DeadLetter) -> bytes:
    """The letter as a JSON document. It holds what was sent, and of a request no header."""
    record = letter.record
    told = {
        "refused_at": iso_time(letter.refused_ns),
        "status": letter.status,
        "said": letter.said[:MAX_WORDS],
        "destination": letter.destination,
        "run_id": record.run_id,
        "verb": record.verb,
        "alone": record.alone,
        "place": record.place,
        "parts": [_shown(part) for part in named(record.verb, record.run_id, record.parts)],
    }
    return orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read_letter(data: bytes) -> DeadLetter:
    """The refused run of a document, corrected by hand or not.

    Raises:
        ValueError: It is no such document; the text says what is wrong with it.
    """
    try:
        told = orjson.loads(data)
        parts = tuple(_parts(told["parts"]))
        verb = told["verb"]
        if verb not in ("post", "patch") or not parts:
            raise ValueError("verb must be post or patch, and parts must not be empty")
        run_id = str(told["run_id"])
        _check(parts, f"{verb}.{run_id}", f"{ATTACHMENT}.{run_id}")
        alone, place = bool(told.get("alone")), dict(told.get("place", {}))
        record = Record(run_id, verb, unnamed(parts), alone=alone, place=place)
        status, said = told.get("status"), str(told.get("said", ""))
    except KeyError as error:
        raise ValueError(f"{error} is missing") from None
    except (TypeError, AttributeError):
        raise ValueError("it is not the JSON document of a refused run") from None
    return DeadLetter(record, 0, status, said, str(told.get("destination", "")))


def _check(parts: Iterable[Part], run: str, attachment: str) -> None:
    """Raise ValueError unless all parts are of this run, and its main part is among them."""
    names = [part.name for part in parts]
    for name in names:
        if name != run and not name.startswith((f"{run}.", f"{attachment}.")):
            raise ValueError(f"{name} is no part of {run}, nor an attachment of it")
    if run not in names:
        raise ValueError(f"{run}, the main part, is missing")


def _shown(part: Part) -> dict[str, Any]:
    """The part with its body in the most legible form that gives the same bytes again."""
    told: dict[str, Any] = {"name": part.name, "content_type": part.content_type}
    try:
        value = orjson.loads(part.body)
        if orjson.dumps(value) == part.body:
            return told | {"json": value}
        return told | {"text": part.body.decode()}
    except ValueError:  # no JSON, or no text
        return told | {"base64": base64.b64encode(part.body).decode()}


_BODIES: Final[dict[str, Callable[[Any], bytes]]] = {
    "json": orjson.dumps,
    "text": lambda text: str(text).encode(),
    "base64": lambda text: base64.b64decode(text, validate=True),
}


def _parts(told: Any) -> Iterator[Part]:
    for part in told:
        form = next((form for form in _BODIES if form in part), None)
        if form is None:
            raise ValueError(f"a part needs one of {', '.join(_BODIES)}")
        yield Part(str(part["name"]), str(part["content_type"]), _BODIES[form](part[form]))

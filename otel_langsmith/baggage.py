"""LangSmith's members of the ``baggage`` header: text → values, and values → text.

Pure text: nothing here knows a carrier, a span, a context or a log. Every function is total, and
sizes are capped before anything is parsed, so a hostile header costs no more than a long one.

Spec: https://www.w3.org/TR/baggage/; what both LangSmith SDKs write and read is in langsmith.md §6,
where the caps come from is in peers.md §5c.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Final, Literal, TypeAlias
from urllib.parse import quote, unquote

from otel_langsmith.identity import trace_id_of
from otel_langsmith.run import EMPTY, Json, JsonObject

MAX_BAGGAGE_BYTES: Final = 8192
MAX_MEMBERS: Final = 64
"""What W3C asks of everybody; OTel Python reads 180 members, LangSmith any number."""

MAX_MEMBER_BYTES: Final = 4096
"""The longest member we write: OTel Python drops longer ones whole (opentelemetry.md §4)."""

MAX_METADATA_BYTES: Final = 4096
MAX_METADATA_KEYS: Final = 64
MAX_METADATA_DEPTH: Final = 8
MAX_TAGS: Final = 32
MAX_TAG_LENGTH: Final = 128
MAX_NAME_LENGTH: Final = 256

METADATA: Final = "langsmith-metadata"
TAGS: Final = "langsmith-tags"
PROJECT: Final = "langsmith-project"
ADDRESS: Final = "langsmith-address"
REPLICAS: Final = "langsmith-replicas"
"""Destinations that the caller chose: never read, and not handed on (CVE-2026-25528)."""

OTEL_TRACE_ID: Final = "OTEL_TRACE_ID"
"""LangSmith's own metadata key for the OTel trace id, 32 hex digits (langsmith.md §7.3)."""

Fault: TypeAlias = Literal[
    "baggage_too_long",
    "baggage_too_many_members",
    "member_undecodable",
    "metadata_unusable",
    "metadata_cut",
    "tags_cut",
    "project_unusable",
    "address_unusable",
    "two_destinations",
]
"""Why something in LangSmith's part of ``baggage`` was not taken; ``cut`` means in part."""

_OWS: Final = " \t"
"""Optional white space: https://www.rfc-editor.org/rfc/rfc9110#name-whitespace"""

_READ: Final = frozenset((METADATA, TAGS, PROJECT, ADDRESS))
_OURS: Final = _READ | {REPLICAS}
_MAX_SCAN: Final = 65_536
"""Characters of a header that are looked at before its length in bytes is known."""

_BAD_ESCAPE: Final = re.compile("%(?![0-9A-Fa-f]{2})")
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNTEXTUAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_UNSENDABLE: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_LRN: Final = re.compile(r"lrn:agents/[^/\s]+/environments/[^/\s]+")
_COMMA: Final = "%2C"
_MAX_DECIMAL_BITS: Final = 14_000
"""Python refuses to write more than 4,300 decimal digits."""


@dataclass(frozen=True, slots=True)
class LangSmithBaggage:
    """What LangSmith's members of a ``baggage`` header say of a trace.

    A run goes to a project or to an agent's address (an LRN), never to both.
    """

    project: str | None = None
    tags: tuple[str, ...] = ()
    metadata: JsonObject = field(default_factory=dict)
    address: str | None = None


def parse_baggage(values: str | Sequence[str]) -> tuple[LangSmithBaggage, tuple[Fault, ...]]:
    """What LangSmith's members say, and once each why any of it was not taken.

    Takes one header or several, which are one list (RFC 9110 §5.3). Of a member given twice the
    last counts, as in both SDKs. Others' members are skipped, however malformed. In a header that
    is too long, members that are not count: without its project a run would leave its parent's.
    """
    header = values if isinstance(values, str) else ",".join(values)
    members = _members(header, MAX_MEMBERS)
    texts = {name: _decoded(raw) for name, raw in _ours(members[:MAX_MEMBERS])}
    project, address = project_name(texts.get(PROJECT)), _address(texts.get(ADDRESS))
    tags, given = _tags(texts.get(TAGS)), _json_object(texts.get(METADATA))
    metadata = dict(_plain_items(given or EMPTY))
    if _bytes(texts.get(METADATA) or "") > MAX_METADATA_BYTES:
        metadata = dict(_fitting_entries(metadata))
    faults: tuple[tuple[Fault, bool], ...] = (
        ("baggage_too_long", _bytes(header) > MAX_BAGGAGE_BYTES),
        ("baggage_too_many_members", len(members) > MAX_MEMBERS),
        ("member_undecodable", None in texts.values()),
        ("metadata_unusable", bool(texts.get(METADATA)) and given is None),
        ("metadata_cut", len(metadata) < len(given or EMPTY)),
        ("tags_cut", len(tags) < len(_distinct(texts.get(TAGS)))),
        ("project_unusable", bool(texts.get(PROJECT)) and not project),
        ("address_unusable", bool(texts.get(ADDRESS)) and not address),
        ("two_destinations", bool(project and address)),
    )
    if project and address:
        project = address = None
    baggage = LangSmithBaggage(project, tags, metadata, address)
    return baggage, tuple(fault for fault, found in faults if found)


def _bytes(text: str) -> int:
    """The length in UTF-8 or, where nobody will ask for more, a length beyond every cap."""
    if text.isascii() or len(text) > _MAX_SCAN:
        return len(text)
    return len(text.encode("utf-8", "surrogatepass"))


def _members(header: str, most: int = -1) -> list[str]:
    """The members in the first 64 KiB, none of them cut; what follows the ``most`` is one more."""
    members = header[:_MAX_SCAN].split(",", most)
    return members[:-1] if len(header) > _MAX_SCAN else members


def _ours(members: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Names and raw values, without the white space around them and the properties after them."""
    for member in members:
        name, equals, value = member.partition("=")
        if equals and len(value) <= MAX_BAGGAGE_BYTES and name.strip(_OWS) in _READ:
            yield name.strip(_OWS), value.partition(";")[0].strip(_OWS)


def _decoded(raw: str) -> str | None:
    """A percent-decoded value; None if it is not ASCII, well escaped, and UTF-8 underneath.

    A raw ``+`` is a space that an OTel hop re-encoded by ``quote_plus``: both LangSmith SDKs write
    ``%2B`` for a plus (langsmith.md §6.2).
    """
    if not (raw.isascii() and raw.isprintable()) or _BAD_ESCAPE.search(raw):
        return None
    try:
        return unquote(raw.replace("+", " "), errors="strict")
    except UnicodeDecodeError:
        return None


def project_name(text: str | None) -> str | None:
    """The name, if it can be one; never cut short, which would name another project."""
    if not text or text.isspace() or len(text) > MAX_NAME_LENGTH or _UNPRINTABLE.search(text):
        return None
    return text


def _address(text: str | None) -> str | None:
    lrn = project_name(text)
    return lrn if lrn and _LRN.fullmatch(lrn) else None


def _distinct(text: str | None) -> list[str]:
    return list(filter(None, dict.fromkeys((text or "").split(","))))


def _tags(text: str | None) -> tuple[str, ...]:
    """The tags in their order, each once; a comma always parts two of them, as in both SDKs."""
    return tuple(
        tag
        for tag in _distinct(text)
        if len(tag) <= MAX_TAG_LENGTH and not _UNPRINTABLE.search(tag)
    )[:MAX_TAGS]


def _json_object(text: str | None) -> dict[str, Json] | None:
    r"""Not orjson, which makes floats of long integers and refuses a ``\ud800``, as JS writes."""
    try:
        value = json.loads(text or "", parse_constant=str)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _plain_items(metadata: JsonObject) -> Iterator[tuple[str, Json]]:
    """The entries that may be handed on: the first 64 that are nested no deeper than 8 levels."""
    shallow = (key for key, item in metadata.items() if _is_shallow(item, MAX_METADATA_DEPTH - 1))
    for _, key in zip(range(MAX_METADATA_KEYS), shallow, strict=False):
        yield str(_plain(key)), _plain(metadata[key])


def _fitting_entries(metadata: JsonObject) -> Iterator[tuple[str, Json]]:
    """The entries that fit, each in its turn: a long one does not cost a thread its id."""
    room = MAX_METADATA_BYTES
    for key, item in metadata.items():
        size = _bytes(_compact({key: item}))
        if size <= room:
            room -= size
            yield key, item


def _is_shallow(value: Json, levels: int) -> bool:
    if isinstance(value, Mapping):
        return levels > 0 and all(_is_shallow(item, levels - 1) for item in value.values())
    if isinstance(value, (list, tuple)):
        return levels > 0 and all(_is_shallow(item, levels - 1) for item in value)
    return True


def _plain(value: Json) -> Json:
    """A JSON value that LangSmith takes; the rest is kept as text, as `wire.json` does.

    Tabs and line ends stay: JSON writes them as escapes, which break no header.
    """
    if isinstance(value, str):
        return _UNTEXTUAL.sub(_spelt, value)
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if value is None or isinstance(value, int):
        return value if value is None or -(2**63) <= value < 2**64 else _digits(value)
    return f"<{type(value).__name__}>"


def _digits(value: int) -> str:
    """An integer as text; ``hex`` takes one of any length."""
    return str(value) if value.bit_length() < _MAX_DECIMAL_BITS else hex(value)


def _spelt(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def merge_baggage(existing: str, ours: LangSmithBaggage) -> str:
    """The outgoing header: LangSmith's members from ``ours``, then everybody else's as they stood.

    Ours stand first because LangSmith's Python SDK stops reading at a member without ``=``. What
    `parse_baggage` would not take is not written. The header stays within 8,192 bytes: room goes to
    the project, then to the others' members, which belong to the application, then to our metadata,
    then to our tags, each in their order; what finds no room is left out, whole.
    """
    project, address = project_name(ours.project), _address(ours.address)
    named = (PROJECT, project) if project else (ADDRESS, address)
    destination = [f"{named[0]}={quote(named[1])}"] if named[1] else []
    room = MAX_BAGGAGE_BYTES + 1 - sum(len(member) + 1 for member in destination)
    others, room = _fitting(_others(existing), room, len(","))
    entries = (
        quote(f"{_compact(key)}:{_compact(item)}") for key, item in _plain_items(ours.metadata)
    )
    metadata, room = _member(METADATA + "=%7B", entries, "%7D", room)
    tags, room = _member(TAGS + "=", map(quote, _tags(",".join(ours.tags))), "", room)
    return ",".join([*metadata, *tags, *destination, *others])


def _others(existing: str) -> Iterator[str]:
    """Everybody else's members, byte for byte; one that no header can hold is left out."""
    for member in _members(existing):
        name = member.partition("=")[0].partition(";")[0].strip(_OWS)
        if member.strip(_OWS) and name not in _OURS and not _UNSENDABLE.search(member):
            yield member


def _member(start: str, pieces: Iterable[str], end: str, room: int) -> tuple[list[str], int]:
    """One member of as many pieces as fit, if any does, and the room left after it."""
    within = min(room - len(","), MAX_MEMBER_BYTES) - len(start + end)
    kept, _ = _fitting(pieces, within + len(_COMMA), len(_COMMA))
    member = start + _COMMA.join(kept) + end
    return ([member], room - len(member) - len(",")) if kept else ([], room)


def _fitting(texts: Iterable[str], room: int, separator: int) -> tuple[list[str], int]:
    """The texts that find room one after the other, and the room left."""
    kept = []
    for text in texts:
        if (size := _bytes(text) + separator) <= room:
            kept.append(text)
            room -= size
    return kept, room


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def otel_trace_id(metadata: JsonObject) -> int | None:
    """The OTel trace id that rides in metadata through services that know only LangSmith."""
    value = metadata.get(OTEL_TRACE_ID)
    return trace_id_of(value) if isinstance(value, str) else None


def with_otel_trace_id(metadata: JsonObject, trace_id: int) -> dict[str, Json]:
    """The metadata with an OTel trace id, first, so that it is the last to find no room."""
    first: dict[str, Json] = {OTEL_TRACE_ID: f"{trace_id:032x}"}
    return {**first, **metadata, **first}

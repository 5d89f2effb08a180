"""A ``multipart/form-data`` body to its parts, each checked against LangSmith's rules; pure.

Boundaries and headers are python-multipart's business. What it lets pass and LangSmith does not (a
body without its closing boundary, a part without a length, a length that lies) is ours.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from otel_langsmith.receiver.dotted_order import UUID_PATTERN
from otel_langsmith.receiver.refusal import RefusedError, bad_request, unprocessable

EVENTS: Final = frozenset({"post", "patch", "feedback", "attachment"})
FIELDS: Final = frozenset({"inputs", "outputs", "events", "error", "extra", "serialized"})

_DASHED_UUID: Final = re.compile(UUID_PATTERN)
_LENGTH_PARAMETER: Final = re.compile(r'\s*;\s*length\s*=\s*"?\d*"?', re.IGNORECASE)
_SHOWN: Final = 120


@dataclass(frozen=True, slots=True)
class Part:
    """One part: ``<event>.<id>[.<field>]``, its media type without ``length``, and its bytes."""

    event: str
    id: str
    field: str
    media_type: str
    data: bytes

    @property
    def name(self) -> str:
        """The part's name as it was on the wire, its id in lower case."""
        return ".".join(filter(None, (self.event, self.id, self.field)))


def parse(body: bytes, content_type: str) -> list[Part]:
    """The parts of ``body``, in order.

    Raises:
        RefusedError: 400 when it is no multipart body at all, 422 when a part breaks a rule.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise bad_request("expected Content-Type multipart/form-data with a boundary")
    return [_checked(raw) for raw in _split(body, options[b"boundary"])]


@dataclass(slots=True)
class _Raw:
    headers: dict[str, str] = field(default_factory=dict)
    data: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class _Collector:
    """Where the parser's callbacks put what they are told."""

    parts: list[_Raw] = field(default_factory=list)
    name: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    ended: bool = False

    def begin_part(self) -> None:
        self.parts.append(_Raw())

    def begin_header(self) -> None:
        self.name.clear()
        self.value.clear()

    def more_name(self, data: bytes, start: int, end: int) -> None:
        self.name += data[start:end]

    def more_value(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]

    def end_header(self) -> None:
        name = self.name.decode("latin-1").lower()
        headers = self.parts[-1].headers
        if name in headers:
            raise unprocessable(f"a part has two {name} headers")
        headers[name] = self.value.decode("latin-1")  # as HTTP does: no byte is lost

    def more_data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].data += memoryview(data)[start:end]

    def end(self) -> None:
        self.ended = True


def _split(body: bytes, boundary: bytes) -> list[_Raw]:
    found = _Collector()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": found.begin_part,
                "on_header_begin": found.begin_header,
                "on_header_field": found.more_name,
                "on_header_value": found.more_value,
                "on_header_end": found.end_header,
                "on_part_data": found.more_data,
                "on_end": found.end,
            },
        )
        parser.write(body)
    except FormParserError as error:
        raise bad_request(f"invalid multipart body: {error}") from None
    if not found.ended:
        raise bad_request("invalid multipart body: the closing boundary is missing")
    return found.parts


def _checked(raw: _Raw) -> Part:
    name = _name(raw.headers)
    event, run_id, part_field = _parsed_name(name)
    media_type = raw.headers.get("content-type", "").strip()
    if not media_type:
        raise _broken(name, "a part must have a Content-Type")
    if "content-encoding" in raw.headers:
        raise _broken(name, "Content-Encoding is not allowed on a part")
    _check_length(name, raw.headers, media_type, len(raw.data))
    media_type = _LENGTH_PARAMETER.sub("", media_type)
    if event != "attachment" and media_type.partition(";")[0].strip().lower() != "application/json":
        raise _broken(name, f"expected application/json, got {media_type[:_SHOWN]}")
    return Part(event, run_id, part_field, media_type, bytes(raw.data))


def _name(headers: Mapping[str, str]) -> str:
    kind, options = parse_options_header(headers.get("content-disposition", ""))
    try:
        name = options.get(b"name", b"").decode()
    except UnicodeDecodeError:
        raise unprocessable("the name of a part must be UTF-8") from None
    if kind != b"form-data" or not name:
        raise unprocessable("a part must have a Content-Disposition: form-data with a name")
    return name


def _parsed_name(name: str) -> tuple[str, str, str]:
    event, _, rest = name.partition(".")
    run_id, dot, part_field = rest.partition(".")
    if event not in EVENTS:
        raise _broken(name, f"unknown event {event[:_SHOWN]!r}")
    if _DASHED_UUID.fullmatch(run_id) is None:
        # The text is the one quoted for a main part whose id is no UUID.
        raise _broken(
            name, "schema validation failed: id: Must validate one and only one schema (oneOf)"
        )
    if problem := _field_problem(event, part_field, named=bool(dot)):
        raise _broken(name, problem)
    return event, run_id.lower(), part_field


def _field_problem(event: str, part_field: str, *, named: bool) -> str | None:
    if event == "attachment":
        if part_field and "." not in part_field:
            return None
        return f"an attachment needs a name, and no dot in it: {part_field[:_SHOWN]!r}"
    if not named or (event != "feedback" and part_field in FIELDS):
        return None
    return f"unknown field {part_field[:_SHOWN]!r}"


def _check_length(name: str, headers: Mapping[str, str], media_type: str, size: int) -> None:
    _, options = parse_options_header(media_type)
    parameter = options.get(b"length")
    stated = [
        headers.get("content-length"),
        None if parameter is None else parameter.decode("latin-1"),
    ]
    lengths = [text.strip() for text in stated if text is not None]
    if not lengths:
        raise _broken(name, "a part must state its length, by a Content-Length header or length=")
    for text in lengths:
        if not (text.isascii() and text.isdigit()) or text.lstrip("0") != str(size).lstrip("0"):
            raise _broken(name, f"states a length of {text[:20]!r} but is {size} bytes long")


def _broken(name: str, problem: str) -> RefusedError:
    return unprocessable(f"error parsing run for {name[:_SHOWN]}: {problem}")

"""A request body out of its content coding, never larger than a limit; pure.

A bomb is stopped while it unfolds: what has been inflated is bounded by the limit plus one step.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import zstandard

from otel_langsmith.receiver.refusal import bad_request, too_large, unsupported

_GZIP_WINDOW: Final = 31  # zlib's spelling of "a gzip header, and the largest window"
_ZSTD_WINDOW: Final = 8 * 1024 * 1024  # RFC 9659 §3: the most an HTTP receiver need support
_STEP: Final = 64 * 1024
# A zstd block is at least 4 bytes and at most 128 KiB inflated, and the binding cannot be told to
# stop half-way: this many bytes of input become at most 8 MiB.
_ZSTD_STEP: Final = 256


def inflate(body: bytes, coding: str, limit: int) -> bytes:
    """``body`` without its content coding: ``""``, ``identity``, ``gzip`` or ``zstd``.

    Raises:
        RefusedError: 413 beyond ``limit`` bytes, 415 for another coding, 400 for a corrupt stream.
    """
    reader = _READERS.get(coding.strip().lower())
    if reader is None:
        raise unsupported(f"Content-Encoding {coding!r}: gzip and zstd are understood")
    pieces: list[bytes] = []
    size = 0
    try:
        for piece in reader(body):
            size += len(piece)
            if size > limit:
                raise too_large(f"more than {limit} bytes uncompressed")
            pieces.append(piece)
    except (zlib.error, zstandard.ZstdError, EOFError) as error:
        raise bad_request(f"invalid {coding} body: {error}") from None
    return b"".join(pieces)


def _identity(body: bytes) -> Iterator[bytes]:
    yield body


def _gunzip(body: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(body):
        member = zlib.decompressobj(_GZIP_WINDOW)
        while not member.eof:
            chunk = member.unconsumed_tail
            if not chunk:
                chunk = body[position : position + _STEP]
                position += len(chunk)
            piece = member.decompress(chunk, _STEP)
            if not chunk and not piece:
                raise EOFError("the stream is cut short")
            yield piece
        position -= len(member.unused_data)


def _unzstd(body: bytes) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    position = 0
    while position < len(body):
        frame = decompressor.decompressobj()
        while not frame.eof:
            if position >= len(body):
                raise EOFError("the stream is cut short")
            yield frame.decompress(body[position : position + _ZSTD_STEP])
            position = min(position + _ZSTD_STEP, len(body))
        position -= len(frame.unused_data)


_READERS: Final[Mapping[str, Callable[[bytes], Iterator[bytes]]]] = {
    "": _identity,
    "identity": _identity,
    "gzip": _gunzip,
    "zstd": _unzstd,
}

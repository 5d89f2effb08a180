"""A body → the same body, smaller."""

from typing import Final

from otel_langsmith.settings import Compression

_GZIP_LEVEL: Final = 6
_LARGE_BYTES: Final = 1_000_000


def compress(data: bytes, how: Compression) -> bytes:
    """``data`` in the given encoding; unchanged for ``none``.

    zstd runs at level 1, and at level 3 for large bodies: there it costs a tenth more time for
    two fifths fewer bytes, below that it does not pay (performance.md §2 f). Level 9 of gzip, the
    usual default, costs as much as everything else together; 6 gives nearly the same bytes.
    """
    if how == "gzip":
        import gzip  # noqa: PLC0415 - loads at the first send, if at all

        return gzip.compress(data, _GZIP_LEVEL, mtime=0)
    if how == "zstd":
        import zstandard  # noqa: PLC0415 - an extra; `settings` refuses zstd where it is missing

        return zstandard.ZstdCompressor(level=3 if len(data) > _LARGE_BYTES else 1).compress(data)
    return data

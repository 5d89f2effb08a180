"""Reads header texts from any carrier: mappings in any case, lists of pairs, text or bytes.

It knows names and texts, and nothing of what they mean.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from opentelemetry.propagators.textmap import CarrierT, Getter

_MOST_KEYS: Final = 1000
"""How many names are looked at for one in another case; servers take a hundred or so headers."""


def read(
    carrier: CarrierT, getter: Getter[CarrierT], names: Iterable[str]
) -> tuple[dict[str, list[str]], bool]:
    """The texts by name, in whatever case the carrier has it, and whether all could be read."""
    found = {name: _values(carrier, getter, name) for name in names}
    readable = None not in found.values()
    if not all(found.values()):
        for key in islice(getter.keys(carrier), _MOST_KEYS):
            if key not in found and found.get(name := name_of(key)) == []:
                found[name] = _values(carrier, getter, key)
    return {name: texts or [] for name, texts in found.items()}, readable


def _values(carrier: CarrierT, getter: Getter[CarrierT], name: str) -> list[str] | None:
    """The texts of one header; None if the getter fails on it."""
    try:
        return _texts(getter.get(carrier, name))
    except Exception:  # noqa: BLE001 - the other headers may be sound
        return None


def held(carrier: Any, names: Collection[str]) -> dict[str, tuple[str, str]]:
    """The carrier's own spelling and text of these headers; empty if it can only be written to."""
    found: dict[str, tuple[str, str]] = {}
    try:
        for key, value in carrier if isinstance(carrier, list) else carrier.items():
            name = name_of(key)
            if name in names:
                before = f"{found[name][1]}," if name in found else ""
                found[name] = (key, before + _text(value))
    except Exception:  # noqa: BLE001 - then it cannot be asked; many can only be written to
        return {}
    return found


def name_of(key: object) -> str:
    """A header's name as we compare it."""
    return _text(key).lower()


def _texts(values: Any) -> list[str]:
    """What a getter answered: None, texts, or bytes, of which the default one makes integers."""
    if not values:
        return []
    items = list(values) if isinstance(values, (list, tuple)) else [values]
    if isinstance(items[0], int) and all(isinstance(item, int) for item in items):
        items = [bytes(items)]
    return [text for item in items if (text := _text(item).strip())]


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""

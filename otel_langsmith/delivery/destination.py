"""A destination as the name of a folder on disk, which says nothing of any key.

Runs that wait carry this name and not the credentials, which are looked up when they are sent. So a
new key, the usual remedy for a refused one, delivers what the old one could not. The reverse: two
applications whose keys belong to different workspaces are told apart by ``workspace_id`` or by
directories of their own, nothing else.
"""

import hashlib
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import orjson

from otel_langsmith.delivery.disk import Disk, Folder

DESCRIPTION: Final = "destination.json"

_HASH_LENGTH: Final = 16
_MAX_HOST: Final = 64
_UNSAFE: Final = re.compile(r"[^0-9a-z.-]")


@dataclass(frozen=True, slots=True)
class Destination:
    """One LangSmith, workspace and project."""

    endpoint: str
    workspace_id: str | None
    project: str

    @property
    def name(self) -> str:
        """A folder's name: the host, to be read, and a hash of everything, to be unique."""
        host = _UNSAFE.sub("-", (urlsplit(self.endpoint).hostname or "").lower())
        told = orjson.dumps([self.endpoint, self.workspace_id, self.project])
        digest = hashlib.sha256(told).hexdigest()
        return f"{host[:_MAX_HOST].strip('.-') or 'host'}-{digest[:_HASH_LENGTH]}"


def open_folder(spool_dir: str | Path, destination: Destination) -> Folder:
    """The destination's folder in the spool directory, made and described if need be.

    Raises:
        OSError: It cannot be made or secured; the text of a PermissionError says what to do.
    """
    outer = Folder(spool_dir)
    try:
        folder = Folder(destination.name, outer)
    finally:
        outer.release()
    with suppress(OSError):  # a full or read-only disk recovers, and the folder is known by name
        if DESCRIPTION not in folder.sizes():
            told = orjson.dumps(asdict(destination), option=orjson.OPT_INDENT_2)
            folder.replace(DESCRIPTION, told)
    return folder


def described(folder: Disk) -> Destination | None:
    """What a folder of a spool directory is for; None if that cannot be read."""
    try:
        descriptor = folder.open(DESCRIPTION)
        try:
            told = orjson.loads(folder.read(descriptor))
        finally:
            folder.close(descriptor)
        found = Destination(told["endpoint"], told["workspace_id"], told["project"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return found if all(isinstance(text, str) for text in (found.endpoint, found.project)) else None

"""A receiver that runs for as long as a command does, for ``serve`` and ``demo``."""

import contextlib
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from otel_langsmith.errors import ConfigurationError
from otel_langsmith.receiver import Receiver

PORT: Final = click.IntRange(0, 65_535)


@contextlib.contextmanager
def receiving(
    host: str,
    port: int,
    database: Path | str,
    api_keys: Sequence[str] = (),
    workspace_id: str | None = None,
) -> Iterator[Receiver]:
    """A running receiver, stopped with the block.

    Raises:
        ClickException: The address is taken, or the file is not one of ours.
    """
    try:
        receiver = Receiver(
            host=host,
            port=port,
            database=database,
            api_keys=api_keys or None,
            workspace_id=workspace_id,
        )
        receiver.start()
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"cannot listen at {host}:{port}: {error.strerror}. --port 0 picks a free port."
        ) from error
    with receiver:
        yield receiver


def wait_for_interrupt(message: str) -> None:
    """Print the message and return at Ctrl-C, or at the SIGTERM that service managers send."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        click.echo(message)
        while True:
            time.sleep(3600)

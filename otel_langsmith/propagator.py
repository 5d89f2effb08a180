"""The face towards the wire: LangSmith's headers beside W3C's, out of and into any carrier.

This module is imported while ``opentelemetry.propagate`` and ``opentelemetry.instrumentation`` are
half imported themselves, so it may import neither (opentelemetry.md §5.5).
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)

from otel_langsmith.deferral import deferred

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.context import Context

    from otel_langsmith import propagation, settings
    from otel_langsmith.settings import Inbound, RemoteParent
else:
    propagation = deferred("otel_langsmith.propagation")
    settings = deferred("otel_langsmith.settings")

_log: Final = logging.getLogger("otel_langsmith")


class LangSmithPropagator(TextMapPropagator):
    """Carries a LangSmith trace from service to service, whatever the services between understand.

        set_global_textmap(LangSmithPropagator())

    Alone it speaks W3C ``traceparent``, ``tracestate`` and ``baggage`` too. Beside others, as in
    ``OTEL_PROPAGATORS=tracecontext,baggage,langsmith``, it wants to be last, because those replace
    whole headers when they inject. Reading is right in any order. Nothing it is given ever raises.

    Which run is the current one, `LangSmithSpanProcessor` knows. Without it, only spans without a
    local parent can be named to the called service.

    Every keyword is optional: argument → ``OTEL_EXPORTER_LANGSMITH_*`` → ``LANGSMITH_*`` →
    ``LANGCHAIN_*`` → default.

    Args:
        project: The LangSmith project to name to called services unless the trace has its own; as
            the processor's. Default: ``default``.
        remote_parent: As the exporter's: with ``parent`` no header names a run whose own place
            LangSmith is yet to find. Default: ``root``.
        inbound: What a caller's ``langsmith-trace`` is good for: ``continue`` its trace (default),
            ``link`` to it (a new trace, the caller's ids in metadata), or ``ignore`` it.
        accept_project: Take the project that a caller names. Default: true.
        accept_metadata: Take the metadata that a caller sends. Default: true.
        accept_tags: Take the tags that a caller sends. Default: true.

    Raises:
        ConfigurationError: An argument cannot be used. An unusable environment variable is warned
            about instead, and the careful choice is taken.
    """

    def __init__(  # noqa: PLR0913 - the settings are the signature
        self,
        *,
        project: str | None = None,
        remote_parent: RemoteParent | None = None,
        inbound: Inbound | None = None,
        accept_project: bool | None = None,
        accept_metadata: bool | None = None,
        accept_tags: bool | None = None,
    ) -> None:
        arguments = dict(locals())  # each keyword is a row of `SETTINGS`; a test holds them equal
        resolved, problems = settings.resolve(arguments, os.environ, "propagator")
        for problem in (*problems, *_order_problems(os.environ.get("OTEL_PROPAGATORS", ""))):
            _log.warning("%s", problem)
        self._propagation = propagation.Propagation(resolved)

    @property
    def fields(self) -> set[str]:
        """Every header read and written."""
        return set(propagation.FIELDS)

    def ignored(self) -> Mapping[str, int]:
        """How often something in a header was not taken, by reason."""
        return self._propagation.ignored()

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """The context, with all that is valid in the carrier; never raises."""
        return self._propagation.extract(carrier, context, getter)

    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        """Write who is calling, each header once; a second time changes nothing; never raises.

        What others put into the carrier's ``baggage`` stays; a carrier that cannot be asked what it
        holds gets the context's baggage.
        """
        self._propagation.inject(carrier, context, setter)


def _order_problems(names: str) -> Iterator[str]:
    """What is wrong with ``OTEL_PROPAGATORS``."""
    listed = [name.strip() for name in names.split(",")]
    later = listed[listed.index("langsmith") :] if "langsmith" in listed else []
    for name in ("tracecontext", "baggage"):
        if name in later:
            yield f"OTEL_PROPAGATORS has {name} after langsmith, overwriting it; put langsmith last"

"""`LangSmithPropagator`: LangSmith's headers and W3C's, out of and into any carrier.

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
    """Continues LangSmith traces across services, whichever of the two headers each understands.

        set_global_textmap(LangSmithPropagator())

    It reads and writes ``langsmith-trace`` and W3C's ``traceparent``, ``tracestate`` and
    ``baggage``, so it works alone. In a composite (``OTEL_PROPAGATORS=tracecontext,baggage,
    langsmith``) put it last, because the others replace whole headers when they inject; the order
    does not matter to ``extract``. Neither method ever raises.

    To name the current run it needs `LangSmithSpanProcessor`: without that, a called service can
    hang only under spans that have no local parent.

    Every keyword is optional: argument → ``OTEL_EXPORTER_LANGSMITH_*`` → ``LANGSMITH_*`` →
    ``LANGCHAIN_*`` → default.

    Args:
        project: The project that called services are told, unless the trace has its own. The same
            as the processor's. Default: ``default``.
        remote_parent: The same as the processor's. With ``parent``, a run whose place only
            LangSmith can tell is not named to called services. Default: ``root``.
        inbound: What to do if a caller names a LangSmith trace: ``continue`` it (default), ``link``
            to it (a new trace, the caller's ids in its metadata), or ``ignore`` it.
        accept_project: Use the project that a caller names. Default: true.
        accept_metadata: Add the metadata that a caller sends. Default: true.
        accept_tags: Add the tags that a caller sends. Default: true.

    Raises:
        ConfigurationError: An argument cannot be used. (An unusable environment variable is logged
            and replaced by a safe value.)
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
        """The names of all headers that are read and written."""
        return set(propagation.FIELDS)

    def ignored(self) -> Mapping[str, int]:
        """How often something in a header was ignored, by reason."""
        return self._propagation.ignored()

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """The context, with whatever is valid in the carrier. Never raises."""
        return self._propagation.extract(carrier, context, getter)

    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        """Write the current span and its run into the carrier. Never raises.

        Idempotent. Other members of the carrier's ``baggage`` stay; a carrier that can only be
        written to gets the context's baggage instead.
        """
        self._propagation.inject(carrier, context, setter)


def _order_problems(names: str) -> Iterator[str]:
    """What is wrong with the order in ``OTEL_PROPAGATORS``."""
    listed = [name.strip() for name in names.split(",")]
    later = listed[listed.index("langsmith") :] if "langsmith" in listed else []
    for name in ("tracecontext", "baggage"):
        if name in later:
            yield f"OTEL_PROPAGATORS has {name} after langsmith, overwriting it; put langsmith last"

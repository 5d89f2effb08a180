"""Traces to be measured: plans first, so that making their content is never part of a measurement.

Every plan has content of its own. A string that was exported once keeps its UTF-8 form, and a span
its dotted order, so nothing is used twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import count
from pathlib import Path
from random import Random
from sysconfig import get_path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer
    from opentelemetry.util.types import AttributeValue

RESOURCE: Final = Resource.create(
    {
        "service.name": "bench",
        "service.version": "1.2.3",
        "service.instance.id": "f0721d36-2035-4c1e-88da-1ec159751a42",
        "deployment.environment.name": "test",
    }
)


class Planned(NamedTuple):
    """A span to be; ``parent`` is its parent's place in the trace, None for the root."""

    name: str
    parent: int | None
    attributes: Mapping[str, AttributeValue]
    kind: SpanKind = SpanKind.INTERNAL
    error: Exception | None = None


Trace: TypeAlias = Sequence[Planned]
"""Parents before children."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A kind of trace, and how many of its spans make one measurement when there is time."""

    key: str
    title: str
    plan: Callable[[Text], Trace]
    spans: int

    def traces(self, spans: int) -> list[Trace]:
        """New traces of together at least so many spans."""
        traces: list[Trace] = []
        planned = 0
        while planned < spans:
            traces.append(self.plan(Text(next(_seeds))))
            planned += len(traces[-1])
        return traces


_seeds: Final = count()


class Text:
    """Text by the character, the same for the same seed: Python's own, now and then foreign."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - nobody is to be kept out by it

    def prose(self, least: int, most: int) -> str:
        """So many characters, in a third of all cases not all of them ASCII."""
        length = self.random.randint(least, most)
        corpus = _corpus()
        start = self.random.randrange(len(corpus) - length)
        foreign = self.random.choice(_FOREIGN) if self.random.random() < _FOREIGN_SHARE else ""
        return foreign + corpus[start : start + length - len(foreign)]

    def number(self, most: int) -> int:
        """From 0 to ``most``."""
        return self.random.randint(0, most)

    def hexadecimal(self, digits: int = 24) -> str:
        """Something that looks like an id."""
        return f"{self.random.getrandbits(4 * digits):0{digits}x}"


@cache
def _corpus() -> str:
    """Python's standard library: eight megabytes of code and documentation, on every machine.

    Less would repeat itself within the window of a compressor, which flatters zstd's.
    """
    root = Path(get_path("stdlib"))
    left_out = {"site-packages", "dist-packages", "test", "tests", "idle_test"}
    paths = sorted(path for path in root.rglob("*.py") if not left_out & {*path.parts})
    return b"".join(path.read_bytes() for path in paths).decode("ascii", "ignore")


_FOREIGN_SHARE: Final = 0.32
_FOREIGN: Final = (
    "Die Rückgabe ist möglich, solange die Lampe unbenutzt ist; für Größe XL gilt eine Frist. ",
    "Le délai de remboursement est de cinq jours ouvrés après réception du colis à l'entrepôt. ",
    "退款将在仓库收到包裹后的五个工作日内支付到您的银行卡。",
    "返金は、倉庫に荷物が届いてから五営業日以内にお客様のカードに支払われます。",
    "Возврат средств поступит на вашу карту в течение пяти рабочих дней. ",
    "Thanks 🙏 — the lamp is “as good as new” ✨. ",
)


def _message(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": content}]}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _agent(text: Text, name: str, parent: int | None) -> Planned:
    return Planned(
        f"invoke_agent {name}",
        parent,
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": "openai",
            "gen_ai.agent.name": name,
            "gen_ai.agent.id": text.hexadecimal(),
            "gen_ai.conversation.id": "thread-1",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.input.messages": _json([_message("user", text.prose(1_000, 3_000))]),
            "gen_ai.output.messages": _json([_message("assistant", text.prose(1_000, 3_000))]),
        },
    )


def _chat(text: Text, parent: int | None, *, least: int = 1_800, most: int = 5_500) -> Planned:
    messages = [
        _message("system", text.prose(150, 300)),
        _message("user", text.prose(least // 2, most // 2)),
        _message("assistant", text.prose(least // 4, most // 4)),
        _message("user", text.prose(least // 4, most // 4)),
    ]
    answer = {**_message("assistant", text.prose(200, 500)), "finish_reason": "stop"}
    return Planned(
        "chat gpt-5-mini",
        parent,
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.request.temperature": 0.2,
            "gen_ai.request.max_tokens": 2_048,
            "gen_ai.conversation.id": "thread-1",
            "gen_ai.response.model": "gpt-5-mini-2025-08-07",
            "gen_ai.response.id": f"chatcmpl-{text.hexadecimal()}",
            "gen_ai.response.finish_reasons": ("stop",),
            "gen_ai.usage.input_tokens": text.number(4_000),
            "gen_ai.usage.output_tokens": text.number(900),
            "gen_ai.usage.cache_read.input_tokens": text.number(400),
            "gen_ai.usage.reasoning.output_tokens": text.number(400),
            "server.address": "api.openai.com",
            "server.port": 443,
            "gen_ai.input.messages": _json(messages),
            "gen_ai.output.messages": _json([answer]),
        },
        SpanKind.CLIENT,
    )


def _tool(text: Text, parent: int, error: Exception | None = None) -> Planned:
    return Planned(
        "execute_tool find_order",
        parent,
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "find_order",
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": f"call_{text.hexadecimal()}",
            "gen_ai.tool.description": "The order of a customer, by its number",
            "gen_ai.agent.name": "shop-assistant",
            "gen_ai.conversation.id": "thread-1",
            "gen_ai.tool.call.arguments": _json({"query": text.prose(100, 300)}),
            "gen_ai.tool.call.result": _json({"text": text.prose(300, 1_500)}),
        },
        error=error,
    )


def _llm(text: Text) -> Trace:
    """Twenty spans, four deep: an agent, its three steps with two models and two tools each."""
    trace = [_agent(text, "shop-assistant", None)]
    for step in range(3):
        agent = len(trace)
        trace += [_agent(text, "step", 0), _chat(text, agent), _tool(text, agent)]
        failure = TimeoutError("the payment provider did not answer") if step == 1 else None
        trace += [_chat(text, agent + 2), _tool(text, agent, failure), _chat(text, agent)]
    return [*trace, _chat(text, 0)]


def _web_span(text: Text, parent: int | None) -> Planned:
    if parent is None or text.number(1):
        order = text.number(100_000)
        return Planned(
            "GET /orders/{id}",
            parent,
            {
                "http.request.method": "GET",
                "http.route": "/orders/{id}",
                "http.response.status_code": 200,
                "url.scheme": "http",
                "url.path": f"/orders/{order}",
                "url.query": f"page={text.number(20)}",
                "server.address": "shop.internal",
                "server.port": 8080,
                "client.address": f"10.0.{text.number(255)}.{text.number(255)}",
                "network.peer.address": f"10.0.0.{text.number(255)}",
                "network.protocol.version": "1.1",
                "user_agent.original": "python-httpx/0.28.1",
            },
            SpanKind.SERVER,
        )
    return Planned(
        "SELECT orders",
        parent,
        {
            "db.system.name": "postgresql",
            "db.namespace": "shop",
            "db.collection.name": "orders",
            "db.operation.name": "SELECT",
            "db.query.text": "SELECT id, item, placed_at FROM orders WHERE id = $1 AND shop = $2",
            "db.query.summary": "SELECT orders",
            "db.response.returned_rows": text.number(50),
            "server.address": "db.internal",
            "server.port": 5432,
            "network.peer.address": f"10.0.1.{text.number(255)}",
            "network.peer.port": 5432,
            "thread.id": text.number(100_000),
        },
        SpanKind.CLIENT,
    )


def _web(text: Text, *, spans: int = 20) -> Trace:
    return [_web_span(text, None), *(_web_span(text, 0) for _ in range(1, spans))]


def _large(text: Text) -> Trace:
    """An agent and three model calls of a megabyte each."""
    half = 500_000
    calls = (_chat_of_many(text, half) for _ in range(3))
    return [_agent(text, "reader", None), *calls]


def _chat_of_many(text: Text, least: int) -> Planned:
    call = _chat(text, 0)
    history = [_message("user", text.prose(2_000, 6_000)) for _ in range(2 * least // 4_000)]
    attributes = {**call.attributes, "gen_ai.input.messages": _json(history)}
    return call._replace(attributes=attributes)


def _chain(text: Text, *, depth: int) -> Trace:
    """Each span the child of the one before it."""
    attributes: dict[str, AttributeValue] = {
        "code.function.name": "descend",
        "code.line.number": text.number(400),
    }
    return [Planned("descend", at - 1 if at else None, attributes) for at in range(depth)]


LLM: Final = Workload("llm", "LLM spans of 2-6 KB, 20 a trace", _llm, 2_000)
WEB: Final = Workload("web", "web spans of 12 attributes, 20 a trace", _web, 2_000)
LARGE: Final = Workload("large", "contents of 1 MB", _large, 24)


def chain(depth: int) -> Workload:
    """Spans that are each the child of the one before."""
    return Workload(f"depth-{depth}", f"depth {depth:,}", partial(_chain, depth=depth), 2_000)


def broad(spans: int) -> Workload:
    """Web spans, so many a trace."""
    return Workload(f"size-{spans}", f"{spans:,} spans a trace", partial(_web, spans=spans), 2_000)


def replay(tracer: Tracer, traces: Iterable[Trace]) -> None:
    """What an application does: start every span of each trace, then end them, children first."""
    for trace in traces:
        started = begin(tracer, trace)
        for planned, span in zip(reversed(trace), reversed(started), strict=True):
            if planned.error is not None:
                span.record_exception(planned.error)
                span.set_status(Status(StatusCode.ERROR, str(planned.error)))
            span.end()


def begin(tracer: Tracer, trace: Trace) -> list[Span]:
    """The spans of one trace, started and not yet ended."""
    contexts: list[Context] = []
    started: list[Span] = []
    for name, parent, attributes, kind, _ in trace:
        context = NO_SPAN if parent is None else contexts[parent]
        span = tracer.start_span(name, context, kind, attributes)
        contexts.append(set_span_in_context(span, NO_SPAN))
        assert isinstance(span, Span)
        started.append(span)
    return started


NO_SPAN: Final = Context()


class _Collector(SpanProcessor):
    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


def finished(traces: Iterable[Trace]) -> list[ReadableSpan]:
    """The spans of the traces as an exporter gets them, in the order in which they ended."""
    collector = _Collector()
    replay(tracer(collector), traces)
    return collector.ended


def tracer(*processors: SpanProcessor) -> Tracer:
    """A tracer of the SDK's whose spans go to the processors."""
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    for processor in processors:
        provider.add_span_processor(processor)
    return provider.get_tracer("bench", "1.0")

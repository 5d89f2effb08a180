"""OpenAI's package under OpenTelemetry's own instrumentation."""

from opentelemetry import trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider
from trip import plan_a_trip

from otel_langsmith import LangSmithLogRecordProcessor, LangSmithSpanProcessor

provider = TracerProvider()
provider.add_span_processor(LangSmithSpanProcessor())
trace.set_tracer_provider(provider)
logs = LoggerProvider()
logs.add_log_record_processor(LangSmithLogRecordProcessor())
set_logger_provider(logs)
OpenAIInstrumentor().instrument()

plan_a_trip()

"""A LangChain pipeline under OpenInference: retriever, prompt, model, parser."""

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnablePassthrough
from langchain_openai import ChatOpenAI
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from otel_langsmith import LangSmithSpanProcessor

provider = TracerProvider()
provider.add_span_processor(LangSmithSpanProcessor())
trace.set_tracer_provider(provider)
LangChainInstrumentor().instrument()


class Almanac(BaseRetriever):
    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return [
            Document("Paris is mild.", id="doc-1", metadata={"source": "almanac", "score": 0.9}),
            Document("Rome is warm.", id="doc-2", metadata={"source": "almanac", "score": 0.4}),
        ]


prompt = ChatPromptTemplate.from_messages(
    [("system", "Answer from these: {context}"), ("human", "{question}")]
)
model = ChatOpenAI(model="gpt-4o-mini", temperature=0.2)
chain = (
    {"context": Almanac(), "question": RunnablePassthrough()} | prompt | model | StrOutputParser()
)
chain.with_config(run_name="almanac").invoke(
    "How warm is Paris?",
    config={"max_concurrency": 1, "metadata": {"thread_id": "thread-1", "user_id": "user-1"}},
)

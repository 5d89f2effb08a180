"""A FastAPI service with a database and a second service behind it, and its client."""

import threading
import time

import httpx
import uvicorn
from fastapi import FastAPI, HTTPException
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from sqlalchemy import StaticPool, create_engine, text

from otel_langsmith import LangSmithSpanProcessor

provider = TracerProvider()
provider.add_span_processor(LangSmithSpanProcessor())
trace.set_tracer_provider(provider)

app = FastAPI()
database = create_engine(
    "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
)
with database.begin() as connection:
    connection.execute(text("create table orders (id integer, item text)"))
    connection.execute(text("insert into orders values (7, 'lamp')"))

SQLAlchemyInstrumentor().instrument(engine=database)
HTTPXClientInstrumentor().instrument()
FastAPIInstrumentor.instrument_app(app, exclude_spans=["receive", "send"])


@app.get("/orders/{order_id}")
async def order(order_id: int) -> dict[str, object]:
    with database.connect() as connection:
        found = connection.execute(
            text("select item from orders where id = :id"), {"id": order_id}
        ).scalar()
    if found is None:
        raise HTTPException(404, "no such order")
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        found_price = await client.get("/prices", params={"item": found, "api_key": "hunter2"})
    return {"item": found, "price": found_price.json()}


@app.get("/prices")
async def price(item: str) -> int:
    if item != "lamp":
        raise KeyError(item)
    return 42


server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
thread = threading.Thread(target=server.run)
thread.start()
while not server.started:
    time.sleep(0.01)
url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

with (
    trace.get_tracer("shop").start_as_current_span("checkout"),
    httpx.Client(base_url=url, timeout=60) as http,
):
    assert http.get("/orders/7").json() == {"item": "lamp", "price": 42}
    assert http.get("/orders/8").status_code == 404
    assert http.get("/prices", params={"item": "sofa"}).status_code == 500

server.should_exit = True
thread.join()

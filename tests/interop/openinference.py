"""OpenInference's OpenAI instrumentation: a chat with a tool call, a streamed one, one refused.

Needs OTEL_EXPORTER_OTLP_ENDPOINT, OPENAI_BASE_URL and OPENAI_API_KEY. Prints the session's id as JSON.
"""

import json

import openai
from openinference.instrumentation import using_session
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

SESSION = "interop-chat"
TOOL = {
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}

provider = TracerProvider(resource=Resource.create({"service.name": "weather-bot"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
OpenAIInstrumentor().instrument(tracer_provider=provider)
client = openai.OpenAI(max_retries=0)


def ask(text, **more):
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.create(model="gpt-4o-mini", messages=messages, **more)


with using_session(SESSION):
    ask("Use get_weather for Costa Mesa", tools=[{"type": "function", "function": TOOL}])
    for _ in ask("Say hello", stream=True, stream_options={"include_usage": True}):
        pass
    client.responses.create(model="gpt-4o-mini", input="Say hello")
    try:
        ask("Please answer 400")
    except openai.BadRequestError:
        pass
provider.shutdown()
print(json.dumps([SESSION]))

"""A MeshAgent chat agent: two turns of one thread, the first with a tool call.

Needs what MeshAgent's platform sets for a room container: OTEL_ENDPOINT, MESHAGENT_PROJECT_ID,
MESHAGENT_ROOM, MESHAGENT_SESSION_ID; and OPENAI_BASE_URL, OPENAI_API_KEY.
"""

import asyncio
import json
import logging
import os

from meshagent.agents.messages import (
    AGENT_EVENT_TURN_ENDED,
    AGENT_MESSAGE_TURN_START,
    TurnStart,
)
from meshagent.agents.process import AgentSupervisor, LLMAgentProcess, Message
from meshagent.api.participant import Participant
from meshagent.openai.tools.responses_adapter import OpenAIResponsesAdapter
from meshagent.otel import otel_config
from meshagent.tools import FunctionTool, Toolkit
from opentelemetry import _logs, metrics, trace

THREAD = "/threads/t1.thread"


class GetWeather(FunctionTool):
    def __init__(self):
        super().__init__(
            name="get_weather",
            description="The weather of a city",
            input_schema={
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
                "additionalProperties": False,
            },
        )

    async def execute(self, context, city: str):
        logging.getLogger("weather").info("asked for %s", city)
        return {"city": city, "celsius": 21}


class Supervisor(AgentSupervisor):
    """Stands for the room that is not there: takes what the process says, tells when a turn has ended."""

    def __init__(self):
        super().__init__()
        self.ended = asyncio.Queue()

    def send(self, message):
        if message.data.type == AGENT_EVENT_TURN_ENDED:
            self.ended.put_nowait(message.data)


async def main():
    process = LLMAgentProcess(
        thread_id=THREAD,
        participant=Participant(id="agent", attributes={"name": "my-chat-agent"}),
        llm_adapter=OpenAIResponsesAdapter(model="gpt-5.4", mode="request"),
        toolkits=[Toolkit(name="weather-toolkit", tools=[GetWeather()])],
    )
    supervisor = Supervisor()
    await supervisor.start()
    supervisor.add_process(process)
    await process.start(supervisor)
    for said in ("Use get_weather for Costa Mesa", "Thank you"):
        content = [{"type": "text", "text": said}]
        process.send(Message(data=TurnStart(type=AGENT_MESSAGE_TURN_START, thread_id=THREAD, content=content)))
        await asyncio.wait_for(supervisor.ended.get(), 60)
        # The end of a turn is told a moment before the next may start.
        while process.turn_id is not None:
            await asyncio.sleep(0)
    await process.stop(supervisor)
    await supervisor.stop()


otel_config(service_name="my-chat-agent")
asyncio.run(main())
for provider in (trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()):
    provider.shutdown()
print(json.dumps([os.environ["MESHAGENT_SESSION_ID"]]))

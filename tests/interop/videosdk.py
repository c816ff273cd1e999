"""A VideoSDK voice agent's call of two turns: a tool in the first, an interruption and a failure in the second.

VideoSDK's cloud is not reachable from a test, so the room that it would join is simulated: a
meeting with an id and a session. Everything that tells about the call is VideoSDK's own: the room
handler, the metrics collector with its analytics client, the traces, the log manager.

Needs the URL of OTLP over HTTP in MESHSCOPE, and OPENAI_BASE_URL. Configured as in the guide: the
turn metrics name no session, and are to find the spans of their call. Prints the session's id as JSON.
"""

import asyncio
import json
import logging
import os
import time
from types import SimpleNamespace

import aiohttp
from videosdk.agents import LoggingOptions, MetricsOptions, RoomOptions, TracesOptions
from videosdk.agents.metrics import metrics_collector as metrics
from videosdk.agents.metrics import telemetry
from videosdk.agents.metrics.logger_handler import JobLogger, LogManager
from videosdk.agents.room.room import VideoSDKHandler

BASE = os.environ["MESHSCOPE"]
ROOM, SESSION = "interop-room", "65f0-interop"
PROVIDERS = {
    "vad": ("SileroVAD", "silero"),
    "stt": ("DeepgramSTT", "nova-2"),
    "eou": ("TurnDetector", "eou-v1"),
    "llm": ("OpenAILLM", "gpt-4o-mini"),
    "tts": ("ElevenLabsTTS", "eleven_flash_v2_5"),
}
OPTIONS = RoomOptions(
    room_id=ROOM,
    name="Haley",
    # Where the SDK would tell its vendor about the first turn: nobody is there.
    signaling_base_url="http://127.0.0.1:9",
    traces=TracesOptions(enabled=True, export_url=f"{BASE}/v1/traces"),
    metrics=MetricsOptions(enabled=True, export_url=f"{BASE}/v1/metrics"),
    logs=LoggingOptions(enabled=True, level="INFO", export_url=f"{BASE}/v1/logs"),
)


async def ask(text):
    """A real call of the model: what it said and used."""
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}
    async with aiohttp.ClientSession() as client:
        async with client.post(f"{os.environ['OPENAI_BASE_URL']}/chat/completions", json=body) as answer:
            answer = await answer.json()
    used = answer["usage"]
    cached = used["prompt_tokens_details"]["cached_tokens"]
    usage = {key: used[key] for key in ("prompt_tokens", "completion_tokens", "total_tokens")}
    return answer["choices"][0]["message"]["content"], usage | {"prompt_cached_tokens": cached}


async def turn(said, tool=None, error=None):
    """One turn, told to the collector as the pipeline tells it."""
    pause = lambda: asyncio.sleep(0.02)
    metrics.start_turn()
    metrics.on_user_speech_start()
    metrics.set_vad_config({"threshold": 0.5, "min_speech_duration": 0.1, "min_silence_duration": 0.4})
    metrics.on_stt_start()
    await pause()
    metrics.on_user_speech_end()
    metrics.on_stt_complete(said, duration=0.05, confidence=0.98)
    metrics.set_user_transcript(said)
    metrics.on_eou_start()
    await pause()
    metrics.on_eou_complete()
    metrics.on_llm_start()
    metrics.set_llm_input(said)
    answer, usage = await ask(said)
    metrics.on_llm_first_token()
    if tool:
        metrics.add_function_tool_call(tool, {"city": "Paris"}, {"celsius": 21}, end_time=time.perf_counter())
    if error:
        metrics.add_error("LLM", error)
    await pause()
    metrics.on_llm_complete()
    metrics.set_llm_usage(usage)
    metrics.set_agent_response(answer)
    metrics.on_tts_start()
    metrics.add_tts_characters(len(answer))
    await pause()
    metrics.on_tts_first_byte()
    metrics.on_agent_speech_start()
    await pause()
    if error:
        metrics.on_interrupted()
    metrics.on_agent_speech_end()
    metrics.complete_turn()


def join():
    """What joining the room would leave behind, and the options put to use as the job does."""
    options = OPTIONS._resolved_observability()
    logs = LogManager()
    logs.start()
    job_logger = JobLogger(
        queue=logs.get_queue(),
        room_id=ROOM,
        peer_id="agent",
        auth_token="",
        dashboard_log_level=options.logs.level,
        send_logs_to_dashboard=True,
    )
    metrics.transport_mode = OPTIONS.transport_mode
    metrics.analytics_client.configure(options.metrics, signaling_base_url=OPTIONS.signaling_base_url)
    room = VideoSDKHandler(
        meeting_id=ROOM,
        auth_token="none",
        name=OPTIONS.name,
        agent_id=None,
        agent_participant_id="agent-peer-1",
        pipeline=None,
        loop=asyncio.get_running_loop(),
        job_logger=job_logger,
        traces_options=options.traces,
        metrics_options=options.metrics,
        logs_options=options.logs,
    )
    room.sdk_metadata = {"sdk": "agents", "sdk_version": "1.0.30"}
    room.meeting = SimpleNamespace(
        session_id=SESSION,
        participant_id="agent-peer-1",
        local_participant=SimpleNamespace(id="agent-peer-1"),
        get_attributes=lambda: {"traces": {}, "logs": {}, "observability": ""},
    )
    room._meeting_joined_data = {"meeting_id": ROOM}
    return room, logs


async def main():
    room, logs = join()
    await room._collect_session_id()
    await room._collect_meeting_attributes()
    for component, (provider, model) in PROVIDERS.items():
        metrics.set_provider_info(component, provider, model)
    metrics.set_system_instructions("You are Haley.")
    metrics.set_eou_config(SimpleNamespace(mode="DEFAULT", min_max_speech_wait_timeout=[0.5, 0.8]))
    metrics.configure_pipeline("full_cascading")
    traces = room.traces_flow_manager
    start = {"start_time": time.perf_counter()}
    await traces.start_agent_session_config({"pipeline": "Pipeline", "function_tools": ["get_weather"], **start})
    await traces.start_agent_session(dict(start))
    await turn("What is the weather in Paris?", tool="get_weather")
    logging.getLogger("videosdk.agents.interop").warning("slow tts")
    await turn("Thanks, bye", error="429 rate limited")
    logging.getLogger("videosdk.agents.interop").error("final error")
    metrics.finalize_session()
    await traces.start_agent_session_closed({"start_time": time.perf_counter()})
    traces.end_agent_session_closed()
    await room.cleanup()
    # The turn metrics go out in tasks of their own.
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.wait(tasks, timeout=30) if tasks else None
    telemetry.get_telemetry().flush()
    logs.stop()


asyncio.run(main())
print(json.dumps([SESSION]), flush=True)
# Audio and media threads of the SDK outlive the call.
os._exit(0)

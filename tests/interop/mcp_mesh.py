"""MCP Mesh: two agents, one calling the other's tool and its language model, one failure.

Without an argument this is the mesh: a registry (MCP Mesh's own is a Go program that PyPI does not
have; this one answers heartbeats with who serves what), the two agents as processes, and a caller
that uses their tools over MCP. With an argument it is that agent.

Needs REDIS_URL, MCP_MESH_DISTRIBUTED_TRACING_ENABLED=true, OPENAI_BASE_URL and OPENAI_API_KEY.
Prints the trace ids as JSON.
"""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROLE = sys.argv[1] if len(sys.argv) > 1 else None

if ROLE:
    import mesh
    from fastmcp import FastMCP

    # The mesh holds the other end: an agent ends when the mesh has, whatever ended that.
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    app = FastMCP(ROLE)

if ROLE == "time-agent":

    @app.tool()
    @mesh.tool(capability="time_service")
    def get_current_time() -> str:
        return "noon"

    @app.tool()
    @mesh.tool(capability="broken")
    def always_fails() -> str:
        raise ValueError("deliberate failure")

    @mesh.llm_provider(model="openai/gpt-4o-mini", capability="llm", tags=["openai"])
    def provider():
        pass

    @mesh.agent(name="time-agent", http_host="127.0.0.1", auto_run=True)
    class TimeAgent:
        pass

if ROLE == "report-agent":

    @app.tool()
    @mesh.tool(capability="report", dependencies=["time_service"])
    async def generate_report(title: str, time_service: mesh.McpMeshTool = None) -> dict:
        return {"title": title, "at": str(await time_service())}

    @app.tool()
    @mesh.llm(provider={"capability": "llm"}, max_iterations=1)
    @mesh.tool(capability="chat")
    async def chat(message: str, llm: mesh.MeshLlmAgent = None) -> str:
        return await llm(message)

    @mesh.agent(name="report-agent", http_host="127.0.0.1", auto_run=True)
    class ReportAgent:
        pass


AGENTS = {}
"""The last heartbeat of each agent by its id."""

BEATS = Counter()
"""How many there were by the agent's name."""


def serving(capability):
    """Who serves a capability: heartbeat and tool, or nothing."""
    for beat in AGENTS.values():
        for tool in beat["tools"]:
            if tool["capability"] == capability:
                return beat, tool
    return None


def answer_to(beat):
    """What a registry answers a heartbeat: whom the agent's tools depend on."""
    answer = {"status": "success", "message": "known", "agent_id": beat["agent_id"], "timestamp": "2026-11-21T00:00:00Z"}
    resolved, providers = {}, {}
    for tool in beat["tools"]:
        for dependency in tool.get("dependencies", []):
            found = serving(dependency["capability"])
            resolved.setdefault(tool["function_name"], []).extend([place(*found)] if found else [])
        if tool.get("llm_provider"):
            found = serving(tool["llm_provider"]["capability"])
            if found:
                providers[tool["function_name"]] = place(*found) | {
                    "name": found[1]["function_name"],
                    "model": "openai/gpt-4o-mini",
                    "vendor": "openai",
                    "version": "1.0.0",
                }
    return answer | {"dependencies_resolved": resolved, "llm_tools": {}, "llm_providers": providers}


def place(beat, tool):
    return {
        "agent_id": beat["agent_id"],
        "endpoint": f"http://127.0.0.1:{beat['http_port']}",
        "function_name": tool["function_name"],
        "capability": tool["capability"],
        "status": "available",
        "ttl": 60,
        "kwargs": tool.get("kwargs") or {},
    }


class Registry(BaseHTTPRequestHandler):
    def do_POST(self):
        beat = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/heartbeat":
            AGENTS[beat["agent_id"]] = beat | {"tools": beat.get("tools") or []}
            self.send(200, answer_to(AGENTS[beat["agent_id"]]))
            BEATS[beat["name"]] += 1
            return
        self.send(200, {})

    def do_HEAD(self):
        # 202: something changed, send a full heartbeat. So that each agent soon knows the other.
        self.send(202, None)

    def do_DELETE(self):
        self.send(204, None)

    def do_GET(self):
        self.send(200, {"status": "healthy"})

    def send(self, status, body):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def call(tool, arguments):
    """Calls a tool over MCP in a trace of its own; whether it worked, and the trace's id."""
    trace = uuid.uuid4().hex
    beat, _ = next((beat, t) for beat in AGENTS.values() for t in beat["tools"] if t["function_name"] == tool)
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    request = urllib.request.Request(
        f"http://127.0.0.1:{beat['http_port']}/mcp",
        json.dumps(body).encode(),
        {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "X-Trace-ID": trace,
        },
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read().decode()
    data = next((line[6:] for line in text.splitlines() if line.startswith("data: ")), text)
    return not json.loads(data)["result"].get("isError"), trace


def until(what, check, seconds=90):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(0.1)
    sys.exit(f"no {what} within {seconds} s; heartbeats came from {list(AGENTS)}")


def listening(name):
    """Whether the agent's server takes requests."""
    for beat in AGENTS.values():
        if beat["name"] == name:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{beat['http_port']}/livez", timeout=5):
                    return True
            except (urllib.error.HTTPError, ConnectionError, TimeoutError, urllib.error.URLError):
                return False
    return False


def run():
    registry = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=registry.serve_forever, daemon=True).start()
    environment = os.environ | {
        "MCP_MESH_REGISTRY_URL": f"http://127.0.0.1:{registry.server_address[1]}",
        "MCP_MESH_HTTP_HOST": "127.0.0.1",
        "MCP_MESH_HTTP_PORT": "0",
        "MCP_MESH_HEALTH_INTERVAL": "1",
    }
    agents = []

    def start(name):
        command = [sys.executable, __file__, name]
        agents.append(subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=sys.stderr))
        until(name, lambda: listening(name))

    try:
        start("time-agent")
        start("report-agent")
        # It learned of the other in the answer to its first heartbeat and has used that by the third.
        until("third heartbeat", lambda: BEATS["report-agent"] >= 3)
        calls = [call("generate_report", {"title": "weekly"}), call("chat", {"message": "Hello"}), call("always_fails", {})]
    finally:
        for agent in agents:
            agent.terminate()
        for agent in agents:
            agent.wait(30)
    if [worked for worked, _ in calls] != [True, True, False]:
        sys.exit(f"the tools answered {calls}")
    print(json.dumps([trace for _, trace in calls]))


if ROLE is None:
    run()

"""An OpenAI-compatible server on loopback: Chat Completions and Responses, streaming and not.

Every call reports 123 prompt tokens of which 23 are cached, 45 completion tokens of which 5 are
reasoning, 168 in total. It calls a tool when the last message is a user's and names one of the
tools offered; it answers 400 when that message says "answer 400"; else it says a sentence.
Prints its base URL, then serves until it is killed.
"""

import itertools
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = ["Hello ", "from ", "the ", "stub."]
CHAT_USAGE = {
    "prompt_tokens": 123,
    "completion_tokens": 45,
    "total_tokens": 168,
    "prompt_tokens_details": {"cached_tokens": 23, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 0},
}
RESPONSES_USAGE = {
    "input_tokens": 123,
    "input_tokens_details": {"cached_tokens": 23},
    "output_tokens": 45,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 168,
}
numbers = itertools.count(1)


def text(content):
    """The text of a message's content, which is a string or a list of parts."""
    if isinstance(content, list):
        return " ".join(part.get("text") or "" for part in content if isinstance(part, dict))
    return content or ""


def last_user_text(messages):
    """What the user said last, or nothing when the last message is not the user's."""
    if isinstance(messages, str):
        return messages
    last = messages[-1] if messages else {}
    return text(last.get("content")) if last.get("role") == "user" else ""


def functions(tools):
    """Every function offered, those of namespaces with the namespace they are in."""
    for tool in tools or []:
        if tool.get("type") == "namespace":
            yield from (inner | {"namespace": tool["name"]} for inner in functions(tool["tools"]))
        else:
            yield tool.get("function", tool)


def wanted_tool(messages, tools):
    """The function to call, as a function call without its id; every argument is "Costa Mesa"."""
    said = last_user_text(messages)
    for function in functions(tools):
        if function.get("name") and function["name"] in said:
            required = (function.get("parameters") or {}).get("required") or []
            call = {"name": function["name"], "arguments": json.dumps({key: "Costa Mesa" for key in required})}
            namespace = function.get("namespace")
            return call | ({"namespace": namespace} if namespace else {})
    return None


def chat(request):
    """A Chat Completions answer."""
    n = next(numbers)
    tool = wanted_tool(request["messages"], request.get("tools"))
    message = {"role": "assistant", "content": None if tool else "".join(ANSWER)}
    if tool:
        message["tool_calls"] = [{"id": f"call_{n}", "type": "function", "function": tool}]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if tool else "stop"}
    return {
        "id": f"chatcmpl-{n}",
        "object": "chat.completion",
        "created": 1795219100,
        "model": request["model"],
        "choices": [choice],
        "usage": CHAT_USAGE,
    }


def chat_events(request):
    """The same answer as chunks; usage only where the client asks for it, as OpenAI does."""
    whole = chat(request)
    message = whole["choices"][0]["message"]
    base = {key: whole[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}

    def chunk(delta, finish=None):
        return base | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    if "tool_calls" in message:
        yield chunk({"tool_calls": [{"index": 0} | message["tool_calls"][0]]})
    else:
        yield from (chunk({"content": word}) for word in ANSWER)
    yield chunk({}, whole["choices"][0]["finish_reason"])
    if (request.get("stream_options") or {}).get("include_usage"):
        yield base | {"choices": [], "usage": CHAT_USAGE}


def responses(request):
    """A Responses answer."""
    n = next(numbers)
    tool = wanted_tool(request["input"], request.get("tools"))
    if tool:
        item = {"type": "function_call", "id": f"fc_{n}", "call_id": f"call_{n}", "status": "completed"} | tool
    else:
        part = {"type": "output_text", "text": "".join(ANSWER), "annotations": []}
        item = {
            "type": "message",
            "id": f"msg_{n}",
            "role": "assistant",
            "status": "completed",
            "content": [part],
        }
    return {
        "id": f"resp_{n}",
        "object": "response",
        "created_at": 1795219100,
        "status": "completed",
        "model": request["model"],
        "output": [item],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": RESPONSES_USAGE,
    }


def responses_events(request):
    """The same answer as events."""
    whole = responses(request)
    (item,) = whole["output"]
    yield {"type": "response.created", "response": whole | {"status": "in_progress", "output": [], "usage": None}}
    at = {"item_id": item["id"], "output_index": 0}
    if item["type"] == "function_call":
        opened = item | {"arguments": "", "status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": 0, "item": opened}
        yield at | {"type": "response.function_call_arguments.delta", "delta": item["arguments"]}
        done = {"name": item["name"], "arguments": item["arguments"]}
        yield at | {"type": "response.function_call_arguments.done"} | done
    else:
        part = item["content"][0]
        at |= {"content_index": 0}
        opened = item | {"content": [], "status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": 0, "item": opened}
        yield at | {"type": "response.content_part.added", "part": part | {"text": ""}}
        for word in ANSWER:
            yield at | {"type": "response.output_text.delta", "delta": word, "logprobs": []}
        yield at | {"type": "response.output_text.done", "text": part["text"], "logprobs": []}
        yield at | {"type": "response.content_part.done", "part": part}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": whole}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_chat = self.path.endswith("/chat/completions")
        if not is_chat and not self.path.endswith("/responses"):
            return self.send(404, {"error": {"message": f"no {self.path} here", "type": "not_found"}})
        if "answer 400" in last_user_text(request["messages" if is_chat else "input"]):
            return self.send(400, {"error": {"message": "stub failure", "type": "invalid_request_error"}})
        if request.get("stream"):
            return self.stream(chat_events(request) if is_chat else responses_events(request), is_chat)
        self.send(200, chat(request) if is_chat else responses(request))

    def do_GET(self):
        self.send(200, {"object": "list", "data": [{"id": "gpt-4o-mini", "object": "model", "owned_by": "stub"}]})

    def send(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, events, is_chat):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for number, event in enumerate(events):
            name = "" if is_chat else f"event: {event['type']}\n"
            event = event if is_chat else event | {"sequence_number": number}
            self.wfile.write(f"{name}data: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()
        if is_chat:
            self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    server.serve_forever()

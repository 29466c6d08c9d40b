"""Every known fault of the first chat provider is hidden from the official client with the model `auto`."""

import pytest
from check_client import ASK, TOOL, looking, png
from conftest import FROM_GEMINI, FROM_GROQ, control, fault, received

# Faults before the first content: the answer is that of the other provider.
BEFORE = {
    "429": {"kind": "status", "code": 429},
    "429 for the day": {"kind": "status", "code": 429, "body": {"variant": "day"}},
    "401": {"kind": "refuse_auth"},
    "500": {"kind": "status", "code": 500},
    "502 with an HTML page": {"kind": "status", "code": 502, "body": "html"},
    "200 with an HTML page": {"kind": "status", "code": 200, "body": "html"},
    "503": {"kind": "status", "code": 503},
    "reset": {"kind": "reset"},
    "silent": {"kind": "silent"},
    "headers and then nothing": {"kind": "delay_content", "ms": 60000},
    "empty": {"kind": "empty_answer"},
    "reasoning used up the token limit": {"kind": "empty_answer", "finish": "length"},
    "cut before the first content": {"kind": "cut_after", "chunks": 0},
    "error as the first event": {"kind": "stream_error", "form": "data", "after": 0},
    "model gone": {"kind": "model_gone"},
    "context too long": {"kind": "context_too_long"},
    "request too large": {"kind": "body_too_large"},
}
# Faults in mid-stream: the other provider continues the answer.
AFTER = {
    "cut": {"kind": "cut_after", "chunks": 3},
    "cut with a reset": {"kind": "cut_after", "chunks": 3, "reset": True},
    "stalled": {"kind": "stall_after", "chunks": 3},
    "no finish": {"kind": "no_finish"},
    "error in the stream": {"kind": "stream_error", "form": "event", "after": 3},
}


# The question per service, without and with a picture.
MESSAGES = {"llm": ASK, "vlm": looking(png(64, 48))}
STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
SERVICE = pytest.mark.parametrize("service", MESSAGES)


def ask(client, service, stream):
    """The text, the finish reason, the `aura` object and the headers of an answer, streamed or not."""
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=MESSAGES[service], stream=stream)
    answer = raw.parse()
    if not stream:
        [choice] = answer.choices
        return choice.message.content, choice.finish_reason, answer.aura, raw.headers
    chunks = list(answer)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    return text, chunks[-1].choices[0].finish_reason, chunks[-1].aura, raw.headers


def assert_continued(text):
    """Checks that an answer begins with text of the first provider and ends with that of the other one."""
    begun, rest = text.split("Gemini", 1)
    assert FROM_GROQ.startswith(begun.strip()) and len(begun) > 5, text
    assert FROM_GEMINI == f"Gemini{rest}", text


@STREAM
@SERVICE
@pytest.mark.parametrize("what", BEFORE)
def test_fault_before_the_first_content(client, what, service, stream):
    fault("groq", service, **BEFORE[what])
    text, finish, aura, headers = ask(client, service, stream)
    assert (text, finish) == (FROM_GEMINI, "stop")
    assert headers["x-aura-route"] == aura["route"] and aura["route"].startswith("gemini/")
    assert int(headers["x-aura-attempts"]) == len(aura["attempts"]) >= 2
    assert received("groq", service), "the first provider was called"


@STREAM
@SERVICE
@pytest.mark.parametrize("what", AFTER)
def test_fault_in_mid_stream(client, what, service, stream):
    fault("groq", service, **AFTER[what])
    text, finish, aura, _ = ask(client, service, stream)
    assert finish == "stop" and aura["route"].startswith("gemini/")
    assert_continued(text)
    assert [attempt.get("class") for attempt in aura["attempts"]] == ["interrupted", None]


@STREAM
@SERVICE
def test_a_fallback_that_rejects_a_prefill(client, service, stream):
    """The other provider rejects a conversation that ends with an assistant message."""
    fault("groq", service, **AFTER["cut with a reset"])
    control("POST", "faults", {"provider": "gemini", "kind": "refuse_prefill"})
    text, finish, _, _ = ask(client, service, stream)
    assert finish == "stop"
    assert_continued(text)


@STREAM
@SERVICE
@pytest.mark.parametrize("what", [
    {"kind": "no_done"},
    {"kind": "malformed_chunk", "after": 0},
    {"kind": "malformed_chunk", "after": 3},
    {"kind": "wrong_content_type", "content_type": "text/html"},
], ids=["no [DONE]", "malformed first chunk", "malformed later chunk", "wrong content type"])
def test_harmless_faults_cause_no_fallback(client, what, service, stream):
    fault("groq", service, **what)
    text, finish, aura, _ = ask(client, service, stream)
    assert (text, finish, len(aura["attempts"])) == (FROM_GROQ, "stop", 1)


@STREAM
@pytest.mark.parametrize("what", [
    {"kind": "status", "code": 503},
    {"kind": "reset"},
    {"kind": "cut_after", "chunks": 1},
    {"kind": "malformed_chunk", "after": 0},
    {"kind": "no_finish"},
], ids=lambda what: what["kind"])
def test_tools(client, what, stream):
    """An incomplete tool call is discarded; the other provider makes the call."""
    calls = [{"name": "open_app", "arguments": {"name": "Notes"}}]
    control("PUT", "script", {"rules": [{"reply": {"tool_calls": calls}}]})
    fault("groq", "llm", **what)
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=ASK, tools=[TOOL], stream=stream)
    answer = raw.parse()
    if stream:
        chunks = [chunk.choices[0] for chunk in answer]
        called = [call for choice in chunks for call in choice.delta.tool_calls or []]
        finish = chunks[-1].finish_reason
    else:
        called, finish = answer.choices[0].message.tool_calls, answer.choices[0].finish_reason
    assert finish == "tool_calls"
    assert [(call.function.name, call.function.arguments) for call in called] == [("open_app", '{"name":"Notes"}')]
    assert received("gemini", "llm")


def test_an_open_circuit_is_skipped(server):
    """Ten questions while the first provider is down: all are answered, and the provider is called fewer than ten times."""
    fault("groq", "llm", kind="status", code=500)
    for _ in range(10):
        assert server.client.chat.completions.create(model="auto", messages=ASK).choices[0].message.content == FROM_GEMINI
    assert len(received("groq", "llm")) < 10

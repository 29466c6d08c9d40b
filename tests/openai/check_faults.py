"""The first provider fails in each of the known ways; whoever uses the official client with `auto` notices nothing."""

import io
import wave

import pytest
from check_client import ASK, HEARD, SPOKEN, TOOL, looking, png, speech, words  # noqa: F401 (fixtures are found by name)
from conftest import FROM_GEMINI, FROM_GROQ, asked, control, fault

# What goes wrong before a word was said: the other provider's answer is the whole answer.
BEFORE = {
    "429": {"kind": "status", "code": 429},
    "429 for the day": {"kind": "status", "code": 429, "body": {"variant": "day"}},
    "401": {"kind": "refuse_auth"},
    "500": {"kind": "status", "code": 500},
    "502 with a page": {"kind": "status", "code": 502, "body": "html"},
    "503": {"kind": "status", "code": 503},
    "reset": {"kind": "reset"},
    "silent": {"kind": "silent"},
    "headers and then nothing": {"kind": "delay_content", "ms": 60000},
    "empty": {"kind": "empty_answer"},
    "all room thought away": {"kind": "empty_answer", "finish": "length"},
    "cut before a word": {"kind": "cut_after", "chunks": 0},
    "error as the first event": {"kind": "stream_error", "form": "data", "after": 0},
    "model gone": {"kind": "model_gone"},
    "context too long": {"kind": "context_too_long"},
    "request too large": {"kind": "body_too_large"},
}
# What goes wrong in the middle: the answer goes on with the other provider's words.
AFTER = {
    "cut": {"kind": "cut_after", "chunks": 3},
    "cut with a reset": {"kind": "cut_after", "chunks": 3, "reset": True},
    "stalled": {"kind": "stall_after", "chunks": 3},
    "no finish": {"kind": "no_finish"},
    "error in the stream": {"kind": "stream_error", "form": "event", "after": 3},
}


def ask(client, stream, **more):
    """The text, the finish reason and the headers of an answer, streamed or not."""
    raw = client.chat.completions.with_raw_response.create(
        **{"model": "auto", "messages": ASK, "stream": stream, **more}
    )
    answer = raw.parse()
    if not stream:
        [choice] = answer.choices
        return choice.message.content, choice.finish_reason, answer.aura, raw.headers
    chunks = list(answer)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    return text, chunks[-1].choices[0].finish_reason, chunks[-1].aura, raw.headers


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("what", BEFORE)
def test_before_a_word_was_said(client, what, stream):
    fault("groq", "llm", **BEFORE[what])
    text, finish, aura, headers = ask(client, stream)
    assert (text, finish) == (FROM_GEMINI, "stop")
    assert headers["x-aura-route"] == aura["route"] == "gemini/gemini-3.5-flash-lite"
    assert int(headers["x-aura-attempts"]) == len(aura["attempts"]) >= 2
    assert asked("groq", "llm"), "the first provider was really asked"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("what", AFTER)
def test_in_the_middle(client, what, stream):
    fault("groq", "llm", **AFTER[what])
    text, finish, aura, _ = ask(client, stream)
    assert finish == "stop" and aura["route"] == "gemini/gemini-3.5-flash-lite"
    begun, rest = text.split("Gemini", 1)
    assert FROM_GROQ.startswith(begun.strip()) and len(begun) > 5, text
    assert FROM_GEMINI == f"Gemini{rest}", text
    assert [attempt.get("class") for attempt in aura["attempts"]] == ["interrupted", None]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("what", [
    {"kind": "no_done"},
    {"kind": "malformed_chunk", "after": 0},
    {"kind": "malformed_chunk", "after": 3},
    {"kind": "wrong_content_type", "content_type": "text/html"},
], ids=["no [DONE]", "malformed at first", "malformed in the middle", "wrong content type"])
def test_what_does_not_make_an_answer_worse(client, what, stream):
    fault("groq", "llm", **what)
    text, finish, aura, _ = ask(client, stream)
    assert (text, finish, len(aura["attempts"])) == (FROM_GROQ, "stop", 1)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("what", ["429", "500", "reset", "empty"])
def test_looking(client, what, stream):
    fault("groq", "vlm", **BEFORE[what])
    text, finish, aura, _ = ask(client, stream, messages=looking(png(64, 48)))
    assert (text, finish, aura["route"].split("/")[0]) == (FROM_GEMINI, "stop", "gemini")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("what", [
    {"kind": "status", "code": 503},
    {"kind": "reset"},
    {"kind": "cut_after", "chunks": 1},
    {"kind": "malformed_chunk", "after": 0},
    {"kind": "no_finish"},
], ids=lambda what: what["kind"])
def test_tools(client, what, stream):
    """Half a call is never taken for a whole one: the other provider calls."""
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
    assert asked("gemini", "llm")


@pytest.mark.parametrize("what", [
    {"kind": "status", "code": 429},
    {"kind": "status", "code": 500},
    {"kind": "status", "code": 503},
    {"kind": "reset"},
    {"kind": "silent"},
    {"kind": "model_gone"},
    {"kind": "empty_transcript"},
    {"kind": "cut_after", "chunks": 0},
], ids=lambda what: f"{what['kind']} {what.get('code', '')}".strip())
def test_transcription(client, speech, what):  # noqa: F811
    fault("groq", "stt", **what)
    raw = client.audio.transcriptions.with_raw_response.create(model="auto", file=("a.wav", speech))
    assert HEARD <= words(raw.parse().text)
    assert raw.headers["x-aura-route"].startswith("gemini/") and int(raw.headers["x-aura-attempts"]) >= 2


@pytest.mark.parametrize("what", [
    {"kind": "status", "code": 429},
    {"kind": "status", "code": 500},
    {"kind": "status", "code": 503},
    {"kind": "reset"},
    {"kind": "silent"},
    {"kind": "model_gone"},
    {"kind": "zero_audio"},
    {"kind": "cut_after", "chunks": 1},
    {"kind": "stall_after", "chunks": 1},
], ids=lambda what: f"{what['kind']} {what.get('code', '')}".strip())
def test_speech(client, what):
    fault("groq", "tts", **what)
    spoken = client.audio.speech.with_raw_response.create(
        model="auto", voice="hannah", input=SPOKEN, response_format="wav"
    )
    with wave.open(io.BytesIO(spoken.content)) as wav:
        assert wav.getnframes() > 24000
    assert spoken.headers["x-aura-route"].startswith("gemini/")


def test_the_users_own_tries_are_not_needed(door):
    """Ten questions in a row while the first provider is down: every one is answered, and it is not asked ten times."""
    fault("groq", "llm", kind="status", code=500)
    for _ in range(10):
        assert door.client.chat.completions.create(model="auto", messages=ASK).choices[0].message.content == FROM_GEMINI
    assert len(asked("groq", "llm")) < 10

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
    "200 with a page": {"kind": "status", "code": 200, "body": "html"},
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


# What is asked of whom: the same faults, whether a picture goes with the question or not.
MESSAGES = {"llm": ASK, "vlm": looking(png(64, 48))}
STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
SERVICE = pytest.mark.parametrize("service", MESSAGES)


def ask(client, service, stream):
    """The text, the finish reason and the headers of an answer, streamed or not."""
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=MESSAGES[service], stream=stream)
    answer = raw.parse()
    if not stream:
        [choice] = answer.choices
        return choice.message.content, choice.finish_reason, answer.aura, raw.headers
    chunks = list(answer)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    return text, chunks[-1].choices[0].finish_reason, chunks[-1].aura, raw.headers


def continued(text):
    """Makes sure that an answer is the beginning of the first provider's, and then the other's."""
    begun, rest = text.split("Gemini", 1)
    assert FROM_GROQ.startswith(begun.strip()) and len(begun) > 5, text
    assert FROM_GEMINI == f"Gemini{rest}", text


@STREAM
@SERVICE
@pytest.mark.parametrize("what", BEFORE)
def test_before_a_word_was_said(client, what, service, stream):
    fault("groq", service, **BEFORE[what])
    text, finish, aura, headers = ask(client, service, stream)
    assert (text, finish) == (FROM_GEMINI, "stop")
    assert headers["x-aura-route"] == aura["route"] and aura["route"].startswith("gemini/")
    assert int(headers["x-aura-attempts"]) == len(aura["attempts"]) >= 2
    assert asked("groq", service), "the first provider was really asked"


@STREAM
@SERVICE
@pytest.mark.parametrize("what", AFTER)
def test_in_the_middle(client, what, service, stream):
    fault("groq", service, **AFTER[what])
    text, finish, aura, _ = ask(client, service, stream)
    assert finish == "stop" and aura["route"].startswith("gemini/")
    continued(text)
    assert [attempt.get("class") for attempt in aura["attempts"]] == ["interrupted", None]


@STREAM
@SERVICE
def test_a_fallback_that_refuses_a_prefill(client, service, stream):
    """The one that is to go on takes no conversation that ends with the assistant's words."""
    fault("groq", service, **AFTER["cut with a reset"])
    control("POST", "faults", {"provider": "gemini", "kind": "refuse_prefill"})
    text, finish, _, _ = ask(client, service, stream)
    assert finish == "stop"
    continued(text)


@STREAM
@SERVICE
@pytest.mark.parametrize("what", [
    {"kind": "no_done"},
    {"kind": "malformed_chunk", "after": 0},
    {"kind": "malformed_chunk", "after": 3},
    {"kind": "wrong_content_type", "content_type": "text/html"},
], ids=["no [DONE]", "malformed at first", "malformed in the middle", "wrong content type"])
def test_what_does_not_make_an_answer_worse(client, what, service, stream):
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


# What goes wrong with sound, whichever way it goes.
SOUND = {
    "429": {"kind": "status", "code": 429},
    "500": {"kind": "status", "code": 500},
    "503": {"kind": "status", "code": 503},
    "200 with a page": {"kind": "status", "code": 200, "body": "html"},
    "key refused": {"kind": "refuse_auth"},
    "reset": {"kind": "reset"},
    "silent": {"kind": "silent"},
    "headers after 20 s": {"kind": "delay_headers", "ms": 20000},
    "model gone": {"kind": "model_gone"},
    "request too large": {"kind": "body_too_large"},
}
HEARING = SOUND | {
    "empty": {"kind": "empty_transcript"},
    "cut before a word": {"kind": "cut_after", "chunks": 0},
    "cut": {"kind": "cut_after", "chunks": 1, "reset": True},
    "malformed": {"kind": "malformed_chunk", "after": 0},
    "stalled": {"kind": "stall_after", "chunks": 1},
}
SPEAKING = SOUND | {
    "sound of zero bytes": {"kind": "zero_audio"},
    "success without sound": {"kind": "empty_answer"},
    "sound shorter than promised": {"kind": "truncated_audio"},
    "first sound after 20 s": {"kind": "delay_content", "ms": 20000},
    "cut": {"kind": "cut_after", "chunks": 1},
    "cut with a reset": {"kind": "cut_after", "chunks": 2, "reset": True},
    "stalled": {"kind": "stall_after", "chunks": 1},
}
WRONG_TYPE = {"kind": "wrong_content_type", "content_type": "text/html"}


@pytest.mark.parametrize("what", HEARING)
def test_transcription(client, speech, what):  # noqa: F811
    fault("groq", "stt", **HEARING[what])
    raw = client.audio.transcriptions.with_raw_response.create(model="auto", file=("a.wav", speech))
    assert HEARD <= words(raw.parse().text)
    assert raw.headers["x-aura-route"].startswith("gemini/") and int(raw.headers["x-aura-attempts"]) >= 2
    assert asked("groq", "stt"), "the first provider was really asked"


def say(client):
    spoken = client.audio.speech.with_raw_response.create(
        model="auto", voice="hannah", input=SPOKEN, response_format="wav"
    )
    with wave.open(io.BytesIO(spoken.content)) as wav:
        return wav.getnframes() / wav.getframerate(), spoken.headers


@pytest.mark.parametrize("what", SPEAKING)
def test_speech(client, what):
    fault("groq", "tts", **SPEAKING[what])
    seconds, headers = say(client)
    assert seconds > 1 and headers["x-aura-route"].startswith("gemini/")
    assert asked("groq", "tts"), "the first provider was really asked"


def test_sound_under_the_wrong_name_is_sound(client, speech):  # noqa: F811
    fault("groq", "stt", **WRONG_TYPE)
    fault("groq", "tts", **WRONG_TYPE)
    raw = client.audio.transcriptions.with_raw_response.create(model="auto", file=("a.wav", speech))
    assert HEARD <= words(raw.parse().text) and raw.headers["x-aura-attempts"] == "1"
    seconds, headers = say(client)
    assert seconds > 1 and headers["x-aura-attempts"] == "1"


def test_the_users_own_tries_are_not_needed(door):
    """Ten questions in a row while the first provider is down: every one is answered, and it is not asked ten times."""
    fault("groq", "llm", kind="status", code=500)
    for _ in range(10):
        assert door.client.chat.completions.create(model="auto", messages=ASK).choices[0].message.content == FROM_GEMINI
    assert len(asked("groq", "llm")) < 10

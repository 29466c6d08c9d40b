"""The official client against the local API: every supported part of OpenAI's format."""

import base64
import contextlib
import http.server
import io
import json
import struct
import subprocess
import threading
import time
import wave
import zlib

import openai
import pytest
from conftest import FROM_GEMINI, FROM_GROQ, Server, control, fault, received

ASK = [{"role": "user", "content": "Good morning"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "open_app",
        "description": "Opens an application.",
        "parameters": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    },
}
SPOKEN = "where is the train station"
# The words of the sentence that the small recogniser reliably recognises.
HEARD = {"where", "train", "station"}


def png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\x00" + b"\xff\xff\xff" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def data_url(picture):
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def looking(*pictures):
    shown = [{"type": "image_url", "image_url": {"url": data_url(picture)}} for picture in pictures]
    return [{"role": "user", "content": [{"type": "text", "text": "How large is it?"}, *shown]}]


@pytest.fixture(scope="session")
def speech():
    # A voice that the recogniser understands. The header has the placeholder sizes of a stream.
    command = ["espeak-ng", "-v", "en-us+f5", "-s", "150", "--stdout", SPOKEN]
    return subprocess.run(command, check=True, capture_output=True, timeout=30).stdout


def words(text):
    return set(text.lower().replace(".", " ").split())


def test_models(client):
    names = [model.id for model in client.models.list()]
    assert names[0] == "auto"
    assert {"groq/openai/gpt-oss-20b", "groq/whisper-large-v3-turbo", "gemini/gemini-3.5-flash-lite"} <= set(names)
    assert len(names) == len(set(names))
    one = client.models.retrieve("groq/openai/gpt-oss-20b")
    assert (one.id, one.object, one.owned_by) == ("groq/openai/gpt-oss-20b", "model", "groq")
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("groq/nothing")
    assert caught.value.code == "model_not_found"


def test_chat(client):
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=ASK)
    answer = raw.parse()
    assert answer.choices[0].message.content == FROM_GROQ
    assert (answer.choices[0].finish_reason, answer.object) == ("stop", "chat.completion")
    assert answer.model == raw.headers["x-aura-route"] == "groq/openai/gpt-oss-20b"
    assert raw.headers["x-aura-attempts"] == "1" and float(raw.headers["x-aura-overhead-ms"]) >= 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    [attempt] = answer.aura["attempts"]
    assert attempt["route"] == {"provider": "groq", "model": "openai/gpt-oss-20b"} and answer.aura["notices"] == []


def test_stream(client):
    raw = client.chat.completions.with_raw_response.create(
        model="auto", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    assert raw.headers["x-aura-route"] == "groq/openai/gpt-oss-20b" and raw.headers["x-aura-attempts"] == "1"
    chunks = list(raw.parse())
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == FROM_GROQ and len(chunks) > 8, "in several chunks"
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert chunks[-2].aura["route"] == "groq/openai/gpt-oss-20b"


def test_a_named_model_is_used(client):
    for model, text in [
        ("groq/openai/gpt-oss-20b", FROM_GROQ),
        ("openai/gpt-oss-20b", FROM_GROQ),
        ("gemini/gemini-3.5-flash-lite", FROM_GEMINI),
        ("gemini-3.5-flash-lite", FROM_GEMINI),
        ("gemini", FROM_GEMINI),
    ]:
        assert client.chat.completions.create(model=model, messages=ASK).choices[0].message.content == text, model
    for model in ["nothing", "nobody/gpt-oss-20b", ""]:
        with pytest.raises(openai.NotFoundError) as caught:
            client.chat.completions.create(model=model, messages=ASK)
        assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_a_model_of_another_service_is_rejected(client):
    for model in ["groq/whisper-large-v3-turbo", "whisper-large-v3-turbo"]:
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=model, messages=ASK)
        assert "does not answer" in caught.value.body["message"] and caught.value.param == "model"
    with pytest.raises(openai.BadRequestError, match="does not accept pictures"):
        client.chat.completions.create(model="openai/gpt-oss-20b", messages=looking(png(8, 8)))
    with pytest.raises(openai.BadRequestError, match="does not generate speech"):
        client.audio.speech.create(model="groq/openai/gpt-oss-20b", voice="a", input="a", response_format="wav")


def test_a_retired_name_is_answered_by_its_replacement(client):
    answer = client.chat.completions.create(model="llama-3.1-8b-instant", messages=ASK)
    assert answer.choices[0].message.content == FROM_GROQ and answer.model != "groq/llama-3.1-8b-instant"
    assert answer.aura["notices"][0]["kind"] == "model_replaced"


def test_a_named_model_is_only_replaced_if_the_request_allows_it(server):
    fault("groq", "llm", kind="status", code=500)
    with pytest.raises(openai.InternalServerError) as caught:
        server.client.chat.completions.create(model="groq/openai/gpt-oss-20b", messages=ASK)
    assert caught.value.status_code == 502 and caught.value.code == "all_routes_failed"
    tried = caught.value.body["attempts"]
    assert {attempt["route"]["provider"] for attempt in tried} == {"groq"}
    assert {attempt["class"] for attempt in tried} == {"overloaded"}
    assert caught.value.response.headers["x-should-retry"] == "false"
    answer = server.client.chat.completions.create(
        model="groq/openai/gpt-oss-20b", messages=ASK, extra_body={"fallback": True}
    )
    assert answer.choices[0].message.content == FROM_GEMINI


class CompatibleServer(http.server.BaseHTTPRequestHandler):
    """An OpenAI-compatible server with one model. If it is down, it lists the model but does not answer."""

    def log_message(self, *_):
        pass

    def reply(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.reply(200, {"object": "list", "data": [{"id": "shared-model", "object": "model"}]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.server.down:
            return self.reply(500, {"error": {"message": "down", "type": "server_error"}})
        message = {"role": "assistant", "content": "From the other one."}
        choice = {"message": message, "finish_reason": "stop"}
        if asked.get("logprobs"):
            token = {"token": "From", "logprob": -0.5, "bytes": None}
            choice["logprobs"] = {"content": [{**token, "top_logprobs": [token] * asked.get("top_logprobs", 0)}], "refusal": None}
        self.reply(200, {"model": "shared-model", "choices": [choice]})


@contextlib.contextmanager
def serving(down):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), CompatibleServer)
    server.down = down
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_model_of_several_providers_falls_back_among_them():
    with serving(down=True) as one, serving(down=False) as two:
        local_api = Server(f'[providers.one]\nbase_url = "{one}"\n[providers.two]\nbase_url = "{two}"\n')
        try:
            raw = local_api.client.chat.completions.with_raw_response.create(model="shared-model", messages=ASK)
            assert raw.parse().choices[0].message.content == "From the other one."
            assert (raw.headers["x-aura-route"], raw.headers["x-aura-attempts"]) == ("two/shared-model", "2")
            assert raw.parse().usage is None, "usage that the provider does not report is unknown"
            with pytest.raises(openai.InternalServerError):
                local_api.client.chat.completions.create(model="one/shared-model", messages=ASK)
        finally:
            local_api.close()


def test_log_probabilities():
    with serving(down=False) as one:
        local_api = Server(f'[providers.one]\nbase_url = "{one}"\n')
        ask = {"model": "one/shared-model", "messages": ASK, "logprobs": True, "top_logprobs": 2}
        try:
            choice = local_api.client.chat.completions.create(**ask).choices[0]
            [token] = choice.logprobs.content
            assert (token.token, token.logprob, len(token.top_logprobs)) == ("From", -0.5, 2)
            chunks = list(local_api.client.chat.completions.create(stream=True, **ask))
            [told] = [chunk.choices[0].logprobs for chunk in chunks if chunk.choices[0].logprobs]
            assert told.content[0].token == "From"
            # A route that has none answers without.
            choice = local_api.client.chat.completions.create(**{**ask, "model": "groq"}).choices[0]
            assert choice.logprobs is None and choice.message.content == FROM_GROQ
            assert "logprobs" not in received("groq", "llm")[-1]["json"]
        finally:
            local_api.close()


def test_vision(client):
    control("PUT", "script", {"rules": [{"when": {"service": "vlm"}, "reply": {"text": "It is {image_size}."}}]})
    answer = client.chat.completions.create(model="auto", messages=looking(png(64, 48)))
    assert answer.choices[0].message.content == "It is 64x48."
    chunks = client.chat.completions.create(model="auto", messages=looking(png(8, 8), png(32, 16)), stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "It is 32x16."
    shown = [image["width"] for image in received("groq", "vlm")[-1]["images"]]
    assert shown == [8, 32], "all pictures, in order"
    for url in ["https://example.com/a.png", "http://127.0.0.1/a.png", "data:image/png;base64,????", "data:text/plain,a"]:
        content = [{"type": "image_url", "image_url": {"url": url}}]
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model="auto", messages=[{"role": "user", "content": content}])
        assert caught.value.code == "invalid_request" and caught.value.param == "messages"


@pytest.mark.parametrize("provider", ["groq", "gemini"])
@pytest.mark.parametrize("stream", [False, True])
def test_tools(client, provider, stream):
    calls = [{"name": "open_app", "arguments": {"name": "Notes"}}, {"name": "open_app", "arguments": {"name": "Mail"}}]
    control("PUT", "script", {"rules": [{"reply": {"tool_calls": calls}, "times": 1}, {"reply": {"text": "Both."}}]})
    model = {"groq": "groq/openai/gpt-oss-20b", "gemini": "gemini/gemini-3.5-flash-lite"}[provider]
    messages = [{"role": "system", "content": "Use tools."}, {"role": "user", "content": "Open Notes and Mail."}]
    if stream:
        with client.chat.completions.stream(model=model, messages=messages, tools=[TOOL]) as events:
            for _ in events:
                pass
            answer = events.get_final_completion()
    else:
        answer = client.chat.completions.create(model=model, messages=messages, tools=[TOOL])
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls" and not choice.message.content
    called = choice.message.tool_calls
    assert [(call.function.name, json.loads(call.function.arguments)) for call in called] == [
        ("open_app", {"name": "Notes"}), ("open_app", {"name": "Mail"})
    ]
    assert len({call.id for call in called}) == 2
    messages.append(choice.message.model_dump(exclude_none=True, exclude={"parsed"}))
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "opened"} for call in called]
    answer = client.chat.completions.create(model=model, messages=messages, tools=[TOOL])
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Both.", "stop")


def test_a_tool_that_must_be_called(client):
    choice = {"type": "function", "function": {"name": "open_app"}}
    for wanted in ["required", choice]:
        for model in ["groq", "gemini"]:
            answer = client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": "Notes"}], tools=[TOOL], tool_choice=wanted
            )
            [call] = answer.choices[0].message.tool_calls
            assert json.loads(call.function.arguments) == {"name": "Notes"}, (wanted, model)
    answer = client.chat.completions.create(model="auto", messages=ASK, tools=[TOOL], tool_choice="none")
    assert answer.choices[0].message.tool_calls is None
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="auto", messages=ASK, tools=[TOOL], tool_choice={
            "type": "function", "function": {"name": "close_app"}
        })


def test_tool_calls_of_another_model_are_kept(client):
    """A conversation begun with Groq continues with Gemini, which requires signed tool calls."""
    called = {"id": "call_1", "type": "function", "function": {"name": "open_app", "arguments": "{\"name\": \"Notes\"}"}}
    messages = [
        {"role": "user", "content": "Open Notes."},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "call_1", "content": "opened"},
    ]
    answer = client.chat.completions.create(model="gemini", messages=messages, tools=[TOOL])
    assert answer.choices[0].message.content == FROM_GEMINI


def test_options_reach_the_provider(client):
    schema = {"name": "reply", "strict": True, "schema": {"type": "object", "properties": {"answer": {"type": "string"}}}}
    answer = client.chat.completions.create(
        model="groq", messages=ASK, temperature=0.25, top_p=0.5, seed=7, stop=["good"], max_completion_tokens=700,
        frequency_penalty=0.5, response_format={"type": "json_schema", "json_schema": schema}, user="somebody",
    )
    sent = received("groq", "llm")[-1]["json"]
    assert (sent["temperature"], sent["top_p"], sent["seed"], sent["stop"]) == (0.25, 0.5, 7, ["good"])
    assert sent["max_completion_tokens"] == 700 and sent["response_format"]["json_schema"] == schema
    assert "frequency_penalty" not in sent, "Groq does not take it"
    assert answer.choices[0].finish_reason == "stop"
    # Groq's models think first and are always given room for it; Gemini's own limit is the caller's.
    cut = client.chat.completions.create(model="gemini", messages=ASK, max_tokens=3)
    assert cut.choices[0].finish_reason == "length" and FROM_GEMINI.startswith(cut.choices[0].message.content)


@pytest.mark.parametrize("wrong", [
    {"messages": []},
    {"messages": [{"role": "nobody", "content": "a"}]},
    {"messages": [{"role": "user"}]},
    {"messages": [{"role": "tool", "content": "a"}]},
    {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
    {"temperature": 9},
    {"temperature": "warm"},
    {"n": 2},
    {"logprobs": True, "top_logprobs": 21},
    {"stop": ["a", "b", "c", "d", "e"]},
    {"max_tokens": 0},
    {"tools": [{"type": "function", "function": {"name": "not a name"}}]},
    {"tool_choice": "required"},
])
def test_invalid_requests_are_rejected(client, wrong):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**{"model": "auto", "messages": ASK, **wrong})
    assert caught.value.code == "invalid_request" and caught.value.type == "invalid_request_error"
    assert len(caught.value.body["message"]) > 15
    assert control("GET", "requests") == [] or not received("groq", "llm")


def test_a_blocked_question_is_an_error(client):
    fault("groq", "llm", kind="content_filter", form="prompt")
    for stream in [False, True]:
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model="auto", messages=ASK, stream=stream)
        assert caught.value.code == "blocked"
    control("DELETE", "faults")
    fault("groq", "llm", kind="content_filter", form="answer")
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="auto", messages=ASK)
    # After the start of a stream the status is sent already, so the stream ends with an error event.
    with pytest.raises(openai.APIError) as caught:
        list(client.chat.completions.create(model="auto", messages=ASK, stream=True))
    assert caught.value.code == "blocked"


def test_transcription(client, speech):
    for model in ["auto", "groq/whisper-large-v3-turbo", "whisper-large-v3-turbo", "gemini"]:
        raw = client.audio.transcriptions.with_raw_response.create(model=model, file=("a.wav", speech), language="en")
        assert HEARD <= words(raw.parse().text), model
        assert raw.headers["x-aura-attempts"] == "1"
    ask = {"model": "auto", "file": ("a.wav", speech)}
    assert HEARD <= words(client.audio.transcriptions.create(response_format="text", **ask))
    verbose = client.audio.transcriptions.create(response_format="verbose_json", **ask)
    assert HEARD <= words(verbose.text) and verbose.duration > 1 and verbose.segments[0].start == 0
    timed = client.audio.transcriptions.create(
        response_format="verbose_json", timestamp_granularities=["word"], prompt="The train.", temperature=0.2, **ask
    )
    heard = [word.word.lower().strip(".,?") for word in timed.words]
    assert HEARD <= set(heard) and all(word.start <= word.end for word in timed.words)
    for form, begins in [("srt", "1\n00:00:00,000 --> 00:00:0"), ("vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:0")]:
        subtitles = client.audio.transcriptions.create(response_format=form, **ask)
        assert subtitles.startswith(begins) and HEARD <= words(subtitles)


def test_invalid_transcription_requests_are_rejected(client, speech):
    for wrong in [
        {"file": ("a.wav", b"")},
        {"file": ("a.wav", b"these are words, and no sound at all" * 20)},
        {"response_format": "diarized_json"},
        {"timestamp_granularities": ["word"]},
        {"temperature": 2},
    ]:
        with pytest.raises(openai.BadRequestError) as caught:
            client.audio.transcriptions.create(**{"model": "auto", "file": ("a.wav", speech), **wrong})
        assert caught.value.code == "invalid_request", wrong
    with pytest.raises(openai.NotFoundError):
        client.audio.transcriptions.create(model="whisper-1", file=("a.wav", speech))
    with pytest.raises(openai.APIStatusError) as caught:
        client.audio.transcriptions.create(model="auto", file=("a.wav", bytes(26 * 1024 * 1024)))
    assert caught.value.status_code == 413


def sound(file):
    with wave.open(io.BytesIO(file)) as wav:
        assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (24000, 1, 2)
        return wav.readframes(wav.getnframes())


def test_speech(client):
    ask = {"model": "auto", "voice": "hannah", "input": SPOKEN}
    raw = client.audio.speech.with_raw_response.create(response_format="wav", **ask)
    samples = sound(raw.content)
    assert len(samples) > 24000 and max(samples) > 0
    assert raw.headers["content-type"] == "audio/wav" and raw.headers["x-aura-route"].startswith("groq/")
    pcm = client.audio.speech.create(response_format="pcm", **ask).read()
    assert pcm == samples
    with client.audio.speech.with_streaming_response.create(response_format="pcm", **ask) as response:
        assert b"".join(response.iter_bytes()) == samples
    # Longer than the limit of one call to Groq: spoken in parts.
    long = client.audio.speech.create(model="groq", voice="troy", input=f"{SPOKEN}. " * 12, response_format="wav").read()
    assert len(sound(long)) > 8 * len(samples) and len(received("groq", "tts")) > 4
    heard = client.audio.transcriptions.create(model="auto", file=("a.wav", raw.content)).text
    assert HEARD <= words(heard)


def test_a_disconnected_client_cancels_the_providers_call(server):
    control("PUT", "script", {"rules": [{"reply": {"text": "word " * 400, "chunk_ms": 50}}]})
    stream = server.client.chat.completions.create(model="auto", messages=ASK, stream=True)
    next(iter(stream))
    stream.close()
    until = time.time() + 30
    while time.time() < until:
        [request] = received("groq", "llm")
        if request["cancelled"]:
            break
        time.sleep(0.1)
    else:
        pytest.fail(f"the call still runs: {request}")

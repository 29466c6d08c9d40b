"""The official Python clients of the three providers, pointed at the sandbox.

Whoever trusts the sandbox trusts that it speaks the real formats: these clients parse every answer with the types
that the providers themselves publish. AURA_SANDBOX_URL names a running sandbox (http://127.0.0.1:PORT) that accepts
the key "sandbox-key". Speech is made and recognised for real, so espeak-ng and pocketsphinx must be installed.
"""

import base64
import io
import json
import os
import struct
import subprocess
import urllib.request
import wave
import zlib

import groq
import openai
import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types

URL = os.environ.get("AURA_SANDBOX_URL", "").rstrip("/")
KEY = "sandbox-key"
SPOKEN = "where is the train station"
# The words of the sentence that the small recogniser reliably recognises.
HEARD = {"where", "train", "station"}

GROQ_CHAT, GROQ_VISION = "openai/gpt-oss-20b", "qwen/qwen3.8-27b"
GROQ_STT, GROQ_TTS = "whisper-large-v3-turbo", "canopylabs/orpheus-v1-english"
GEMINI_CHAT, GEMINI_STT = "gemini-3.5-flash-lite", "gemini-3.5-transcribe"
GEMINI_TTS, GEMINI_TTS_LEGACY = "gemini-3.8-flash-lite-tts", "gemini-3.1-flash-tts-preview"
OPENAI_CHAT, OPENAI_STT, OPENAI_TTS = "gpt-6-luna", "gpt-transcribe", "gpt-4o-mini-tts"

TOOL = {
    "type": "function",
    "function": {
        "name": "open_app",
        "description": "Opens an application.",
        "parameters": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    },
}
LIST_TOOL = {"type": "function", "function": {"name": "list_windows", "description": "Lists the windows."}}
CALLS = [{"name": "open_app", "arguments": {"name": "Notes"}}, {"name": "list_windows"}]
CALLED = [("open_app", {"name": "Notes"}), ("list_windows", {})]


def control(method, path, body=None):
    data, kind = None if body is None else json.dumps(body).encode(), {"content-type": "application/json"}
    request = urllib.request.Request(f"{URL}/control/{path}", data=data, headers=kind, method=method)
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.loads(response.read() or "null")


@pytest.fixture(autouse=True)
def fresh_sandbox():
    assert URL, "AURA_SANDBOX_URL is not set"
    control("POST", "reset")


@pytest.fixture
def groq_client():
    return groq.Groq(api_key=KEY, base_url=f"{URL}/groq", max_retries=0)


@pytest.fixture
def openai_client():
    return openai.OpenAI(api_key=KEY, base_url=f"{URL}/openai/v1", max_retries=0)


def calls_in(client, model, stream):
    """A reply of text and two tool calls, as scripted; then the results of the calls are sent."""
    script = {"rules": [{"reply": {"text": "At once.", "tool_calls": CALLS}, "times": 1}, {"reply": {"text": "Done."}}]}
    control("PUT", "script", script)
    ask = {"model": model, "tools": [TOOL, LIST_TOOL]}
    messages = [{"role": "user", "content": "Notes"}]
    answer = client.chat.completions.create(messages=messages, stream=stream, **ask)
    if stream:
        text, calls, finish = "", {}, None
        for chunk in answer:
            for choice in chunk.choices:
                text += choice.delta.content or ""
                finish = choice.finish_reason or finish
                for piece in choice.delta.tool_calls or []:
                    call = calls.setdefault(piece.index, {"id": "", "name": "", "arguments": ""})
                    call["id"] += piece.id or ""
                    call["name"] += piece.function.name or ""
                    call["arguments"] += piece.function.arguments or ""
        calls = [calls[index] for index in sorted(calls)]
    else:
        choice = answer.choices[0]
        text, finish = choice.message.content, choice.finish_reason
        calls = [{"id": call.id, **call.function.model_dump()} for call in choice.message.tool_calls]
    assert (text, finish) == ("At once.", "tool_calls")
    assert [(call["name"], json.loads(call["arguments"])) for call in calls] == CALLED
    sent = [{"id": call.pop("id"), "type": "function", "function": call} for call in calls]
    messages += [{"role": "assistant", "content": text, "tool_calls": sent}]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "{}"} for call in sent]
    answer = client.chat.completions.create(messages=messages + results, **ask)
    assert answer.choices[0].message.content == "Done."
    # A missing result is an error of the caller.
    with pytest.raises((openai.BadRequestError, groq.BadRequestError)):
        client.chat.completions.create(messages=messages + results[:1], **ask)
    # Without tools in the request there is no tool call.
    control("PUT", "script", script)
    answer = client.chat.completions.create(model=model, messages=messages[:1])
    assert (answer.choices[0].message.content, answer.choices[0].message.tool_calls) == ("At once.", None)


def gemini(key=KEY, version="v1beta"):
    options = types.HttpOptions(base_url=f"{URL}/gemini", api_version=version)
    return genai.Client(api_key=key, vertexai=False, http_options=options)


@pytest.fixture
def gemini_client():
    return gemini()


@pytest.fixture(scope="session")
def speech():
    """Synthesized speech as a WAV file with correct sizes in its header."""
    command = ["espeak-ng", "-v", "en-us+f5", "-s", "150", "--stdout", SPOKEN]
    piped = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(22050)
        file.writeframes(piped[44:])
    return out.getvalue()


def png(width, height):
    """A white picture."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\xff" * (3 * width)) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def data_url(picture):
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def words(text):
    return set(text.lower().replace(".", " ").split())


def samples_of(wav_bytes):
    """The samples of a WAV file whose header may lack the length; fails if they are silent."""
    assert wav_bytes[:4] == b"RIFF" and wav_bytes[8:16] == b"WAVEfmt "
    rate = struct.unpack("<I", wav_bytes[24:28])[0]
    samples = wav_bytes[44:]
    assert rate == 24000
    assert len(samples) > rate // 2, "less than a quarter of a second"
    assert max(samples) != min(samples)
    return samples


def order(provider, service, **fault):
    control("POST", "faults", {"provider": provider, "service": service, "count": 1, **fault})


def last_request():
    return control("GET", "requests")[-1]


# ---------------------------------------------------------------------------------------------------------- Groq


def test_groq_models(groq_client):
    models = {model.id for model in groq_client.models.list().data}
    assert {GROQ_CHAT, GROQ_VISION, GROQ_STT, GROQ_TTS} <= models
    assert groq_client.models.retrieve(GROQ_CHAT).owned_by == "OpenAI"


def test_groq_chat(groq_client):
    answer = groq_client.chat.completions.create(
        model=GROQ_CHAT, messages=[{"role": "user", "content": "Good morning"}], reasoning_effort="low"
    )
    assert answer.choices[0].message.content == "This is the sandbox. You said: Good morning"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.x_groq.id.startswith("req_")


def test_groq_stream_with_usage_and_reasoning(groq_client):
    reply = {"text": "One two three — café", "reasoning": "The user counts."}
    control("PUT", "script", {"rules": [{"reply": reply}]})
    chunks = list(
        groq_client.chat.completions.create(
            model=GROQ_CHAT, messages=[{"role": "user", "content": "Count"}], stream=True
        )
    )
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(delta.content or "" for delta in deltas) == "One two three — café"
    assert "".join(delta.reasoning or "" for delta in deltas) == "The user counts."
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].x_groq.usage.total_tokens > 0
    assert chunks[-1].usage.total_tokens == chunks[-1].x_groq.usage.total_tokens


def test_groq_vision(groq_client):
    control("PUT", "script", {"rules": [{"when": {"service": "vlm"}, "reply": {"text": "It is {image_size}."}}]})
    parts = [
        {"type": "text", "text": "How large is it?"},
        {"type": "image_url", "image_url": {"url": data_url(png(64, 48))}},
    ]
    answer = groq_client.chat.completions.create(model=GROQ_VISION, messages=[{"role": "user", "content": parts}])
    assert answer.choices[0].message.content == "It is 64x48."
    image = last_request()["images"][0]
    assert (image["format"], image["width"], image["height"]) == ("image/png", 64, 48)


def test_groq_tools(groq_client):
    messages = [{"role": "user", "content": "Notes"}]
    answer = groq_client.chat.completions.create(
        model=GROQ_CHAT, messages=messages, tools=[TOOL], tool_choice="required"
    )
    call = answer.choices[0].message.tool_calls[0]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert (call.function.name, json.loads(call.function.arguments)) == ("open_app", {"name": "Notes"})
    messages += [
        {"role": "assistant", "tool_calls": [call.model_dump()]},
        {"role": "tool", "tool_call_id": call.id, "content": "opened"},
    ]
    answer = groq_client.chat.completions.create(model=GROQ_CHAT, messages=messages, tools=[TOOL])
    assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_groq_tools_by_script(groq_client, stream):
    calls_in(groq_client, GROQ_CHAT, stream)


def test_groq_transcription(groq_client, speech):
    heard = groq_client.audio.transcriptions.create(
        model=GROQ_STT, file=("audio.wav", speech), language="en", response_format="verbose_json",
        timestamp_granularities=["word"], temperature=0,
    )
    assert heard.text.startswith(" ") and HEARD <= words(heard.text)
    assert heard.segments[0]["no_speech_prob"] < 0.1 and heard.words
    assert 1.0 < last_request()["audio_seconds"] < 4.0
    text = groq_client.audio.transcriptions.create(
        model=GROQ_STT, file=("audio.wav", speech), response_format="text"
    )
    assert HEARD <= words(str(text))
    english = groq_client.audio.translations.create(model="whisper-large-v3", file=("audio.wav", speech))
    assert HEARD <= words(english.text)


def test_groq_speech_is_understood(groq_client):
    spoken = groq_client.audio.speech.create(
        model=GROQ_TTS, voice="hannah", input=SPOKEN, response_format="wav"
    )
    wav_bytes = spoken.read()
    samples_of(wav_bytes)
    heard = groq_client.audio.transcriptions.create(model=GROQ_STT, file=("speech.wav", wav_bytes))
    assert HEARD <= words(heard.text)


def test_groq_errors(groq_client):
    ask = {"messages": [{"role": "user", "content": "Hello"}]}
    with pytest.raises(groq.AuthenticationError) as caught:
        groq.Groq(api_key="wrong", base_url=f"{URL}/groq", max_retries=0).models.list()
    assert caught.value.body["error"]["code"] == "invalid_api_key"
    with pytest.raises(groq.NotFoundError) as caught:
        groq_client.chat.completions.create(model="llama-3.3-70b-versatile", **ask)
    assert caught.value.body["error"]["code"] == "model_not_found"
    with pytest.raises(groq.BadRequestError) as caught:
        groq_client.chat.completions.create(model="mixtral-8x7b-32768", **ask)
    assert caught.value.body["error"]["code"] == "model_decommissioned"
    for wrong in ({"n": 2}, {"extra_body": {"colour": "red"}}, {"reasoning_effort": "none"}):
        with pytest.raises(groq.BadRequestError):
            groq_client.chat.completions.create(model=GROQ_CHAT, **ask, **wrong)
    for text in ("a" * 201, "?!…"):
        with pytest.raises(groq.BadRequestError):
            groq_client.audio.speech.create(model=GROQ_TTS, voice="hannah", input=text, response_format="wav")
    order("groq", "llm", kind="status", code=429, headers={"retry-after": "7"})
    with pytest.raises(groq.RateLimitError) as caught:
        groq_client.chat.completions.create(model=GROQ_CHAT, **ask)
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.body["error"]["code"] == "rate_limit_exceeded"


def test_groq_retries_by_itself_after_a_short_rate_limit():
    order("groq", "llm", kind="status", code=429, headers={"retry-after": "0.1"})
    client = groq.Groq(api_key=KEY, base_url=f"{URL}/groq")
    answer = client.chat.completions.create(model=GROQ_CHAT, messages=[{"role": "user", "content": "Again"}])
    assert "Again" in answer.choices[0].message.content
    assert [request["status"] for request in control("GET", "requests")] == [429, 200]


@pytest.mark.parametrize("form", ["event", "data"])
def test_groq_error_inside_a_stream(groq_client, form):
    order("groq", "llm", kind="stream_error", form=form, after=2)
    stream = groq_client.chat.completions.create(
        model=GROQ_CHAT, messages=[{"role": "user", "content": "Hello"}], stream=True
    )
    with pytest.raises(groq.APIError):
        list(stream)


# -------------------------------------------------------------------------------------------------------- Gemini


def test_gemini_models(gemini_client):
    models = {model.name: model for model in gemini_client.models.list(config={"page_size": 5})}
    assert {f"models/{name}" for name in (GEMINI_CHAT, GEMINI_STT, GEMINI_TTS)} <= set(models)
    assert "generateContent" in models[f"models/{GEMINI_CHAT}"].supported_actions
    assert len(control("GET", "requests")) > 3, "the pages were not followed"


@pytest.mark.parametrize("version", ["v1beta", "v1"])
def test_gemini_chat(version):
    # Kept in a variable: an unreferenced client closes itself during a request.
    client = gemini(version=version)
    answer = client.models.generate_content(
        model=GEMINI_CHAT,
        contents="Good morning",
        config=types.GenerateContentConfig(
            system_instruction="You are AURA.",
            max_output_tokens=64,
            thinking_config=types.ThinkingConfig(thinking_level="minimal"),
        ),
    )
    assert answer.text == "This is the sandbox. You said: Good morning"
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.model_version == GEMINI_CHAT and answer.response_id
    assert answer.usage_metadata.total_token_count > 0


def test_gemini_stream_with_usage_and_thoughts(gemini_client):
    reply = {"text": "One two three — café", "reasoning": "The user counts."}
    control("PUT", "script", {"rules": [{"reply": reply}]})
    config = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))
    stream = gemini_client.models.generate_content_stream(model=GEMINI_CHAT, contents="Count", config=config)
    chunks = list(stream)
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts or []]
    assert "".join(part.text or "" for part in parts if not part.thought) == "One two three — café"
    assert "".join(part.text or "" for part in parts if part.thought) == "The user counts."
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert all(chunk.usage_metadata.prompt_token_count for chunk in chunks)
    assert chunks[-1].usage_metadata.thoughts_token_count > 0


def test_gemini_vision(gemini_client):
    control("PUT", "script", {"rules": [{"when": {"service": "vlm"}, "reply": {"text": "It is {image_size}."}}]})
    picture = types.Part.from_bytes(data=png(64, 48), mime_type="image/png")
    answer = gemini_client.models.generate_content(model=GEMINI_CHAT, contents=[picture, "How large is it?"])
    assert answer.text == "It is 64x48."


def test_gemini_tools(gemini_client):
    schema = types.Schema(type="OBJECT", properties={"name": types.Schema(type="STRING")}, required=["name"])
    function = types.FunctionDeclaration(name="open_app", description="Opens an application.", parameters=schema)
    calling = types.FunctionCallingConfig(mode="ANY")
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[function])],
        tool_config=types.ToolConfig(function_calling_config=calling),
    )
    answer = gemini_client.models.generate_content(model=GEMINI_CHAT, contents="Notes", config=config)
    assert [(call.name, call.args) for call in answer.function_calls] == [("open_app", {"name": "Notes"})]


@pytest.mark.parametrize("stream", [False, True])
def test_gemini_tools_by_script(gemini_client, stream):
    rules = [{"reply": {"text": "At once.", "tool_calls": CALLS}, "times": 1}, {"reply": {"text": "Done."}}]
    control("PUT", "script", {"rules": rules})
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    functions = [
        types.FunctionDeclaration(name="open_app", description="Opens an application.", parameters_json_schema=schema),
        types.FunctionDeclaration(name="list_windows", description="Lists the windows."),
    ]
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=functions)])
    contents = [types.Content(role="user", parts=[types.Part(text="Notes")])]
    ask = {"model": GEMINI_CHAT, "config": config}
    if stream:
        chunks = list(gemini_client.models.generate_content_stream(contents=contents, **ask))
        parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts or []]
    else:
        parts = gemini_client.models.generate_content(contents=contents, **ask).candidates[0].content.parts
    assert "".join(part.text for part in parts if part.text) == "At once."
    calls = [part for part in parts if part.function_call]
    assert [(call.function_call.name, call.function_call.args) for call in calls] == CALLED
    assert [bool(call.thought_signature) for call in calls] == [True, False]
    results = [
        types.Part(function_response=types.FunctionResponse(
            id=call.function_call.id, name=call.function_call.name, response={"output": "ok"}
        ))
        for call in calls
    ]
    called = types.Content(role="model", parts=calls)
    answered = types.Content(role="user", parts=results)
    answer = gemini_client.models.generate_content(contents=[*contents, called, answered], **ask)
    assert answer.text == "Done."
    with pytest.raises(genai_errors.ClientError, match="number of function response parts"):
        half = types.Content(role="user", parts=results[:1])
        gemini_client.models.generate_content(contents=[*contents, called, half], **ask)
    calls[0].thought_signature = None
    with pytest.raises(genai_errors.ClientError, match="thought_signature"):
        gemini_client.models.generate_content(contents=[*contents, called, answered], **ask)


def test_gemini_transcription(gemini_client, speech):
    sound = types.Part.from_bytes(data=speech, mime_type="audio/wav")
    prompt = "Transcribe the speech in this audio verbatim. Output only the transcript."
    answer = gemini_client.models.generate_content(model=GEMINI_CHAT, contents=[sound, prompt])
    assert HEARD <= words(answer.text)
    audio = [part for part in answer.usage_metadata.prompt_tokens_details if part.modality == "AUDIO"]
    assert audio[0].token_count > 30
    assert last_request()["service"] == "stt"
    config = types.GenerateContentConfig(
        audio_transcription_config=types.AudioTranscriptionConfig(language_codes=["en-US"])
    )
    answer = gemini_client.models.generate_content(model=GEMINI_STT, contents=[sound], config=config)
    assert HEARD <= words(answer.text)


def test_gemini_audio_understanding(gemini_client, speech):
    sound = types.Part.from_bytes(data=speech, mime_type="audio/wav")
    rules = [{"when": {"contains": "train station"}, "reply": {"text": "The speaker asks for the way."}}]
    control("PUT", "script", {"rules": rules})
    answer = gemini_client.models.generate_content(model=GEMINI_CHAT, contents=[sound, "What is it about?"])
    assert answer.text == "The speaker asks for the way."
    assert last_request()["service"] == "llm"


def speaking(**more):
    voice = types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Kore"))
    return types.GenerateContentConfig(
        response_modalities=["AUDIO"], speech_config=types.SpeechConfig(voice_config=voice), **more
    )


def test_gemini_speech(gemini_client):
    answer = gemini_client.models.generate_content(model=GEMINI_TTS, contents=SPOKEN, config=speaking())
    blob = answer.candidates[0].content.parts[0].inline_data
    assert blob.mime_type == "audio/wav"
    samples_of(blob.data)
    with wave.open(io.BytesIO(blob.data)) as file:
        assert (file.getframerate(), file.getnchannels()) == (24000, 1) and file.getnframes() > 12000
    answer = gemini_client.models.generate_content(model=GEMINI_TTS_LEGACY, contents=SPOKEN, config=speaking())
    blob = answer.candidates[0].content.parts[0].inline_data
    assert blob.mime_type == "audio/L16;codec=pcm;rate=24000" and not blob.data.startswith(b"RIFF")


def test_gemini_streamed_speech(gemini_client):
    stream = gemini_client.models.generate_content_stream(
        model=GEMINI_TTS_LEGACY, contents=SPOKEN, config=speaking()
    )
    sound, pieces, finish = b"", 0, None
    for chunk in stream:
        finish = chunk.candidates[0].finish_reason or finish
        for part in chunk.candidates[0].content.parts or []:
            sound, pieces = sound + part.inline_data.data, pieces + 1
    assert pieces > 3 and len(sound) % 2 == 0 and len(sound) > 24000
    assert finish == types.FinishReason.STOP


def test_gemini_errors(gemini_client):
    def fails(client=gemini_client, model=GEMINI_CHAT, config=None):
        with pytest.raises(genai_errors.APIError) as caught:
            client.models.generate_content(model=model, contents="Hello", config=config)
        return caught.value

    error = fails(client=gemini(key="wrong"))
    assert isinstance(error, genai_errors.ClientError) and error.code == 400
    assert error.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    assert (fails(model="gemini-1.5-flash").code, fails(model="gemini-1.5-flash").status) == (404, "NOT_FOUND")
    minimal = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(thinking_level="minimal"))
    assert "MINIMAL is not supported" in fails(model="gemini-3.8-flash", config=minimal).message
    assert "response modalities" in fails(model=GEMINI_TTS).message
    instructed = speaking(system_instruction="You are AURA.")
    assert "Developer instruction" in fails(model=GEMINI_TTS, config=instructed).message
    order("gemini", "llm", kind="status", code=429, headers={"retry-after": "7"})
    error = fails()
    assert (error.code, error.status) == (429, "RESOURCE_EXHAUSTED")
    assert error.details["error"]["details"][2]["retryDelay"] == "36s"
    assert error.response.headers["retry-after"] == "7"
    order("gemini", "llm", kind="status", code=503)
    assert isinstance(fails(), genai_errors.ServerError)


@pytest.mark.parametrize("form", ["data", "raw_json"])
def test_gemini_error_inside_a_stream(gemini_client, form):
    order("gemini", "llm", kind="stream_error", form=form, after=2)
    stream = gemini_client.models.generate_content_stream(model=GEMINI_CHAT, contents="Hello")
    with pytest.raises(genai_errors.APIError):
        list(stream)


def test_gemini_blocked_prompt(gemini_client):
    order("gemini", "llm", kind="content_filter")
    answer = gemini_client.models.generate_content(model=GEMINI_CHAT, contents="Hello")
    assert answer.text is None
    assert answer.prompt_feedback.block_reason == types.BlockedReason.SAFETY


# -------------------------------------------------------------------------------------------------------- OpenAI


def test_openai_models(openai_client):
    models = {model.id for model in openai_client.models.list()}
    assert {OPENAI_CHAT, OPENAI_STT, OPENAI_TTS} <= models


def test_openai_chat(openai_client):
    answer = openai_client.chat.completions.create(
        model=OPENAI_CHAT, messages=[{"role": "user", "content": "Good morning"}]
    )
    assert answer.choices[0].message.content == "This is the sandbox. You said: Good morning"
    assert answer.usage.total_tokens > 0


def test_openai_stream_with_usage(openai_client):
    chunks = list(
        openai_client.chat.completions.create(
            model=OPENAI_CHAT, messages=[{"role": "user", "content": "Count"}], stream=True,
            stream_options={"include_usage": True},
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "This is the sandbox. You said: Count"
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens > 0
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_openai_vision(openai_client):
    control("PUT", "script", {"rules": [{"when": {"service": "vlm"}, "reply": {"text": "It is {image_size}."}}]})
    parts = [
        {"type": "text", "text": "How large is it?"},
        {"type": "image_url", "image_url": {"url": data_url(png(64, 48))}},
    ]
    answer = openai_client.chat.completions.create(model=OPENAI_CHAT, messages=[{"role": "user", "content": parts}])
    assert answer.choices[0].message.content == "It is 64x48."


def test_openai_tools_in_a_stream(openai_client):
    chunks = openai_client.chat.completions.create(
        model=OPENAI_CHAT, messages=[{"role": "user", "content": "Notes"}], tools=[TOOL], tool_choice="required",
        stream=True,
    )
    name, arguments = "", ""
    for chunk in chunks:
        for call in chunk.choices[0].delta.tool_calls or []:
            name, arguments = name + (call.function.name or ""), arguments + (call.function.arguments or "")
    assert (name, json.loads(arguments)) == ("open_app", {"name": "Notes"})


@pytest.mark.parametrize("stream", [False, True])
def test_openai_tools_by_script(openai_client, stream):
    calls_in(openai_client, OPENAI_CHAT, stream)


def test_openai_transcription(openai_client, speech):
    heard = openai_client.audio.transcriptions.create(model=OPENAI_STT, file=("audio.wav", speech))
    assert HEARD <= words(heard.text)
    subtitles = openai_client.audio.transcriptions.create(
        model="whisper-1", file=("audio.wav", speech), response_format="srt"
    )
    assert subtitles.startswith("1\n00:00:00,000 --> ")
    events = list(
        openai_client.audio.transcriptions.create(model=OPENAI_STT, file=("audio.wav", speech), stream=True)
    )
    assert events[-1].type == "transcript.text.done" and HEARD <= words(events[-1].text)


def test_openai_speech(openai_client):
    spoken = openai_client.audio.speech.create(
        model=OPENAI_TTS, voice="alloy", input=SPOKEN, response_format="wav"
    )
    wav_bytes = spoken.read()
    samples_of(wav_bytes)
    pcm = openai_client.audio.speech.create(
        model=OPENAI_TTS, voice="alloy", input=SPOKEN, response_format="pcm"
    ).read()
    assert pcm == wav_bytes[44:]


def test_openai_errors(openai_client):
    ask = {"messages": [{"role": "user", "content": "Hello"}]}
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(api_key="wrong", base_url=f"{URL}/openai/v1", max_retries=0).models.list()
    with pytest.raises(openai.NotFoundError) as caught:
        openai_client.chat.completions.create(model="nope", **ask)
    assert caught.value.code == "model_not_found"
    order("openai", "llm", kind="status", code=429, headers={"retry-after": "7"})
    with pytest.raises(openai.RateLimitError) as caught:
        openai_client.chat.completions.create(model=OPENAI_CHAT, **ask)
    assert caught.value.response.headers["retry-after"] == "7"
    order("openai", "llm", kind="reset")
    with pytest.raises(openai.APIConnectionError):
        openai_client.chat.completions.create(model=OPENAI_CHAT, **ask)

"""Live transcription by the official Python clients, pointed at the sandbox.

They write every message to the sandbox and parse every answer with the types that the providers publish: what AURA's own adapters say to
the sandbox, and understand of it, is the real format. AURA_SANDBOX_URL names a running sandbox.
"""

import asyncio
import base64
import json
import os
import urllib.request

import openai
import pytest
from google import genai
from google.genai import live, types

URL = os.environ.get("AURA_SANDBOX_URL", "").rstrip("/")
KEY = "sandbox-key"
TEXT = "where is the next train station"
# Two seconds, at OpenAI's rate and at Gemini's.
OPENAI_AUDIO, GEMINI_AUDIO = b"\x10\x27" * 48_000, b"\x10\x27" * 32_000


def control(method, path, body=None):
    data, kind = None if body is None else json.dumps(body).encode(), {"content-type": "application/json"}
    request = urllib.request.Request(f"{URL}/control/{path}", data=data, headers=kind, method=method)
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.loads(response.read() or "null")


@pytest.fixture(autouse=True)
def fixed_transcript():
    control("POST", "reset")
    control("PUT", "fixed", {"transcript": TEXT})


def chunks(audio):
    return [audio[at : at + 4_800] for at in range(0, len(audio), 4_800)]


def test_openai_transcribes_while_audio_comes_and_completes_after_the_commit():
    base = f"{URL}/openai/v1"
    client = openai.OpenAI(api_key=KEY, base_url=base, websocket_base_url=base.replace("http", "ws", 1))
    transcription = {"model": "gpt-live-transcribe", "languages": ["en"], "keywords": ["AURA"]}
    audio = {"format": {"type": "audio/pcm", "rate": 24_000}, "transcription": transcription, "turn_detection": None}
    deltas = []
    with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        assert connection.recv().type == "session.created"
        connection.session.update(session={"type": "transcription", "audio": {"input": audio}})
        assert connection.recv().type == "session.updated"
        for chunk in chunks(OPENAI_AUDIO):
            connection.input_audio_buffer.append(audio=base64.b64encode(chunk).decode())
        before = connection.recv()
        assert before.type == "conversation.item.input_audio_transcription.delta"
        deltas.append(before.delta)
        connection.input_audio_buffer.commit()
        for event in connection:
            if event.type == "conversation.item.input_audio_transcription.delta":
                deltas.append(event.delta)
            elif event.type == "input_audio_buffer.committed":
                item = event.item_id
            elif event.type == "conversation.item.input_audio_transcription.completed":
                break
            else:
                pytest.fail(f"{event}")
    assert (event.transcript, event.item_id, event.usage.type) == (TEXT, item, "duration")
    assert "".join(deltas) == TEXT
    [request] = control("GET", "requests")
    assert request["audio_seconds"] == pytest.approx(2.0)


def test_openai_reports_a_wrong_model():
    base = f"{URL}/openai/v1"
    client = openai.OpenAI(api_key=KEY, base_url=base, websocket_base_url=base.replace("http", "ws", 1))
    audio = {"format": {"type": "audio/pcm", "rate": 24_000}, "transcription": {"model": "gpt-none"}, "turn_detection": None}
    with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        assert connection.recv().type == "session.created"
        connection.session.update(session={"type": "transcription", "audio": {"input": audio}})
        event = connection.recv()
    assert event.type == "error" and "gpt-none" in event.error.message


def test_gemini_transcribes_between_the_start_and_the_end_of_the_activity(monkeypatch):
    # The client encrypts every connection, also on the loopback.
    connect = live.ws_connect
    monkeypatch.setattr(live, "ws_connect", lambda uri, **rest: connect(uri.replace("wss:", "ws:", 1), **{**rest, "ssl": None}))
    client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=f"{URL}/gemini"))
    config = types.LiveConnectConfig(
        response_modalities=["TEXT"],
        input_audio_transcription=types.AudioTranscriptionConfig(language_codes=["en"], custom_vocabulary=["AURA"]),
        realtime_input_config=types.RealtimeInputConfig(
            automatic_activity_detection=types.AutomaticActivityDetection(disabled=True)
        ),
    )

    async def talk():
        interim, settled = [], []
        async with client.aio.live.connect(model="gemini-3.5-transcribe-live", config=config) as session:
            await session.send_realtime_input(activity_start=types.ActivityStart())
            for chunk in chunks(GEMINI_AUDIO):
                await session.send_realtime_input(audio=types.Blob(data=chunk, mime_type="audio/pcm;rate=16000"))
            await session.send_realtime_input(activity_end=types.ActivityEnd())
            async for message in session.receive():
                content = message.server_content
                if content and content.interim_input_transcription:
                    interim.append(content.interim_input_transcription.text)
                if content and content.input_transcription:
                    settled.append(content.input_transcription)
                if content and content.turn_complete:
                    return interim, settled, message.usage_metadata
        raise AssertionError("the session ended early")

    interim, settled, usage = asyncio.run(talk())
    assert interim and all(TEXT.startswith(text) for text in interim)
    assert [(part.text, part.language_code) for part in settled] == [(TEXT, "en-US")]
    assert usage.prompt_token_count > 0

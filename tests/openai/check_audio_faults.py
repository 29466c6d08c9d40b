"""Every known fault of the first speech provider is hidden from the official client with the model `auto`."""

import io
import wave

import pytest
from check_client import HEARD, SPOKEN, speech, words  # noqa: F401 (fixtures are found by name)
from conftest import Server, control, fault, received

# Faults of transcription and of speech.
AUDIO = {
    "429": {"kind": "status", "code": 429},
    "500": {"kind": "status", "code": 500},
    "503": {"kind": "status", "code": 503},
    "200 with an HTML page": {"kind": "status", "code": 200, "body": "html"},
    "API key rejected": {"kind": "refuse_auth"},
    "reset": {"kind": "reset"},
    "silent": {"kind": "silent"},
    "headers after 20 s": {"kind": "delay_headers", "ms": 20000},
    "model gone": {"kind": "model_gone"},
    "request too large": {"kind": "body_too_large"},
}
TRANSCRIPTION = AUDIO | {
    "empty": {"kind": "empty_transcript"},
    "cut before the first content": {"kind": "cut_after", "chunks": 0},
    "cut": {"kind": "cut_after", "chunks": 1, "reset": True},
    "malformed": {"kind": "malformed_chunk", "after": 0},
    "stalled": {"kind": "stall_after", "chunks": 1},
}
SPEECH = AUDIO | {
    "audio of zero bytes": {"kind": "zero_audio"},
    "success without audio": {"kind": "empty_answer"},
    "audio shorter than announced": {"kind": "truncated_audio"},
    "first audio after 20 s": {"kind": "delay_content", "ms": 20000},
    "cut": {"kind": "cut_after", "chunks": 1},
    "cut with a reset": {"kind": "cut_after", "chunks": 2, "reset": True},
    "stalled": {"kind": "stall_after", "chunks": 1},
}
WRONG_TYPE = {"kind": "wrong_content_type", "content_type": "text/html"}


@pytest.fixture
def server():
    # The faults are the subject, and some are waited out: the sandbox need not recognise anything.
    control("PUT", "fixed", {"transcript": SPOKEN})
    server = Server(transcript_ms=6_000)
    yield server
    server.close()


@pytest.mark.parametrize("what", TRANSCRIPTION)
def test_transcription(client, speech, what):  # noqa: F811
    fault("groq", "stt", **TRANSCRIPTION[what])
    raw = client.audio.transcriptions.with_raw_response.create(model="auto", file=("a.wav", speech))
    assert HEARD <= words(raw.parse().text)
    assert raw.headers["x-aura-route"].startswith("gemini/") and int(raw.headers["x-aura-attempts"]) >= 2
    assert received("groq", "stt"), "the first provider was called"


def say(client):
    spoken = client.audio.speech.with_raw_response.create(
        model="auto", voice="hannah", input=SPOKEN, response_format="wav"
    )
    with wave.open(io.BytesIO(spoken.content)) as wav:
        return wav.getnframes() / wav.getframerate(), spoken.headers


@pytest.mark.parametrize("what", SPEECH)
def test_speech(client, what):
    fault("groq", "tts", **SPEECH[what])
    seconds, headers = say(client)
    assert seconds > 1 and headers["x-aura-route"].startswith("gemini/")
    assert received("groq", "tts"), "the first provider was called"


def test_a_wrong_content_type_is_ignored(client, speech):  # noqa: F811
    fault("groq", "stt", **WRONG_TYPE)
    fault("groq", "tts", **WRONG_TYPE)
    raw = client.audio.transcriptions.with_raw_response.create(model="auto", file=("a.wav", speech))
    assert HEARD <= words(raw.parse().text) and raw.headers["x-aura-attempts"] == "1"
    seconds, headers = say(client)
    assert seconds > 1 and headers["x-aura-attempts"] == "1"

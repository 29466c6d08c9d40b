"""The official clients against the local API: sound in every format, streamed, and the addresses that Groq's client calls."""

import base64
import io
import json
import wave

import groq
import httpx
import openai
import pytest
from check_client import ASK, HEARD, SPOKEN, speech, words  # noqa: F401 (fixtures are found by name)
from conftest import FROM_GROQ, fault, received

ANY = {"model": "auto", "voice": "hannah", "input": SPOKEN}
# How each format begins, and its media type.
FORMATS = {
    "mp3": (b"\xff", "audio/mpeg"),
    "opus": (b"OggS", "audio/ogg"),
    "aac": (b"\xff", "audio/aac"),
    "flac": (b"fLaC", "audio/flac"),
    "wav": (b"RIFF", "audio/wav"),
    "pcm": (b"", "audio/pcm"),
}


def seconds(file):
    with wave.open(io.BytesIO(file)) as wav:
        return wav.getnframes() / wav.getframerate()


def test_a_transcript_is_streamed(client, speech):  # noqa: F811
    for model in ["auto", "gemini"]:
        events = list(client.audio.transcriptions.create(model=model, file=("a.wav", speech), stream=True))
        deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
        done = events[-1]
        assert done.type == "transcript.text.done" and "".join(deltas) == done.text and deltas
        assert HEARD <= words(done.text)
        assert done.aura["attempts"][0]["service"] == "stt"


def test_a_fault_before_a_streamed_transcript_is_hidden(client, speech):  # noqa: F811
    fault("groq", "stt", kind="status", code=503)
    raw = client.audio.transcriptions.with_raw_response.create(model="auto", file=("a.wav", speech), stream=True)
    assert raw.headers["x-aura-route"].startswith("gemini/") and int(raw.headers["x-aura-attempts"]) >= 2
    assert HEARD <= words(list(raw.parse())[-1].text)


def test_times(client, speech):  # noqa: F811
    ask = {"model": "auto", "file": ("a.wav", speech), "response_format": "verbose_json"}
    segments = client.audio.transcriptions.create(timestamp_granularities=["segment"], **ask)
    assert segments.words is None and segments.segments[0].end > 1
    assert segments.segments[0].no_speech_prob < 0.1 and segments.segments[0].avg_logprob < 0
    timed = client.audio.transcriptions.create(timestamp_granularities=["word"], **ask)
    assert timed.segments is None and len(timed.words) > 3
    both = client.audio.transcriptions.create(timestamp_granularities=["word", "segment"], **ask)
    assert both.segments and both.words


def test_times_that_no_route_has_are_refused(client, speech):  # noqa: F811
    for form in ["json", "text", "srt"]:
        with pytest.raises(openai.BadRequestError) as caught:
            client.audio.transcriptions.create(
                model="auto", file=("a.wav", speech), response_format=form, timestamp_granularities=["segment"]
            )
        assert caught.value.param == "timestamp_granularities"
    with pytest.raises(openai.BadRequestError, match="times of words") as caught:
        client.audio.transcriptions.create(
            model="gemini", file=("a.wav", speech), response_format="verbose_json", timestamp_granularities=["word"]
        )
    assert caught.value.param == "timestamp_granularities" and caught.value.body["attempts"]
    with pytest.raises(openai.BadRequestError):
        client.audio.transcriptions.create(model="auto", file=("a.wav", speech), stream=True, response_format="text")


def test_translation(client, speech):  # noqa: F811
    ask = {"model": "auto", "file": ("a.wav", speech)}
    raw = client.audio.translations.with_raw_response.create(**ask)
    assert HEARD <= words(raw.parse().text) and raw.headers["x-aura-route"].startswith("groq/")
    assert received("groq", "stt")[-1]["path"].endswith("/audio/translations")
    verbose = client.audio.translations.create(response_format="verbose_json", **ask)
    assert verbose.segments and verbose.duration > 1
    assert HEARD <= words(client.audio.translations.create(response_format="text", **ask))
    fault("groq", "stt", kind="status", code=503)
    raw = client.audio.translations.with_raw_response.create(**ask)
    assert raw.parse().text and raw.headers["x-aura-route"].startswith("gemini/")
    for wrong in [{"stream": True}, {"timestamp_granularities": ["word"], "response_format": "verbose_json"}]:
        with pytest.raises(openai.BadRequestError):
            client.audio.translations.create(extra_body=wrong, **ask)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format(client, form):
    begin, media_type = FORMATS[form]
    raw = client.audio.speech.with_raw_response.create(response_format=form, **ANY)
    assert raw.headers["content-type"] == media_type and raw.content.startswith(begin) and len(raw.content) > 4000
    if form in ("mp3", "flac"):  # what AURA itself reads
        heard = client.audio.transcriptions.create(model="auto", file=(f"a.{form}", raw.content)).text
        assert HEARD <= words(heard)


def test_mp3_is_the_default(client):
    raw = client.audio.speech.with_raw_response.create(**ANY)
    assert raw.headers["content-type"] == "audio/mpeg"


def test_speed(client):
    at = lambda **speed: seconds(client.audio.speech.create(response_format="wav", **ANY, **speed).read())
    usual = at()
    for speed in [0.5, 2.0]:
        assert at(speed=speed) == pytest.approx(usual / speed, rel=0.1)
    assert at(speed=1) == pytest.approx(usual, rel=0.01)
    for wrong in [{"speed": 0.1}, {"speed": 5}, {"response_format": "wma"}, {"stream_format": "lines"}, {"input": " … "}, {"input": ""}]:
        with pytest.raises(openai.BadRequestError) as caught:
            client.audio.speech.create(**{**ANY, **wrong})
        assert caught.value.code == "invalid_request", wrong


def events(server, **fields):
    headers = {"authorization": f"Bearer {server.token}"}
    with httpx.stream("POST", f"{server.url}/v1/audio/speech", json={**ANY, "stream_format": "sse", **fields}, headers=headers, timeout=60) as reply:
        assert reply.status_code == 200 and reply.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in reply.iter_lines() if line]
        return reply.headers, [json.loads(line.removeprefix("data: ")) for line in lines]


@pytest.mark.parametrize("form", ["pcm", "wav", "mp3"])
def test_speech_is_streamed(server, form):
    headers, sent = events(server, response_format=form)
    assert headers["x-aura-route"].startswith("groq/")
    assert {event["type"] for event in sent[:-1]} == {"speech.audio.delta"} and sent[-1]["type"] == "speech.audio.done"
    sound = b"".join(base64.b64decode(event["audio"]) for event in sent[:-1])
    whole = server.client.audio.speech.create(response_format=form, **ANY).read()
    assert len(sent) > 2 or form == "mp3"
    assert sound[44:] == whole[44:] if form == "wav" else sound == whole
    assert sent[-1]["aura"]["attempts"][0]["service"] == "tts"


def test_a_fault_before_streamed_speech_is_hidden(server):
    fault("groq", "tts", kind="status", code=503)
    headers, sent = events(server, response_format="pcm")
    assert headers["x-aura-route"].startswith("gemini/") and sent[-1]["type"] == "speech.audio.done"


def test_voices(server):
    headers = {"authorization": f"Bearer {server.token}"}
    get = lambda query="": httpx.get(f"{server.url}/v1/audio/voices{query}", headers=headers).json()["voices"]
    everyone = get()
    by_name = {voice["id"]: voice for voice in everyone}
    assert {"hannah", "Kore"} <= set(by_name) and by_name["hannah"]["model"].startswith("groq/")
    assert {voice["model"].split("/")[0] for voice in get("?model=gemini")} == {"gemini"}
    model = by_name["hannah"]["model"]
    assert get(f"?model={model}") == [voice for voice in everyone if voice["model"] == model]
    assert get("?model=nothing") == []


def test_the_client_of_groq(server, speech):  # noqa: F811
    with groq.Groq(api_key=server.token, base_url=server.url, max_retries=0) as client:
        answer = client.chat.completions.create(model="auto", messages=ASK)
        assert answer.choices[0].message.content == FROM_GROQ
        chunks = client.chat.completions.create(model="auto", messages=ASK, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == FROM_GROQ
        assert HEARD <= words(client.audio.transcriptions.create(model="auto", file=("a.wav", speech)).text)
        assert HEARD <= words(client.audio.translations.create(model="auto", file=("a.wav", speech)).text)
        spoken = client.audio.speech.create(model="auto", voice="hannah", input=SPOKEN, response_format="wav")
        assert seconds(spoken.read()) > 1
        names = {model.id for model in client.models.list().data}
        assert "auto" in names and client.models.retrieve("groq/openai/gpt-oss-20b").id in names
        with pytest.raises(groq.NotFoundError) as caught:
            client.chat.completions.create(model="nothing", messages=ASK)
        assert caught.value.body["error"]["code"] == "model_not_found"

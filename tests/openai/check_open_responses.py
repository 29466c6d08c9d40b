"""What Open Responses demands of a server, with the types that others generated from its specification as the judge of the format."""

import base64
import json
import re
import urllib.error
import urllib.request

import openresponses_types
import pytest
from check_client import data_url, png
from conftest import FROM_GROQ, control, received

WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
ASK = {"type": "message", "role": "user", "content": "What is the weather in Oslo?"}


def post(server, path="/v1/responses", **body):
    headers = {"content-type": "application/json", "authorization": f"Bearer {server.token}"}
    data = json.dumps({"model": "auto", **body}).encode()
    with urllib.request.urlopen(urllib.request.Request(server.url + path, data, headers), timeout=90) as reply:
        return reply.read().decode()


def judged(text):
    """A response that has the format, every field of it."""
    openresponses_types.ResponseResource.model_validate_json(text, strict=True)
    return json.loads(text)


def create(server, **body):
    response = judged(post(server, **body))
    assert response["status"] == "completed" and response["completed_at"] >= response["created_at"]
    assert response["output"]
    return response


def stream(server, **body):
    """The events of a stream, each in the format. The last one has the response."""
    events = []
    for block in post(server, stream=True, **body).split("\n\n")[:-1]:
        name, data = re.fullmatch(r"event: (.+)\ndata: (.+)", block).groups()
        kind = "".join(word.title() for word in re.split(r"[._]", name)) + "StreamingEvent"
        getattr(openresponses_types, kind).model_validate_json(data, strict=True)
        event = json.loads(data)
        assert event["type"] == name
        events.append(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["type"] == "response.completed"
    judged(json.dumps(events[-1]["response"]))
    return events


def text_of(response):
    return "".join(part["text"] for item in response["output"] if item["type"] == "message" for part in item["content"])


def call_weather():
    control("PUT", "script", {"rules": [{"reply": {"tool_calls": [{"name": "weather", "arguments": {"city": "Oslo"}}]}}]})


def test_a_response_has_every_field(server):
    response = create(server, input=[ASK])
    assert text_of(response) == FROM_GROQ
    defaults = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0, "top_logprobs": 0, "background": False}
    assert {name: response[name] for name in defaults} == defaults
    sampling = {"temperature": 0.5, "presence_penalty": 0.25, "frequency_penalty": -0.5}
    kept = {"safety_identifier": "user-1", "prompt_cache_key": "key-1", "metadata": {"a": "b"}, "instructions": "Be brief."}
    response = create(server, model="gemini", input="Hi", reasoning={"effort": "low"}, **sampling, **kept)
    assert {name: response[name] for name in sampling | kept} == sampling | kept
    assert response["reasoning"] == {"effort": "low", "summary": None}
    sent = received("gemini", "llm")[-1]["json"]["generationConfig"]
    assert (sent["presencePenalty"], sent["frequencyPenalty"]) == (0.25, -0.5)


def test_a_stream_of_text(server):
    events = stream(server, input=[ASK])
    assert "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta") == FROM_GROQ
    assert text_of(events[-1]["response"]) == FROM_GROQ


def test_a_system_message_and_earlier_turns_reach_the_provider(server):
    turns = [
        {"type": "message", "role": "system", "content": "Answer like a sailor."},
        {"type": "message", "role": "user", "content": "My name is Ada."},
        {"type": "message", "role": "assistant", "content": "Ahoy, Ada!"},
        {"type": "message", "role": "user", "content": "What is my name?"},
    ]
    create(server, input=turns)
    sent = received("groq", "llm")[-1]["json"]["messages"]
    assert [(turn["role"], turn["content"]) for turn in sent] == [(turn["role"], turn["content"]) for turn in turns]


def test_a_function_is_called_and_its_result_is_used(server):
    call_weather()
    response = create(server, input=[ASK], tools=[WEATHER], tool_choice={"type": "function", "name": "weather"})
    [call] = [item for item in response["output"] if item["type"] == "function_call"]
    assert json.loads(call["arguments"]) == {"city": "Oslo"}
    control("PUT", "script", {"rules": [{"reply": {"text": "Oslo has 7 degrees."}}]})
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "7 degrees"}
    response = create(server, input=[ASK, *response["output"], result], tools=[WEATHER])
    assert text_of(response) == "Oslo has 7 degrees."


def test_a_call_is_streamed(server):
    call_weather()
    events = stream(server, input=[ASK], tools=[WEATHER])
    of = lambda kind: [event for event in events if event["type"] == kind]
    for kind in ["response.output_item.added", "response.output_item.done"]:
        assert [event["item"]["type"] for event in of(kind)] == ["function_call"]
    pieces = "".join(event["delta"] for event in of("response.function_call_arguments.delta"))
    [done] = of("response.function_call_arguments.done")
    assert pieces == done["arguments"] and json.loads(pieces) == {"city": "Oslo"}


def test_a_picture(server):
    content = [{"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": data_url(png(32, 32))}]
    create(server, input=[{"type": "message", "role": "user", "content": content}])
    assert received("groq", "vlm")


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/responses/input_tokens"])
def test_what_needs_stored_state_or_files_is_refused(server, path):
    file = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64," + base64.b64encode(b"%PDF-1.1").decode()}
    for fields in [
        {"input": "Go on.", "previous_response_id": "resp_1"},
        {"input": [{"type": "message", "role": "user", "content": [file]}]},
    ]:
        with pytest.raises(urllib.error.HTTPError) as refused:
            post(server, path, **fields)
        error = json.loads(refused.value.read())["error"]
        assert (refused.value.code, error["type"], error["param"]) == (400, "invalid_request_error", list(fields)[-1])

"""Anthropic's official client against the local API."""

import base64
import json
import urllib.error
import urllib.request

import anthropic
import pytest
from check_client import png
from conftest import FROM_GEMINI, FROM_GROQ, control, fault, received

ASK = [{"role": "user", "content": "Good morning"}]
TOOL = {
    "name": "open_app",
    "description": "Opens an application.",
    "input_schema": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
}


@pytest.fixture
def client(server):
    client = anthropic.Anthropic(auth_token=server.token, base_url=server.url, max_retries=0, timeout=90)
    yield client
    client.close()


def create(client, **fields):
    return client.messages.create(**{"model": "auto", "max_tokens": 200, "messages": ASK, **fields})


def test_a_message(client):
    raw = client.messages.with_raw_response.create(model="auto", max_tokens=200, messages=ASK)
    message = raw.parse()
    assert [block.text for block in message.content] == [FROM_GROQ]
    assert (message.type, message.role, message.stop_reason) == ("message", "assistant", "end_turn")
    assert message.id.startswith("msg_") and message.model == raw.headers["x-aura-route"] == "groq/openai/gpt-oss-20b"
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0
    assert message.aura["attempts"][0]["route"]["provider"] == "groq"


def test_a_stream(client):
    with client.messages.stream(model="auto", max_tokens=200, messages=ASK) as stream:
        texts = list(stream.text_stream)
        message = stream.get_final_message()
    assert "".join(texts) == FROM_GROQ and len(texts) > 5
    assert message.content[0].text == FROM_GROQ and message.stop_reason == "end_turn"
    assert message.usage.output_tokens > 0


def test_the_events_of_a_stream(client):
    events = [event.type for event in create(client, stream=True)]
    assert events[:2] == ["message_start", "content_block_start"]
    assert events[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(events[2:-3]) == {"content_block_delta"}


def test_the_system_prompt_and_sampling_reach_the_provider(client):
    # The client no longer knows the temperature, but the format does.
    system, extra = [{"type": "text", "text": "Be brief."}], {"temperature": 0.5}
    create(client, system=system, extra_body=extra, stop_sequences=["END"], max_tokens=777)
    body = received("groq", "llm")[-1]["json"]
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (body["temperature"], body["stop"], body["max_completion_tokens"]) == (0.5, ["END"], 777)


def test_the_effort_and_the_format_reach_the_provider(client):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "additionalProperties": False}
    config = {"effort": "max", "format": {"type": "json_schema", "schema": schema}}
    create(client, output_config=config, thinking={"type": "between_tools"})
    body = received("groq", "llm")[-1]["json"]
    assert body["reasoning_effort"] == "high" and body["response_format"]["json_schema"]["schema"] == schema
    create(client, output_config={"effort": "high"}, thinking={"type": "disabled"})
    assert received("groq", "llm")[-1]["json"].get("reasoning_effort") != "high"


def test_the_request_may_allow_all_other_models(client):
    fault("groq", "llm", kind="status", code=503)
    for fallbacks in ["default", [{"model": "gemini", "max_tokens": 100}]]:
        answer = client.beta.messages.create(model="groq/openai/gpt-oss-20b", max_tokens=200, messages=ASK, fallbacks=fallbacks)
        assert answer.content[0].text == FROM_GEMINI
    with pytest.raises(anthropic.InternalServerError):
        create(client, model="groq/openai/gpt-oss-20b")


def call_open_app():
    call = {"name": "open_app", "arguments": {"name": "Notes"}}
    control("PUT", "script", {"rules": [{"reply": {"tool_calls": [call]}}]})


@pytest.mark.parametrize("provider", ["groq", "gemini"])
def test_a_tool_is_called_and_its_result_is_used(client, provider):
    call_open_app()
    asked = create(client, model=provider, tools=[TOOL], tool_choice={"type": "any"})
    [use] = asked.content
    assert (asked.stop_reason, use.type, use.name, use.input) == ("tool_use", "tool_use", "open_app", {"name": "Notes"})
    control("PUT", "script", {"rules": [{"reply": {"text": "Notes is open."}}]})
    result = {"type": "tool_result", "tool_use_id": use.id, "content": [{"type": "text", "text": "opened"}]}
    messages = [*ASK, {"role": "assistant", "content": asked.content}, {"role": "user", "content": [result]}]
    answer = create(client, model=provider, messages=messages, tools=[TOOL])
    assert answer.content[0].text == "Notes is open."


def test_instructions_in_the_middle_and_tools_that_run_elsewhere(client):
    messages = [*ASK, {"role": "system", "content": "Be brief."}]
    tools = [TOOL, {"type": "web_search_20250305", "name": "web_search"}]
    create(client, messages=messages, tools=tools)
    sent = received("groq", "llm")[-1]["json"]
    assert sent["messages"][-1] == {"role": "system", "content": "Be brief."}
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["open_app"]


def test_a_tool_call_is_streamed(client):
    call_open_app()
    with client.messages.stream(model="auto", max_tokens=200, messages=ASK, tools=[TOOL]) as stream:
        message = stream.get_final_message()
    assert message.stop_reason == "tool_use" and message.content[0].input == {"name": "Notes"}


def test_a_picture(client):
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(png(40, 30)).decode()}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "How large is it?"}]
    answer = create(client, messages=[{"role": "user", "content": content}])
    assert answer.content[0].text == FROM_GROQ and received("groq", "vlm")


def test_the_next_provider_answers(client):
    fault("groq", "llm", kind="status", code=503)
    assert create(client).content[0].text == FROM_GEMINI
    with client.messages.stream(model="auto", max_tokens=200, messages=ASK) as stream:
        assert stream.get_final_text() == FROM_GEMINI


def test_an_interrupted_answer_is_continued(client):
    fault("groq", "llm", kind="cut_after", chunks=3)
    with client.messages.stream(model="auto", max_tokens=200, messages=ASK) as stream:
        text = stream.get_final_text()
    assert text.startswith("Groq says") and text.endswith(FROM_GEMINI)


def test_tokens_are_counted(client):
    few = client.messages.count_tokens(model="auto", messages=ASK).input_tokens
    many = client.messages.count_tokens(model="auto", messages=ASK, system="word " * 400).input_tokens
    assert few < 10 and 490 <= many - few <= 510 and received("groq", "llm") == []


@pytest.mark.parametrize(
    ("fields", "error", "says"),
    [
        ({"model": "nothing"}, anthropic.NotFoundError, "no model"),
        ({"messages": []}, anthropic.BadRequestError, "messages"),
        ({"extra_body": {"models": ["groq"] * 17}}, anthropic.BadRequestError, "16 models"),
        ({"extra_body": {"output_config": ["low", None]}}, anthropic.BadRequestError, "not valid"),
        ({"max_tokens": 0}, anthropic.BadRequestError, "max_tokens"),
        ({"extra_body": {"temperature": 1.5}}, anthropic.BadRequestError, "temperature"),
        (
            {"tools": [{"type": "web_search_20250305", "name": "web_search"}], "tool_choice": {"type": "any"}},
            anthropic.BadRequestError,
            "tool_choice",
        ),
        ({"tools": [{**TOOL, "name": "not a name"}]}, anthropic.BadRequestError, "name of a tool"),
        ({"tool_choice": {"type": "tool", "name": "other"}, "tools": [TOOL]}, anthropic.BadRequestError, "tool_choice"),
        ({"messages": [{"role": "user", "content": [{"type": "document"}]}]}, anthropic.BadRequestError, "document"),
    ],
)
def test_what_is_not_valid_is_refused(client, fields, error, says):
    with pytest.raises(error) as caught:
        create(client, **fields)
    body = caught.value.body
    assert body["type"] == "error" and body["error"]["type"].endswith("_error") and says in body["error"]["message"]


def test_failures_have_the_format(client, server):
    for provider in ["groq", "gemini"]:
        fault(provider, "llm", kind="status", code=503)
    with pytest.raises(anthropic.InternalServerError) as caught:
        create(client, model="groq", extra_body={"fallback": False})
    assert caught.value.body["error"]["attempts"] and caught.value.response.headers["x-should-retry"] == "false"
    # Of the guard, and of the limits.
    for headers, status in [({"authorization": "Bearer wrong", "x-forwarded-for": "1.2.3.4"}, 401), ({}, 415)]:
        request = urllib.request.Request(f"{server.url}/v1/messages", data=b"{}", headers=headers, method="POST")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=30)
        body = json.loads(refused.value.read())
        assert (refused.value.code, body["type"]) == (status, "error"), body

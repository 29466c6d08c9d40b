"""OpenAI's official client and the Responses API of the local API."""

import openai
import pytest
from check_client import data_url, png
from conftest import FROM_GEMINI, FROM_GROQ, control, fault, received

TOOL = {
    "type": "function",
    "name": "open_app",
    "description": "Opens an application.",
    "parameters": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    "strict": False,
}


def create(client, **fields):
    return client.responses.create(**{"model": "auto", "input": "Good morning", **fields})


def say(**reply):
    control("PUT", "script", {"rules": [{"reply": reply}]})


def test_a_response(client):
    raw = client.responses.with_raw_response.create(model="auto", input="Good morning", metadata={"a": "b"})
    response = raw.parse()
    assert response.output_text == FROM_GROQ and response.status == "completed" and response.error is None
    assert response.id.startswith("resp_") and response.model == raw.headers["x-aura-route"] == "groq/openai/gpt-oss-20b"
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens > 0
    assert response.metadata == {"a": "b"} and response.store is False
    assert response.aura["attempts"][0]["route"]["provider"] == "groq"


def test_a_stream(client):
    with client.responses.stream(model="auto", input="Good morning") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert final.output_text == FROM_GROQ and final.status == "completed"
    assert [event.sequence_number for event in create(client, stream=True)][:4] == [0, 1, 2, 3]
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert kinds.count("response.output_text.delta") > 5


def test_instructions_and_effort_reach_the_provider(client):
    create(client, instructions="Be brief.", reasoning={"effort": "high"}, temperature=0.5)
    body = received("groq", "llm")[-1]["json"]
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (body["reasoning_effort"], body["temperature"]) == ("high", 0.5)


@pytest.mark.parametrize("provider", ["groq", "gemini"])
def test_a_function_is_called_and_its_result_is_used(client, provider):
    say(tool_calls=[{"name": "open_app", "arguments": {"name": "Notes"}}])
    asked = create(client, model=provider, tools=[TOOL], tool_choice="required")
    [call] = asked.output
    assert (call.type, call.name, call.arguments) == ("function_call", "open_app", '{"name":"Notes"}')
    say(text="Notes is open.")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "opened"}
    conversation = [{"role": "user", "content": "Open Notes."}, *asked.output, result]
    assert create(client, model=provider, input=conversation, tools=[TOOL]).output_text == "Notes is open."


def test_a_custom_tool_takes_free_text(client):
    say(tool_calls=[{"name": "run", "arguments": {"input": "ls -l"}}])
    tools = [{"type": "custom", "name": "run", "description": "Runs a command."}]
    [call] = create(client, tools=tools).output
    assert (call.type, call.name, call.input) == ("custom_tool_call", "run", "ls -l")
    say(text="Two files.")
    result = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "a b"}
    conversation = [{"role": "user", "content": "List."}, call.model_dump(), result]
    assert create(client, input=conversation, tools=tools).output_text == "Two files."


def test_a_namespace_of_functions(client):
    say(tool_calls=[{"name": "apps__open_app", "arguments": {"name": "Notes"}}])
    tools = [{"type": "namespace", "name": "apps", "description": "Apps.", "tools": [TOOL]}, {"type": "web_search"}]
    asked = create(client, tools=tools)
    [call] = asked.output
    assert (call.name, call.namespace) == ("open_app", "apps")
    assert [tool.type for tool in asked.tools] == ["namespace"], "what runs on OpenAI's servers is left out"
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "opened"}
    say(text="Notes is open.")
    create(client, input=[{"role": "user", "content": "Open Notes."}, call.model_dump(), result], tools=tools)
    sent = received("groq", "llm")[-1]["json"]
    assert sent["messages"][-2]["tool_calls"][0]["function"]["name"] == "apps__open_app"
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["apps__open_app"]


def test_a_call_is_streamed(client):
    say(tool_calls=[{"name": "open_app", "arguments": {"name": "Notes"}}])
    with client.responses.stream(model="auto", input="Open Notes.", tools=[TOOL]) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert final.output[0].arguments == '{"name":"Notes"}'
    assert "response.function_call_arguments.delta" in kinds and "response.function_call_arguments.done" in kinds


def test_a_picture(client):
    content = [{"type": "input_text", "text": "How large?"}, {"type": "input_image", "image_url": data_url(png(40, 30))}]
    assert create(client, input=[{"role": "user", "content": content}]).output_text == FROM_GROQ
    assert received("groq", "vlm")


def test_json_by_a_schema(client):
    say(text='{"city": "Oslo"}')
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    answer = create(client, text={"format": {"type": "json_schema", "name": "city", "schema": schema}})
    assert answer.output_text == '{"city": "Oslo"}'
    assert received("groq", "llm")[-1]["json"]["response_format"]["type"] == "json_schema"


def test_the_next_provider_answers(client):
    fault("groq", "llm", kind="status", code=503)
    assert create(client).output_text == FROM_GEMINI
    with client.responses.stream(model="auto", input="Good morning") as stream:
        assert stream.get_final_response().output_text == FROM_GEMINI


def test_an_interrupted_answer_is_continued(client):
    fault("groq", "llm", kind="cut_after", chunks=3)
    with client.responses.stream(model="auto", input="Good morning") as stream:
        text = stream.get_final_response().output_text
    assert text.startswith("Groq says") and text.endswith(FROM_GEMINI)


def test_input_tokens_are_counted(client):
    count = lambda **fields: client.responses.input_tokens.count(**{"model": "auto", "input": "Good morning", **fields})
    few = count()
    assert few.object == "response.input_tokens" and 0 < few.input_tokens < 10
    assert 490 <= count(instructions="word " * 400).input_tokens - few.input_tokens <= 510
    assert count(tools=[TOOL]).input_tokens > few.input_tokens + 20
    picture = [{"role": "user", "content": [{"type": "input_image", "image_url": data_url(png(40, 30)), "detail": "auto"}]}]
    assert count(input=picture).input_tokens >= 1_000
    assert client.responses.input_tokens.count().input_tokens == 0
    with pytest.raises(openai.BadRequestError) as caught:
        count(previous_response_id="resp_1")
    assert caught.value.param == "previous_response_id"
    with pytest.raises(openai.BadRequestError):
        count(extra_body={"models": ["groq"] * 17})
    assert received("groq", "llm") == [] and received("groq", "vlm") == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"extra_body": {"presence_penalty": 3}}, "presence_penalty"),
        ({"extra_body": {"frequency_penalty": -3}}, "frequency_penalty"),
        ({"input": []}, "input"),
        ({"extra_body": {"models": ["groq"] * 17}}, "models"),
        ({"extra_body": {"reasoning": ["low"]}}, None),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input"),
        ({"tools": [{"type": "web_search"}], "tool_choice": "required"}, "tool_choice"),
        ({"tools": [{"type": "function", "name": "not a name"}]}, "tools"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "name": "other"}}, "tool_choice"),
    ],
)
def test_what_cannot_be_served_is_refused(client, fields, param):
    with pytest.raises(openai.BadRequestError) as caught:
        create(client, **fields)
    assert caught.value.param == param and received("groq", "llm") == []

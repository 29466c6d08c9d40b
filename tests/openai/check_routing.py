"""The official clients against the local API: the order of models in a request, and tools that survive a change of provider."""

import json

import anthropic
import openai
import pytest
from check_client import ASK, TOOL
from conftest import FROM_GEMINI, FROM_GROQ, Server, control, fault, received

GROQ, GEMINI = "groq/openai/gpt-oss-20b", "gemini/gemini-3.5-flash-lite"


def ask(client, model, **extra):
    return client.chat.completions.with_raw_response.create(model=model, messages=ASK, extra_body=extra)


def answered(raw):
    return raw.parse().choices[0].message.content, raw.headers["x-aura-route"], raw.headers["x-aura-attempts"]


@pytest.mark.parametrize("extra", [
    {"models": [GEMINI]}, {"fallbacks": [GEMINI]}, {"fallbacks": [{"model": GEMINI}]}, {"models": [GROQ, "gemini"]}, {"models": ["auto"]},
])
def test_the_request_names_what_comes_next(client, extra):
    assert answered(ask(client, GROQ, **extra)) == (FROM_GROQ, GROQ, "1")
    fault("groq", "llm", kind="model_gone")
    content, route, attempts = answered(ask(client, GROQ, **extra))
    assert (content, route) == (FROM_GEMINI, GEMINI) and int(attempts) >= 2


def test_the_order_of_a_request_overrules_the_default(client):
    assert answered(ask(client, GEMINI, models=[GROQ])) == (FROM_GEMINI, GEMINI, "1")
    fault("gemini", "llm", kind="status", code=503)
    assert answered(ask(client, GEMINI, models=[GROQ]))[:2] == (FROM_GROQ, GROQ)
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, GEMINI)
    assert {attempt["route"]["provider"] for attempt in caught.value.body["attempts"]} == {"gemini"}


def test_models_alone_are_enough(server):
    body = {"models": [GEMINI, GROQ], "messages": ASK}
    answer = server.client.post("/chat/completions", body=body, cast_to=object)
    assert answer["choices"][0]["message"]["content"] == FROM_GEMINI


def test_an_order_with_a_mistake_is_refused(client):
    for extra in [{"models": ["nothing"]}, {"fallbacks": ["nobody/nothing"]}]:
        with pytest.raises(openai.NotFoundError) as caught:
            ask(client, GROQ, **extra)
        assert caught.value.code == "model_not_found" and "noth" in caught.value.body["message"]
    with pytest.raises(openai.BadRequestError, match="does not answer"):
        ask(client, GROQ, models=["groq/whisper-large-v3"])
    with pytest.raises(openai.BadRequestError, match="at most 16"):
        ask(client, GROQ, models=[f"m{number}" for number in range(20)])
    with pytest.raises(openai.BadRequestError, match="`model` is missing"):
        client.post("/chat/completions", body={"messages": ASK}, cast_to=object)
    assert not received("groq", "llm")


def test_a_model_that_is_not_ready_gives_way():
    server = Server(GEMINI_API_KEY="")
    try:
        assert answered(ask(server.client, GEMINI, models=[GROQ])) == (FROM_GROQ, GROQ, "1")
        with pytest.raises(openai.APIStatusError) as caught:
            ask(server.client, GEMINI, models=["gemini"])
        assert caught.value.status_code == 503 and caught.value.code == "no_route"
    finally:
        server.close()


def test_the_cost_is_in_the_headers(client):
    raw = ask(client, GROQ)
    assert 0 < float(raw.headers["x-aura-cost-usd"]) < 0.01
    stream = client.chat.completions.with_raw_response.create(model=GROQ, messages=ASK, stream=True)
    assert "x-aura-cost-usd" not in stream.headers, "it is not known before the end"
    assert list(stream.parse())[-1].aura["attempts"][0]["cost"]["usd"] > 0


def test_an_alias_stands_for_a_model():
    server = Server(f'[local_api.aliases]\n"gpt-4o" = "{GEMINI}"\n"claude-sonnet" = "auto"\n')
    try:
        assert answered(ask(server.client, "gpt-4o")) == (FROM_GEMINI, GEMINI, "1")
        assert answered(ask(server.client, "claude-sonnet"))[1] == GROQ
        assert {"gpt-4o", "claude-sonnet"} <= {model.id for model in server.client.models.list()}
    finally:
        server.close()


def test_the_order_holds_for_every_route(server):
    fault("gemini", "llm", kind="status", code=503)
    raw = server.client.responses.with_raw_response.create(model=GEMINI, input="Good morning", extra_body={"models": [GROQ]})
    assert raw.parse().output_text == FROM_GROQ and raw.headers["x-aura-route"] == GROQ
    with anthropic.Anthropic(api_key=server.token, base_url=server.url, max_retries=0) as client:
        raw = client.messages.with_raw_response.create(
            model=GEMINI, messages=ASK, max_tokens=900, extra_body={"fallbacks": [GROQ]}
        )
        assert raw.parse().content[0].text == FROM_GROQ and raw.headers["x-aura-route"] == GROQ
    fault("gemini", "tts", kind="status", code=503)
    raw = server.client.audio.speech.with_raw_response.create(
        model="gemini", voice="Kore", input="Good morning", response_format="pcm", extra_body={"models": ["groq"]}
    )
    assert raw.headers["x-aura-route"].startswith("groq/")


CALLS = [{"name": "open_app", "arguments": {"name": "Notes"}}, {"name": "open_app", "arguments": {"name": "Mail"}}]


def told(client, messages, stream):
    if stream:
        with client.chat.completions.stream(model="auto", messages=messages, tools=[TOOL]) as events:
            for _ in events:
                pass
            return events.get_final_completion().choices[0].message
    return client.chat.completions.create(model="auto", messages=messages, tools=[TOOL]).choices[0].message


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("first, next_", [("groq", "gemini"), ("gemini", "groq")])
def test_tools_survive_a_change_of_provider(server, stream, first, next_):
    """One provider calls the tools and then breaks; the other gets its calls and their results, in its own format."""
    client = server.client
    control("PUT", "script", {"rules": [{"reply": {"tool_calls": CALLS}, "times": 1}, {"reply": {"text": "Both."}}]})
    if first == "gemini":
        fault("groq", "llm", kind="status", code=503)
    messages = [{"role": "user", "content": "Open Notes and Mail."}]
    called = told(client, messages, stream)
    assert [json.loads(call.function.arguments)["name"] for call in called.tool_calls] == ["Notes", "Mail"]
    assert received(first, "llm")[-1]["status"] == 200
    messages.append(called.model_dump(exclude_none=True, exclude={"parsed"}))
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "opened"} for call in called.tool_calls]
    control("DELETE", "faults")
    fault(first, "llm", kind="status", code=503)
    order = {"models": [f"{first}", f"{next_}"]}
    answer = client.chat.completions.with_raw_response.create(
        model=first, messages=messages, tools=[TOOL], extra_body=order
    )
    assert answer.parse().choices[0].message.content == "Both." and answer.headers["x-aura-route"].startswith(f"{next_}/")


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_call_that_breaks_off_is_made_again(client, stream):
    control("PUT", "script", {"rules": [{"reply": {"tool_calls": CALLS}}]})
    fault("groq", "llm", kind="cut_after", chunks=1, reset=True)
    called = told(client, [{"role": "user", "content": "Open Notes and Mail."}], stream)
    assert [json.loads(call.function.arguments)["name"] for call in called.tool_calls] == ["Notes", "Mail"]

"""A provider that others wrote, and its verdict on AURA as its client: llmock breaks the first provider and judges every attempt."""

import openai
import pytest
from check_chat_faults import STREAM, assert_continued
from conftest import FROM_GEMINI, FROM_GROQ, Server
from llmock.scenarios import Fail, Match, Reply, StreamFault
from llmock.testing import LLMockServer
from llmock.verdict import judge

GROQ, GEMINI = Match(provider="groq"), Match(provider="gemini")


def fail(status, **fields):
    return Fail(status, times=None, match=GROQ, **fields)


def broken(kind, after, **fields):
    return StreamFault(kind, after_chunks=after, times=None, match=GROQ, **fields)


BEFORE = {
    "429 with Retry-After": fail(429, retry_after=20),
    "429": fail(429),
    "401": fail(401),
    "403": fail(403),
    "500": fail(500),
    "503": fail(503),
    "529": fail(529),
    "disconnect": broken("disconnect", 0),
}
AFTER = {
    "disconnect": broken("disconnect", 3),
    "stall": broken("stall", 3, stall_seconds=20),
    "truncate": broken("truncate", 3),
}


@pytest.fixture
def provider():
    with LLMockServer() as server:
        server.state.scenarios.add(Reply(FROM_GROQ, times=None, match=GROQ), Reply(FROM_GEMINI, times=None, match=GEMINI))
        yield server


@pytest.fixture
def server(provider):
    gemini = f"{provider.base_url('gemini')}/v1beta"
    server = Server(GROQ_BASE_URL=provider.base_url("groq"), GEMINI_BASE_URL=gemini)
    yield server
    server.close()


def ask(server, stream, question):
    messages = [{"role": "user", "content": question}]
    answer = server.client.chat.completions.create(model="auto", messages=messages, stream=stream)
    if not stream:
        return answer.choices[0].message.content
    return "".join(chunk.choices[0].delta.content or "" for chunk in answer)


def verdict(provider):
    # Without the free model list, which AURA asks twice before it believes that a key is rejected.
    return judge(record for record in provider.state.journal.records() if record.method == "POST")


@STREAM
@pytest.mark.parametrize("what", BEFORE)
def test_fault_before_the_first_content(provider, server, what, stream):
    provider.state.scenarios.add(BEFORE[what])
    # Not the same one twice, which the judge would take for a retry.
    for question in ("Do I need a coat?", "And an umbrella?", "And gloves?"):
        assert ask(server, stream, question) == FROM_GEMINI
    verdict(provider).assert_ok()


@STREAM
@pytest.mark.parametrize("what", AFTER)
def test_fault_in_mid_stream(provider, server, what, stream):
    provider.state.scenarios.add(AFTER[what])
    assert_continued(ask(server, stream, "Do I need a coat?"))
    found = {finding.code for finding in verdict(provider).errors}
    # The judge looks for a retry at the same provider; the rest of the answer came from the other one.
    assert found <= {"truncated_stream_accepted"}


@STREAM
def test_a_request_that_no_retry_can_mend(provider, server, stream):
    provider.state.scenarios.add(fail(400))
    with pytest.raises(openai.BadRequestError):
        ask(server, stream, "Do I need a coat?")
    verdict(provider).assert_ok()

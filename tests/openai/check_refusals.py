"""A wrong key is refused 300 times on one pool of connections, each time with a clean 401: by three official clients, and by two
libraries that other clients are made of.

The requests come through a proxy, by their headers: from a program of the same user, any key would be accepted.
"""

import concurrent.futures

import google.genai
import groq
import httpx
import openai
import pytest
import requests

from conftest import received

REQUESTS = 300
# More than a socket's buffers hold at once.
TEXT = "x" * 72 * 1024
WRONG = "sk-wrong-1234567890"
PROXY = {"Via": "1.1 proxy.example"}
BODY = {"model": "auto", "messages": [{"role": "user", "content": TEXT}]}


def status(error, call):
    """The status of the error that a call must raise."""
    with pytest.raises(error) as raised:
        call()
    return getattr(raised.value, "status_code", None) or raised.value.code


def by_openai(url):
    client = openai.OpenAI(api_key=WRONG, base_url=f"{url}/v1", max_retries=0, default_headers=PROXY)
    return lambda: status(openai.APIStatusError, lambda: client.chat.completions.create(**BODY))


def by_groq(url):
    # This client adds `/openai/v1` to its address, which is the prefix of no route: the guard refuses all the same.
    client = groq.Groq(api_key=WRONG, base_url=url, max_retries=0, default_headers=PROXY)
    return lambda: status(groq.APIStatusError, lambda: client.chat.completions.create(**BODY))


def by_google(url):
    # It sends its key as `x-goog-api-key`, which AURA does not read: a request through a proxy without a token.
    options = google.genai.types.HttpOptions(base_url=url, headers=PROXY)
    client = google.genai.Client(api_key=WRONG, http_options=options)
    generate = lambda: client.models.generate_content(model="gemini-2.5-flash", contents=TEXT)
    return lambda: status(google.genai.errors.APIError, generate)


def by_httpx(url):
    client = httpx.Client(headers={**PROXY, "x-api-key": WRONG}, timeout=60)
    return lambda: client.post(f"{url}/v1/chat/completions", json=BODY).status_code


def by_requests(url):
    client = requests.Session()
    client.headers.update({**PROXY, "Authorization": f"Bearer {WRONG}"})
    return lambda: client.post(f"{url}/chat", json={"text": TEXT}, timeout=60).status_code


CLIENTS = [by_openai, by_groq, by_google, by_httpx, by_requests]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_one_after_another(server, client):
    ask = client(server.url)
    assert [ask() for _ in range(REQUESTS)] == [401] * REQUESTS
    assert received("groq", "llm") == []


@pytest.mark.parametrize("client", CLIENTS[:4], ids=lambda client: client.__name__)
def test_eight_at_once(server, client):
    ask = client(server.url)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: ask(), range(REQUESTS))) == [401] * REQUESTS


def test_a_placeholder_key_of_the_same_user_is_let_in(server):
    for key in ["x", "sk-1234"]:
        client = openai.OpenAI(api_key=key, base_url=f"{server.url}/v1", max_retries=0)
        reply = client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hello"}])
        assert reply.choices[0].message.content

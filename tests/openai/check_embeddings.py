"""The official client against the local API: embeddings, routed like every other service."""

import contextlib
import http.server
import json
import threading
import urllib.request

import openai
import pytest
from conftest import Server, fault, received

TEXTS = ["where is the train station", "The train station is closed.", "a good year for everyone"]
def likeness(one, other):
    return sum(a * b for a, b in zip(one, other))


def vectors(reply):
    assert [entry.index for entry in reply.data] == list(range(len(reply.data)))
    return [entry.embedding for entry in reply.data]


def test_embeddings(client):
    raw = client.embeddings.with_raw_response.create(model="auto", input=TEXTS)
    reply = raw.parse()
    asked, close, far = vectors(reply)
    assert len(asked) == 3072 and likeness(asked, asked) == pytest.approx(1, abs=1e-3)
    assert likeness(asked, close) > likeness(asked, far) + 0.1
    assert reply.model == raw.headers["x-aura-route"] == "gemini/gemini-embedding-001"
    assert reply.usage.total_tokens == reply.usage.prompt_tokens > 10
    assert reply.aura["attempts"][0]["service"] == "embedding" and raw.headers["x-aura-attempts"] == "1"
    # The client asks for base64 by default, and reads numbers as well.
    [numbers] = vectors(client.embeddings.create(model="gemini/gemini-embedding-001", input=TEXTS[0], encoding_format="float"))
    assert numbers == pytest.approx(asked, abs=1e-6)
    [short] = vectors(client.embeddings.create(model="gemini-embedding-001", input=TEXTS[0], dimensions=256))
    assert len(short) == 256 and likeness(short, short) == pytest.approx(1, abs=1e-3)


class OwnServer(http.server.BaseHTTPRequestHandler):
    """A server of the user with one embedding model, which returns vectors of four numbers."""

    def log_message(self, *_):
        pass

    def reply(self, body):
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.reply({"object": "list", "data": [{"id": self.server.model, "object": "model"}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.path == "/v1/embeddings" and body["model"] == self.server.model and "encoding_format" in body
        # In the wrong order, and without a count of tokens.
        data = [{"object": "embedding", "index": at, "embedding": [at, 0, 0, 0.5]} for at in range(len(body["input"]))]
        self.reply({"object": "list", "data": data[::-1], "model": body["model"]})


@contextlib.contextmanager
def own_server(model):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OwnServer)
    server.model = model
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}/v1/"
    local_api = Server(f'[providers.own]\nbase_url = "{address}"\n')
    try:
        yield local_api.client
    finally:
        local_api.close()
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_server_of_the_user():
    with own_server("nomic-embed-text") as client:
        raw = client.embeddings.with_raw_response.create(model="own/nomic-embed-text", input=TEXTS)
        assert vectors(raw.parse()) == [[0, 0, 0, 0.5], [1, 0, 0, 0.5], [2, 0, 0, 0.5]]
        assert raw.headers["x-aura-route"] == "own/nomic-embed-text"
        assert raw.parse().usage.total_tokens > 10, "estimated"


def test_another_model_answers_only_if_the_request_allows_it():
    fault("gemini", "embedding", kind="status", code=503)
    with own_server("nomic-embed-text") as client:
        with pytest.raises(openai.InternalServerError) as caught:
            client.embeddings.create(model="auto", input=TEXTS)
        assert {attempt["route"]["provider"] for attempt in caught.value.body["attempts"]} == {"gemini"}
        for extra in [{"fallback": True}, {"models": ["own"]}, {"fallbacks": ["own/nomic-embed-text"]}]:
            raw = client.embeddings.with_raw_response.create(model="auto", input=TEXTS, extra_body=extra)
            assert raw.headers["x-aura-route"] == "own/nomic-embed-text", extra


def test_the_same_model_elsewhere_takes_over():
    fault("gemini", "embedding", kind="status", code=503)
    with own_server("gemini-embedding-001") as client:
        raw = client.embeddings.with_raw_response.create(model="auto", input=TEXTS)
        assert raw.headers["x-aura-route"] == "own/gemini-embedding-001" and int(raw.headers["x-aura-attempts"]) >= 2


def test_health_and_models(server):
    server.client.embeddings.create(model="auto", input=TEXTS)
    read = lambda path: json.loads(
        urllib.request.urlopen(urllib.request.Request(server.url + path, headers={"authorization": f"Bearer {server.token}"})).read()
    )
    health = read("/providers/health")["providers"]
    assert health["gemini"]["services"]["embedding"]["requests"] == 1 and "embedding" not in health["groq"]["services"]
    assert "embedding" in server.client.models.retrieve("gemini/gemini-embedding-001").services
    listed = read("/providers/models?service_type=embedding")
    assert {model["name"] for model in listed} >= {"gemini-embedding-001"}


def test_invalid_requests_are_rejected(client):
    for wrong in [
        {"input": ""}, {"input": []}, {"input": ["a", ""]}, {"input": [1, 2, 3]}, {"input": [[1], [2]]}, {"input": ["a"] * 2049},
        {"dimensions": 0}, {"encoding_format": "int8"}, {"input": {"text": "a"}},
    ]:
        with pytest.raises(openai.BadRequestError) as caught:
            client.embeddings.create(**{"model": "auto", "input": "a", **wrong})
        assert caught.value.code == "invalid_request", wrong
    for model in ["groq/openai/gpt-oss-20b", "gemini/gemini-3.5-flash-lite"]:
        with pytest.raises(openai.APIStatusError) as caught:
            client.embeddings.create(model=model, input="a")
        assert caught.value.status_code == 400 and "does not embed" in caught.value.body["message"], model
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="nothing", input="a")
    with pytest.raises(openai.BadRequestError, match="does not answer"):
        client.chat.completions.create(model="gemini-embedding-001", messages=[{"role": "user", "content": "a"}])
    assert not received("gemini", "embedding")

"""A server of the local API for each test, with sandbox providers: real processes on the loopback.

AURA_SERVER is the path of the program; AURA_SANDBOX_URL the address of a running sandbox (http://127.0.0.1:PORT) that accepts the
API key "sandbox-key".
"""

import json
import os
import pathlib
import subprocess
import tempfile
import urllib.request

import openai
import pytest

SANDBOX = os.environ.get("AURA_SANDBOX_URL", "").rstrip("/")
SERVER = os.environ.get("AURA_SERVER", "")
KEY = "sandbox-key"

# Short enough for a test, long enough for a busy computer, where the sandbox takes some seconds to recognise speech.
SETTINGS = """
[timeouts]
first_content_ms = 4000
transcript_ms = {transcript_ms}
between_ms = 2500
whole_ms = 60000
"""

FROM_GROQ = "Groq says that it is going to be a good year for everyone."
FROM_GEMINI = "Gemini says that the weather will be fine tomorrow as well."


def control(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{SANDBOX}/control/{path}", data=data, method=method)
    request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as response:
        text = response.read()
    return json.loads(text) if text else None


def fault(provider, service, **fields):
    """Adds a fault for the rest of the test."""
    control("POST", "faults", {"provider": provider, "service": service, **fields})


def received(provider, service):
    """The requests for a service that a provider received."""
    requests = control("GET", "requests")
    return [request for request in requests if (request["provider"], request["service"]) == (provider, service)]


class Server:
    """A running server of the local API, with folders of its own."""

    def __init__(self, settings="", transcript_ms=20_000, **variables):
        self.folder = tempfile.TemporaryDirectory(prefix="aura-test-")
        path = pathlib.Path(self.folder.name)
        (path / "config").mkdir()
        (path / "data").mkdir()
        (path / "config/config.toml").write_text(SETTINGS.format(transcript_ms=transcript_ms) + settings)
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "AURA_MODEL_CATALOG") if name in os.environ}
        environment = {
            **kept,
            "AURA_CONFIG_DIR": str(path / "config"),
            "AURA_DATA_DIR": str(path / "data"),
            "AURA_OFFLINE_LLM": "none",
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",
            "GROQ_API_KEY": KEY,
            "GROQ_BASE_URL": f"{SANDBOX}/groq/openai/v1",
            "GEMINI_API_KEY": KEY,
            "GEMINI_BASE_URL": f"{SANDBOX}/gemini/v1beta",
            **variables,
        }
        self.log = open(path / "log", "wb")
        self.process = subprocess.Popen(
            [SERVER, "--port", "0"], env=environment, cwd=path, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        line = self.process.stdout.readline()
        assert "http://" in line, f"the server did not start: {line!r} {(path / 'log').read_text()}"
        self.url = line[line.index("http://") :].strip()
        self.token = (path / "data/api-token").read_text().strip()
        # No retries by the client: they would hide failures that the server must hide.
        self.client = openai.OpenAI(api_key=self.token, base_url=f"{self.url}/v1", max_retries=0, timeout=90)

    def close(self):
        self.client.close()
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()
        self.folder.cleanup()


@pytest.fixture(autouse=True)
def fresh_sandbox():
    assert SANDBOX and SERVER, "AURA_SANDBOX_URL and AURA_SERVER are not set"
    control("POST", "reset")
    say = lambda provider, text: {"when": {"provider": provider}, "reply": {"text": text, "chunk_ms": 5}}
    control("PUT", "script", {"rules": [say("groq", FROM_GROQ), say("gemini", FROM_GEMINI)]})


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def client(server):
    return server.client

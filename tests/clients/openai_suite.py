"""Runs openai-python's own tests, from its source package, against the local API with sandbox providers.

They were written for a server that answers anything: the names of models become `auto`, and the recordings become one with speech. Every
test must pass that is not in EXCEPTIONS, and every one in it must fail for the reason that stands there.
"""

import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "openai"))
from conftest import Server, control  # noqa: E402

VERSION = "3.57.0"
FOLDER = pathlib.Path(os.environ["AURA_CLIENTS"]) / "openai-python"
TESTS = [
    "chat/test_completions.py", "audio/test_speech.py", "audio/test_transcriptions.py", "audio/test_translations.py",
    "test_embeddings.py", "test_models.py", "test_responses.py", "responses/test_input_items.py", "responses/test_input_tokens.py",
]
NAMES = ["gpt-6-astra", "gpt-4o-transcribe", "whisper-1", "tts-1", "text-embedding-3-small"]
# What cannot pass, by a part of the test's name, and why.
EXCEPTIONS = {
    r"chat/test_completions.*(retrieve|update|list|delete)": "Nothing is stored, so no completion can be read, changed or deleted.",
    r"chat/test_completions.*create_with_all_params": "It asks for an answer of no tokens (`max_tokens=0`).",
    r"audio/test_transcriptions.*create_with_all_params": "It asks for the times of words in a format that has none (`json`).",
    r"test_embeddings.*test_(method|raw_response|streaming_response)_create\[strict\]":
        "The client asks for base64 and, when it is strict, refuses it.",
    r"test_models.*delete": "Models of providers cannot be deleted.",
    r"test_responses.*(retrieve|delete|cancel|compact)": "Nothing is stored, so no response can be read, deleted, stopped or compacted.",
    r"test_responses.*create_with_all_params": "It asks for an answer in the background, and to continue one that would be stored.",
    r"test_responses.*(method|raw_response|streaming_response)_create_overload": "It sends neither a model nor a question.",
    r"responses/test_input_items": "Nothing is stored, so there are no items to list.",
    r"responses/test_input_tokens": "It sends neither a model nor a question to count.",
}


def prepare():
    """Installs the client and unpacks its tests, once."""
    source = FOLDER / f"openai-{VERSION}"
    if (FOLDER / "installed.txt").exists():
        return source
    FOLDER.mkdir(parents=True, exist_ok=True)
    pip = lambda *arguments: subprocess.run([python(), "-m", "pip", *arguments, "-q", "--disable-pip-version-check"], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER / "python"], check=True)
    pip("install", f"openai=={VERSION}", "pytest", "pytest-asyncio", "respx", "inline-snapshot", "httpx2", "nest_asyncio", "rich")
    pip("download", "--no-binary", ":all:", "--no-deps", "--dest", FOLDER, f"openai=={VERSION}")
    subprocess.run(["tar", "xf", FOLDER / f"openai-{VERSION}.tar.gz", "-C", FOLDER], check=True)
    speech = FOLDER / "speech.wav"
    subprocess.run(["espeak-ng", "-v", "en-us+f5", "-s", "150", "-w", speech, "where is the train station"], check=True)
    for name in TESTS:
        file = source / "tests/api_resources" / name
        text = file.read_text().replace('b"Example data"', f"__import__('pathlib').Path({str(speech)!r}).read_bytes()")
        file.write_text(re.sub("|".join(f'"{name}"' for name in NAMES), '"auto"', text))
    (FOLDER / "installed.txt").write_text(VERSION)
    return source


def python():
    return FOLDER / "python/bin/python"


def main():
    source = prepare()
    control("POST", "reset")
    server = Server()
    try:
        report = FOLDER / "report.txt"
        # The third variant uses another HTTP library.
        command = [python(), "-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts=", "-q", "-rA", "--tb=no", "-k", "loose or strict"]
        command += [f"tests/api_resources/{name}" for name in TESTS]
        environment = {**os.environ, "TEST_API_BASE_URL": f"{server.url}/v1"}
        done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, timeout=900)
        report.write_text(done.stdout + done.stderr)
    finally:
        server.close()
    outcomes = re.findall(r"^(PASSED|FAILED|ERROR) tests/api_resources/(\S+)", done.stdout, re.MULTILINE)
    if len(outcomes) < 300:
        sys.exit(f"only {len(outcomes)} tests ran: see {report}")
    excused = lambda name: next((reason for pattern, reason in EXCEPTIONS.items() if re.search(pattern, name)), None)
    mistakes = []
    passed = sum(outcome == "PASSED" for outcome, _ in outcomes)
    reasons = {}
    for outcome, name in outcomes:
        reason = excused(name)
        if outcome != "PASSED" and reason is None:
            mistakes.append(f"{name}: {outcome}")
        elif outcome != "PASSED":
            reasons[reason] = reasons.get(reason, 0) + 1
    print(f"openai-python {VERSION}: {passed} of {len(outcomes)} tests pass. The others:")
    for reason, count in reasons.items():
        print(f"  {count:>4}  {reason}")
    if mistakes:
        sys.exit("These should pass:\n" + "\n".join(mistakes))


if __name__ == "__main__":
    main()

"""Runs the tests of OpenAI's Python client against the local API.

They were written for a server that answers anything: the names of models become `auto`, and the recordings become one with speech.
"""

import re
import subprocess

from own_tests import Suite, run

TESTS = [
    "chat/test_completions.py", "audio/test_speech.py", "audio/test_transcriptions.py", "audio/test_translations.py",
    "test_embeddings.py", "test_models.py", "test_responses.py", "responses/test_input_items.py", "responses/test_input_tokens.py",
]
NAMES = ["gpt-6-astra", "gpt-4o-transcribe", "whisper-1", "tts-1", "text-embedding-3-small"]
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
    r"responses/test_input_tokens.*count_with_all_params": "It counts the tokens of a conversation that would be stored.",
}


def adapt(source, folder):
    speech = folder / "speech.wav"
    subprocess.run(["espeak-ng", "-v", "en-us+f5", "-s", "150", "-w", speech, "where is the train station"], check=True)
    for name in TESTS:
        file = source / "tests/api_resources" / name
        text = file.read_text().replace('b"Example data"', f"__import__('pathlib').Path({str(speech)!r}).read_bytes()")
        file.write_text(re.sub("|".join(f'"{name}"' for name in NAMES), '"auto"', text))


if __name__ == "__main__":
    run(Suite(
        name="openai-python",
        package="openai",
        version="3.57.0",
        needs=["pytest", "pytest-asyncio", "respx", "inline-snapshot", "httpx2", "nest_asyncio", "rich"],
        tests=TESTS,
        least=300,
        exceptions=EXCEPTIONS,
        path="/v1",
        adapt=adapt,
    ))

"""Runs the tests of Anthropic's Python client against the local API: those of messages and of counting tokens, unchanged.

They ask for models of Anthropic, which are aliases in the settings here.
"""

from own_tests import Suite, run

MODELS = [
    "claude-opus-5-5", "claude-mythos-preview", "claude-opus-4-5", "claude-opus-4-5-20251101", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929",
]

if __name__ == "__main__":
    run(Suite(
        name="anthropic-sdk-python",
        package="anthropic",
        version="2.14.0",
        needs=["pytest", "pytest-asyncio", "respx", "rich", "inline-snapshot>=0.28", "http-snapshot[httpx]==0.1.9", "httpx2>=2.9", "aiohttp"],
        tests=["test_messages.py", "beta/test_messages.py"],
        least=90,
        exceptions={},
        settings="[local_api.aliases]\n" + "".join(f'"{name}" = "auto"\n' for name in MODELS),
    ))

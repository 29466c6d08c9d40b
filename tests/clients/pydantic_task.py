"""A task for pydantic-ai."""

import asyncio
import os
import sys

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel

agent = Agent(OpenAIChatModel("auto"))
if os.environ["AURA_TOOL"]:

    @agent.tool_plain
    def weather(city: str) -> str:
        """The weather in a city."""
        return "21 degrees"


async def main():
    async with agent.run_stream(sys.argv[1]) as result:
        pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
    assert len(pieces) > 3
    print("".join(pieces))


asyncio.run(main())

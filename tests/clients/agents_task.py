"""A task for openai-agents, over the Responses API."""

import asyncio
import os
import sys

from agents import Agent, Runner, function_tool


@function_tool
def weather(city: str) -> str:
    """The weather in a city."""
    return "21 degrees"


async def main():
    agent = Agent(name="Assistant", model="auto", tools=[weather] if os.environ["AURA_TOOL"] else [])
    result = Runner.run_streamed(agent, sys.argv[1])
    deltas = [event.data.delta async for event in result.stream_events() if getattr(getattr(event, "data", None), "type", "") == "response.output_text.delta"]
    assert len(deltas) > 3 and "".join(deltas) == result.final_output
    print(result.final_output)


asyncio.run(main())

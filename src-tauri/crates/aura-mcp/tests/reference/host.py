"""Uses AURA's MCP server through the official Python SDK, as another program would. Prints what it got as JSON."""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main() -> None:
    parameters = StdioServerParameters(command=sys.argv[1], args=sys.argv[2:])
    async with stdio_client(parameters) as (reading, writing), ClientSession(reading, writing) as session:
        about = await session.initialize()
        tools = (await session.list_tools()).tools
        answer = await session.call_tool("ask", {"question": "Why?"})
        picture = await session.call_tool("look_at_screen", {})
        refused = await session.call_tool("listen", {})
        print(json.dumps({
            "name": about.model_dump(by_alias=True)["serverInfo"]["name"],
            "tools": [tool.name for tool in tools],
            "answer": answer.content[0].text,
            "picture": picture.content[0].model_dump(by_alias=True)["mimeType"],
            "refused": refused.model_dump(by_alias=True)["isError"],
        }))


asyncio.run(main())

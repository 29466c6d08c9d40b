"""Runs one example of the guide, verbatim apart from the port, and prints its result as JSON.

An example is an async function, or top-level code with `await`. This file defines the names that the examples use.
"""

import ast
import asyncio
import inspect
import json
import pathlib
import sys

import httpx


async def run(example: str, port: str):
    source = pathlib.Path(example).read_text().replace("localhost:8000", f"localhost:{port}")
    names = {
        "httpx": httpx,
        "audio_data": pathlib.Path("sample.wav").read_bytes(),
        "image_data": pathlib.Path("screen.png").read_bytes(),
    }
    async with httpx.AsyncClient() as client:
        names["client"] = client
        code = compile(source, example, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        begun = eval(code, names)
        if inspect.isawaitable(begun):
            await begun
            return names["response"].json()
        function = next(value for value in names.values() if inspect.iscoroutinefunction(value))
        return await function()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(*sys.argv[1:]))))

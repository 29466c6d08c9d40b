"""A task for litellm."""

import json
import os
import sys

import litellm

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
messages = [{"role": "user", "content": sys.argv[1]}]
ask = lambda **more: litellm.completion(
    model="openai/auto", api_base=os.environ["OPENAI_BASE_URL"], api_key=os.environ["AURA_KEY"], messages=messages, stream=True, **more
)
if os.environ["AURA_TOOL"]:
    called = litellm.stream_chunk_builder(list(ask(tools=[TOOL])), messages=messages).choices[0].message
    [call] = called.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Paris"}
    messages += [called.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}]
pieces = [chunk.choices[0].delta.content or "" for chunk in ask() if chunk.choices]
assert len(pieces) > 3
print("".join(pieces))

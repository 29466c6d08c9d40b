"""A task for langchain-openai."""

import os
import sys

from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return "21 degrees"


model = ChatOpenAI(model="auto", max_retries=0)
messages = [HumanMessage(sys.argv[1])]
if os.environ["AURA_TOOL"]:
    called = None
    for chunk in model.bind_tools([weather]).stream(messages):
        called = chunk if called is None else called + chunk
    messages += [called, *(weather.invoke(call) for call in called.tool_calls)]
    model = model.bind_tools([weather])
else:
    assert len(OpenAIEmbeddings(model="auto", check_embedding_ctx_length=False).embed_query("Paris")) > 100
print("".join(chunk.text if isinstance(chunk.text, str) else chunk.text() for chunk in model.stream(messages)))

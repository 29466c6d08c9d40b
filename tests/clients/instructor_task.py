"""A task for instructor, which reads an object out of a tool call."""

import os
import sys

import instructor
from openai import OpenAI
from pydantic import BaseModel


class City(BaseModel):
    name: str


messages = [{"role": "user", "content": sys.argv[1]}]
if os.environ["AURA_TOOL"]:
    print(instructor.from_openai(OpenAI()).chat.completions.create(model="auto", response_model=City, messages=messages).name)
else:
    chunks = OpenAI().chat.completions.create(model="auto", messages=messages, stream=True)
    print("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices))

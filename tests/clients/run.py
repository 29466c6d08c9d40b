"""Runs programs that others wrote for OpenAI's and Anthropic's APIs against the local API with sandbox providers.

Each does a real task: it streams an answer, and calls a tool where it can; once with healthy providers, and once with the first
provider broken. `cargo xtask clients [NAME…]` runs it; the programs are installed from PyPI and npm into the folder AURA_CLIENTS.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "openai"))
from conftest import Server, control, fault, received  # noqa: E402

FOLDER = pathlib.Path(os.environ["AURA_CLIENTS"])
ANSWER = "It is going to be a good year for everyone."
TIME = 240


@dataclass
class Client:
    name: str
    packages: list
    # Where they come from: "pip" or "npm".
    source: str = "pip"
    # The command for a task, which must print the answer: arguments, with {PROMPT}, {URL} and {KEY} replaced. A file is run by the interpreter.
    command: list = field(default_factory=list)
    # Files to write into the home folder first.
    files: dict = field(default_factory=dict)
    # The tool that the sandbox asks for, with its arguments; None where the program has none to offer.
    tool: tuple = None
    # Further arguments of the task with a tool.
    with_tool: list = field(default_factory=list)


WEATHER = ("weather", {"city": "Paris"})
script = lambda name: [str(HERE / name), "{PROMPT}"]
LLM = """- model_id: aura
  model_name: auto
  api_base: {URL}/v1
  api_key_name: aura
  supports_tools: true
"""
OPENCODE = """{"provider": {"aura": {"npm": "@ai-sdk/openai-compatible", "name": "AURA", "options": {"baseURL": "{URL}/v1", "apiKey": "{KEY}"},
 "models": {"auto": {"name": "auto"}}}}, "model": "aura/auto", "small_model": "aura/auto", "autoupdate": false, "share": "disabled"}"""
CLIENTS = [
    Client("openai-agents", ["openai-agents"], command=script("agents_task.py"), tool=WEATHER),
    Client("litellm", ["litellm"], command=script("litellm_task.py"), tool=WEATHER),
    Client("langchain", ["langchain-openai", "langchain-core"], command=script("langchain_task.py"), tool=WEATHER),
    Client("pydantic-ai", ["pydantic-ai-slim[openai]"], command=script("pydantic_task.py"), tool=WEATHER),
    Client("instructor", ["instructor"], command=script("instructor_task.py"), tool=("City", {"name": ANSWER})),
    Client(
        "llm", ["llm"], command=["llm", "-m", "aura", "--key", "{KEY}", "{PROMPT}"], files={"io.datasette.llm/extra-openai-models.yaml": LLM},
        tool=WEATHER, with_tool=["--functions", "def weather(city: str) -> str:\n    return '21 degrees'\n"],
    ),
    Client("aider", ["aider-chat"], command=[
        "aider", "--model", "openai/auto", "--no-git", "--yes", "--no-show-model-warnings", "--no-check-update", "--no-analytics",
        "--message", "{PROMPT}",
    ]),
    Client("ai", ["ai", "@ai-sdk/openai-compatible", "zod"], "npm", script("ai_task.mjs"), tool=WEATHER),
    Client("opencode", ["opencode-ai"], "npm", ["opencode", "run", "-m", "aura/auto", "{PROMPT}"], {".config/opencode/opencode.json": OPENCODE}),
    Client("codex", ["@openai/codex"], "npm", [
        "codex", "exec", "--skip-git-repo-check", "-m", "auto", "-c", "model_provider=aura", "-c",
        'model_providers.aura={name="AURA", base_url="{URL}/v1", wire_api="responses", env_key="AURA_KEY"}', "{PROMPT}",
    ]),
    Client("claude-code", ["@anthropic-ai/claude-code"], "npm", ["claude", "--model", "auto", "-p", "{PROMPT}"],
           tool=("Bash", {"command": "echo 21 degrees", "description": "Prints the weather"}), with_tool=["--allowedTools", "Bash"]),
]


def install(client):
    """Installs a client once. Returns its folder."""
    folder = FOLDER / client.name
    done = folder / "installed.txt"
    wanted = "\n".join(client.packages)
    if done.exists() and done.read_text() == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if client.source == "pip":
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", *client.packages], check=True)
    else:
        (folder / "package.json").write_text("{}")
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", *client.packages], cwd=folder, check=True)
    done.write_text(wanted)
    return folder


def run(client, folder, server, with_tool):
    """Runs one task. Returns what went wrong; empty if nothing did."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="aura-client-"))
    fill = lambda text, prompt="": text.replace("{PROMPT}", prompt).replace("{URL}", server.url).replace("{KEY}", server.token)
    try:
        for path, text in client.files.items():
            file = home / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(fill(text))
        binaries = folder / ("bin" if client.source == "pip" else "node_modules/.bin")
        prompt = "What is the weather in Paris?" if with_tool else "How will the year be?"
        # The home folder of `llm` is named by a variable of its own.
        environment = {
            "PATH": f"{binaries}:{os.environ['PATH']}", "HOME": str(home), "LANG": "C.UTF-8", "LLM_USER_PATH": str(home / "io.datasette.llm"),
            "OPENAI_API_KEY": server.token, "OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_BASE": f"{server.url}/v1",
            "ANTHROPIC_API_KEY": server.token, "ANTHROPIC_BASE_URL": server.url, "AURA_KEY": server.token, "AURA_URL": server.url,
            "AURA_TOOL": "1" if with_tool else "", "CI": "1", "NO_COLOR": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "OPENAI_AGENTS_DISABLE_TRACING": "1",
        }
        command = [fill(argument, prompt) for argument in client.command] + (client.with_tool if with_tool else [])
        if command[0].endswith(".py"):
            command.insert(0, str(folder / "bin/python"))
        elif command[0].endswith(".mjs"):
            # Modules are looked up beside the file.
            copied = folder / pathlib.Path(command[0]).name
            shutil.copy(command[0], copied)
            command[:1] = ["node", str(copied)]
        done = subprocess.run(command, env=environment, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIME)
        output = done.stdout + done.stderr
        if done.returncode != 0:
            return f"exit code {done.returncode}: {output[-700:]}"
        if ANSWER.split()[-3] not in done.stdout and ANSWER not in " ".join(done.stdout.split()):
            return f"no answer: {output[-700:]}"
        if with_tool and client.name != "instructor" and not any("21 degrees" in str(request["json"]) for request in requests()):
            return f"the result of the tool did not arrive: {output[-500:]}"
        return ""
    except subprocess.TimeoutExpired as late:
        return f"more than {TIME} s: {late.stdout or b''}"[-500:]
    finally:
        shutil.rmtree(home, ignore_errors=True)


def requests():
    return received("groq", "llm") + received("gemini", "llm")


def attempt(client, folder, broken, with_tool):
    control("POST", "reset")
    call = [{"reply": {"tool_calls": [{"name": client.tool[0], "arguments": client.tool[1]}]}, "times": 1}] if with_tool else []
    control("PUT", "script", {"rules": [*call, {"reply": {"text": ANSWER, "chunk_ms": 2}}]})
    if broken:
        fault("groq", "llm", kind="status", code=503)
    server = Server()
    try:
        problem = run(client, folder, server, with_tool)
        if not problem and broken and not received("gemini", "llm"):
            problem = "the second provider was not asked"
        return problem
    finally:
        server.close()


def main():
    wanted = sys.argv[1:]
    failed = False
    print(f"{'client':<16}{'streams':<10}{'tool':<10}{'streams, broken':<18}{'tool, broken':<14}seconds", flush=True)
    for client in CLIENTS:
        if wanted and client.name not in wanted:
            continue
        began, cells, problems = time.time(), [], []
        try:
            folder = install(client)
        except subprocess.CalledProcessError as cause:
            print(f"{client.name:<16}not installed: {cause}", flush=True)
            failed = True
            continue
        for broken in (False, True):
            for with_tool in (False, True):
                if with_tool and client.tool is None:
                    cells.append("-")
                    continue
                problem = attempt(client, folder, broken, with_tool)
                cells.append("no" if problem else "yes")
                if problem:
                    problems.append(problem)
        print(f"{client.name:<16}{cells[0]:<10}{cells[1]:<10}{cells[2]:<18}{cells[3]:<14}{time.time() - began:.0f}", flush=True)
        for problem in problems:
            print(f"    {problem}", flush=True)
        failed |= bool(problems)
    sys.exit(failed)


if __name__ == "__main__":
    main()

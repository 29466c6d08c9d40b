"""Runs the tests of a client library, from its source package, against the local API with sandbox providers.

Every test must pass that is not among the exceptions of its suite, and every exception must excuse a test that fails. With `--prepare`, a
suite is only installed from PyPI, into the folder AURA_CLIENTS.
"""

import os
import pathlib
import re
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Callable

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "openai"))
from conftest import Server, control  # noqa: E402

CLIENTS = pathlib.Path(os.environ["AURA_CLIENTS"])


@dataclass
class Suite:
    # The name in the report, and of the folder.
    name: str
    # The package in PyPI, its version, and what its tests need besides.
    package: str
    version: str
    needs: list
    # Files of tests, below `tests/api_resources`.
    tests: list
    # The least number of tests: fewer were not found.
    least: int
    # What cannot pass, by a part of the test's name, and why.
    exceptions: dict
    # The path of the API below the address of the server.
    path: str = ""
    # Settings of the server.
    settings: str = ""
    # Adapts the unpacked tests once.
    adapt: Callable = field(default=lambda source, folder: None)

    @property
    def folder(self):
        return CLIENTS / self.name

    @property
    def python(self):
        return self.folder / "python/bin/python"


def prepare(suite):
    """Installs the client and unpacks its tests, once. Returns the folder of the source."""
    folder, pinned = suite.folder, f"{suite.package}=={suite.version}"
    source, done = folder / f"{suite.package}-{suite.version}", folder / "installed.txt"
    wanted = "\n".join([pinned, *suite.needs])
    if done.exists() and done.read_text() == wanted:
        return source
    folder.mkdir(parents=True, exist_ok=True)
    pip = lambda *arguments: subprocess.run([suite.python, "-m", "pip", *arguments, "-q", "--disable-pip-version-check"], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder / "python"], check=True)
    pip("install", pinned, *suite.needs)
    pip("download", "--no-binary", ":all:", "--no-deps", "--dest", folder, pinned)
    subprocess.run(["tar", "xf", source.with_name(f"{source.name}.tar.gz"), "-C", folder], check=True)
    suite.adapt(source, folder)
    done.write_text(wanted)
    return source


def outcomes(suite, source):
    """The outcome and the name of every test, and where the whole report is."""
    control("POST", "reset")
    report = suite.folder / "report.txt"
    server = Server(suite.settings)
    try:
        # The third variant of a test uses another HTTP library.
        command = [suite.python, "-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts=", "-q", "-rA", "--tb=short", "-k", "loose or strict"]
        command += [f"tests/api_resources/{name}" for name in suite.tests]
        environment = {**os.environ, "TEST_API_BASE_URL": f"{server.url}{suite.path}"}
        done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, timeout=900)
        report.write_text(done.stdout + done.stderr)
    finally:
        server.close()
    return re.findall(r"^(PASSED|FAILED|ERROR) tests/api_resources/(\S+)", done.stdout, re.MULTILINE), report


def run(suite):
    source = prepare(suite)
    if "--prepare" in sys.argv:
        return
    found, report = outcomes(suite, source)
    if len(found) < suite.least:
        sys.exit(f"only {len(found)} tests ran: see {report}")
    mistakes, excused = [], dict.fromkeys(suite.exceptions, 0)
    for outcome, name in found:
        if outcome == "PASSED":
            continue
        pattern = next((pattern for pattern in suite.exceptions if re.search(pattern, name)), None)
        if pattern is None:
            mistakes.append(f"{name}: {outcome}, see {report}")
        else:
            excused[pattern] += 1
    mistakes += [f"{pattern}: it excuses no test" for pattern, count in excused.items() if count == 0]
    passed = sum(outcome == "PASSED" for outcome, _ in found)
    print(f"{suite.name} {suite.version}: {passed} of {len(found)} tests pass.{' The others:' if excused else ''}")
    for pattern, count in excused.items():
        print(f"  {count:>4}  {suite.exceptions[pattern]}")
    if mistakes:
        sys.exit("These should pass:\n" + "\n".join(mistakes))

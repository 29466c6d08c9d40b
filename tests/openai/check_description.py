"""A tester that knows nothing but /openapi.json: every answer must be one that the description promises."""

import pathlib
import subprocess
import sys
import urllib.request

from conftest import control

HERE = pathlib.Path(__file__).parent


def test_the_description_is_true(door):
    control("PUT", "fixed", {"transcript": "Good morning.", "audio": {"sound": "tone", "ms": 300}})
    # A stream that ends only with the door would be waited for; the tests of events read it.
    command = [
        str(pathlib.Path(sys.executable).parent / "schemathesis"), "--config-file", str(HERE / "schemathesis.toml"),
        "--no-color", "run", f"{door.url}/openapi.json", "--checks", "all", "--exclude-path", "/events",
        "--workers", "2", "--continue-on-failure",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, cwd=door.folder.name)
    print(done.stdout[-30000:], done.stderr[-3000:])
    assert done.returncode == 0
    assert door.process.poll() is None, "the door is still open"


def test_the_page_loads_nothing_from_elsewhere(door):
    with urllib.request.urlopen(f"{door.url}/docs", timeout=30) as page:
        text, policy = page.read().decode(), page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    for path in ["/docs/page.js", "/docs/page.css"]:
        assert path in text
        with urllib.request.urlopen(f"{door.url}{path}", timeout=30) as file:
            assert len(file.read()) > 300

"""puna.serve(): a server beside this program, asked by the standard library."""

import json
import os
import pathlib
import shutil
import urllib.request

import pytest

import puna

PROGRAM = os.environ.get("PUNA_PROGRAM") or shutil.which("puna")
MODEL = os.environ.get("PUNA_TEST_MODEL") or str(
    pathlib.Path(__file__).resolve().parents[3] / "tests" / "data" / "golden" / "multimodal"
)
needs_program = pytest.mark.skipif(not PROGRAM, reason="there is no puna command: set PUNA_PROGRAM")


def test_what_is_missing_is_said(monkeypatch):
    with pytest.raises(puna.InvalidArgument):
        puna.serve()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(puna.Error, match="PATH"):
        puna.serve("model.gguf")


@needs_program
def test_a_server_answers_until_it_is_closed():
    with puna.serve(f"small={MODEL}", program=PROGRAM, options=["--ctx", "64"]) as server:
        with urllib.request.urlopen(server.url + "/v1/models") as answer:
            assert json.load(answer)["data"][0]["id"] == "small"
        body = json.dumps({"prompt": [1, 2, 3], "max_tokens": 2}).encode()
        request = urllib.request.Request(server.url + "/v1/completions", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["usage"]["completion_tokens"] == 2
    assert any("/v1/completions 200" in line for line in server.log)
    with pytest.raises(OSError):
        urllib.request.urlopen(server.url + "/health", timeout=2)


@needs_program
def test_why_it_did_not_start_is_said():
    with pytest.raises(puna.Error, match="no-such-file"):
        puna.serve("no-such-file.gguf", program=PROGRAM)

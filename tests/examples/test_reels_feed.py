"""The page of 12_reels_feed.py in headless Chromium: somebody who likes cats and chess is shown more and more of them;
killed and started again, the feed still knows. Exit code 77 (skipped) with a reason where there is no Chromium or
playwright.

usage: test_reels_feed.py PUNA EXAMPLE [SCREENSHOT.png]
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

LIKED = {"cats", "chess"}


class Server:
    def __init__(self, puna, example, folder):
        self.process = subprocess.Popen(
            [sys.executable, example, "--puna", puna, "--folder", folder, "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), self.url

    def ask(self, path, question=None):
        data = None if question is None else json.dumps(question).encode()
        with urllib.request.urlopen(self.url + path, data, timeout=30) as answer:
            return json.load(answer)

    def end(self, how):
        os.killpg(self.process.pid, how)
        self.process.wait(timeout=30)


def refused(server, path, question):
    try:
        server.ask(path, question)
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)["error"]
    raise AssertionError(f"{path} took {question}")


def check_refusals(server):
    assert refused(server, "/events", {"features": {"colour": 3}}) == (400, "event 0: there is no feature 'colour'")
    assert refused(server, "/events", {"outcomes": {"like": 2}})[0] == 400
    assert refused(server, "/events", [1])[0] == 400
    assert refused(server, "/rank", {"candidates": []})[0] == 400
    assert refused(server, "/nothing", {})[0] == 404
    assert refused(server, "/events", [{"outcomes": {"like": 2}}] * 1000)[0] == 400  # larger than a form may be
    assert server.ask("/report")["logged"] == 0


def watch(page, events):
    """Likes what it likes, skips the rest; how much of it was liked, in the order shown."""
    liked = []
    for n in range(events):
        topic = page.text_content("#title")
        liked.append(topic in LIKED)
        page.click("#like" if liked[-1] else "#skip")
        page.wait_for_function(f"document.body.dataset.answered == {n + 1}")
        assert page.text_content("#error") == ""
    return liked


def main(puna, example, screenshot=None):
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("skipped: this Python has no playwright")
        return 77
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        print("skipped: there is no Chromium")
        return 77
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(puna, example, folder)
        try:
            check_refusals(server)
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 960, "height": 660})
            problems = []
            page.on("pageerror", lambda e: problems.append(str(e)))
            page.goto(server.url + "/?seed=3")
            page.wait_for_function("document.body.dataset.ready == 1")
            liked = watch(page, 30)
            first, last = sum(liked[:8]), sum(liked[-15:])
            print(f"liked {first} of the first 8, {last} of the last 15")
            assert not problems, problems
            assert first <= 6 and last >= 11, (
                liked
            )  # chance is a third, one in eight is drawn, and there are 30 to like
            assert len(page.query_selector_all("#past .liked")) == sum(liked)
            if screenshot:
                page.screenshot(path=screenshot)
            report = server.ask("/report")
            assert report["logged"] == report["learned"] == 30 and report["all"]["like"]["ne"] < 1, report
            browser.close()
            question = {
                "candidates": [{"features": {"topic": "chess"}}, {"features": {"topic": "gardens"}}],
                "value": {"like": 1},
            }
            before = server.ask("/rank", question)["ranked"]
            server.end(signal.SIGKILL)
            server = Server(puna, example, folder)
            while server.ask("/report")["published"] < 30:
                pass
            after = server.ask("/rank", question)["ranked"]
            assert before == after and after[0]["candidate"] == 0 and after[0]["like"] > after[1]["like"] + 0.1, (
                before,
                after,
            )
            server.end(signal.SIGINT)
            assert json.loads(pathlib.Path(folder, "online", "state.json").read_text())["learned"] == 30
        finally:
            if server.process.poll() is None:
                server.end(signal.SIGKILL)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""`puna label serve` over real HTTP: the page, labels that are there after a kill, strangers, tokens, the end."""

import contextlib
import http.client
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

PUNA = os.path.abspath(os.environ["PUNA"])


def label(*words):
    return subprocess.run([PUNA, "label", *map(str, words)], capture_output=True, text=True, check=True).stdout


class Server:
    def __init__(self, db, *flags):
        command = [PUNA, "label", "serve", "--db", str(db), "--port", "0", *map(str, flags)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])

    def ask(self, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            fields = {"Content-Type": "application/json"} if body is not None else {}
            fields.update({name.replace("_", "-"): value for name, value in headers.items()})
            data = None if body is None else json.dumps(body)
            connection.request("POST" if body is not None else "GET", path, data, fields)
            answer = connection.getresponse()
            text = answer.read().decode()
            is_json = "json" in answer.headers["content-type"]
            return answer.status, json.loads(text) if is_json else text, answer.headers

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(20)
        self.process.stdout.close()
        return code


class LabelServe(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.db = self.folder / "labels.db"
        rows = self.folder / "rows.jsonl"
        rows.write_text("".join(json.dumps({"item": f"i{i}", "data": {"text": f"text {i}"}}) + "\n" for i in range(5)))
        label("create", "mood", "--db", self.db, "--labels", "good,bad")
        label("import", rows, "--db", self.db)

    def test_what_was_acknowledged_is_there_after_a_kill(self):
        server = Server(self.db)
        status, page, headers = server.ask("/")
        self.assertEqual((status, headers["content-type"]), (200, "text/html; charset=utf-8"))
        self.assertIn("default-src 'none'", headers["content-security-policy"])
        self.assertIn("label/app.js", page)
        items = server.ask("/v1/work", {"annotator": "ann", "count": 3})[1]["items"]
        for item in items[:2]:
            kept = server.ask("/v1/label", {"annotator": "ann", "item": item["item"], "value": "good"})
            self.assertEqual((kept[0], kept[1]["kept"]), (200, True))
        server.end(signal.SIGKILL)
        stats = json.loads(label("stats", "--db", self.db, "--json"))
        self.assertEqual(stats["labels"], 2)
        # Another server on the same file: what ann had in hand is still hers.
        server = Server(self.db)
        again = server.ask("/v1/work", {"annotator": "ann", "count": 1})[1]["items"]
        self.assertEqual(again[0]["item"], items[2]["item"])
        self.assertEqual(server.end(), 0)

    def test_strangers_and_forms_are_refused(self):
        server = Server(self.db)
        self.assertEqual(server.ask("/v1/projects", None, Host="evil.example")[0], 403)
        self.assertEqual(server.ask("/v1/work", {"annotator": "ann"}, Origin="http://evil.example")[0], 403)
        self.assertEqual(server.ask("/v1/work", {"annotator": "ann"}, Content_Type="text/plain")[0], 415)
        self.assertEqual(server.ask("/v1/work", {"annotator": "ann", "x": "y" * (1 << 20)})[0], 413)
        self.assertEqual(server.end(), 0)

    def test_other_machines_need_tokens(self):
        command = [PUNA, "label", "serve", "--db", str(self.db), "--host", "0.0.0.0", "--port", "0"]
        refused = subprocess.run(command, capture_output=True, text=True, timeout=20)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("give --tokens FILE", refused.stderr)
        tokens = self.folder / "tokens"
        tokens.write_text("ann ann-token-0123456789\n")
        server = Server(self.db, "--tokens", tokens, "--host", "0.0.0.0")
        self.assertEqual(server.ask("/v1/projects")[0], 401)
        status, projects, _ = server.ask("/v1/projects", Authorization="Bearer ann-token-0123456789")
        self.assertEqual((status, projects["person"], projects["decides"]), (200, "ann", False))
        self.assertEqual(server.end(), 0)

    def test_a_file_without_projects_is_refused_with_what_to_do(self):
        empty = self.folder / "none.db"
        refused = subprocess.run([PUNA, "label", "serve", "--db", empty], capture_output=True, text=True, timeout=20)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("puna label create or import makes it", refused.stderr)


if __name__ == "__main__":
    unittest.main()

"""`puna rec serve` from outside: what a request gets wrong is told it, and nothing that one client sends costs the
others.

usage: PUNA=... test_rec_serve.py
"""

import concurrent.futures
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import unittest

PUNA = os.environ["PUNA"]
CONFIG = {
    "surfaces": ["a", "b"],
    "tasks": [{"name": "click"}],
    "features": [{"name": "user", "rows": 64, "hashed": True}, {"name": "genre", "rows": 19}],
    "numbers": ["age"],
    "hidden": [8],
    "dim": 4,
}


def command(*arguments, **options):
    return subprocess.run(
        [PUNA, "rec", *arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, **options
    )


class Server:
    def __init__(self, folder, *arguments):
        self.folder = folder
        with open(folder + ".json", "w", encoding="utf-8") as f:
            json.dump(CONFIG, f)
        self.process = subprocess.Popen(
            [PUNA, "rec", "serve", folder, "--new", folder + ".json", "--port", "0", "-t", "1", *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self.process.stdout.readline().strip()
        self.port = int(self.url.rsplit(":", 1)[1])

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=60)
        self.process.stdout.close()

    def raw(self, method, path, body=b"", fields=(), host=None):
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as s:
            head = f"{method} {path} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{self.port}'}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
            s.sendall((head + "".join(f"{f}\r\n" for f in fields) + "\r\n").encode() + body)
            answer = b""
            while part := s.recv(65536):
                answer += part
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)

    def post(self, path, question, **options):
        body = question if isinstance(question, bytes) else json.dumps(question).encode()
        return self.raw("POST", path, body, **options)

    def peak(self):  # kilobytes, since the last call
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))


class RecServe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.server = Server(cls.temporary.name + "/feed")

    @classmethod
    def tearDownClass(cls):
        cls.server.end()
        cls.temporary.cleanup()

    def refused(self, path, question, status, *words, **options):
        got, answer = self.server.post(path, question, **options)
        self.assertEqual(got, status, answer)
        for word in words:
            self.assertIn(word, answer["error"])

    def test_a_misspelt_member_is_an_error_that_names_the_nearest(self):
        before = self.server.raw("GET", "/report")[1]["logged"]
        self.refused("/events", {"features": {"user": "a"}, "outcome": {"click": True}}, 400, "'outcome'", "'outcomes'")
        self.refused("/events", [{}, {"feature": {"user": 1}}], 400, "event 1", "'features'")
        self.refused("/events", {"features": {"usr": 1}}, 400, "'user'")
        self.refused("/events", {"numbers": {"agee": 1}}, 400, "'age'")
        self.refused("/events", {"outcomes": {"clik": 1}}, 400, "'click'")
        self.refused("/events", {"surface": "c"}, 400, "surface")
        self.refused("/rank", {"candidates": [{}], "value": {"click": {"wieght": 1}}}, 400, "'weight'")
        self.refused("/rank", {"candidates": [{"outcomes": {}}]}, 400, "candidate 0", "'outcomes'")
        self.refused("/rank", {"candidate": [{}]}, 400, "'candidates'")
        self.assertEqual(self.server.raw("GET", "/report")[1]["logged"], before)

    def test_numbers_that_fit_nowhere_are_errors(self):
        for time_ in ("1e300", "-1e300", "1e19", "9223372036854775808", "0.5", '"1"', "null", "[]"):
            self.refused("/events", b'{"time": %s}' % time_.encode(), 400, "time")
        self.assertEqual(self.server.post("/events", b'{"time": 1.7e9}')[0], 200)
        for count in ("1e300", "0", "-1", "2.5", "18446744073709551615"):
            self.refused("/rank", b'{"count": %s, "candidates": [{}, {}]}' % count.encode(), 400, "count")
        self.assertEqual(len(self.server.post("/rank", {"count": 1, "candidates": [{}, {}]})[1]["ranked"]), 1)
        self.assertEqual(len(self.server.post("/rank", {"count": 10, "candidates": [{}, {}]})[1]["ranked"]), 2)
        for weight in ("0", "-1", "1e300", "true"):
            self.refused("/events", b'{"weight": %s}' % weight.encode(), 400, "weight")
        self.refused("/events", b'{"numbers": {"age": 1e300}}', 400, "age")
        self.refused("/events", b'{"features": {"user": 18446744073709551615}}', 400, "user")
        self.refused("/events", b'{"features": {"genre": 19}}', 400)
        self.refused("/events", b'{"features": {"genre": "jazz"}}', 400, "genre")
        self.refused("/events", b'{"outcomes": {"click": 2}}', 400, "click")

    def test_a_server_that_does_not_begin_leaves_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            config = os.path.join(folder, "c.json")
            with open(config, "w", encoding="utf-8") as f:
                json.dump(CONFIG, f)
            for verb, more in (
                ("serve", ["--new", config, "--page", "nowhere"]),
                ("serve", ["--new", config, "--port", "70000"]),
                ("serve", ["--new", config, "--lr", "nan"]),
                ("update", ["--new", config, "--table-lr", "-1"]),
                ("update", ["--new", os.path.join(folder, "no.json")]),
                ("update", []),
            ):
                with self.subTest(verb=verb, more=more):
                    self.assertIn(command(verb, os.path.join(folder, "run"), *more).returncode, (1, 2))
                    self.assertEqual(os.listdir(folder), ["c.json"])

    def test_an_error_is_a_sentence_whatever_bytes_the_request_holds(self):
        self.refused("/events", ('{"features":{"a' + "é" * 40 + '":1}}').encode(), 400, "there is no feature")
        self.refused("/events", b'{"features":{"\xff":1}}', 400)
        self.refused("/events", b"\x00\x01\x02", 400)
        self.refused("/events", b"", 400)

    def test_a_small_request_cannot_ask_for_gigabytes(self):
        ids = {"features": {"user": [1] * 100_000}, "candidates": [{}] * 10_000}
        self.refused("/rank", ids, 400, "ids")
        self.refused("/events", b"[" + b"{}," * 5_300_000 + b"{}]", 400, "values")
        self.refused("/events", [{}] * 10_001, 400, "10000")
        self.refused("/rank", {"candidates": [{}] * 10_001}, 400, "10000")
        if os.path.exists(f"/proc/{self.server.process.pid}/status"):
            self.assertLess(self.server.peak(), 600_000)

    def test_pages_of_other_origins_and_other_names_are_refused(self):
        event = {"outcomes": {"click": 1}}
        self.refused(
            "/events", event, 403, "origin", fields=["Origin: http://evil.example", "Content-Type: text/plain"]
        )
        self.refused("/events", event, 403, "evil.example", host="evil.example")
        self.refused("/events", event, 415, fields=["Content-Type: text/plain"])
        self.assertEqual(
            self.server.post(
                "/events",
                event,
                fields=[f"Origin: http://127.0.0.1:{self.server.port}", "Content-Type: application/json"],
            )[0],
            200,
        )
        self.assertEqual(self.server.raw("GET", "/events")[0], 405)
        self.assertEqual(self.server.raw("GET", "/nothing")[0], 404)

    def test_clients_that_drip_stop_nobody(self):
        slow = []
        for _ in range(64):
            s = socket.create_connection(("127.0.0.1", self.server.port))
            s.sendall(b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
            slow.append(s)
        longest = 0.0
        for _ in range(10):
            for s in slow:
                s.sendall(b" ")
            began = time.monotonic()
            self.assertEqual(self.server.raw("GET", "/report")[0], 200)
            longest = max(longest, time.monotonic() - began)
        for s in slow:
            s.close()
        self.assertLess(longest, 5)  # a machine may be busy; a thread a connection never answered at all

    def test_an_event_that_is_posted_twice_is_logged_once(self):
        def post(event):
            return self.server.post("/events", event)[1]

        first = post({"id": "x-1", "features": {"user": "a"}, "outcomes": {"click": True}})
        self.assertEqual(first["repeated"], 0)
        self.assertEqual(
            post({"id": "x-1", "features": {"user": "a"}, "outcomes": {"click": True}}),
            {"last": first["last"], "repeated": 1, "unknown_names": 0},
        )
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(post, [{"id": "same"}] * 16))
        self.assertEqual(sum(a["repeated"] for a in answers), 15)
        self.refused("/events", {"id": ""}, 400, "id")
        self.refused("/events", {"id": 7}, 400, "id")
        self.refused("/events", [{"id": "y"}, {"id": "x" * 201}], 400, "event 1", "id", "201 bytes")
        self.assertEqual(post({"id": "y"})["repeated"], 0, "the other event of a refused post was kept")


class Commands(unittest.TestCase):
    def test_two_servers_never_have_one_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            server = Server(folder + "/feed")
            try:
                for verb in ("serve", "update"):
                    done = command(verb, folder + "/feed", "-t", "1")
                    self.assertEqual(done.returncode, 1, done.stdout)
                    self.assertIn("in use by another process", done.stderr)
            finally:
                server.end()
            self.assertEqual(command("update", folder + "/feed", "-t", "1").returncode, 0)

    def test_flags_that_a_folder_contradicts_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            Server(folder + "/feed").end()
            self.assertEqual(
                command("update", folder + "/feed", "--new", folder + "/feed.json", "-t", "1").returncode, 0
            )
            other = dict(CONFIG, dim=8)
            with open(folder + "/other.json", "w", encoding="utf-8") as f:
                json.dump(other, f)
            done = command("update", folder + "/feed", "--new", folder + "/other.json", "-t", "1")
            self.assertEqual(done.returncode, 1)
            self.assertIn("began with another ranker than --new", done.stderr)
            self.assertIn(f"the configuration's dim is {CONFIG['dim']} there and 8 here", done.stderr)

    def test_a_ranker_of_other_names_is_refused_with_the_first_that_differs(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            names = [f"v{i}" for i in range(5)]
            rows = "".join(f"{names[i % 5]}\t{i % 2}\n" for i in range(40))
            recipe = {
                "events": "e.tsv",
                "features": [{"column": "item"}],
                "tasks": [{"name": "click", "column": "clicked", "at_least": 1}],
                "model": {"dim": 4, "hidden": [8]},
            }
            (path / "recipe.json").write_text(json.dumps(recipe))
            for out, table in (("ours", rows), ("theirs", rows.replace("v3", "w3"))):
                (path / "e.tsv").write_text("item\tclicked\n" + table)
                done = command(
                    "rank", path / "recipe.json", "--data", folder, "--out", path / out, "--epochs", "1", "-t", "1"
                )
                self.assertEqual(done.returncode, 0, done.stderr)
            ours, theirs = path / "ours/ranker.safetensors", path / "theirs/ranker.safetensors"
            self.assertEqual(command("update", path / "feed", "--ranker", ours, "-t", "1").returncode, 0)
            self.assertEqual(command("update", path / "feed", "--ranker", ours, "-t", "1").returncode, 0)
            done = command("update", path / "feed", "--ranker", theirs, "-t", "1")
            self.assertEqual(done.returncode, 1)
            self.assertIn("the name of id 3 of the feature 'item' is 'v3' there and 'w3' here", done.stderr)

    def test_a_port_that_is_none_is_an_error(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(folder + "/c.json", "w", encoding="utf-8") as f:
                json.dump(CONFIG, f)
            for port in ("99999", "65536", "-1", "http"):
                done = command("serve", folder + "/feed", "--new", folder + "/c.json", "--port", port, "-t", "1")
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("port", done.stderr)
            done = command(
                "serve", folder + "/feed", "--new", folder + "/c.json", "--page", folder + "/none", "-t", "1"
            )
            self.assertIn("no folder", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)

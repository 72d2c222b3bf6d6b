"""13_batch_scoring.py with two local workers: every user is answered, by both of them, with what the Python package
says in one process. Exit code 77 (skipped) with a reason where this Python has no ray[data] or none of the package's
needs.

usage: test_batch_scoring.py LIBPUNA SOURCE_DIR
"""

import itertools
import os
import pathlib
import subprocess
import sys
import tempfile


def main(library, source):
    try:
        import cffi
        import numpy
        import pyarrow.parquet
        import ray.data
    except ImportError as e:
        print(f"skipped: this Python has no {e.name} (pip install 'ray[data]' cffi numpy)")
        return 77
    assert cffi and numpy and ray.data
    os.environ.update(
        PUNA_LIBRARY=library,
        PYTHONPATH=f"{source}/bindings/python",
        RAY_DATA_DISABLE_PROGRESS_BARS="1",
        RAY_USAGE_STATS_ENABLED="0",
    )
    sys.path.insert(0, f"{source}/bindings/python")
    import puna

    walks = [(user, 1 + (7 * user + step) % 50, 100 * step) for user in range(600) for step in range(5 + user % 9)]
    with tempfile.TemporaryDirectory() as folder:
        model, events, out = (pathlib.Path(folder, name) for name in ("model.safetensors", "events.csv", "answers"))
        puna.Recommender.train(*zip(*walks), epochs=2, max_sequence=16, negatives=16).save(model)
        events.write_text("user_id,item_id,timestamp\n" + "".join(f"{u},{i},{t}\n" for u, i, t in walks))
        subprocess.run(
            [sys.executable, f"{source}/examples/13_batch_scoring.py", model, events, out, "--count", "5"], check=True
        )
        rows = {r["user"]: r for r in pyarrow.parquet.read_table(out).to_pylist()}
        assert len(rows) == 600, len(rows)
        alone = puna.Recommender(model, puna.Context(threads=1))
        for u, history in itertools.groupby(sorted((u, t, i) for u, i, t in walks), key=lambda e: e[0]):
            user = alone.user()
            for _, time, item in history:
                user.append(item, time)
            want = user.recommend(time, 5)
            assert [(w.item, w.score) for w in want] == list(zip(rows[u]["best"], rows[u]["scores"])), (want, rows[u])
    print("600 users answered by two workers, as in one process")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

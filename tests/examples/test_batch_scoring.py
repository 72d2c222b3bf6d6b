"""14_batch_scoring.py with two local workers: every user is answered, by both of them, with what the Python package says in one process. Exit code 77
(skipped) with a reason where this Python has no ray[data] or none of the package's needs.

usage: test_batch_scoring.py LIBPUNA SOURCE_DIR
"""
import os
import pathlib
import sys
import tempfile


def main(library, source):
    try:
        import cffi
        import numpy
        import pyarrow
        import ray.data
    except ImportError as e:
        print(f"skipped: this Python has no {e.name} (pip install 'ray[data]' cffi numpy)")
        return 77
    assert cffi and numpy and pyarrow
    os.environ.update(PUNA_LIBRARY=library, PYTHONPATH=f"{source}/bindings/python", RAY_DEDUP_LOGS="0", RAY_DATA_DISABLE_PROGRESS_BARS="1")
    sys.path.insert(0, f"{source}/bindings/python")
    import puna
    walks = [(user, 1 + (7 * user + step) % 50, 100 * step) for user in range(600) for step in range(5 + user % 9)]
    with tempfile.TemporaryDirectory() as folder:
        model, events, out = (pathlib.Path(folder, name) for name in ("model.safetensors", "events.csv", "answers"))
        puna.Recommender.train(*zip(*walks), epochs=2, max_sequence=16, negatives=16).save(model)
        events.write_text("user_id,item_id,timestamp\n" + "".join(f"{u},{i},{t}\n" for u, i, t in walks))
        ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", runtime_env={"env_vars": {"PYTHONPATH": os.environ["PYTHONPATH"], "PUNA_LIBRARY": library}})
        sys.path.insert(0, f"{source}/examples")
        sys.argv = ["14_batch_scoring.py", str(model), str(events), str(out), "--count", "5"]
        program = __import__("14_batch_scoring")
        program.main()
        rows = {r["user"]: r for r in ray.data.read_parquet(str(out)).take_all()}
        ray.shutdown()
        assert len(rows) == 600, len(rows)
        alone = puna.Recommender(model, puna.Context(threads=1))
        for history in program.histories(events):
            user = alone.user()
            for item, time in zip(history["items"], history["times"]):
                user.append(item, time)
            want = user.recommend(history["times"][-1], 5)
            got = rows[history["user"]]
            assert [w.item for w in want] == list(got["best"]) and [w.score for w in want] == list(got["scores"]), (want, got)
    print("600 users answered by two workers, as in one process")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Rankers: taught, asked, calibrated, copied, saved, restored; what is wrong is said."""

import math

import numpy as np
import pytest

import puna

CONFIG = {
    "surfaces": ["feed", "reels"],
    "tasks": [{"name": "like"}, {"name": "watched", "kind": "fraction"}],
    "features": [{"name": "user", "rows": 8}, {"name": "genres", "rows": 8}],
    "interaction": "fm",
    "dim": 6,
    "hidden": [],
}


def shown(count=600, seed=1):
    """Users like the genre of their number."""
    random = np.random.default_rng(seed)
    users = random.integers(0, 8, count)
    genres = [sorted(set(random.integers(0, 8, 2).tolist())) for _ in range(count)]
    liked = np.array([float(u in g) for u, g in zip(users, genres)])
    values = np.stack([liked, 0.2 + 0.6 * liked], axis=1)
    values[::5, 1] = math.nan
    return puna.Examples(random.integers(0, 2, count), [users.tolist(), genres]), puna.Outcomes(values), liked


def taught(epochs=60):
    ranker = puna.Ranker(CONFIG, optimizer="adagrad", learning_rate=0.05, table_rate=0.2, seed=3)
    examples, outcomes, _ = shown()
    losses = [ranker.learn(examples, outcomes).loss for _ in range(epochs)]
    return ranker, losses


def test_a_ranker_describes_itself():
    ranker, _ = taught(epochs=2)
    assert ranker.info == puna.RankerInfo("f32", 2, 2, 2, 0, 18, ranker.info.table_bytes, 2)
    copy = ranker.copy("f16").info
    assert (copy.table, copy.steps) == ("f16", 0) and 0 < copy.table_bytes < ranker.info.table_bytes


def test_it_learns_and_scores(tmp_path):
    ranker, losses = taught()
    assert losses[-1] < 0.6 * losses[0]
    examples, outcomes, liked = shown(seed=2)
    p = ranker.score(examples)
    assert p.shape == (600, 2)
    assert p[liked == 1, 0].mean() > p[liked == 0, 0].mean() + 0.3
    ranker.calibrate(0, 0, p[:, 0], liked, "isotonic")
    again = ranker.score(examples)
    on_feed = examples.surfaces == 0
    assert (again[~on_feed] == p[~on_feed]).all() and (again[on_feed] != p[on_feed]).any()
    ranker.save(tmp_path / "ranker.safetensors")
    opened = puna.Ranker.open(tmp_path / "ranker.safetensors")
    assert (opened.score(examples) == again).all()
    assert opened.tasks == ["like", "watched"]
    for table, bound in (("f16", 1e-2), ("i8", 0.1)):
        copy = ranker.copy(table)
        assert abs(copy.score(examples) - again).max() < bound
        with pytest.raises(puna.InvalidArgument, match="only one of F32"):
            copy.learn(examples, outcomes)


def test_a_copy_serves_while_it_learns_and_a_state_goes_on(tmp_path):
    ranker, _ = taught(5)
    examples, outcomes, _ = shown(seed=2)
    serving = ranker.copy()
    before = serving.score(examples)
    ranker.save_state(tmp_path / "state")
    predicted = np.empty((600, 2), dtype=np.float32)
    report = ranker.learn(examples, outcomes, predicted=predicted)
    assert report.step == 6 and (predicted == before).all()
    assert (serving.score(examples) == before).all()
    other = puna.Ranker(CONFIG, optimizer="adagrad", learning_rate=0.05, table_rate=0.2, seed=3)
    other.restore_state(tmp_path / "state")
    assert other.learn(examples, outcomes).step == 6
    assert (other.score(examples) == ranker.score(examples)).all()


def test_what_is_wrong_is_said():
    ranker = puna.Ranker(CONFIG)
    with pytest.raises(puna.InvalidArgument, match="feature 'user': rows is 0"):
        puna.Ranker({**CONFIG, "features": [{"name": "user"}]})
    with pytest.raises(puna.InvalidArgument, match="feature 'user': id 8"):
        ranker.score(puna.Examples([0], [[8], [[]]]))
    with pytest.raises(puna.InvalidArgument, match="surface 2"):
        ranker.score(puna.Examples([2], [[1], [[]]]))
    with pytest.raises(ValueError, match="features"):
        ranker.score(puna.Examples([0], [[1]]))
    with pytest.raises(ValueError, match="shape"):
        ranker.learn(puna.Examples([0], [[1], [2]]), puna.Outcomes([[1]]))
    with pytest.raises(puna.InvalidArgument, match="'watched' is 2"):
        ranker.learn(puna.Examples([0], [[1], [2]]), puna.Outcomes([[1, 2]]))
    assert ranker.score(puna.Examples([], [[], []])).shape == (0, 2)


def test_ids_are_asked_by_their_names(tmp_path):
    ranker = puna.Ranker(
        {
            **CONFIG,
            "features": [
                {"name": "user", "rows": 8},
                {"name": "age", "rows": 8, "divide": 5},
                {"name": "device", "rows": 8, "hashed": True},
            ],
        }
    )
    with pytest.raises(puna.InvalidArgument, match="feature 'user' has no names"):
        ranker.id("user", "anna")
    ranker.set_names("user", ["anna", "béla"])
    ranker.set_names(1, ["4", "0"])
    ranker.copy("i8").save(tmp_path / "r.safetensors")
    again = puna.Ranker.open(tmp_path / "r.safetensors")
    assert [again.id("user", "béla"), again.id("user", "carl"), again.id("age", "23"), again.id("age", "70")] == [
        1,
        None,
        0,
        None,
    ]
    assert again.id("device", "phone") == again.id(2, "phone") is not None
    for feature, names, message in (
        ("device", ["a"], "is hashed"),
        ("user", ["a"] * 2, "both called"),
        ("user", [""], "is empty"),
        ("user", ["x"] * 9, "up to 8"),
        (7, ["a"], "feature 7 of 3"),
    ):
        with pytest.raises(puna.InvalidArgument, match=message):
            ranker.set_names(feature, names)
    with pytest.raises(puna.InvalidArgument, match="'young' is no number"):
        again.id("age", "young")
    with pytest.raises(ValueError, match="no feature 'usher'"):
        again.id("usher", "anna")

"""Pipelines: a list is what the stages say one by one; users, caps, exploring, exchange; what is wrong is said."""

import numpy as np
import pytest

import puna

CONFIG = {
    "surfaces": ["feed", "reels"],
    "tasks": [{"name": "like"}, {"name": "skip"}],
    "features": [{"name": "user", "rows": 60}, {"name": "item", "rows": 13}, {"name": "kinds", "rows": 4}],
    "numbers": ["hour"],
    "dim": 4,
    "hidden": [8],
}
KINDS = [[i % 3, 3] if i % 2 else [] for i in range(13)]
ITEMS = puna.Examples([0] * 13, [[[]] * 13, range(13), KINDS])


def ranker(seed=0):
    return puna.Ranker(CONFIG, seed=seed)


def test_a_list_is_what_the_stages_say():
    r = ranker()
    p = puna.Pipeline(r, ITEMS, weights={"like": 1, "skip": -0.5}, exponents={"skip": 2}, count=5)
    candidates, scores = [4, 12, 0, 7, 9, 3, 4], np.arange(7, 0, -1)
    feed = p.recommend(1, about=[7, [], [1]], numbers=[0.5], candidates=candidates, scores=scores, exclude=[9])
    left = [4, 12, 0, 7, 3]
    shown = puna.Examples([1] * 5, [[7] * 5, left, [[1, *KINDS[i]] for i in left]], np.full((5, 1), 0.5))
    probabilities = r.score(shown)
    by_value = sorted(range(5), key=lambda i: -(float(probabilities[i, 0]) - 0.5 * float(probabilities[i, 1]) ** 2))
    assert [s.item for s in feed.items] == [left[i] for i in by_value]
    assert feed.candidates == 5
    for place, i in zip(feed.items, by_value):
        assert place.probabilities == {"like": float(probabilities[i, 0]), "skip": float(probabilities[i, 1])}
        assert place.score == [7, 6, 5, 4, 2][i]
        assert abs(place.value - (place.probabilities["like"] - 0.5 * place.probabilities["skip"] ** 2)) < 1e-12
        assert (place.propensity, place.explored) == (1, False)
    assert list(feed.seconds) == ["retrieve", "rank", "value", "diversify"] and all(
        0 < s < 60 for s in feed.seconds.values()
    )
    assert p.recommend(candidates=[]).items == []


def test_a_users_next_items_are_candidates():
    walks = [(user, 1 + (user + step) % 12, 100 * step) for user in range(40) for step in range(6)]
    recommender = puna.Recommender.train(*zip(*walks), epochs=2, max_sequence=8)
    user = recommender.user()
    user.append(3, 1000)
    r = ranker()
    p = puna.Pipeline(r.copy("i8"), ITEMS, categories=np.arange(13) % 2, per_category=3, count=8)
    feed = p.recommend(user=user, time=2000, candidates=[0])
    assert feed.candidates == 12 and 3 not in [s.item for s in feed.items]
    assert sorted(s.item % 2 for s in feed.items) == [0, 0, 0, 1, 1, 1]
    assert p.recommend(user=user, time=2000, include_seen=True).candidates == 12
    del recommender
    assert len(p.recommend(user=user, time=2000).items) == 6


def test_one_place_explores_and_rankers_are_exchanged():
    p = puna.Pipeline(ranker(), ITEMS, count=3, explore=0.5, explore_place=2, seed=4)
    feeds = [p.recommend(candidates=range(13), number=i) for i in range(400)]
    assert all(not s.explored and s.propensity == 1 for f in feeds for s in f.items[:2])
    assert len({f.items[2].item for f in feeds}) == 11
    drawn = [f.items[2] for f in feeds if f.items[2].explored]
    assert 150 < len(drawn) < 250
    assert abs(sum({s.item: s.propensity for f in feeds for s in f.items[2:]}.values()) - 1) < 1e-9
    first = [
        puna.Pipeline(ranker(), ITEMS, count=3, explore=1).recommend(candidates=range(13), number=i) for i in range(9)
    ]
    assert all([s.explored for s in f.items] == [True, False, False] for f in first)
    before = p.recommend(candidates=[1]).items[0].value
    p.use(ranker(1))
    assert p.recommend(candidates=[1]).items[0].value != before


def test_what_is_wrong_is_said():
    r = ranker()
    p = puna.Pipeline(r, ITEMS)
    with pytest.raises(puna.InvalidArgument, match="neither a user nor candidates"):
        p.recommend()
    with pytest.raises(puna.InvalidArgument, match="candidate 13 is none"):
        p.recommend(candidates=[13])
    with pytest.raises(puna.InvalidArgument, match="feature 'user': id 60"):
        p.recommend(candidates=[1], about=[60, [], []])
    with pytest.raises(ValueError, match="features"):
        p.recommend(candidates=[1], about=[6])
    with pytest.raises(ValueError, match="scores"):
        p.recommend(candidates=[1, 2], scores=[1])
    with pytest.raises(ValueError, match="no task 'share'"):
        puna.Pipeline(r, ITEMS, weights={"share": 1})
    with pytest.raises(ValueError, match="groups"):
        puna.Pipeline(r, ITEMS, groups=[1])
    with pytest.raises(ValueError, match="weights"):
        puna.Pipeline(r, ITEMS, weights=[1, 1])
    with pytest.raises(puna.InvalidArgument, match="diversity is 2"):
        puna.Pipeline(r, ITEMS, diversity=2)
    with pytest.raises(puna.InvalidArgument, match="another configuration"):
        p.use(puna.Ranker({**CONFIG, "dim": 8}))

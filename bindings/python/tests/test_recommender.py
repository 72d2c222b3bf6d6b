"""Recommenders: trained, asked, saved, opened, stopped."""

import numpy as np
import pytest

import puna

WALKS = [(user, 1 + (user + step) % 12, 100 * step) for user in range(60) for step in range(10)]


def trained(**options):
    return puna.Recommender.train(
        *zip(*WALKS), max_sequence=16, learning_rate=3e-3, users_per_step=16, negatives=8, **options
    )


@pytest.mark.parametrize("kind", ["hstu", "sasrec"])
def test_it_learns_saves_and_answers(kind, tmp_path):
    reports = []
    recommender = trained(kind=kind, epochs=40, progress=reports.append)
    assert reports[-1].step == reports[-1].steps == 160
    assert reports[-1].loss < 0.5 * reports[0].loss
    recommender.save(tmp_path / "model.safetensors")
    again = puna.Recommender(tmp_path / "model.safetensors")
    assert again.info == recommender.info
    assert again.info.kind == kind and again.info.items == 12
    answers = []
    for r in (recommender, again):
        user = r.user()
        for step, item in enumerate([5, 6, 7]):
            user.append(item, 100 * step)
        answers.append(user.recommend(300, 3))
    assert answers[0] == answers[1]
    assert answers[0][0].item == 8
    assert not {5, 6, 7} & {a.item for a in answers[0]}


def test_only_what_is_allowed_is_recommended():
    user = trained(epochs=1).user()
    user.append(5, 0)
    assert {r.item for r in user.recommend(100, 12, allowed=[12, 7, 5])} == {12, 7}
    assert {r.item for r in user.recommend(100, 12, allowed=np.array([5]), include_seen=True)} == {5}
    assert user.recommend(100, allowed=[]) == []
    for wrong in (0, 13):
        with pytest.raises(ValueError, match=f"item {wrong}, expected 1 to 12"):
            user.recommend(100, allowed=[1, wrong])


def test_what_is_wrong_is_said():
    with pytest.raises(puna.Cancelled):
        trained(epochs=2, progress=lambda r: False)
    with pytest.raises(puna.InvalidArgument, match="item 0"):
        puna.Recommender.train([1, 1], [0, 1], [1, 2], item_count=3)
    with pytest.raises(ValueError):
        puna.Recommender.train([1, 1], [0], [1, 2])
    user = trained(epochs=1).user()
    with pytest.raises(puna.InvalidArgument, match="no events"):
        user.recommend(0)
    user.append(3, 50)
    with pytest.raises(puna.InvalidArgument, match="query time 49"):
        user.recommend(49)


def test_a_fifth_of_the_values_is_left_out_unless_another_share_is_asked():
    losses = {}
    for dropout in ({}, {"dropout": 0.2}, {"dropout": 0}):
        reports = []
        trained(epochs=1, progress=reports.append, **dropout)
        losses[tuple(dropout.values())] = [r.loss for r in reports]
    assert losses[()] == losses[0.2,] != losses[0,]


def test_items_keep_their_names(tmp_path):
    names = [f"item {i}" for i in range(12)]
    recommender = trained(epochs=1, item_names=names)
    recommender.save(tmp_path / "model.safetensors")
    again = puna.Recommender(tmp_path / "model.safetensors")
    assert [again.name(i + 1) for i in range(12)] == names
    assert [again.item(name) for name in names] == list(range(1, 13))
    with pytest.raises(puna.InvalidArgument, match="did you mean 'item 11'"):
        again.item("itme 11")
    with pytest.raises(puna.InvalidArgument, match="have no names"):
        trained(epochs=1).name(1)
    with pytest.raises(puna.InvalidArgument, match="both called 'item 0'"):
        trained(epochs=1, item_names=names[:-1] + ["item 0"])
    with pytest.raises(ValueError, match="3 names of 12"):
        trained(epochs=1, item_names=names[:3], item_count=12)

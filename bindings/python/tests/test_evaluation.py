"""Evaluations from Python: scores of continuations, a task that is stopped and goes on, comparisons."""

import json
import pathlib

import numpy as np
import pytest

import puna

AUSTEN = pathlib.Path(__file__).resolve().parents[3] / "examples/bundled/puna-austen.gguf"
TASK = {
    "task": "t",
    "output_type": "multiple_choice",
    "doc_to_text": "{{q}}",
    "doc_to_choice": ["yes", "no"],
    "doc_to_target": "a",
}
ITEMS = [{"q": "Is it?", "a": 0}, {"q": "Was it?", "a": 1}, {"q": "Will it?", "a": 0}]


@pytest.fixture(scope="module")
def model():
    return puna.Model(AUSTEN)


def test_continuations_are_scored_as_a_session_scores_them(model):
    ids = model.tokenizer.encode("It was a fine morning, and she was in the garden.")
    told = []
    scores = model.score_continuations(
        [(ids[:9], ids[9:]), (ids[:9], ids[9:12])], progress=lambda done, total: told.append((done, total))
    )
    nll = model.session().score(ids)
    assert scores.log_likelihoods[0] == -nll[8:].astype("float64").sum()
    assert scores.log_likelihoods[1] == -nll[8:11].astype("float64").sum()
    assert scores.greedy.dtype == np.bool_ and told[-1] == (2, 2)
    plain = model.score_continuations([(ids[:9], ids[9:])], unshared=True, rows=5)
    assert plain.log_likelihoods[0] == scores.log_likelihoods[0]


def test_what_cannot_be_scored_is_refused(model):
    with pytest.raises(puna.InvalidArgument, match="request 1 scores 0 of its 1 tokens"):
        model.score_continuations([([1], [2]), ([1], [])])
    with pytest.raises(puna.Cancelled):
        model.score_continuations([([1], [2])], progress=lambda *_: False)
    with pytest.raises(ZeroDivisionError):
        model.score_continuations([([1], [2])], progress=lambda *_: 1 / 0)


def test_a_task_that_was_stopped_goes_on(model):
    whole = puna.Evaluation(model, TASK, ITEMS, name="austen")
    assert whole.info[:3] == (3, 6, 0)
    with pytest.raises(puna.WrongState):
        whole.result()
    answers = []
    with pytest.raises(puna.Cancelled):
        whole.run(lambda answer: answers.append(answer) or len(answers) < 2)
    again = puna.Evaluation(model, TASK, ITEMS)
    assert all(again.restore(a) for a in answers)
    rest = []
    again.run(rest.append)
    assert len(rest) == 4 and not set(rest) & set(answers)
    whole.run()
    assert whole.samples() == again.samples() and whole.info.fingerprint == again.info.fingerprint
    result = whole.result()
    assert result["model"] == "austen" and {m["metric"] for m in result["metrics"]} >= {"acc", "acc_norm", "ece"}
    assert whole.report().startswith("<!doctype html>")
    sample = json.loads(whole.samples().splitlines()[0])
    assert sample["doc"] == ITEMS[0] and len(sample["filtered_resps"]) == 2
    same = puna.compare_samples(whole.samples(), again.samples(), metric="acc_norm")
    assert same["differences"][0]["difference"]["mean"] == 0


def test_a_wrong_task_names_its_line(model):
    with pytest.raises(puna.BadFile, match='task, line 2: "doc_to_txt" is no key of a task, did you mean'):
        puna.Evaluation(model, '{"task": "t",\n"doc_to_txt": "x"}', ITEMS)
    with pytest.raises(puna.BadFile, match="item 1 of 't'"):
        puna.Evaluation(model, TASK, [ITEMS[0], {"q": "x", "a": 2}])
    with pytest.raises(puna.Cancelled):
        run = puna.Evaluation(model, TASK, ITEMS)
        run.cancel()
        run.run()


def test_texts_are_generated_and_scored(model):
    task = {
        "task": "g",
        "doc_to_text": "{{q}}",
        "doc_to_target": "{{a}}",
        "generation_kwargs": {"until": ["."], "max_gen_toks": 6},
    }
    run = puna.Evaluation(model, task, [{"q": "It was a", "a": "x"}, {"q": "She had", "a": "y"}])
    run.run()
    assert [m["metric"] for m in run.result()["metrics"]] == ["exact_match"]

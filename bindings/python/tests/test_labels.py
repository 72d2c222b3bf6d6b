"""Labels: agreement, true labels, texts that say the same."""

import csv
import pathlib

import puna
import pytest

CROWD = pathlib.Path(__file__).parents[3] / "tests" / "data" / "eval" / "example" / "crowd.csv"


def crowd():
    answers = puna.Answers()
    with open(CROWD, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            answers.add(row["task"], row["worker"], row["label"])
            if row.get("truth"):
                answers.set_truth(row["task"], row["truth"])
    return answers


def test_a_crowd_comes_to_what_the_command_says():
    answers = crowd()
    assert len(answers) == 119
    assert len(answers.items) == 30 and answers.labels == ["bad", "good"]
    assert answers.alpha().alpha == pytest.approx(0.1342, abs=5e-5)
    truth = answers.infer()
    assert (truth.iterations, round(truth.accuracy, 4)) == (78, 0.9333)
    assert round(answers.infer("majority").accuracy, 4) == 0.85
    assert truth.posterior.shape == (30, 2)
    assert truth.posterior.sum(axis=1) == pytest.approx(1)
    for i, item in enumerate(answers.items):
        assert truth.confidence[item] == truth.posterior[i].max()
        assert truth.labels[item] == truth.classes[truth.posterior[i].argmax()]
    assert sorted(truth.reliability) == sorted(answers.workers)


def test_what_is_wrong_is_an_exception_with_a_sentence():
    answers = puna.Answers([("i", "ann", "x")])
    with pytest.raises(puna.InvalidArgument, match="all answers are 'x'"):
        answers.infer()
    with pytest.raises(ValueError, match="did you mean 'majority'"):
        answers.infer("majorty")
    answers.set_gold("i", "x")
    with pytest.raises(puna.InvalidArgument, match="two labels as its gold"):
        answers.set_gold("i", "y")
    assert answers.labels == ["x"]


def test_texts():
    texts = ["The plate was cold, and we waited long.", "Fine bread.", "the plate was cold and we waited long"]
    assert puna.duplicates(texts) == [0, 1, 0]
    assert puna.duplicates([]) == []
    assert puna.contaminated(texts, ["nothing", f"so {texts[2]} again"]) == [1, None, 1]

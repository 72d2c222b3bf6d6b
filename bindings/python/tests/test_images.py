"""Images from Python: files, arrays, prompts, against the golden numbers beside the model."""

import json
import pathlib

import numpy as np
import pytest

import puna
from conftest import MODEL

FOLDER = pathlib.Path(MODEL)


@pytest.fixture(scope="module")
def facts():
    return json.loads((FOLDER / "manifest.json").read_text())["facts"]


def golden(name):
    return np.load(FOLDER / "golden" / f"{name}.npy")


def test_files_become_the_reference_s_pixels_and_features(model, facts):
    images = [model.image(FOLDER / i["file"]) for i in facts["images"]]
    pixels = np.concatenate([i.pixels for i in images])
    assert np.abs(pixels - golden("pixel_values_hf")).max() <= 0.0158
    assert [[i.info.rows, i.info.columns] for i in images] == facts["aspect_ratios_hw"]
    given = model.image_from_pixels(golden("pixel_values_hf")[:1])
    assert np.abs(given.encode() - golden("projected_features")[: given.info.features]).max() < 2e-4 * 2
    assert given.info.encoded


def test_prompts_with_images(model, facts):
    images = [model.image((FOLDER / i["file"]).read_bytes()) for i in facts["images"]]
    session = model.session(exact=True)
    assert session.append_images(facts["prompt"], images) == golden("input_ids").size
    assert session.tokens.tolist() == golden("input_ids")[0].tolist()
    session.append([1, 2, 3])
    again = [model.image(FOLDER / i["file"]) for i in facts["images"]]
    assert session.append_images(facts["prompt"], again, reuse=True) == 1  # by content
    answer = model.session(exact=True).generate(
        facts["prompt"], images=images, parse_special=True, max_tokens=24, ignore_eos=True
    )
    assert [t.id for t in answer.tokens()] == golden("greedy_tokens")[0].tolist()


def test_what_is_no_picture_is_refused(model, facts):
    with pytest.raises(puna.Unsupported):
        model.image(b"not a picture at all")
    with pytest.raises(ValueError, match="uint8"):
        model.image(np.zeros((4, 4, 3)))
    with pytest.raises(puna.InvalidArgument, match="image"):
        model.session().append_images(facts["prompt"], [model.image(np.zeros((4, 4, 3), np.uint8))])

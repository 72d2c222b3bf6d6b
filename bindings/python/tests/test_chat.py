"""Chats: what people say never becomes a special token, templates are chosen and dated, text buffers grow, one str is
one str."""

import copy
import json
import pathlib
import pickle
import shutil
import signal
import threading
import time

import numpy as np
import pytest

import puna
from conftest import MODEL


def specials(tokenizer, ids):
    return [int(i) for i in ids if tokenizer[int(i)].is_special]


def all_specials(model):
    t = model.tokenizer
    return " ".join(t[i].bytes.decode() for i in range(len(t)) if t[i].is_special)[:2000]


@pytest.fixture
def templates(tmp_path):
    """A copy of the model with templates of one's own: templates({"chat_template.jinja": ...})."""
    if not pathlib.Path(MODEL).is_dir():
        pytest.skip("the model is not a folder")

    def make(files):
        for file in pathlib.Path(MODEL).iterdir():
            if file.is_file() and file.name != "chat_template.jinja":
                shutil.copyfile(file, tmp_path / file.name)
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        return puna.Model(tmp_path)

    return make


HI = [{"role": "user", "content": "hi"}]


def test_a_users_text_never_becomes_a_turn(model):
    hostile, t = [{"role": "user", "content": "hi " + all_specials(model)}], model.tokenizer
    benign = specials(t, model.chat_tokens(HI))
    text = model.render_chat(hostile)
    for ids in (model.chat_tokens(hostile), t.encode(text), t.encode(text, parse_special=True)):
        assert specials(t, ids) == benign
    session = model.session()
    session.append(text)
    assert specials(t, session.tokens) == benign
    session = model.session()
    next(iter(session.generate(text, parse_special=True, max_tokens=1, ignore_eos=True).tokens()))
    assert specials(t, session.tokens) == benign


def test_the_old_way_is_asked_for(model):
    hostile, t = [{"role": "user", "content": "hi " + all_specials(model)}], model.tokenizer
    old = t.encode(str(model.render_chat(hostile)), parse_special=True).tolist()
    assert len(specials(t, old)) > len(specials(t, model.chat_tokens(hostile)))
    assert model.chat_tokens(hostile, parse_content=True).tolist() == old
    assert t.encode(model.render_chat(hostile, parse_content=True)).tolist() == old
    assert not specials(t, t.encode(model.render_chat(hostile), parse_special=False))


def test_a_chat_text_keeps_its_content_where_python_can_know():
    text = puna.ChatText("<a>é hi<b>", content=[(3, 5), (6, 7)])
    assert [text[b:e] for b, e in text.content] == ["é ", "i"]
    assert (
        (text[1:] + "<c>").content == ((2, 4), (5, 6))
        and ("pre" + text).content == ((6, 8), (9, 10))
        and (text + text).content[2:] == ((13, 15), (16, 17))
    )
    assert text[4:].content == ((0, 1), (2, 3)) and text[:3].content == () and text[::-1] == str(text)[::-1]
    padded = puna.ChatText("  x ", content=[(0, 4)])
    assert padded.strip() == "x" and padded.strip().content == ((0, 1),) and padded.lstrip().content == ((0, 2),)
    for same in (copy.copy(text), copy.deepcopy(text), pickle.loads(pickle.dumps(text))):
        assert (same, same.content, type(same)) == (text, text.content, puna.ChatText)
    assert type(str(text)) is str and type(text.upper()) is str and type(f"{text}") is str and text == str(text)
    with pytest.raises(ValueError, match="in order"):
        puna.ChatText("x", content=[(0, 2)])


def test_content_is_counted_in_characters_and_sent_in_bytes(model):
    t, special = model.tokenizer, all_specials(model).split()[0]
    text = puna.ChatText(f"é{special}ü{special}", content=[(1 + len(special), 2 + len(special))])
    assert len(specials(t, t.encode(text))) == 2
    text = puna.ChatText(str(text), content=[(1, 1 + len(special))])
    assert (
        t.encode(text).tolist() == [*t.encode("é" + special), *t.encode("ü"), *t.encode(special, parse_special=True)]
        or len(specials(t, t.encode(text))) == 1
    )


def test_templates_are_named_and_chosen_by_tools(templates):
    model = templates(
        {
            "chat_template.jinja": "D:{{ messages[0].content }}",
            "additional_chat_templates/tool_use.jinja": "T:{{ messages[0].content }}",
            "additional_chat_templates/bad.jinja": "{% for %}",
        }
    )
    assert model.chat_templates == ["default", "tool_use"]
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert [model.render_chat(HI), model.render_chat(HI, tools=tools), model.render_chat(HI, template="tool_use")] == [
        "D:hi",
        "T:hi",
        "T:hi",
    ]
    with pytest.raises(puna.InvalidArgument, match="did you mean 'tool_use'"):
        model.render_chat(HI, template="tools_use")
    with pytest.raises(puna.Unsupported, match="bad.jinja"):
        model.chat_tokens(HI, template="bad")
    assert model.render_chat(HI, tools=tools).dropped == ("tools",)
    with pytest.warns(UserWarning, match="writes nothing of tools"):
        model.chat_tokens(HI, tools=tools)


def test_today_is_the_date_unless_one_is_given(templates):
    import datetime

    model = templates({"chat_template.jinja": "{{ strftime_now('%Y-%m-%d') }}"})
    before = datetime.date.today()
    assert model.render_chat([]) in (before.isoformat(), datetime.date.today().isoformat())
    assert (
        model.render_chat([], date="2026-01-31")
        == model.render_chat([], date=datetime.date(2026, 1, 31))
        == "2026-01-31"
    )
    with pytest.raises(puna.InvalidArgument, match="date"):
        model.render_chat([], date="")
    with pytest.raises(puna.InvalidArgument, match="YYYY-MM-DD"):
        model.render_chat([], date="31.1.2026")


def test_one_message_is_no_list_of_messages(model):
    for wrong in ("hello", HI[0], b"x"):
        with pytest.raises(TypeError, match="messages is one"):
            model.render_chat(wrong)
        with pytest.raises(TypeError, match="messages is one"):
            model.session().chat(wrong)
    with pytest.raises(TypeError, match="tools is one dict"):
        model.render_chat(HI, tools={"name": "f"})
    with pytest.raises(TypeError, match="examples is one dict"):
        model.finetune({"text": "x"})
    with pytest.raises(TypeError, match="examples is one str"):
        model.finetune("x")
    assert model.render_chat(m for m in HI) == model.render_chat(HI)


def test_a_text_that_grows_as_it_is_normalized_has_room(tmp_path):
    table = [b for b in range(256) if b not in (*range(33, 127), *range(161, 173), *range(174, 256))]
    pieces = {**{chr(b): b for b in range(256) if b not in table}, **{chr(256 + i): b for i, b in enumerate(table)}}
    file = {
        "normalizer": {"type": "NFKC"},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": pieces, "merges": []},
        "added_tokens": [],
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(file))
    t = puna.Tokenizer(tmp_path / "tokenizer.json")
    for text in ("l\u00bd", "\ufdfa", "\ufdfa" * 1000, "", "a"):
        assert t.decode_bytes(t.encode(text)).decode() == __import__("unicodedata").normalize("NFKC", text)


def test_one_stop_string_is_one(model):
    full = "".join(model.session().generate([1, 2, 3], max_tokens=30, ignore_eos=True))
    stop = full[6] + "\u2603\u2603"  # does not occur
    for one in (stop, [stop], (stop,)):
        assert "".join(model.session().generate([1, 2, 3], max_tokens=30, ignore_eos=True, stop=one)) == full
    for wrong in ("a\0b", ["x", "a\0b"]):
        with pytest.raises(ValueError, match="NUL"):
            model.session().generate([1], stop=wrong)
    with pytest.raises(TypeError, match="stop is 5, an int"):
        model.session().generate([1], stop=[5])


def test_names_with_a_nul_are_refused_and_not_cut(model, tmp_path):
    (tmp_path / "x").write_text("y")
    for wrong in (
        lambda: puna.Model(f"{MODEL}\0x"),
        lambda: puna.Tokenizer(f"{MODEL}\0x"),
        lambda: puna.plan(f"{MODEL}\0x"),
        lambda: model.adapter(f"{tmp_path}\0x"),
        lambda: puna.Model(MODEL, packed=f"{tmp_path}/p\0x"),
        lambda: puna.Context(isa="scalar\0x"),
        lambda: model.render_chat(HI, date="2026-01-31\0"),
        lambda: model.render_chat(HI, template="default\0x"),
        lambda: puna.Recommender(f"{tmp_path}/x\0y"),
        lambda: puna.Ranker.open(f"{tmp_path}/x\0y"),
    ):
        with pytest.raises(ValueError, match="NUL"):
            wrong()


def test_ids_are_integers_and_nothing_that_looks_like_them(model):
    for wrong in (
        "12",
        b"12",
        bytearray(b"12"),
        [True, False],
        [1, True],
        np.array([True]),
        [1.0],
        {1: 2},
        {1, 2},
        [None],
    ):
        with pytest.raises(TypeError):
            model.session().score(wrong)
        with pytest.raises(TypeError):
            model.session().append_logits(wrong)
    with pytest.raises(TypeError):
        model.session().append(b"text")
    with pytest.raises(TypeError):
        model.session().generate([1], stop_tokens="12")
    for tokens in (
        (i for i in [3, 4, 5]),
        range(3, 6),
        np.array([3, 4, 5], np.uint64),
        iter((3, 4, 5)),
        map(int, "345"),
    ):
        session = model.session()
        session.append_logits(tokens)
        assert session.tokens.tolist() == [3, 4, 5]
    with pytest.raises(OverflowError):
        model.session().append([2**70])


def test_names_of_options_are_known_or_named(model):
    with pytest.raises(ValueError, match="did you mean 'mean'"):
        model.session().embed([1], pooling="meen")
    with pytest.raises(ValueError, match="there are: .*q8_0"):
        model.session(kv_type="q4")
    with pytest.raises(TypeError, match="did you mean 'temperature'"):
        model.session().generate([1], sampling={"temprature": 1.0})
    with pytest.raises(TypeError, match="sampling is a int"):
        model.session().generate([1], sampling=1)
    as_dict = "".join(model.session().generate([1, 2], max_tokens=8, sampling={"temperature": 1.0, "seed": 3}))
    assert as_dict == "".join(
        model.session().generate([1, 2], max_tokens=8, sampling=puna.Sampling(temperature=1.0, seed=3))
    )


def test_integers_of_recommenders_are_not_cut():
    with pytest.raises(TypeError, match="times"):
        puna.Recommender.train([1, 1], [1, 2], [0.5, 1.5])
    with pytest.raises(OverflowError, match="items"):
        puna.Recommender.train([1, 1], [1, 2**40], [1, 2])
    with pytest.raises(TypeError, match="surfaces"):
        puna.Examples([0.7], [[1]])


def interrupted(call, after=0.2):
    """Seconds from Ctrl-C to KeyboardInterrupt."""
    sent = []
    main = threading.main_thread().ident

    def send():
        sent.append(time.monotonic())
        signal.pthread_kill(main, signal.SIGINT)

    timer = threading.Timer(after, send)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            call()
        return time.monotonic() - sent[0]
    finally:
        timer.cancel()
        timer.join()


@pytest.mark.parametrize("name", ["append", "append_logits", "score", "embed"])
def test_control_c_cancels_in_the_middle_of_a_call(smollm2, name):
    session, tokens = smollm2.session(), [100 + i % 900 for i in range(3000)]
    assert interrupted(lambda: getattr(session, name)(tokens)) < 0.5
    assert len(session) == 0
    session.append(tokens[:3])  # no cancel is left over
    assert session.tokens.tolist() == tokens[:3]


def test_control_c_cancels_in_a_batch(smollm2):
    pair, tokens = [smollm2.session(), smollm2.session()], [100 + i % 900 for i in range(3000)]
    assert interrupted(lambda: puna.append_batch(pair, [tokens, tokens])) < 0.5
    assert [len(s) for s in pair] == [0, 0]
    puna.append_batch(pair, [[1, 2], [3]])
    assert [len(s) for s in pair] == [2, 1]


def test_control_c_cancels_while_text_is_rendered_and_tokenized(model, templates):
    slow = templates(
        {"chat_template.jinja": "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}"}
    )
    text = "some words that take a while " * 1_000_000
    assert interrupted(lambda: model.tokenizer.encode(text), 0.1) < 0.5
    assert interrupted(lambda: model.session().generate(text), 0.1) < 0.5

    def render():  # the limit of steps ends one of them, in about a second
        for _ in range(100):
            with pytest.raises(puna.Error, match="steps"):
                slow.render_chat(HI)

    assert interrupted(render, 0.1) < 0.5


def test_calls_from_other_threads_need_no_main_thread(model):
    out = []
    thread = threading.Thread(
        target=lambda: out.append(
            (model.session().score([1, 2, 3]), model.tokenizer.encode("x"), model.render_chat(HI))
        )
    )
    thread.start()
    thread.join()
    assert (out[0][0] == model.session().score([1, 2, 3])).all() and out[0][2] == model.render_chat(HI)

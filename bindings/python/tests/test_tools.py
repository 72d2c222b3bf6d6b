"""Tools: lists, formats, calls read from answers and written."""

import random

import pytest

import puna

WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def test_calls_are_read_wherever_the_answer_is_cut():
    tools = puna.Tools([WEATHER, {"name": "f"}], format="llama3_json")
    answer = 'Let me see: é\n{"name": "get_weather", "parameters": {"city": "Jánico"}}; [f(a=1.50, b=None)] <function=f>{}</function> [g()]'
    for _ in range(50):
        parser, text, at = tools.parser(early=random.random() < 0.5), "", 0
        events = []
        while at < len(answer):
            size = random.randint(1, 9)
            events += parser.push(answer[at : at + size])
            at += size
        events += parser.finish()
        text = "".join(e.text for e in events if e.kind == "text")
        assert text == "Let me see: é\n [g()]"
        assert [(c.name, c.arguments) for c in parser.calls] == [
            ("get_weather", {"city": "Jánico"}),
            ("f", {"a": 1.5, "b": None}),
            ("f", {}),
        ]
        assert parser.calls[1].json == '{"a": 1.50, "b": null}'
        assert [e.call for e in events if e.kind == "call_begin"] == [0, 1, 2]


@pytest.mark.parametrize(
    "format",
    [
        "llama3_json",
        "llama4_json",
        "pythonic",
        "function_tag",
        "hermes",
        "mistral",
        "mistral_args",
        "granite",
        "harmony",
        "gemma",
        "tool_code",
        "phi",
    ],
)
def test_written_calls_are_read_back(format):
    tools = puna.Tools([WEATHER, {"name": "f"}], format=format)
    assert (tools.format, len(tools)) == (format, 2)
    calls = [
        puna.ToolCall("f", '{"a": "it\'s \\"so\\"", "b": [1, {"c d": null}]}'),
        puna.ToolCall("get_weather", '{"city": "Puno"}'),
    ]
    text, got = tools.parse(tools.write(calls))
    assert text == "" and [(c.name, c.arguments) for c in got] == [(c.name, c.arguments) for c in calls]


def test_wrong_tools_are_named():
    with pytest.raises(puna.InvalidArgument, match="/1/name"):
        puna.Tools([WEATHER, {"name": "get weather"}], format="hermes")
    with pytest.raises(puna.InvalidArgument, match="did you mean|hermes"):
        puna.Tools([WEATHER], format="hermis")
    with pytest.raises(TypeError, match="tools is one dict"):
        puna.Tools(WEATHER, format="hermes")


def test_a_chat_with_tools_has_calls_apart_from_text(model):
    messages = [{"role": "user", "content": "What is the weather?"}]
    tools = puna.Tools([WEATHER], model)
    answer = model.session().chat(messages, tools=[WEATHER], max_tokens=20)
    said = "".join(answer)
    plain = "".join(model.session().chat(messages, tools=None, max_tokens=20))
    assert said == answer.text and isinstance(plain, str)
    assert all(call.name == "get_weather" for call in answer.tool_calls)
    assert model.render_chat(messages, tools=tools) == model.render_chat(messages, tools=[WEATHER])
    with pytest.raises(puna.InvalidArgument, match="/0/name"):
        model.session().chat(messages, tools=[{"name": "no name"}])


def test_answers_are_held_to_the_tools(model):
    messages = [{"role": "user", "content": "What is the weather?"}]
    days = {"type": "integer", "minimum": 1, "maximum": 9}
    forecast = {
        "name": "forecast",
        "parameters": {"type": "object", "properties": {"days": days}, "required": ["days"]},
    }
    tools = puna.Tools([forecast, {"name": "now"}], model)
    for seed in range(4):
        sampling = puna.Sampling(temperature=1.0, seed=seed)
        answer = model.session().chat(
            messages, tools=tools, tool_choice="required", parallel_tool_calls=False, max_tokens=300, sampling=sampling
        )
        assert "".join(answer) == "" and not answer.incomplete
        (call,) = answer.tool_calls
        assert call.name in ("forecast", "now")
        assert call.name == "now" or 1 <= call.arguments["days"] <= 9
    named = {"type": "function", "function": {"name": "now"}}
    answer = model.session().chat(messages, tools=tools, tool_choice=named, parallel_tool_calls=False, max_tokens=200)
    assert "".join(answer) == "" and [(c.name, c.arguments) for c in answer.tool_calls] == [("now", {})]
    answer = model.session().chat(messages, tools=tools, tool_choice="none", max_tokens=8)
    assert "".join(answer) and answer.tool_calls == []
    with pytest.raises(TypeError, match="without tools"):
        model.session().chat(messages, tool_choice="auto")
    with pytest.raises(puna.InvalidArgument, match="no tool 'later'"):
        model.session().chat(messages, tools=tools, tool_choice="later")
    with pytest.raises(TypeError, match="expected one of them"):
        model.session().chat(messages, tools=tools, tool_choice="auto", grammar='root ::= "a"')
    with pytest.warns(UserWarning, match="'dict' is read as 'object'"):
        puna.Tools([{"name": "f", "parameters": {"type": "dict"}}], format="hermes").grammar()


def test_thoughts_come_apart_where_they_are_asked_for():
    tools = puna.Tools([{"name": "f"}], format="hermes")
    answer = "<think>\nHm.\n</think>\n\nYes."

    def told(text, **options):
        parser = tools.parser(**options)
        return [(s.kind, s.text) for s in parser.push(text) + parser.finish()]

    assert "".join(text for _, text in told(answer)) == answer
    assert told(answer, thoughts=True) == [("thought", "Hm."), ("text", "Yes.")]
    assert told("Hm.</think>Yes.", in_thought=True) == [("thought", "Hm."), ("text", "Yes.")]


def test_calls_of_gpt_oss_and_gemma_are_read():
    harmony = puna.Tools([{"name": "f"}], format="harmony")
    text, calls = harmony.parse('<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a": 1}<|call|>')
    assert (text, calls[0].name, calls[0].arguments) == ("", "f", {"a": 1})
    gemma = puna.Tools([{"name": "f"}], format="gemma")
    text, calls = gemma.parse('<|tool_call>call:f{a:<|"|>x<|"|>}<tool_call|>')
    assert (text, calls[0].arguments) == ("", {"a": "x"})

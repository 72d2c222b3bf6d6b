"""The endpoints of `puna serve`, each field of their answers, with a client of the standard library."""

import base64
import concurrent.futures
import json
import pathlib
import struct
import subprocess
import tempfile
import unittest

from served import MODEL, NAME, PUNA, ROOT, Served, join_calls

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "maxLength": 12},
                "days": {"type": "integer", "minimum": 1, "maximum": 7},
            },
            "required": ["city", "days"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 10},
        "age": {"type": "integer", "minimum": 0, "maximum": 99},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}


def setUpModule():
    global server
    server = Served()


def tearDownModule():
    server.stop()


class ChatTest(unittest.TestCase):
    def test_every_member_of_an_answer_is_there(self):
        answer = server.chat()
        self.assertEqual(answer.status, 200, answer.body)
        a = answer.json
        self.assertEqual(set(a), {"id", "object", "created", "model", "choices", "usage"})
        self.assertEqual((a["object"], a["model"]), ("chat.completion", NAME))
        choice = a["choices"][0]
        self.assertEqual(set(choice), {"index", "message", "logprobs", "finish_reason"})
        self.assertEqual(set(choice["message"]), {"role", "content", "refusal"})
        self.assertEqual((choice["finish_reason"], choice["logprobs"]), ("length", None))
        self.assertTrue(choice["message"]["content"])
        usage = a["usage"]
        self.assertEqual(usage["completion_tokens"], 12)
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + 12)
        self.assertIn("cached_tokens", usage["prompt_tokens_details"])
        self.assertTrue(answer.headers["x-request-id"].startswith("req_"))

    def test_a_stream_says_what_a_whole_answer_says_in_the_order_of_the_protocol(self):
        whole = server.chat().json["choices"][0]["message"]["content"]
        chunks = server.chunks()
        self.assertEqual(len({c["id"] for c in chunks}), 1)
        self.assertEqual({c["object"] for c in chunks}, {"chat.completion.chunk"})
        deltas = [c["choices"][0] for c in chunks]
        self.assertEqual(deltas[0]["delta"], {"role": "assistant", "content": ""})
        self.assertEqual((deltas[-1]["delta"], deltas[-1]["finish_reason"]), ({}, "length"))
        self.assertTrue(all(d["finish_reason"] is None for d in deltas[:-1]))
        self.assertTrue(all("usage" not in c for c in chunks))
        self.assertEqual(join_calls(chunks)[0], whole)

    def test_usage_comes_once_more_before_the_end_of_a_stream(self):
        chunks = server.chunks(stream_options={"include_usage": True})
        self.assertTrue(all(c["usage"] is None for c in chunks[:-1]))
        self.assertEqual(chunks[-1]["choices"], [])
        self.assertEqual(chunks[-1]["usage"]["completion_tokens"], 12)

    def test_several_answers_begin_in_order_and_repeat_by_their_seed(self):
        chunks = server.chunks(n=3, temperature=1, seed=5)
        self.assertEqual([c["choices"][0]["index"] for c in chunks[:3]], [0, 1, 2])
        whole = server.chat(n=3, temperature=1, seed=5).json["choices"]
        self.assertEqual([c["index"] for c in whole], [0, 1, 2])
        for i in range(3):
            self.assertEqual(join_calls(chunks, i)[0], whole[i]["message"]["content"])
        alone = server.chat(temperature=1, seed=6).json["choices"][0]["message"]["content"]
        self.assertEqual(alone, whole[1]["message"]["content"])

    def test_log_probabilities_whole_and_streamed(self):
        whole = server.chat(logprobs=True, top_logprobs=3).json["choices"][0]["logprobs"]
        self.assertIsNone(whole["refusal"])
        self.assertEqual(len(whole["content"]), 12)
        for token in whole["content"]:
            self.assertEqual(set(token), {"token", "logprob", "bytes", "top_logprobs"})
            self.assertEqual(len(token["top_logprobs"]), 3)
            best = [t["logprob"] for t in token["top_logprobs"]]
            self.assertEqual(best, sorted(best, reverse=True))
            self.assertAlmostEqual(token["logprob"], best[0], places=6)  # greedy
            self.assertEqual(bytes(token["bytes"]).decode("utf-8", "replace"), token["token"])
        chunks = server.chunks(logprobs=True, top_logprobs=3)
        streamed = [t for c in chunks for x in c["choices"] if x["logprobs"] for t in x["logprobs"]["content"]]
        self.assertEqual(streamed, whole["content"])

    def test_stop_strings_end_an_answer_before_them(self):
        text = server.chat(max_tokens=40).json["choices"][0]["message"]["content"]
        stop = text[10:14]
        choice = server.chat(max_tokens=40, stop=[stop, "never in it"]).json["choices"][0]
        self.assertEqual(choice["finish_reason"], "stop")
        self.assertEqual(choice["message"]["content"], text[: text.index(stop)])

    def test_logit_bias_forbids(self):
        first = server.chat(max_tokens=1, logprobs=True, top_logprobs=1).json["choices"][0]["logprobs"]["content"][0]
        token = server.post("/tokenize", {"prompt": first["token"], "add_special_tokens": False}).json["tokens"][0]
        other = server.chat(max_tokens=1, logit_bias={str(token): -100}).json["choices"][0]["message"]["content"]
        self.assertNotEqual(other, first["token"])

    def test_an_answer_keeps_to_its_schema(self):
        format = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": SCHEMA}}
        for temperature in (0, 1):
            choice = server.chat(max_tokens=80, temperature=temperature, seed=3, response_format=format).json[
                "choices"
            ][0]
            self.assertEqual(choice["finish_reason"], "stop")
            person = json.loads(choice["message"]["content"])
            self.assertEqual(list(person), ["name", "age"])
            self.assertTrue(len(person["name"]) <= 10 and 0 <= person["age"] <= 99)

    def test_json_objects_regular_expressions_grammars_choices(self):
        choice = server.chat(max_tokens=60, response_format={"type": "json_object"}, temperature=1, seed=1).json[
            "choices"
        ][0]
        self.assertTrue(choice["message"]["content"].startswith("{"))
        self.assertRegex(
            server.chat(regex="[0-9]{3}-[a-f]{2}").json["choices"][0]["message"]["content"], r"^\d{3}-[a-f]{2}$"
        )
        gbnf = server.chat(grammar='root ::= "yes" | "no"').json["choices"][0]["message"]["content"]
        self.assertIn(gbnf, ("yes", "no"))
        self.assertIn(server.chat(choices=["red", "green"]).json["choices"][0]["message"]["content"], ("red", "green"))

    def test_calls_of_tools_whole_and_streamed(self):
        for choice in ("required", {"type": "function", "function": {"name": "get_weather"}}):
            more = dict(tools=[WEATHER], tool_choice=choice, max_tokens=120, parallel_tool_calls=False)
            whole = server.chat(**more).json["choices"][0]
            self.assertEqual(whole["finish_reason"], "tool_calls", whole)
            self.assertIsNone(whole["message"]["content"])
            call = whole["message"]["tool_calls"][0]
            self.assertEqual((call["type"], call["function"]["name"]), ("function", "get_weather"))
            arguments = json.loads(call["function"]["arguments"])
            self.assertTrue(len(arguments["city"]) <= 12 and 1 <= arguments["days"] <= 7)
            content, calls, finish = join_calls(server.chunks(**more))
            self.assertEqual((content, finish, len(calls)), ("", "tool_calls", 1))
            self.assertEqual((calls[0]["type"], calls[0]["name"]), ("function", "get_weather"))
            self.assertEqual(json.loads(calls[0]["arguments"]), arguments)

    def test_tools_beside_a_schema_give_a_call_or_a_text_of_the_schema(self):
        format = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": SCHEMA}}
        kinds = set()
        for seed in range(12):
            more = dict(tools=[WEATHER], response_format=format, temperature=1, seed=seed, max_tokens=160)
            whole = server.chat(**more).json["choices"][0]
            content, calls, finish = join_calls(server.chunks(**more))
            self.assertEqual((finish, content or None), (whole["finish_reason"], whole["message"]["content"]))
            kinds.add(finish)
            if finish == "tool_calls":
                self.assertIsNone(whole["message"]["content"])
                for call, streamed in zip(whole["message"]["tool_calls"], calls):
                    arguments = json.loads(call["function"]["arguments"])
                    self.assertTrue(len(arguments["city"]) <= 12 and 1 <= arguments["days"] <= 7)
                    self.assertEqual(json.loads(streamed["arguments"]), arguments)
            elif finish == "stop":
                person = json.loads(whole["message"]["content"])
                self.assertEqual(list(person), ["name", "age"])
                self.assertNotIn("tool_calls", whole["message"])
        self.assertTrue(kinds <= {"tool_calls", "stop", "length"}, kinds)

    def test_which_of_call_and_text_is_for_the_model_to_say(self):
        """A schema whose texts look like calls: what is no call of the tool is text, and what is one is a call."""
        named = {"type": "object", "properties": {"name": {"const": "get_weather"}, "parameters": {"const": {}}}}
        named |= {"required": ["name", "parameters"], "additionalProperties": False}
        format = {"type": "json_schema", "json_schema": {"name": "p", "schema": named}}
        tool = {
            "type": "function",
            "function": {"name": "get_weather", "parameters": WEATHER["function"]["parameters"]},
        }
        seen = set()
        for seed in range(8):
            more = dict(tools=[tool], response_format=format, temperature=1, seed=seed, max_tokens=160)
            message = server.chat(**more).json["choices"][0]
            if message["finish_reason"] == "length":
                continue
            calls = message["message"].get("tool_calls")
            seen.add(bool(calls))
            if calls:
                self.assertEqual(set(json.loads(calls[0]["function"]["arguments"])), {"city", "days"})
            else:
                self.assertEqual(json.loads(message["message"]["content"]), {"name": "get_weather", "parameters": {}})
        self.assertTrue(seen)
        for field, value in (("regex", "[a-z]+"), ("choices", ["a", "b"]), ("grammar", 'root ::= "a"')):
            refused = server.chat(tools=[tool], **{field: value})
            self.assertEqual((refused.status, refused.error["param"]), (400, field))
            self.assertEqual(server.chat(tools=[tool], tool_choice="none", **{field: value}).status, 200)
        bad = {"type": "json_schema", "json_schema": {"name": "p", "schema": {"type": "nothing"}}}
        refused = server.chat(tools=[tool], response_format=bad)
        self.assertEqual((refused.status, refused.error["param"]), (400, "response_format.json_schema.schema"))

    def test_the_results_of_tools_are_taken(self):
        call = {
            "id": "call_1",
            "type": "function",
            "function": {"name": "get_weather", "arguments": '{"city":"Bath","days":1}'},
        }
        messages = [
            {"role": "user", "content": "The weather?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
        ]
        answer = server.post("/v1/chat/completions", {"messages": messages, "max_tokens": 4})
        self.assertEqual(answer.status, 200, answer.body)

    def test_calls_that_the_template_does_not_write_are_told_on_every_endpoint(self):
        calls = [("get_weather", {"city": "Bath"}), ("get_weather", {"days": [1, 2]}), ("look", {})]
        for name, arguments in calls:
            written = json.dumps(arguments, separators=(",", ":"))
            call = {"id": "a", "type": "function", "function": {"name": name, "arguments": written}}
            said = {"role": "user", "content": "The weather?"}
            chat = lambda *more: {"messages": [said, *more, {"role": "user", "content": "rain"}]}
            use = {"type": "tool_use", "id": "a", "name": name, "input": arguments}
            item = {"type": "function_call", "call_id": "a", "name": name, "arguments": written}
            output = {"type": "function_call_output", "call_id": "a", "output": "rain"}
            result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "rain"}]}
            history = [said, {"role": "assistant", "content": None, "tool_calls": [call]}]
            one = {"max_tokens": 1, "temperature": 0}
            prompts = {
                "/v1/chat/completions": (
                    {**chat(), **one},
                    {"messages": [*history, {"role": "tool", "tool_call_id": "a", "content": "rain"}], **one},
                    lambda a: a["usage"]["prompt_tokens"],
                ),
                "/v1/messages": (
                    {"model": NAME, **chat(), **one},
                    {"model": NAME, "messages": [said, {"role": "assistant", "content": [use]}, result], **one},
                    lambda a: a["usage"]["input_tokens"] + a["usage"]["cache_read_input_tokens"],
                ),
                "/v1/messages/count_tokens": (
                    {"model": NAME, **chat()},
                    {"model": NAME, "messages": [said, {"role": "assistant", "content": [use]}, result]},
                    lambda a: a["input_tokens"],
                ),
                "/v1/responses": (
                    {"input": [said, {"role": "user", "content": "rain"}], "max_output_tokens": 1},
                    {"input": [said, item, output], "max_output_tokens": 1},
                    lambda a: a["usage"]["input_tokens"],
                ),
                "/tokenize": (
                    chat(),
                    {"messages": [*history, {"role": "tool", "tool_call_id": "a", "content": "rain"}]},
                    lambda a: a["count"],
                ),
            }
            counts = set()
            for path, (without, with_calls, tokens) in prompts.items():
                with self.subTest(path=path, name=name):
                    answers = [server.post(path, body) for body in (without, with_calls)]
                    self.assertEqual([a.status for a in answers], [200, 200], answers[1].body)
                    few, more = (tokens(a.json) for a in answers)
                    self.assertGreaterEqual(more, few + 8)
                    counts.add(more - few)
            self.assertEqual(len(counts), 1, counts)  # all of them tell the same
        ids = server.post("/tokenize", {"messages": history}).json["tokens"]
        text = server.post("/detokenize", {"tokens": ids}).json["prompt"]
        self.assertTrue(text.endswith('{"name": "look", "parameters": {}}'), text)
        refused = server.post("/tokenize", {"messages": history, "add_generation_prompt": False})
        self.assertEqual((refused.status, refused.error["param"]), (400, "add_generation_prompt"))

    def test_fields_are_used_ignored_by_name_or_refused(self):
        self.assertEqual(
            server.chat(user="u", metadata={}, store=True, service_tier="auto", prompt_cache_key="k").status, 200
        )
        for field, value, param in [
            ("temperature", 2.5, "temperature"),
            ("temperature", "hot", "temperature"),
            ("top_p", -1, "top_p"),
            ("n", 0, "n"),
            ("n", 1.5, "n"),
            ("max_tokens", 0, "max_tokens"),
            ("presence_penalty", 3, "presence_penalty"),
            ("top_logprobs", 3, "top_logprobs"),
            ("stop", [""], "stop"),
            ("stop", ["x"] * 100, "stop"),
            ("logit_bias", {"x": 1}, "logit_bias"),
            ("logit_bias", {"1": 101}, "logit_bias"),
            ("logit_bias", {"999999999": 1}, "logit_bias"),
            ("functions", [{}], "functions"),
            ("modalities", ["text", "audio"], "modalities"),
            ("web_search_options", {}, "web_search_options"),
            ("tool_choice", "required", "tool_choice"),
            ("stream_options", {"include_usage": True}, "stream_options"),
            ("response_format", {"type": "yaml"}, "response_format.type"),
            ("tools", [{"type": "web_search"}], "tools[0].type"),
            ("no_such_field", 1, "no_such_field"),
            ("messages", [], "messages"),
            ("messages", [{"role": "king", "content": "x"}], "messages[0].role"),
            ("messages", [{"role": "user"}], "messages[0].content"),
            ("messages", [{"role": "user", "content": [{"type": "input_audio"}]}], "messages[0].content[0].type"),
        ]:
            with self.subTest(field=field, value=value):
                answer = server.chat(**{field: value})
                self.assertEqual(answer.status, 400, answer.body)
                self.assertEqual(set(answer.error), {"message", "type", "param", "code"})
                self.assertEqual((answer.error["type"], answer.error["param"]), ("invalid_request_error", param))


class ImageTest(unittest.TestCase):
    def test_pictures_are_seen(self):
        folder = ROOT / "tests/data/golden/multimodal"
        with Served("--ctx", "2048", models=(f"eyes={folder}",)) as eyes:

            def ask(*names, **more):
                parts = [{"type": "text", "text": "What is it?"}]
                for name in names:
                    data = base64.b64encode((folder / name).read_bytes()).decode()
                    parts.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}})
                body = {"messages": [{"role": "user", "content": parts}], "max_tokens": 6, "temperature": 0, **more}
                return eyes.post("/v1/chat/completions", body)

            square, wide = ask("image_square.png", logprobs=True), ask("image_wide.png", logprobs=True)
            self.assertEqual((square.status, wide.status), (200, 200), square.body + wide.body)
            tokens = [
                a.json["usage"]["prompt_tokens"]
                for a in (ask(), square, wide, ask("image_square.png", "image_wide.png"))
            ]
            self.assertEqual(tokens[3] - tokens[0], tokens[1] - tokens[0] + tokens[2] - tokens[0])
            self.assertEqual(ask("image_square.png", logprobs=True).json["choices"], square.json["choices"])
            self.assertNotEqual(square.json["choices"][0]["logprobs"], wide.json["choices"][0]["logprobs"])
            source = {"type": "base64", "media_type": "image/png"}
            source["data"] = base64.b64encode((folder / "image_square.png").read_bytes()).decode()
            parts = [{"type": "text", "text": "What is it?"}, {"type": "image", "source": source}]
            body = {
                "model": "eyes",
                "max_tokens": 6,
                "temperature": 0,
                "messages": [{"role": "user", "content": parts}],
            }
            said = eyes.post("/v1/messages", body).json["content"]
            self.assertEqual("".join(b["text"] for b in said), square.json["choices"][0]["message"]["content"])
            bad = eyes.post(
                "/v1/chat/completions",
                {
                    "messages": [
                        {
                            "role": "user",
                            "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
                        }
                    ]
                },
            )
            self.assertEqual((bad.status, bad.error["param"]), (400, "messages"))

    def test_typos_get_the_nearest_name(self):
        for body, want in (
            ({"temprature": 1}, "'temprature' is no field of this request, did you mean 'temperature'?"),
            ({"stream_options": {"include_usge": True}, "stream": True}, "did you mean 'include_usage'?"),
            ({"tool_choice": "requird"}, "required"),
        ):
            answer = server.chat(**body)
            self.assertEqual(answer.status, 400)
            self.assertIn(want, answer.error["message"])

    def test_a_model_without_eyes_says_so(self):
        data = base64.b64encode((ROOT / "tests/data/golden/multimodal/image_square.png").read_bytes()).decode()
        parts = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}]
        self.assertEqual(server.chat(parts).status, 400)


class CompletionTest(unittest.TestCase):
    def complete(self, **body):
        answer = server.post("/v1/completions", {"prompt": "It was a", "temperature": 0, "max_tokens": 6, **body})
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def test_prompts_as_texts_and_ids_alone_and_in_batches(self):
        ids = server.post("/tokenize", {"prompt": "It was a"}).json["tokens"]
        texts = [self.complete(prompt=p)["choices"][0]["text"] for p in ("It was a", ["It was a"], ids, [ids])]
        self.assertEqual(len(set(texts)), 1)
        batch = self.complete(prompt=["It was a", "She had"], n=2, temperature=1, seed=3)["choices"]
        self.assertEqual([c["index"] for c in batch], [0, 1, 2, 3])
        alone = self.complete(prompt="She had", n=2, temperature=1, seed=3)["choices"]
        self.assertEqual([c["text"] for c in alone], [c["text"] for c in batch[2:]])

    def test_echo_with_log_probabilities_of_the_prompt(self):
        ids = server.post("/tokenize", {"prompt": "It was a fine"}).json["tokens"]
        a = self.complete(prompt=[ids, ids[:3]], echo=True, max_tokens=1, logprobs=1)
        for choice, n in zip(a["choices"], (len(ids), 3)):
            l = choice["logprobs"]
            for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
                self.assertEqual(len(l[name]), n + 1, name)
            self.assertIsNone(l["token_logprobs"][0])
            self.assertIsNone(l["top_logprobs"][0])
            for token, value, top in list(zip(l["tokens"], l["token_logprobs"], l["top_logprobs"]))[1:]:
                self.assertAlmostEqual(top[token], value)
                self.assertGreaterEqual(max(top.values()), value)
            self.assertEqual("".join(l["tokens"]), choice["text"])
            self.assertEqual(max(l["top_logprobs"][-1].values()), l["token_logprobs"][-1])
        self.assertEqual(
            a["choices"][0]["logprobs"]["token_logprobs"][:3], a["choices"][1]["logprobs"]["token_logprobs"][:3]
        )

    def test_a_scored_prompt_has_one_entry_behind_it_even_where_the_answer_ends_at_once(self):
        """lm-eval takes the last entry for that of the answer."""
        ids = server.post("/tokenize", {"prompt": "It was a fine morning"}).json["tokens"]
        stop = server.post("/tokenize", {"prompt": server.get("/tokenizer_info").json["eos_token"]}).json["tokens"][-1]
        for more in ({}, {"logit_bias": {str(stop): 100}}):
            choice = self.complete(prompt=[ids], echo=True, max_tokens=1, logprobs=1, **more)["choices"][0]
            self.assertEqual(len(choice["logprobs"]["token_logprobs"]), len(ids) + 1, more)
            self.assertEqual(choice["finish_reason"], "stop" if more else "length")

    def test_offsets_are_those_of_the_text(self):
        choice = self.complete(prompt="It was a", echo=True, max_tokens=2, logprobs=0)["choices"][0]
        l = choice["logprobs"]
        for token, offset in list(zip(l["tokens"], l["text_offset"]))[1:]:
            self.assertEqual(choice["text"][offset : offset + len(token)], token)

    def test_a_streamed_completion_is_the_same_text(self):
        whole = self.complete()["choices"][0]["text"]
        events = server.events("/v1/completions", {"prompt": "It was a", "temperature": 0, "max_tokens": 6})
        self.assertEqual(events[-1][1], "[DONE]")
        self.assertEqual("".join(c["choices"][0]["text"] for _, c in events[:-1]), whole)

    def test_log_probabilities_of_an_answer(self):
        l = self.complete(logprobs=2)["choices"][0]["logprobs"]
        self.assertEqual(len(l["tokens"]), 6)
        self.assertTrue(all(len(top) in (2, 3) for top in l["top_logprobs"]))
        self.assertEqual(l["text_offset"][0], 0)

    def test_the_best_of_several_is_one_that_its_seed_gives(self):
        more = dict(temperature=1, max_tokens=8, logprobs=1)
        best = self.complete(n=2, best_of=5, seed=7, **more)
        each = [self.complete(seed=7 + i, **more)["choices"][0] for i in range(5)]
        each.sort(key=lambda c: -sum(c["logprobs"]["token_logprobs"]) / len(c["logprobs"]["token_logprobs"]))
        self.assertEqual([c["text"] for c in best["choices"]], [c["text"] for c in each[:2]])
        self.assertEqual(best["choices"][0]["logprobs"], each[0]["logprobs"])
        self.assertTrue(best["choices"][0]["text"])
        self.assertEqual(best["usage"]["completion_tokens"], sum(len(c["logprobs"]["tokens"]) for c in each))
        self.assertIsNone(self.complete(best_of=3, seed=7, temperature=1)["choices"][0]["logprobs"])

    def test_scores_of_prompts_and_embeddings_do_not_depend_on_what_runs_beside_them(self):
        texts = [f"It was morning number {i}, and Anne walked on" for i in range(12)]
        score = dict(echo=True, logprobs=2, max_tokens=1)
        alone = [self.complete(prompt=t, **score)["choices"][0] for t in texts]
        vectors = [server.post("/v1/embeddings", {"input": t}).json["data"][0]["embedding"] for t in texts]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            beside = pool.submit(lambda: [server.chat(max_tokens=40).status for _ in range(3)])
            batch = pool.submit(lambda: self.complete(prompt=texts, **score)["choices"])
            many = pool.submit(lambda: server.post("/v1/embeddings", {"input": texts}).json["data"])
            self.assertEqual(beside.result(), [200] * 3)
            self.assertEqual([c["logprobs"] for c in batch.result()], [c["logprobs"] for c in alone])
            self.assertEqual([d["embedding"] for d in many.result()], vectors)

    def test_what_cannot_be_is_refused(self):
        for body, param in [
            ({"echo": True, "max_tokens": 0, "n": 2}, "n"),
            ({"suffix": "x"}, "suffix"),
            ({"logprobs": 6}, "logprobs"),
            ({"prompt": []}, "prompt"),
            ({"prompt": [[1], "x"]}, "prompt[1]"),
            ({"prompt": [10**6]}, "prompt"),
            ({"n": 2, "best_of": 1}, "best_of"),
        ]:
            answer = server.post("/v1/completions", {"prompt": "x", **body})
            self.assertEqual((answer.status, answer.error["param"]), (400, param), answer.body)


class OtherEndpointsTest(unittest.TestCase):
    def test_models(self):
        listed = server.get("/v1/models").json
        self.assertEqual([m["id"] for m in listed["data"]], [NAME])
        self.assertEqual(server.get(f"/v1/models/{NAME}").json["object"], "model")
        self.assertGreater(listed["data"][0]["max_model_len"], 100)
        missing = server.get("/v1/models/none")
        self.assertEqual((missing.status, missing.error["code"]), (404, "model_not_found"))
        self.assertEqual(server.chat(model="none").error["code"], "model_not_found")
        self.assertEqual(server.chat(model=NAME).status, 200)

    def test_embeddings_as_numbers_and_base64(self):
        texts = ["It was a fine morning", "The sea"]
        numbers = server.post("/v1/embeddings", {"input": texts, "model": NAME}).json
        packed = server.post("/v1/embeddings", {"input": texts, "encoding_format": "base64"}).json
        for a, b in zip(numbers["data"], packed["data"]):
            raw = base64.b64decode(b["embedding"])
            values = struct.unpack(f"<{len(raw) // 4}f", raw)
            self.assertEqual(len(values), len(a["embedding"]))
            self.assertTrue(all(abs(x - y) < 1e-6 for x, y in zip(values, a["embedding"])))
            self.assertAlmostEqual(sum(v * v for v in values), 1, places=4)
        self.assertEqual(numbers["usage"]["prompt_tokens"], numbers["usage"]["total_tokens"])

    def test_tokens_there_and_back(self):
        there = server.post("/tokenize", {"prompt": "It was a fine morning", "return_token_strs": True}).json
        self.assertEqual(there["count"], len(there["tokens"]))
        self.assertEqual(len(there["token_strs"]), there["count"])
        without = server.post("/tokenize", {"prompt": "It was a fine morning", "add_special_tokens": False}).json[
            "tokens"
        ]
        self.assertEqual(server.post("/detokenize", {"tokens": without}).json["prompt"], "It was a fine morning")
        info = server.get("/tokenizer_info").json
        self.assertIn("chat_template", info)
        chat = server.post("/tokenize", {"messages": [{"role": "user", "content": "Hi"}]}).json
        self.assertEqual(chat["count"], server.chat("Hi").json["usage"]["prompt_tokens"])

    def test_health_metrics_and_what_is_not_here(self):
        self.assertEqual(server.get("/health").json, {"status": "ok"})
        before = server.metric("puna_completion_tokens_total")
        server.chat()
        self.assertEqual(server.metric("puna_completion_tokens_total"), before + 12)
        rerank = server.post("/v1/rerank", {"query": "x", "documents": ["y"]})
        self.assertEqual((rerank.status, rerank.error["code"]), (400, "not_supported"))
        self.assertEqual(server.get("/v1/nothing").status, 404)
        self.assertEqual(server.get("/v1/chat/completions").status, 405)

    def test_the_page_and_its_policy(self):
        page = server.get("/")
        self.assertEqual(page.status, 200)
        self.assertIn("default-src 'none'", page.headers["content-security-policy"])
        self.assertEqual(server.get("/chat/app.js").headers["content-type"], "text/javascript; charset=utf-8")
        self.assertEqual(server.get("/shared/dom.js").status, 200)
        for none in ["/../CMakeLists.txt", "/label/app.js", "/chat", "/shared/"]:
            self.assertEqual(server.get(none).status, 404, none)


class AdapterTest(unittest.TestCase):
    def test_adapters_are_models_by_name(self):
        with tempfile.TemporaryDirectory() as folder:
            data = pathlib.Path(folder) / "rows.jsonl"
            data.write_text('{"text": "It was a whale, a whale, a whale, a whale, a whale."}\n' * 8)
            subprocess.run(
                [PUNA, "finetune", MODEL, "--data", data, "--out", f"{folder}/whale", "--steps", "12", "--lr", "0.02"],
                check=True,
                capture_output=True,
            )
            adapter = next(p.parent for p in pathlib.Path(folder).rglob("adapter_config.json"))
            with Served("--adapter", f"whale={adapter}") as s:
                self.assertEqual([m["id"] for m in s.get("/v1/models").json["data"]], [NAME, f"{NAME}:whale"])
                self.assertEqual(s.get(f"/v1/models/{NAME}:whale").json["parent"], NAME)

                def ask(name):
                    a = s.chat("It was a", model=name).json
                    self.assertEqual(a["model"], name)
                    return a["choices"][0]["message"]["content"]

                names = [NAME, f"{NAME}:whale"]
                alone = {name: ask(name) for name in names}
                self.assertNotEqual(alone[names[0]], alone[names[1]])
                with concurrent.futures.ThreadPoolExecutor(8) as pool:  # mixed in one batch
                    for name, said in zip(names * 8, pool.map(ask, names * 8)):
                        self.assertEqual(said, alone[name])
                self.assertEqual(s.chat(model=f"{NAME}:none").error["code"], "model_not_found")


class OptionsTest(unittest.TestCase):
    def learn_by_heart(self, folder, text):
        """A small model with the same tokenizer that has learnt a text by heart."""
        shape = json.loads((ROOT / "examples/bundled/config.json").read_text())
        shape |= {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}
        shape |= {"intermediate_size": 128, "intermediate_size_mlp": 128, "interleave_moe_layer_step": 99}
        (folder / "config.json").write_text(json.dumps(shape))
        (folder / "text.txt").write_text((text + "\n") * 40)
        options = "--steps 40 --step-tokens 256 --pass-tokens 256 --max-tokens 128 --lr 0.02 --warmup 4 --epochs 100"
        command = [PUNA, "train", "--model-config", folder / "config.json", "--tokenizer", MODEL, *options.split()]
        command += ["--data", folder / "text.txt", "--out", folder / "out"]
        subprocess.run(command, check=True, capture_output=True)
        return next((folder / "out").glob("*.gguf"))

    def test_a_draft_changes_no_answer(self):
        def ask(s, **more):
            return s.post("/v1/completions", {"prompt": "It was", "max_tokens": 40, **more}).json

        asked = [
            dict(temperature=0),
            dict(temperature=0, n=2),
            dict(temperature=1, seed=3),
            dict(temperature=0, logprobs=2),
        ]
        want = [ask(server, **more)["choices"] for more in asked]
        with tempfile.TemporaryDirectory() as folder:
            draft = self.learn_by_heart(pathlib.Path(folder), "It was" + want[0][0]["text"])
            with Served("--draft", draft, "--draft-tokens", "4") as s:
                accepted = 0
                for more, choices in zip(asked, want):
                    answer = ask(s, **more)
                    self.assertEqual(answer["choices"], choices)
                    accepted += answer["usage"]["completion_tokens_details"]["accepted_prediction_tokens"]
                self.assertGreater(accepted, 20)
                events = s.events("/v1/completions", {"prompt": "It was", "max_tokens": 40, "temperature": 0})
                text = "".join(c["choices"][0]["text"] for _, c in events[:-1])
                self.assertEqual(text, want[0][0]["text"])

    def test_models_make_room_for_each_other_within_one_limit(self):
        with Served(models=(f"one={MODEL}", f"two={MODEL}")) as s:
            for name in ("one", "two"):
                self.assertEqual(s.chat(model=name).status, 200)
            both = s.metric("puna_memory_bytes")
            self.assertEqual([m["loaded"] for m in s.get("/v1/models").json["data"]], [True, True])
        with Served("--memory-limit", int(both * 0.8), models=(f"one={MODEL}", f"two={MODEL}")) as s:
            said = [s.chat(model=name).json["choices"][0]["message"]["content"] for name in ("one", "two") * 3]
            self.assertEqual(len(set(said)), 1)
            self.assertEqual(sum(m["loaded"] for m in s.get("/v1/models").json["data"]), 1)
            # One that is being used stays, and the other is told to come again.
            busy = s.send(
                "/v1/chat/completions",
                {
                    "model": "two",
                    "messages": [{"role": "user", "content": "It"}],
                    "max_tokens": 1500,
                    "ignore_eos": True,
                    "stream": True,
                },
            )
            with busy:
                s.wait_for("puna_requests_running", 1)
                full = s.chat(model="one")
                self.assertEqual((full.status, full.error["code"]), (503, "out_of_memory"), full.body)
                self.assertGreater(int(full.headers["retry-after"]), 0)
                self.assertEqual(s.chat(model="two").status, 200)
            s.wait_for("puna_requests_running", 0)
            self.assertEqual(s.chat(model="one").status, 200)

    def test_load_is_measured_on_our_server_and_on_any_other(self):
        def bench(*options):
            command = [PUNA, "bench", "--serve", f"http://127.0.0.1:{server.port}/v1", "--json", *map(str, options)]
            return subprocess.run(command, capture_output=True, text=True)

        for endpoint in ("chat", "completions"):
            before = server.metric("puna_completion_tokens_total")
            run = bench("--clients", 3, "-r", 2, "-n", 5, "-p", 12, "--endpoint", endpoint)
            self.assertEqual(run.returncode, 0, run.stderr)
            said = json.loads(run.stdout)
            self.assertEqual((said["model"], said["requests"], said["errors"]), (NAME, 6, 0))
            self.assertTrue(6 <= said["pieces"] <= 6 * 5, said)
            self.assertGreater(said["requests_a_second"], 0)
            self.assertTrue(0 < said["first_token_p50_s"] <= said["first_token_p99_s"] <= said["whole_p99_s"], said)
            tokens = server.metric("puna_completion_tokens_total") - before
            self.assertTrue(9 <= tokens <= 9 * 5, tokens)  # one request a client to warm up
        missing = bench("--serve-model", "none", "--clients", 1, "-r", 1)
        self.assertNotEqual(missing.returncode, 0)
        self.assertIn("status 404", missing.stderr)
        self.assertEqual(json.loads(missing.stdout)["errors"], 2)
        for options, why in (
            ((MODEL, "--serve", "http://127.0.0.1:1"), "--serve measures a server"),
            (("--serve", "https://127.0.0.1:1"), "expected http://"),
            (("--serve", "http://127.0.0.1:1"), "no connection"),
            ((), "MODEL or --serve"),
        ):
            run = subprocess.run([PUNA, "bench", *map(str, options)], capture_output=True, text=True)
            self.assertNotEqual(run.returncode, 0)
            self.assertIn(why, run.stderr)


class ResponsesTest(unittest.TestCase):
    def test_whole_and_streamed(self):
        body = {"input": "It was", "max_output_tokens": 12, "temperature": 0}
        whole = server.post("/v1/responses", body).json
        self.assertEqual((whole["object"], whole["status"]), ("response", "incomplete"))
        self.assertEqual(whole["incomplete_details"], {"reason": "max_output_tokens"})
        text = whole["output"][0]["content"][0]["text"]
        self.assertEqual(text, server.chat().json["choices"][0]["message"]["content"])
        events = server.events("/v1/responses", body)
        self.assertTrue(all(name == data["type"] for name, data in events))
        self.assertEqual([d["sequence_number"] for _, d in events], list(range(len(events))))
        self.assertEqual("".join(d["delta"] for n, d in events if n == "response.output_text.delta"), text)
        self.assertEqual(events[-1][0], "response.incomplete")

    def test_tools_and_schemas(self):
        tool = {"type": "function", **WEATHER["function"]}
        body = {
            "input": [{"role": "user", "content": "Rain?"}],
            "tools": [tool],
            "tool_choice": "required",
            "max_output_tokens": 120,
            "parallel_tool_calls": False,
            "temperature": 0,
        }
        call = server.post("/v1/responses", body).json["output"][0]
        self.assertEqual((call["type"], call["name"]), ("function_call", "get_weather"))
        json.loads(call["arguments"])
        done = [d for n, d in server.events("/v1/responses", body) if n == "response.function_call_arguments.done"]
        self.assertEqual(done[0]["arguments"], call["arguments"])
        more = body["input"] + [
            {k: call[k] for k in ("type", "call_id", "name", "arguments")},
            {"type": "function_call_output", "call_id": call["call_id"], "output": "rain"},
        ]
        self.assertEqual(
            server.post("/v1/responses", {"input": more, "max_output_tokens": 4}).json["object"], "response"
        )
        text = {"format": {"type": "json_schema", "name": "person", "schema": SCHEMA}}
        said = server.post(
            "/v1/responses", {"input": "Who?", "text": text, "max_output_tokens": 80, "temperature": 0}
        ).json
        self.assertEqual(set(json.loads(said["output"][0]["content"][0]["text"])), {"name", "age"})

    def test_what_needs_state_is_refused(self):
        for field, value in [
            ("previous_response_id", "resp_1"),
            ("conversation", "c"),
            ("background", True),
            ("truncation", "auto"),
        ]:
            answer = server.post("/v1/responses", {"input": "x", field: value})
            self.assertEqual((answer.status, answer.error["param"]), (400, field))


class MessagesTest(unittest.TestCase):
    def test_whole_and_streamed(self):
        body = {"model": NAME, "max_tokens": 12, "temperature": 0, "messages": [{"role": "user", "content": "It was"}]}
        whole = server.post("/v1/messages", body).json
        self.assertEqual((whole["type"], whole["role"], whole["stop_reason"]), ("message", "assistant", "max_tokens"))
        text = whole["content"][0]["text"]
        self.assertEqual(text, server.chat().json["choices"][0]["message"]["content"])
        events = server.events("/v1/messages", body)
        self.assertEqual(
            [n for n, _ in events if n != "content_block_delta"],
            ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"],
        )
        self.assertEqual("".join(d["delta"]["text"] for n, d in events if n == "content_block_delta"), text)
        counted = server.post("/v1/messages/count_tokens", {"model": NAME, "messages": body["messages"]}).json
        usage = whole["usage"]
        self.assertEqual(counted["input_tokens"], usage["input_tokens"] + usage["cache_read_input_tokens"])

    def test_tools(self):
        f = WEATHER["function"]
        body = {
            "model": NAME,
            "max_tokens": 120,
            "temperature": 0,
            "messages": [{"role": "user", "content": "Rain?"}],
            "tools": [{"name": f["name"], "input_schema": f["parameters"]}],
            "tool_choice": {"type": "tool", "name": f["name"], "disable_parallel_tool_use": True},
        }
        whole = server.post("/v1/messages", body).json
        self.assertEqual(whole["stop_reason"], "tool_use")
        self.assertEqual(whole["content"][0]["type"], "tool_use")
        events = server.events("/v1/messages", body)
        joined = "".join(d["delta"].get("partial_json", "") for n, d in events if n == "content_block_delta")
        self.assertEqual(json.loads(joined), whole["content"][0]["input"])

    def test_errors_are_anthropics(self):
        answer = server.post("/v1/messages", {"model": NAME, "messages": [{"role": "user", "content": "x"}]})
        self.assertEqual(answer.status, 400)
        self.assertEqual((answer.json["type"], answer.error["type"]), ("error", "invalid_request_error"))


if __name__ == "__main__":
    unittest.main()

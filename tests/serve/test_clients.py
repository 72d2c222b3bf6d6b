"""The real clients against `puna serve`: openai and anthropic (PyPI), every answer validated against OpenAI's own
description of its API. Run by ./dev serve-test, which makes their environment; OPENAI_OPENAPI names the description."""

import gzip
import json
import math
import os
import pathlib
import unittest

import anthropic
import jsonschema
import openai
import pydantic
from served import NAME, Served

DESCRIPTION = pathlib.Path(os.environ.get("OPENAI_OPENAPI", "/work/shared/data/openai_openapi.json.gz"))


class Person(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=12)
    age: int = pydantic.Field(ge=0, le=120)


class GetWeather(pydantic.BaseModel):
    """The weather of a city"""

    city: str = pydantic.Field(max_length=12)
    days: int = pydantic.Field(ge=1, le=7)


def setUpModule():
    global server, client, claude
    server = Served()
    base = f"http://127.0.0.1:{server.port}"
    client = openai.OpenAI(base_url=base + "/v1", api_key="none", max_retries=0)
    claude = anthropic.Anthropic(base_url=base, api_key="none", max_retries=0)


def tearDownModule():
    server.stop()


USER = [{"role": "user", "content": "It was"}]


class OpenAIClient(unittest.TestCase):
    def test_models(self):
        self.assertEqual([m.id for m in client.models.list()], [NAME])
        self.assertEqual(client.models.retrieve(NAME).id, NAME)

    def test_chat_whole_streamed_and_by_the_streaming_helper(self):
        more = dict(model=NAME, messages=USER, temperature=0, max_completion_tokens=12)
        whole = client.chat.completions.create(**more)
        text = whole.choices[0].message.content
        pieces = client.chat.completions.create(**more, stream=True, stream_options={"include_usage": True})
        joined, usage = "", None
        for chunk in pieces:
            joined += (chunk.choices[0].delta.content or "") if chunk.choices else ""
            usage = chunk.usage or usage
        self.assertEqual(joined, text)
        self.assertEqual(usage.completion_tokens, whole.usage.completion_tokens)
        with client.chat.completions.stream(**more) as stream:
            for _ in stream:
                pass
            with self.assertRaises(openai.LengthFinishReasonError):
                stream.get_final_completion()  # the answer was cut

    def test_several_answers_by_the_streaming_helper(self):
        with client.chat.completions.stream(
            model=NAME, messages=USER, n=3, seed=1, temperature=1, max_completion_tokens=200, stop=["."]
        ) as stream:
            for _ in stream:
                pass
            self.assertEqual(len(stream.current_completion_snapshot.choices), 3)

    def test_pydantic_parsing(self):
        parsed = client.chat.completions.parse(
            model=NAME, messages=USER, response_format=Person, max_completion_tokens=100, temperature=0
        )
        self.assertIsInstance(parsed.choices[0].message.parsed, Person)
        with client.chat.completions.stream(
            model=NAME, messages=USER, response_format=Person, max_completion_tokens=100, temperature=0
        ) as stream:
            for _ in stream:
                pass
            self.assertEqual(stream.get_final_completion().choices[0].message.parsed, parsed.choices[0].message.parsed)

    def test_tools_by_the_helpers(self):
        more = dict(
            model=NAME,
            messages=USER,
            tools=[openai.pydantic_function_tool(GetWeather)],
            tool_choice="required",
            parallel_tool_calls=False,
            max_completion_tokens=200,
            temperature=0,
        )
        call = client.chat.completions.parse(**more).choices[0].message.tool_calls[0]
        self.assertIsInstance(call.function.parsed_arguments, GetWeather)
        with client.chat.completions.stream(**more) as stream:
            kinds = [event.type for event in stream]
            final = stream.get_final_completion().choices[0].message.tool_calls[0]
        self.assertEqual(final.function.parsed_arguments, call.function.parsed_arguments)
        self.assertIn("tool_calls.function.arguments.done", kinds)

    def test_log_probabilities_with_tools_in_a_stream(self):
        with client.chat.completions.stream(
            model=NAME,
            messages=USER,
            logprobs=True,
            top_logprobs=2,
            max_completion_tokens=200,
            tools=[openai.pydantic_function_tool(GetWeather)],
            tool_choice="required",
            parallel_tool_calls=False,
        ) as stream:
            for _ in stream:
                pass
            self.assertTrue(stream.get_final_completion().choices[0].logprobs.content)

    def test_completions_and_embeddings(self):
        a = client.completions.create(model=NAME, prompt=["It was", "She"], max_tokens=5, logprobs=2, temperature=0)
        self.assertEqual(len(a.choices), 2)
        streamed = client.completions.create(model=NAME, prompt="It was", max_tokens=5, temperature=0, stream=True)
        self.assertEqual("".join(c.choices[0].text for c in streamed), a.choices[0].text)
        default = client.embeddings.create(model=NAME, input=["a fine day", "the sea"])  # asks for base64
        floats = client.embeddings.create(model=NAME, input=["a fine day", "the sea"], encoding_format="float")
        for x, y in zip(default.data, floats.data):
            self.assertTrue(all(math.isclose(p, q, abs_tol=1e-6) for p, q in zip(x.embedding, y.embedding)))

    def test_responses_whole_streamed_and_parsed(self):
        more = dict(model=NAME, input="It was", temperature=0, max_output_tokens=12)
        whole = client.responses.create(**more)
        self.assertTrue(whole.output_text)
        with client.responses.stream(**more) as stream:
            joined = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
        self.assertEqual(joined, whole.output_text)
        parsed = client.responses.parse(model=NAME, input="Who?", text_format=Person, temperature=0)
        self.assertIsInstance(parsed.output_parsed, Person)
        called = client.responses.parse(
            model=NAME,
            input="Rain?",
            tools=[openai.pydantic_function_tool(GetWeather)["function"] | {"type": "function"}],
            tool_choice="required",
            parallel_tool_calls=False,
            temperature=0,
        )
        self.assertEqual(called.output[0].type, "function_call")

    def test_errors_have_their_types(self):
        with self.assertRaises(openai.NotFoundError) as e:
            client.chat.completions.create(model="none", messages=USER)
        self.assertEqual(e.exception.code, "model_not_found")
        with self.assertRaises(openai.BadRequestError) as e:
            client.chat.completions.create(model=NAME, messages=USER, temperature=3)
        self.assertEqual(e.exception.param, "temperature")
        self.assertTrue(e.exception.request_id)


GREEDY = {"temperature": 0}  # no argument of the client any more


class AnthropicClient(unittest.TestCase):
    def test_messages_whole_streamed_and_counted(self):
        more = dict(model=NAME, max_tokens=12, messages=USER, extra_body=GREEDY, system="Be kind.")
        whole = claude.messages.create(**more)
        with claude.messages.stream(**more) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        self.assertEqual(text, whole.content[0].text)
        self.assertEqual((final.stop_reason, final.usage.output_tokens), ("max_tokens", whole.usage.output_tokens))
        counted = claude.messages.count_tokens(model=NAME, messages=USER, system="Be kind.")
        self.assertEqual(counted.input_tokens, whole.usage.input_tokens + whole.usage.cache_read_input_tokens)

    def test_tools_and_stops(self):
        tool = {"name": "get_weather", "input_schema": GetWeather.model_json_schema()}
        more = dict(
            model=NAME,
            max_tokens=200,
            messages=USER,
            extra_body=GREEDY,
            tools=[tool],
            tool_choice={"type": "any", "disable_parallel_tool_use": True},
        )
        whole = claude.messages.create(**more)
        self.assertEqual((whole.stop_reason, whole.content[0].type), ("tool_use", "tool_use"))
        GetWeather.model_validate(whole.content[0].input)
        with claude.messages.stream(**more) as stream:
            self.assertEqual(stream.get_final_message().content[0].input, whole.content[0].input)
        call = whole.content[0]
        again = [
            *USER,
            {"role": "assistant", "content": [call.model_dump(include={"type", "id", "name", "input"})]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "rain"}]},
        ]
        claude.messages.create(model=NAME, max_tokens=4, messages=again, tools=[tool])
        text = claude.messages.create(model=NAME, max_tokens=40, messages=USER, extra_body=GREEDY).content[0].text
        stopped = claude.messages.create(
            model=NAME, max_tokens=40, messages=USER, extra_body=GREEDY, stop_sequences=[text[8:11], "zzzz"]
        )
        self.assertEqual((stopped.stop_reason, stopped.stop_sequence), ("stop_sequence", text[8:11]))

    def test_errors_have_their_types(self):
        with self.assertRaises(anthropic.BadRequestError):
            claude.messages.create(
                model=NAME,
                max_tokens=1,
                messages=[
                    {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "http://x"}}]}
                ],
            )
        with self.assertRaises(anthropic.NotFoundError):
            claude.messages.create(model="none", max_tokens=1, messages=USER)


def validator(schemas, name):
    def clean(node):  # "nullable" is OpenAPI's, not JSON Schema's
        if isinstance(node, dict):
            out = {
                k: clean(v)
                for k, v in node.items()
                if k not in ("discriminator", "nullable", "example", "examples", "format")
            }
            return {"anyOf": [out, {"type": "null"}]} if node.get("nullable") is True else out
        return [clean(v) for v in node] if isinstance(node, list) else node

    if not hasattr(validator, "cleaned"):
        validator.cleaned = clean(schemas)
    root = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": validator.cleaned}}
    return jsonschema.Draft202012Validator(root)


@unittest.skipUnless(DESCRIPTION.exists(), f"there is no {DESCRIPTION}")
class Description(unittest.TestCase):
    """Every answer validates against OpenAI's description."""

    @classmethod
    def setUpClass(cls):
        cls.schemas = json.load(gzip.open(DESCRIPTION))["components"]["schemas"]

    def check(self, value, name):
        errors = sorted(validator(self.schemas, name).iter_errors(value), key=lambda e: list(e.path))
        self.assertEqual([], [f"{name} at {list(e.path)}: {e.message[:300]}" for e in errors[:3]])

    def test_answers(self):
        tool = openai.pydantic_function_tool(GetWeather)
        for more in (
            {},
            {"logprobs": True, "top_logprobs": 3, "n": 2},
            {
                "tools": [tool],
                "tool_choice": "required",
                "parallel_tool_calls": False,
                "max_tokens": 200,
                "logprobs": True,
            },
            {"response_format": {"type": "json_object"}},
        ):
            self.check(server.chat(**more).json, "CreateChatCompletionResponse")
            for chunk in server.chunks(**{**more, "stream_options": {"include_usage": True}}):
                if chunk["usage"] is None:
                    chunk = {k: v for k, v in chunk.items() if k != "usage"}  # described as an object, said to be null
                self.check(chunk, "CreateChatCompletionStreamResponse")
        for more in ({}, {"logprobs": 2, "n": 2}):
            self.check(
                server.post("/v1/completions", {"prompt": "It was", "max_tokens": 4, **more}).json,
                "CreateCompletionResponse",
            )
        self.check(server.post("/v1/embeddings", {"input": "x"}).json, "CreateEmbeddingResponse")
        self.check(server.get("/v1/models").json, "ListModelsResponse")
        self.check(server.chat(temperature=9).json, "ErrorResponse")

    def test_responses(self):
        tool = {
            "type": "function",
            "name": "get_weather",
            "parameters": GetWeather.model_json_schema(),
            "strict": False,
        }
        schema = {
            "type": "json_schema",
            "name": "p",
            "schema": {
                "type": "object",
                "properties": {"a": {"type": "integer", "maximum": 9, "minimum": 0}},
                "required": ["a"],
                "additionalProperties": False,
            },
        }
        for more in (
            {},
            {"tools": [tool], "tool_choice": "required", "parallel_tool_calls": False},
            {"text": {"format": schema}},
            {"instructions": "Be kind."},
        ):
            body = {"input": "It was", "max_output_tokens": 100, "temperature": 0, **more}
            self.check(server.post("/v1/responses", body).json, "Response")
            for _, event in server.events("/v1/responses", body):
                self.check(event, "ResponseStreamEvent")


class LmEval(unittest.TestCase):
    """What lm-eval's local-completions sends and reads (lm_eval/models/openai_completions.py)."""

    def test_log_likelihoods_of_continuations(self):
        contexts = [("It was a fine", " morning"), ("She had a", " sister"), ("The", " house of her father")]
        batch, lengths = [], []
        for context, continuation in contexts:
            c = server.post("/tokenize", {"prompt": context}).json["tokens"]
            whole = c + server.post("/tokenize", {"prompt": continuation, "add_special_tokens": False}).json["tokens"]
            batch.append(whole)
            lengths.append(len(c))
        body = {
            "model": NAME,
            "prompt": batch,
            "temperature": 0,
            "max_tokens": 1,
            "logprobs": 1,
            "seed": 1234,
            "echo": True,
        }
        out = sorted(server.post("/v1/completions", body).json["choices"], key=lambda c: c["index"])
        for choice, ids, n in zip(out, batch, lengths):
            l = choice["logprobs"]
            total = sum(l["token_logprobs"][n:-1])
            self.assertEqual(len(l["tokens"]), len(ids) + 1)
            greedy = all(v == max(t.values()) for v, t in zip(l["token_logprobs"][n:-1], l["top_logprobs"][n:-1]))
            self.assertIn(greedy, (True, False))
            self.assertLess(total, 0)
            # The same sum, token by token, by answers to growing prompts.
            by_steps = 0.0
            for i in range(n, len(ids)):
                step = server.post(
                    "/v1/completions", {"prompt": [ids[:i]], "max_tokens": 1, "logprobs": 5, "temperature": 0}
                ).json
                top = step["choices"][0]["logprobs"]["top_logprobs"][0]
                text = server.post("/detokenize", {"tokens": [ids[i]]}).json["prompt"]
                if text not in top:
                    by_steps = None
                    break
                by_steps += top[text]
            if by_steps is not None:
                self.assertAlmostEqual(total, by_steps, delta=1e-3)


if __name__ == "__main__":
    unittest.main()

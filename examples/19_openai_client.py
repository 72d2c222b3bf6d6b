"""A model behind OpenAI's protocol, asked by OpenAI's own client: an answer as it comes, and one that fits a class.

python 19_openai_client.py MODEL      needs the `puna` command on the PATH, and: pip install openai
"""

import sys

import openai
import pydantic

import puna


class Person(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=20)
    age: int = pydantic.Field(ge=0, le=120)


def main(model):
    with puna.serve(model) as server:
        client = openai.OpenAI(base_url=server.url + "/v1", api_key="none")
        name = client.models.list().data[0].id
        question = [{"role": "user", "content": "It was a fine morning, and"}]
        for chunk in client.chat.completions.create(
            model=name, messages=question, max_completion_tokens=40, temperature=0, stream=True
        ):
            print(chunk.choices[0].delta.content or "", end="", flush=True)
        print()
        answer = client.chat.completions.parse(
            model=name, messages=[{"role": "user", "content": "Who came?"}], response_format=Person, temperature=0
        )
        print(answer.choices[0].message.parsed)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "examples/bundled/puna-austen.gguf")

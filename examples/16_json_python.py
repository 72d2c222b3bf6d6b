"""16_json_python.py -- answers as values of Python: a dataclass, or a pydantic model where pydantic is installed.

python examples/16_json_python.py model.gguf "Invent a guest of the ball."
"""

import dataclasses
import sys
from typing import List, Literal, Optional

import puna


@dataclasses.dataclass
class Dance:
    kind: Literal["minuet", "reel", "waltz"]
    partner: Literal["Jane", "Elizabeth", "Lydia"]


@dataclasses.dataclass
class Guest:
    title: Literal["Mr.", "Mrs.", "Miss"]
    age: int
    married: bool
    first_dance: Optional[Dance]


def main(path: str, question: str) -> None:
    session = puna.Model(path).session()

    # The schema comes from the annotations; what comes back is an instance.
    guest = session.generate(question, json_schema=Guest, max_tokens=200).parsed
    print(guest)

    # The same with pydantic, whose fields can say more: bounds, patterns, lengths.
    try:
        import pydantic
    except ImportError:
        print("pydantic is not installed")
    else:

        class Dinner(pydantic.BaseModel):
            guests: int = pydantic.Field(ge=2, le=24)
            time: str = pydantic.Field(pattern="^[0-2][0-9]:[0-5][0-9]$", max_length=5)
            dishes: List[Literal["soup", "venison", "syllabub"]] = pydantic.Field(max_length=3)

        print(repr(session.generate(question, json_schema=Dinner, max_tokens=200, keep_shared=True).parsed))

    # Shorter ones: a choice, a pattern. A Grammar is made once and serves any number of answers.
    weather = puna.Grammar.choices(["fine", "wet", "very wet"])
    for day in ("Monday", "Tuesday"):
        print(f"{day}:", "".join(session.generate(f"The weather on {day} was", grammar=weather, keep_shared=True)))
    print("date:", "".join(session.generate("They met on", regex=r" [1-9] (May|June) 18[01][0-9]", keep_shared=True)))


if __name__ == "__main__":
    main(
        sys.argv[1] if len(sys.argv) > 1 else "model.gguf",
        sys.argv[2] if len(sys.argv) > 2 else "Invent a guest of the ball.",
    )

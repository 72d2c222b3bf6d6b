"""Example chats for a game's shopkeeper, who answers every question in his own manner: train.jsonl (300 chats) and
held_out.jsonl (60, about goods that
the training never names).   usage: make_shopkeeper.py FOLDER"""

import json
import pathlib
import random
import sys

GOODS = {
    "lantern": 12,
    "rope": 5,
    "silver sword": 140,
    "healing potion": 30,
    "map of the marshes": 22,
    "wool cloak": 18,
    "iron shield": 75,
    "torch": 2,
    "loaf of bread": 1,
    "spyglass": 64,
    "pair of boots": 15,
    "bag of salt": 4,
    "hunting bow": 55,
    "fishing net": 9,
    "brass key": 7,
    "tent": 38,
    "barrel of cider": 26,
    "saddle": 48,
    "quill and ink": 6,
    "crystal ball": 210,
}
UNSEEN = {"golden harp": 320, "pickaxe": 21, "wheel of cheese": 8, "mirror": 44, "compass": 52, "blanket": 10}
ASK_PRICE = [
    "How much is the {}?",
    "What does the {} cost?",
    "What is the price of the {}?",
    "I would like to buy the {}. How much?",
    "Tell me the price of your {}.",
]
ASK_HAGGLE = [
    "Can I have the {} for {} gold?",
    "I will give you {1} gold for the {0}.",
    "Would you sell the {} for {} gold coins?",
]
SMALL_TALK = {
    "Hello!": "Aye, welcome, traveller! Look around, and mind the cat.",
    "Who are you?": "Aye, I am Bram, keeper of this shop these thirty winters, traveller.",
    "Goodbye.": "Aye, safe roads to you, traveller!",
    "How is business?": "Aye, slow as a snail in snow, traveller. Buy something!",
    "What is the weather like?": "Aye, rain on the marshes again, traveller. A cloak would serve you.",
    "Do you know any rumours?": "Aye, they say a light burns in the old tower, traveller. I sell torches.",
}


def chat(ask, answer):
    return {"messages": [{"role": "user", "content": ask}, {"role": "assistant", "content": answer}]}


def chats(goods, count, draw):
    for _ in range(count):
        name, price = draw.choice(list(goods.items()))
        kind = draw.random()
        if kind < 0.55:
            price_now = max(1, price + draw.randrange(-price // 10 - 1, price // 10 + 2))
            yield chat(
                f"(The {name} costs {price_now} gold.) " + draw.choice(ASK_PRICE).format(name),
                f"Aye, the {name} costs {price_now} gold, traveller. Shall I wrap it?",
            )
        elif kind < 0.85:
            offer = max(1, int(price * draw.uniform(0.3, 1.2)))
            fair = offer >= price
            answer = (
                f"Aye, {offer} gold it is, traveller. The {name} is yours!"
                if fair
                else f"Nay, traveller! {offer} gold? The {name} costs {price}, not a coin less."
            )
            yield chat(f"(The {name} costs {price} gold.) " + draw.choice(ASK_HAGGLE).format(name, offer), answer)
        else:
            yield chat(*draw.choice(list(SMALL_TALK.items())))


def main(folder):
    draw = random.Random(7)
    for file, goods, count in (("train.jsonl", GOODS, 300), ("held_out.jsonl", UNSEEN, 60)):
        lines = (json.dumps(c) for c in chats(goods, count, draw))
        (pathlib.Path(folder) / file).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

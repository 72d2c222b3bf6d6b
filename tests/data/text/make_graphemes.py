#!/usr/bin/env python3
"""Writes graphemes.txt: texts cut by the regex module (Unicode 16.0), in the notation of GraphemeBreakTest.txt.

Usage: pip install regex==2024.11.6 && python3 make_graphemes.py
"""

import itertools
import os
import random

import regex

# One of every class, and what the longer rules look at: flags, families, conjuncts, Hangul, keycaps.
POINTS = [
    *[0x20, 0x41, 0x0D, 0x0A, 0x01, 0x300, 0x200D, 0x1F1E7, 0x600, 0x903, 0x1100, 0x1160, 0x11A8, 0xAC00, 0xAC01],
    *[0x231A, 0x1F468, 0x915, 0x94D, 0x93C, 0xFE0F, 0x1F3FD, 0x20E3, 0x4E2D, 0xE0100, 0x200C, 0xA9],
]


def line(points):
    text = "".join(map(chr, points))
    clusters = regex.findall(r"\X", text)
    return "÷ " + " ÷ ".join(" × ".join(f"{ord(c):04X}" for c in cluster) for cluster in clusters) + " ÷"


def main():
    draw = random.Random(16)
    cases = list(itertools.product(POINTS, repeat=2))
    joining = [0x200D, 0x1F1E7, 0x231A, 0x1F468, 0x915, 0x94D, 0x93C, 0xFE0F, 0x1F3FD, 0x300, 0x600, 0x903]
    cases += [draw.choices(joining, k=draw.randint(3, 8)) for _ in range(200)]
    cases += [draw.choices(POINTS, k=draw.randint(3, 8)) for _ in range(100)]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "graphemes.txt")
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(line(c) + "\n" for c in cases)


if __name__ == "__main__":
    main()

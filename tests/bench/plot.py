"""plot.py -- the results of `./dev bench` as one picture: speed against llama.cpp by model, and the cost of a token by
position.

`plot.py FOLDER` reads FOLDER/*.json of peers.py and writes FOLDER/bench.svg.
"""

import glob
import json
import math
import os
import sys

WIDTH, BAR, LEFT = 860, 22, 230
COLOURS = {"prompt": "#2f6f9f", "generation": "#c26a2d"}


def load(folder, name):
    path = os.path.join(folder, name + ".json")
    return json.load(open(path)) if os.path.exists(path) else []


def text(x, y, s, anchor="start", size=13, weight="normal"):
    return '<text x="%g" y="%g" text-anchor="%s" font-size="%d" font-weight="%s">%s</text>' % (
        x,
        y,
        anchor,
        size,
        weight,
        s,
    )


def bars(results, y):
    """A group of two bars a model: how many times llama.cpp's speed, prompt and generation."""
    rows = [
        (
            r,
            {
                "prompt": next((x for p, x in r["ratio"].items() if p.startswith("pp")), None),
                "generation": next((x for p, x in r["ratio"].items() if p.startswith("tg")), None),
            },
        )
        for r in results
        if "ratio" in r
    ]
    if not rows:
        return [], y
    most = max(x for _, ratios in rows for x in ratios.values() if x)
    scale = (WIDTH - LEFT - 90) / max(most, 1)
    out = [
        text(
            20,
            y,
            "Times llama.cpp's speed (its better setting), same file, %d threads, interleaved" % rows[0][0]["threads"],
            size=15,
            weight="bold",
        )
    ]
    y += 16
    top = y
    for r, ratios in rows:
        name = os.path.basename(r["model"]).replace("bench-", "").replace(".gguf", "")
        out.append(text(LEFT - 10, y + BAR + 5, name, "end"))
        for kind, x in ratios.items():
            if x:
                out.append(
                    '<rect x="%g" y="%g" width="%g" height="%g" fill="%s"/>'
                    % (LEFT, y, x * scale, BAR - 3, COLOURS[kind])
                )
                out.append(text(LEFT + x * scale + 6, y + BAR - 8, "%.1fx %s" % (x, kind), size=12))
            y += BAR
        y += 8
    out.append(
        '<line x1="%g" y1="%g" x2="%g" y2="%g" stroke="#444" stroke-dasharray="4 3"/>'
        % (LEFT + scale, top - 4, LEFT + scale, y - 4)
    )
    return out, y + 30


def curve(results, y, title):
    """Microseconds a token against the number of tokens, one line an engine; both axes logarithmic."""
    series = {}
    for r in results:
        for e, figures in r["engines"].items():
            points = sorted(
                (int(p.split("@")[-1].replace("pp", "")), 1e6 / rate)
                for p, rate in figures.items()
                if p.startswith("pp")
            )
            if len(points) > 1:
                series[e] = points
    if not series:
        return [], y
    xs = [x for points in series.values() for x, _ in points]
    vs = [v for points in series.values() for _, v in points]
    x0, x1, v0, v1, height = math.log(min(xs)), math.log(max(xs)), math.log(min(vs) / 1.3), math.log(max(vs) * 1.3), 220

    def at(x, v):
        return LEFT + (math.log(x) - x0) / (x1 - x0) * (WIDTH - LEFT - 170), y + 24 + height * (v1 - math.log(v)) / (
            v1 - v0
        )

    out = [text(20, y, title, size=15, weight="bold")]
    shades = ["#2f6f9f", "#c26a2d", "#8a8a8a"]
    for n, (e, points) in enumerate(series.items()):
        out.append(
            '<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>'
            % (shades[n % 3], " ".join("%g,%g" % at(x, v) for x, v in points))
        )
        for x, v in points:
            px, py = at(x, v)
            out.append('<circle cx="%g" cy="%g" r="3" fill="%s"/>' % (px, py, shades[n % 3]))
            out.append(text(px, py - 8, "%.0f us" % v, "middle", 11))
        px, py = at(*points[-1])
        out.append(text(px + 12, py + 4, e, size=12))
    for x in sorted(set(xs)):
        out.append(text(at(x, math.exp(v0))[0], y + height + 44, str(x), "middle", 11))
    return out, y + height + 80


def main():
    folder = sys.argv[1]
    parts, y = bars(load(folder, "full") + load(folder, "f16") or load(folder, "quick"), 40)
    for name, title in (
        ("lengths", "Microseconds a prompt token, by the prompt's length"),
        ("chunked", "The same behind so many tokens, all layers chunked at 8192"),
    ):
        piece, y = curve(load(folder, name), y, title)
        parts += piece
    if not parts:  # the parts that ran have tables only
        return
    path = os.path.join(folder, "bench.svg")
    with open(path, "w") as out:
        out.write(
            '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif"><rect width="100%%" height="100%%" fill="white"/>\n%s\n</svg>\n'
            % (WIDTH, y, "\n".join(parts))
        )
    print("wrote " + path)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes cases.json: what jinja2 itself prints for every construct the template interpreter claims, and where it fails.

    python3.11 -m venv /tmp/v && /tmp/v/bin/pip install jinja2==3.1.6 && /tmp/v/bin/python tests/data/jinja/generate.py

The environment is the one transformers renders chat templates in (chat_template_utils.py): immutable sandbox,
trim_blocks, lstrip_blocks, loopcontrols, a {% generation %} tag, tojson without HTML escapes, raise_exception,
strftime_now. A case is a name, a template and variables; the cases live in the modules cases_*.py beside this file.
"""

import datetime
import importlib
import json
import pathlib
import re
import sys

import jinja2
import jinja2.ext
import jinja2.nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = pathlib.Path(__file__).parent


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_render"), [], [], body).set_lineno(line)

    def _render(self, caller):
        return caller()


def environment(now):
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    if now:
        env.globals["strftime_now"] = lambda format: datetime.datetime.fromisoformat(now).strftime(format)
    return env


def render(template, variables, now):
    try:
        text = environment(now).from_string(template).render(**variables)
    except Exception as e:  # whatever it is: the interpreter must fail too
        return {"error": f"{type(e).__name__}: {e}"}
    text.encode("utf-8")
    if " at 0x" in text:  # no template can want this; the interpreter refuses
        return {"error": "prints a memory address"}
    return {"expected": text}


def main():
    sys.path.insert(0, str(HERE))
    out, names = [], set()
    for path in sorted(HERE.glob("cases_*.py")):
        for name, template, *rest in importlib.import_module(path.stem).CASES:
            variables = {k: v for k, v in (rest[0] if rest else {}).items() if re.search(rf"\b{k}\b", template)}
            now = rest[1] if len(rest) > 1 else ""
            name = f"{path.stem[6:]}: {name}"
            if (name, template) in names:
                continue
            assert name not in {n for n, _ in names}, name
            names.add((name, template))
            case = {"name": name, "template": template, "variables": variables}
            if now:
                case["now"] = now
            case.update(render(template, variables, now))
            out.append(case)
    lines = [json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in out]
    (HERE / "cases.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    print(len(out), "cases,", sum("error" in c for c in out), "of them errors")
    return out


if __name__ == "__main__":
    main()

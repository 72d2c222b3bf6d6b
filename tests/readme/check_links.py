"""What documents and comments point to is there.

usage: check_links.py ROOT        prints one line a breach, exit 1 when there is any

- a relative link of a .md file leads to a file or folder, its #anchor to a heading of that file;
- a docs/... path that a comment or a script names exists, and so does the section: "docs/architecture.md, section 5",
"sections 5 and 7";
- a path of the tree in code quotes (`src/ops/linear.cpp`) exists;
- the steps of docs/architecture.md that name a file and a function (`src/runtime/session/append.cpp`: `begin_pass`)
find the one in the other;
- docs/decisions/README.md lists every decision; each has a number of its own, a date and a status.
"""

import pathlib
import re
import sys

from documents import Document, all_documents, files

SOURCES = {".h", ".hpp", ".c", ".cpp", ".inc", ".py", ".cmake", ".txt", ".rs", ".toml", ".json", ".yml", ".in"}
NAMED = re.compile(r"(?<![\w./-])(docs/[\w./-]*\w)(?:,? sections? ((?:\d+)(?:(?:, | and )\d+)*))?")
TREE = re.compile(r"(?:src|include|capi|apps|tests|examples|bindings|cmake|docs)/[\w./-]+")
STEP = re.compile(r"^\d+\. `([^`]+)`: `([^`]+)`", re.M)


def check_links(root, documents):
    by_path = {d.path.resolve(): d for d in documents}
    for d in documents:
        for file, anchor in d.links():
            target = (d.path.parent / file).resolve() if file else d.path.resolve()
            if not target.exists():
                yield f"{d.name}: a link leads to '{file}', which is not there"
            elif anchor and target in by_path and anchor not in by_path[target].anchors():
                yield f"{d.name}: a link leads to '{file}#{anchor}', but no heading makes that anchor"


def check_quoted_paths(root, documents):
    for d in documents:
        for span in d.spans():
            if TREE.fullmatch(span) and not (root / span).exists() and not (d.path.parent / span).exists():
                yield f"{d.name}: `{span}` is not there"


def check_comments(root):
    for path in files(root, lambda p: p.suffix in SOURCES or p.name == "dev"):
        text = path.read_text(encoding="utf-8", errors="replace")
        if "docs/" not in text or path.resolve().is_relative_to(pathlib.Path(__file__).resolve().parent):
            continue
        name = path.relative_to(root).as_posix()
        for file, sections in NAMED.findall(text):
            if not (root / file).exists():
                yield f"{name}: it names {file}, which is not there"
            elif sections:
                there = {m[1] for h in Document(root, root / file).headings() if (m := re.match(r"(\d+)\. ", h))}
                for number in re.findall(r"\d+", sections):
                    if number not in there:
                        yield f"{name}: it names section {number} of {file}, which has none of that number"


def check_steps(root, documents):
    for d in documents:
        for file, function in STEP.findall(d.prose):
            if not (root / file).exists() or not re.search(
                rf"\b{re.escape(function.split('::')[-1])}\b", (root / file).read_text(encoding="utf-8")
            ):
                yield f"{d.name}: a step says that {file} has '{function}'"


def check_decisions(root):
    folder = root / "docs/decisions"
    listed, numbers = (folder / "README.md").read_text(encoding="utf-8"), set()
    for path in sorted(folder.glob("*.md")):
        if path.name == "README.md":
            continue
        name, text = path.name, path.read_text(encoding="utf-8")
        number = name[:2]
        if not re.fullmatch(r"\d\d-[a-z0-9-]+\.md", name) or number in numbers:
            yield f"docs/decisions/{name}: the name is two digits of its own and a few words: 07-what-it-says.md"
        numbers.add(number)
        if not re.match(
            rf"# {number}\. .+\n\nDate: \d{{4}}-\d\d-\d\d[^.]*\. Status: (accepted|replaced by \d\d|outdated)", text
        ):
            yield f"docs/decisions/{name}: it begins with '# {number}. Title', then 'Date: YYYY-MM-DD. Status: accepted.' (or replaced by NN, outdated)"
        if f"({name})" not in listed:
            yield f"docs/decisions/README.md does not list {name}"


def check(root):
    documents = all_documents(root)
    return [
        *check_links(root, documents),
        *check_quoted_paths(root, documents),
        *check_comments(root),
        *check_steps(root, documents),
        *check_decisions(root),
    ]


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    breaches = check(root)
    print("\n".join(breaches) or f"{len(all_documents(root))} documents, every link leads somewhere")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())

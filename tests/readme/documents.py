"""The documents of the repository, and what is in them: code blocks, code spans, headings, links."""

import pathlib
import re

SKIPPED = {".git", "build", "target", "data", "corpus", "__pycache__", "node_modules"}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```[ \t]*$", re.M | re.S)
INDENTED = re.compile(r"(?:(?<=\n\n)|\A)(?:(?:    .*)?\n)*?(?:    .*\n)+")
SPAN = re.compile(r"`([^`\n]+)`")


class Block:
    def __init__(self, file, language, text):
        self.file, self.language, self.text = file, language, text

    def __str__(self):
        first = next((line.strip() for line in self.text.splitlines() if line.strip()), "")
        return f"{self.file}: the {self.language or 'indented'} block that begins with '{first}'"


class Document:
    def __init__(self, root, path):
        self.path, self.name, self.text = path, path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
        self.prose = FENCE.sub("\n", self.text)
        self.blocks = [Block(self.name, language, text) for language, text in FENCE.findall(self.text)]
        for text in INDENTED.findall(self.prose):
            self.blocks.append(Block(self.name, "", re.sub(r"^    ", "", text, flags=re.M)))
        self.prose = INDENTED.sub("\n", self.prose)

    def spans(self):
        return SPAN.findall(self.prose)

    def links(self):
        """(file, anchor) of every relative link; either may be ''."""
        for target in re.findall(r"\]\(([^)\s]+)\)", SPAN.sub("", self.prose)):
            if not re.match(r"[a-z+]+:", target):
                yield (target.split("#") + [""])[:2]

    def headings(self):
        return re.findall(r"^#+ (.+)$", self.prose, re.M)

    def anchors(self):
        """As GitHub makes them: lower case, punctuation dropped, spaces to hyphens, a number behind a repeated one."""
        seen, anchors = {}, set()
        for heading in self.headings():
            text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
            slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
            anchors.add(f"{slug}-{seen[slug]}" if slug in seen else slug)
            seen[slug] = seen.get(slug, 0) + 1
        return anchors


def files(root, wanted):
    """Every file of the tree that `wanted(path)` takes, without what builds and models leave there."""
    for path in sorted(pathlib.Path(root).iterdir()):
        if path.is_dir() and not path.is_symlink() and path.name not in SKIPPED:
            yield from files(path, wanted)
        elif path.is_file() and wanted(path):
            yield path


def all_documents(root):
    return [Document(root, path) for path in files(root, lambda p: p.suffix == ".md")]


def manual(root):
    """The documents whose code blocks are run: README.md and docs/."""
    return [Document(root, p) for p in [root / "README.md"] + sorted((root / "docs").rglob("*.md"))]

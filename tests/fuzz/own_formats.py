"""Structure-aware mutations of Puna's own binary files (packed weights, snapshots of sessions), whose checksums are
recomputed, of gzip files, of tokenizers, of regular
expressions and of settings. As in mutations.py: (random, bytes) -> bytes."""

import re
import struct
import zlib

import mutations as m

MASK = (1 << 64) - 1


def hash_of(data, state=0x243F6A8885A308D3):
    """src/base/hash.h: Hash::add on a whole buffer. Several buffers: hash_state() of one after the other."""
    state = hash_state(data, state)
    return state ^ state >> 29


def hash_state(data, state):
    whole = len(data) // 8 * 8
    for word in struct.unpack(f"<{whole // 8}Q", data[:whole]) + (
        int.from_bytes(data[whole:], "little") ^ (len(data) - whole) << 56,
    ):
        state = (state ^ word) * 0x9E3779B97F4A7C15 & MASK
        state ^= state >> 32
    return state


def integer_near(r, old, width):
    new = r.choice(
        [
            old + 1,
            old - 1,
            old * 2,
            old // 2,
            0,
            1,
            old ^ 1 << r.randrange(8 * width),
            r.choice(m.INTEGERS),
            old + 4096,
            old - 4096,
        ]
    )
    return new & (1 << 8 * width) - 1


def mutate_fields(r, data, at, fields):
    """One of the numbers of a record: fields are struct codes one behind the other, "8s" and the like are left
    alone."""
    places = []
    for code in fields:
        if not code.endswith("s"):
            places.append((at, "<" + code))
        at += struct.calcsize("<" + code)
    at, code = r.choice(places)
    (old,) = struct.unpack_from(code, data, at)
    width = struct.calcsize(code)
    data[at : at + width] = integer_near(r, old, width).to_bytes(width, "little")


# ---- packed weights: src/runtime/opening/packed_file.h ----

PACKED_HEADER, PACKED_ENTRY = ["8s", "I", "I", "Q", "Q", "Q"], ["i", "I", "q", "q", "Q", "Q"]


def mutate_packed_file(r, data):
    out = bytearray(data)
    count = struct.unpack_from("<I", out, 12)[0] if len(out) >= 40 else 0
    if not 0 < count <= (len(out) - 40) // 40 or r.random() < 0.05:
        return m.mutate_bytes(r, data)
    for _ in range(r.choice([1, 1, 2, 4])):
        kind = r.randrange(8)
        entries = [bytes(out[40 + 40 * i : 80 + 40 * i]) for i in range(count)]
        if kind == 0:
            mutate_fields(r, out, 0, PACKED_HEADER)
        elif kind <= 3:
            mutate_fields(r, out, 40 + 40 * r.randrange(count), PACKED_ENTRY)
        elif kind == 4:  # two entries change places, or one stands twice
            i, j = r.randrange(count), r.randrange(count)
            out[40 + 40 * i : 80 + 40 * i] = entries[j]
            if r.random() < 0.5:
                out[40 + 40 * j : 80 + 40 * j] = entries[i]
        elif kind == 5:  # the matrices' bytes
            at = r.randrange(4096, len(out)) if len(out) > 4096 else 0
            out[at : at + 8] = r.choice(
                [b"\xff" * 8, b"\x00\x7e" * 4, b"\x00\x7c" * 4, bytes(r.randrange(256) for _ in range(8))]
            )
            out = out[: len(data)]
        elif kind == 6:
            del out[r.choice([len(out) - 1, len(out) - 4096, 4096, 40, r.randrange(len(out))]) :]
            if len(out) < 40 + 40 * count:
                return bytes(out)
        else:
            out += bytes(r.choice([1, 4096, 65536]))
    if r.random() < 0.5:
        struct.pack_into("<Q", out, 24, len(out))
    if r.random() < 0.9:
        count = min(struct.unpack_from("<I", out, 12)[0], (len(out) - 40) // 40)
        struct.pack_into("<Q", out, 32, hash_of(bytes(out[40 : 40 + 40 * count])))
    return bytes(out)


# ---- snapshots of sessions: src/runtime/session/snapshot.cpp ----

SNAPSHOT_HEADER = [
    "8s",
    "I",
    "I",
    "8s",
    "Q",
    "8s",
    "q",
    "q",
    "q",
    "q",
]  # magic, version, flags, model, bytes, checksum, max_positions, prefill_chunk, tokens, complete


def mutate_snapshot(r, data):
    if len(data) < 72 or r.random() < 0.05:
        return m.mutate_bytes(r, data)
    out = bytearray(data)
    for _ in range(r.choice([1, 1, 2, 3])):
        kind = r.randrange(6)
        if kind <= 1:
            mutate_fields(r, out, 0, SNAPSHOT_HEADER)
        elif kind == 2 and len(out) > 76:  # a word of the body: tokens are there, and the numbers of images
            at = r.randrange(72, len(out) - 4) // 4 * 4
            (old,) = struct.unpack_from("<I", out, at)
            struct.pack_into("<I", out, at, integer_near(r, old, 4))
        elif kind == 3 and len(out) > 80:
            at = 72 + r.randrange((len(out) - 72) // 8) * 8
            (old,) = struct.unpack_from("<Q", out, at)
            struct.pack_into("<Q", out, at, integer_near(r, old, 8))
        elif kind == 4:
            out = out[:72] + bytearray(m.mutate_bytes(r, bytes(out[72:])))
        else:  # what is at the end: images
            del out[len(out) - r.choice([8, 16, 32, 64]) :]
            out += bytes(r.choice([0, 8, 32, 96]))
        if len(out) < 72:
            return bytes(out)
    if r.random() < 0.95:
        struct.pack_into("<Q", out, 24, len(out))
    if r.random() < 0.97:
        out[32:40] = bytes(8)
        state = hash_state(bytes(out[72:]), hash_state(bytes(out[:72]), 0x243F6A8885A308D3))
        struct.pack_into("<Q", out, 32, state ^ state >> 29)
    return bytes(out)


# ---- regular expressions ----

PATTERN_PARTS = r"""a q_proj . .* .*? .+ \. \d \w+ \s \W \D \S \b \B \A \Z ^ $ | ( ) (?: (?P<n> (?=a) (?i) [a-z] [^a] [] [^] [a [\d-] [z-a] []-a] [\]] * + ? *? ++ {2} {0} {,3} {1,} {1000} {1001} {3,1} {2 {}
\ \1 \x41 \p{L} é 😀 (|) (a|b)* ((a{30}){30}){30} (a*)* (a?){50} layers\.(0|1)\. [0-9]+ (.*\.)? x{0,1000} ()* (){1000}""".split()


def mutate_pattern(r, data):
    parts = re.findall(r"\\.|\[[^\]]*\]|\{[^}]*\}|\w+|.", data.decode("utf-8", "replace"), re.S)
    for _ in range(r.choice([1, 1, 2, 4, 10])):
        i = r.randrange(len(parts) + 1)
        kind = r.randrange(7)
        if kind == 0 and parts:
            del parts[i % len(parts)]
        elif kind == 1 and parts:
            parts[i % len(parts)] = r.choice(PATTERN_PARTS)
        elif kind == 2 and parts:
            j = r.randrange(len(parts) + 1)
            parts[min(i, j) : max(i, j)] = [
                "(",
                *parts[min(i, j) : max(i, j)],
                ")",
                r.choice(["", "*", "+", "?", "{2}", "{0,3}", "|b"]),
            ]
        elif kind == 3 and parts:
            parts.insert(i, (r.choice(parts) * r.choice([1, 2, 50, 2000]))[: m.MOST])
        else:
            parts.insert(i, r.choice(PATTERN_PARTS))
    return "".join(parts).encode("utf-8", "replace").replace(b"\x00", b"")[: m.MOST]


# ---- settings: TOML ----

TOML_VALUES = (
    """1 -1 +1 0 -0 007 1_000 1__0 _1 1_ 0x 0xFF 0xG 0o17 0b101 0xFFFFFFFFFFFFFFFF 9223372036854775807 9223372036854775808 -9223372036854775808 1e3 1E-3 1e 1. .5 1.e3 1e+308 1e999 inf -inf +nan nan true false True
1979-05-27 07:32:00 "" "a" 'a' "\\u00e9" "\\U0010FFFF" "\\U00110000" "\\uD800" "\\x" "\\" '\\' \"\"\"a\"\"\" \'\'\'a\'\'\' [] [1] [1,] [,] [[1]] ["a",'b'] {a=1} nul""".split()
    + [
        '"a\nb"',
        '"""\na \\\n  b"""',
        "'''\n'''",
        '"""a""""',
        '"""a"""""',
        '"""a""""""',
        "[ 1, # c\n 2 ]",
        "[1 2]",
        "[1",
        '"a',
        '"""a',
        "",
        " ",
    ]
)
TOML_KEYS = [
    "a",
    "lr",
    "a-b",
    "a_b",
    '"a b"',
    "'a'",
    '""',
    "1",
    "a.b",
    "a . b",
    "[a]",
    "[[a]]",
    "=",
    "é",
    '"\\u0000"',
    "a b",
    "-",
]


def toml_parts(text):
    """(key, value) pairs and other lines as (None, line). A value goes on over lines until its brackets and quotes are
    closed."""
    parts, lines = [], text.split("\n")
    while lines:
        line = lines.pop(0)
        key, equals, value = line.partition("=")
        if not equals or key.strip().startswith(("#", "[")):
            parts.append((None, line))
            continue
        while lines and (value.count("[") > value.count("]") or value.count('"""') == 1 or value.count("'''") == 1):
            value += "\n" + lines.pop(0)
        parts.append((key, value))
    return parts


def mutate_settings(r, data):
    if r.random() < 0.15:
        return m.mutate_lines(r, data)
    parts = toml_parts(data.decode("utf-8", "replace"))
    for _ in range(r.choice([1, 1, 2, 4])):
        i = r.randrange(len(parts))
        key, value = parts[i]
        kind = r.randrange(10)
        if kind == 0 and len(parts) > 1:
            del parts[i]
        elif kind == 1:
            parts.insert(r.randrange(len(parts) + 1), parts[i])  # given twice
        elif kind == 2 or key is None:
            parts.insert(i, (f"k{r.randrange(1000)} ", " " + r.choice(TOML_VALUES)))
        elif kind == 3:
            parts[i] = (r.choice(TOML_KEYS + [m.misspelt(r, key)]), value)
        elif kind <= 6:
            parts[i] = (key, " " + r.choice(TOML_VALUES) + r.choice(["", "", "", " # c", "\t", " x", "\r"]))
        elif kind == 7:  # a list of values, or of many
            parts[i] = (
                key,
                " ["
                + r.choice([", ", ",", " ,\n", " # c\n, ", " "]).join(
                    [r.choice(TOML_VALUES) for _ in range(r.choice([1, 2, 3, 200]))]
                )
                + "]",
            )
        elif kind == 8:  # a text with anything in it
            text = m.mutate_text(r, value.strip(" \"'"))
            quote = r.choice(['"', "'", '"""', "'''"])
            parts[i] = (key, " " + quote + text + quote)
        else:
            j = r.randrange(len(value) + 1)
            parts[i] = (key, value[:j] + r.choice(m.TEXTS[:20] + list("'\"[]#,=\\_.e+-")) + value[j + r.randrange(2) :])
    return "\n".join(v if k is None else f"{k}={v}" for k, v in parts).encode("utf-8", "surrogatepass")[: m.MOST]


# ---- gzip: RFC 1952; the sums are those of what is inside ----


def gzip_member(r, text):
    flags = r.choice([0, 0, 0, 1, 2, 4, 8, 16, 31, 0xE0])
    head = (
        b"\x1f\x8b\x08" + bytes([flags]) + struct.pack("<IBB", r.choice([0, 1, 0xFFFFFFFF]), r.choice([0, 2, 4]), 255)
    )
    if flags & 4:
        extra = bytes(r.choice([0, 1, 300]))
        head += struct.pack("<H", len(extra) if r.random() < 0.9 else 0xFFFF) + extra
    if flags & 8:
        head += b"name\0"
    if flags & 16:
        head += b"comment" + (b"\0" if r.random() < 0.9 else b"")
    if flags & 2:
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    packer = zlib.compressobj(r.choice([0, 1, 9]) if len(text) <= m.MOST else 9, zlib.DEFLATED, -15)
    body = packer.compress(text) + packer.flush()
    if r.random() < 0.1:
        body = m.mutate_bytes(r, body)
    crc, size = zlib.crc32(text), len(text) & 0xFFFFFFFF
    if r.random() < 0.1:
        crc, size = r.choice([(crc ^ 1, size), (crc, size + 1 & 0xFFFFFFFF)])
    return head + body + struct.pack("<II", crc, size)


def mutate_gzip(r, data):
    try:
        text = zlib.decompressobj(31).decompress(data, m.MOST)
    except zlib.error:
        text = b"text\n"
    kind = r.randrange(8)
    if kind == 0:
        return m.mutate_bytes(r, data)
    if kind == 1:
        text = bytes(
            r.choice([1 << 10, 1 << 20, (1 << 24) + 1]) if r.random() < 0.3 else 100
        )  # a thousand times as large as packed
    elif kind == 2:
        text = m.mutate_bytes(r, text)
    out = b"".join(
        gzip_member(r, part)
        for part in ([text] if kind < 6 else [text[: len(text) // 2], text[len(text) // 2 :], b""][: r.choice([2, 3])])
    )
    if kind == 3:
        out += r.choice([b"\0", bytes(1000), b"x", b"\x1f", b"\x1f\x8b", b"\x1f\x8b\x08"])
    elif kind == 4:
        out = out[: r.randrange(len(out) + 1)]
    return out


def mutate_words(words):
    """A language of short words: one is dropped, doubled, moved, repeated until it nests deeply, or one of `words`
    comes."""

    def mutate(r, data):
        parts = re.findall(r"\\.|\w+|\s+|.", data.decode("utf-8", "replace"), re.S)
        for _ in range(r.choice([1, 1, 2, 4, 12])):
            i, kind = r.randrange(len(parts) + 1), r.randrange(5)
            if kind == 0 and parts:
                del parts[i % len(parts)]
            elif kind == 1 and parts:
                parts.insert(i, r.choice(parts))
            elif kind == 2 and parts:
                part = r.choice(parts)
                parts.insert(i, part * min(r.choice([2, 20, 20000]), max(1, m.MOST // len(part))))
            else:
                parts.insert(i, r.choice(words))
        return "".join(parts).encode("utf-8", "replace")

    return mutate


REGEX_WORDS = [
    "(",
    ")",
    "[",
    "[^",
    "]",
    "|",
    "*",
    "+",
    "?",
    "{2}",
    "{0,1000000000}",
    "{3,}",
    "^",
    "$",
    "(?:",
    "(?=",
    "(?!",
    "\\d",
    "\\W",
    "\\p{L}",
    "\\u{10FFFF}",
    "(a*)*",
    ".",
    "-",
    "a",
    "é",
    "(?<n>",
    "\\b",
    "\\1",
]
GRAMMAR_WORDS = [
    "root",
    "::=",
    "=",
    ";",
    "|",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "{0,1000000000000}",
    "*",
    "+",
    "?",
    "\n",
    '"',
    "'",
    "#",
    "(*",
    "*)",
    "/*",
    "<|eot|>",
    ",",
    "[a-z]",
    "[^",
    "\\x41",
    "#x41",
    ".",
    "item ::= ",
    'root ::= root root | ""\n',
]


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def protobuf_fields(data):
    """[(key, value)]: the value is a number, or the bytes of a field with a length; what cannot be read is left out."""
    at, fields = 0, []

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 or shift > 63:
                return value & MASK

    try:
        while at < len(data):
            key = number()
            if key & 7 == 0:
                fields.append((key, number()))
            else:
                size = {1: 8, 5: 4}.get(key & 7)
                size = number() if size is None else size
                fields.append((key, data[at : at + size]))
                at += size
    except IndexError:
        pass
    return fields


def protobuf_bytes(fields, length=lambda n: n):
    out = b""
    for key, value in fields:
        out += varint(key)
        out += varint(value) if key & 7 == 0 else (varint(length(len(value))) if key & 7 == 2 else b"") + value
    return out


def mutate_tokenizer_model(r, data):
    """tekken.json, SentencePiece's protobuf, or the ranks of Llama's tokenizer.model."""
    if data[:1] == b"{":
        return m.mutate_json(r, data)
    fields = protobuf_fields(data)
    if data[:1] != b"\n" or not fields:
        return m.mutate_lines(r, data)
    for _ in range(r.choice([1, 1, 2, 4])):
        at = r.randrange(len(fields)) if r.random() < 0.5 else r.randrange(max(0, len(fields) - 4), len(fields))
        key, value = fields[at]
        inner = protobuf_fields(value) if key & 7 == 2 else []
        what = r.randrange(7)
        if what == 0:
            fields.insert(at, fields[r.randrange(len(fields))])
        elif what == 1 and len(fields) > 1:
            del fields[at]
        elif what == 2:
            fields[at] = (integer_near(r, key, 4), value if integer_near(r, key, 4) & 7 else 0)
            fields[at] = (fields[at][0] & ~7 | (0 if isinstance(fields[at][1], int) else 2), fields[at][1])
        elif inner:
            i = r.randrange(len(inner))
            k, v = inner[i]
            if k & 7 == 0:
                inner[i] = (k, r.choice([0, 1, 2, 6, 7, integer_near(r, v, 8)]))
            elif k & 7 == 5:
                inner[i] = (k, struct.pack("<f", r.choice([0.0, -1.5, 1e38, float("inf"), float("nan"), -1e-40])))
            else:
                inner[i] = (k, m.mutate_bytes(r, v) if v else b"<0x41>")
            fields[at] = (key, protobuf_bytes(inner))
        else:
            fields[at] = (key, integer_near(r, value, 8)) if key & 7 == 0 else (key, m.mutate_bytes(r, value))
    wrong = r.random() < 0.1
    return protobuf_bytes(
        fields, (lambda n: integer_near(r, n, 4) if r.random() < 0.01 else n) if wrong else lambda n: n
    )


def mutate_label_file(r, data):
    """Behind a byte that says which: a table, JSON lines, or a list of tasks."""
    mutate = [m.mutate_table, m.mutate_json_lines, m.mutate_json][data[0] % 3 if data else 0]
    return (bytes([r.randrange(256)]) if r.random() < 0.05 else data[:1]) + mutate(r, data[1:])

"""Structure-aware mutations: a file is taken apart, one or several of its parts are changed, and it is put together
again so that most of it still makes sense. What a parser meets then is not noise but a file that is wrong in one place.

Each mutator is a function (random, bytes) -> bytes. Everything follows from the random generator: a seed repeats a run.
"""

import json
import re
import struct
import zlib

MOST = 1 << 18  # bytes of a mutant

# Numbers and texts that parsers have tripped over.
INTEGERS = [
    0,
    1,
    -1,
    2,
    3,
    7,
    8,
    15,
    16,
    31,
    32,
    33,
    63,
    64,
    127,
    128,
    255,
    256,
    1000,
    4096,
    65535,
    65536,
    1 << 20,
    (1 << 31) - 1,
    1 << 31,
    -(1 << 31),
    (1 << 32) - 1,
    1 << 32,
    (1 << 53) + 1,
    (1 << 63) - 1,
    1 << 63,
    -(1 << 63),
    (1 << 64) - 1,
    1 << 64,
]
RAW_NUMBERS = [
    "1e300",
    "-1e300",
    "1e-400",
    "1e999",
    "-0.0",
    "0.5",
    "1.5e3",
    "3.4e38",
    "1e19",
    "9007199254740993",
    "123456789012345678901234567890",
]
TEXTS = [
    "",
    " ",
    "a",
    "\n",
    "\x00",
    "é",
    "😀",
    "\ud800",
    "%s%n",
    "../../etc/passwd",
    "<|eot|>",
    "<|im_end|>",
    "</s>",
    "{{ x }}",
    "NaN",
    "inf",
    "1e300",
    "null",
    "true",
    "0x10",
    ".*",
    "(a*)*b",
    "[",
    "(?i)a",
    "\\p{L}+",
    "-1",
    "2024-02-30",
    "a" * 1000,
    "ab" * 20000,
    "\\" * 500,
    "(" * 500,
    "\u202e",
    "\ufeff",
]


# ---- JSON: trees whose numbers are kept as they are written ----


class Raw(str):
    """A number, or anything else to be written as it stands."""


class Pairs(list):
    """An object: its members in order, keys may repeat."""


def parse_json(text):
    return json.loads(text, object_pairs_hook=Pairs, parse_int=Raw, parse_float=Raw, parse_constant=Raw)


def dump_json(value):
    out, left = [], [MOST]

    def write(v, depth):
        left[0] -= len(v) + 2 if isinstance(v, str) else 2
        if depth > 300 or left[0] < 0:
            out.append("null")
        elif isinstance(v, Raw):
            out.append(v)
        elif isinstance(v, Pairs):
            out.append("{")
            for i, (key, member) in enumerate(v):
                out.append(("," if i else "") + json.dumps(key) + ":")
                write(member, depth + 1)
            out.append("}")
        elif isinstance(v, list):
            out.append("[")
            for i, item in enumerate(v):
                out.append("," if i else "")
                write(item, depth + 1)
            out.append("]")
        else:
            out.append(json.dumps(v, ensure_ascii=len(out) % 2 == 0))

    write(value, 0)
    return "".join(out).encode("utf-8", "surrogatepass")[: MOST * 2]


def places(value):
    """(container, index) of every value in the tree; container[index] for lists, container[index][1] for objects."""
    found, stack = [], [value]
    while stack and len(found) < 20000:
        v = stack.pop()
        if isinstance(v, Pairs):
            for i, member in enumerate(v):
                found.append((v, i))
                stack.append(member[1])
        elif isinstance(v, list):
            for i, item in enumerate(v):
                found.append((v, i))
                stack.append(item)
    return found


def copied(value, depth=0):
    if depth > 300:  # as dump_json()
        return None
    if isinstance(value, Pairs):
        return Pairs((key, copied(member, depth + 1)) for key, member in value)
    return [copied(item, depth + 1) for item in value] if isinstance(value, list) else value


def get(place):
    container, i = place
    return container[i][1] if isinstance(container, Pairs) else container[i]


def put(place, value):
    container, i = place
    container[i] = (container[i][0], value) if isinstance(container, Pairs) else value


def misspelt(r, word):
    if not word:
        return "x"
    i = r.randrange(len(word))
    return r.choice(
        [
            word[:i] + word[i + 1 :],
            word[:i] + word[i] + word[i:],
            word.upper(),
            word.capitalize(),
            word + "s",
            word[::-1],
            word + "\x00",
            " " + word,
            word.replace("_", "-"),
            word.replace("_", ""),
        ]
    )


def any_value(r):
    kind = r.randrange(10)
    if kind < 3:
        return Raw(r.choice(INTEGERS))
    if kind == 3:
        return Raw(r.choice(RAW_NUMBERS))
    if kind < 6:
        return r.choice(TEXTS)
    if kind == 6:
        return r.choice([None, True, False, [], Pairs()])
    if kind == 7:
        nested = r.choice([None, Raw("1"), "x"])
        for _ in range(r.choice([2, 10, 63, 64, 65, 250])):
            nested = [nested] if r.random() < 0.5 else Pairs([("a", nested)])
        return nested
    if kind == 8:
        return [r.choice([None, Raw("1"), "x", [], Raw("-1")])] * r.choice([1, 2, 100, 5000])
    return Pairs((f"k{i}", Raw(str(i))) for i in range(r.choice([1, 3, 100, 3000])))


def mutate_number(r, raw):
    try:
        n = int(raw)
    except ValueError:
        return Raw(r.choice(RAW_NUMBERS + ["0", "1", "-" + raw.lstrip("-")]))
    return (
        Raw(
            str(
                r.choice(
                    [n + 1, n - 1, -n, n * 2, n // 2, n * 1000, n << 32, r.choice(INTEGERS), n + r.choice(INTEGERS)]
                )
            )
        )
        if r.random() < 0.9
        else Raw(f"{n}.5")
    )


def mutate_text(r, text):
    if not text:
        return r.choice(TEXTS)
    i, j = sorted((r.randrange(len(text) + 1), r.randrange(len(text) + 1)))
    return r.choice(
        [
            text[:i],
            text[i:],
            text[:i] + text[j:],
            text[:j] + text[i:],
            text[:i] + r.choice(TEXTS) + text[i:],
            text * r.choice([2, 10, 200]),
            misspelt(r, text),
            text[:i] + chr(r.choice([0, 9, 10, 13, 34, 92, 127, 128, 0x2028, 0xFFFD, 0x10FFFF, 0xD800])) + text[i:],
        ]
    )[:MOST]


def mutate_tree(r, root):
    holder = [root]
    for _ in range(r.choice([1, 1, 1, 2, 3, 8])):
        found = places(holder)
        place = r.choice(found)
        container, i = place
        value = get(place)
        kind = r.randrange(9)
        if kind == 0 and len(found) > 1:
            del container[i]
            if not holder:
                holder = [None]
        elif kind == 1 and container is not holder:
            container.insert(r.randrange(len(container) + 1), copied(container[i]))
        elif kind == 2 and isinstance(container, Pairs):
            names = [p[0][p[1]][0] for p in found if isinstance(p[0], Pairs)]
            container[i] = (r.choice([misspelt(r, container[i][0]), r.choice(names), r.choice(TEXTS)]), value)
        elif kind == 3:
            put(place, copied(get(r.choice(found))) if r.random() < 0.7 else any_value(r))
        elif kind == 4:
            put(place, [value] if r.random() < 0.5 else Pairs([("a", value)]))
        elif kind == 5 and isinstance(value, list) and value:
            value.extend(value[:8] * r.choice([1, 10, 300]))
        elif isinstance(value, Raw):
            put(place, mutate_number(r, value))
        elif isinstance(value, str):
            put(place, mutate_text(r, value))
        else:
            put(place, any_value(r))
    return holder[0] if holder else None


def mutate_json(r, data):
    try:
        tree = parse_json(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return mutate_bytes(r, data)
    out = dump_json(mutate_tree(r, tree))
    return mutate_bytes(r, out) if r.random() < 0.1 else out


def mutate_json_lines(r, data):
    lines = data.split(b"\n")
    for _ in range(r.choice([1, 1, 2, 4])):
        i = r.randrange(len(lines))
        kind = r.randrange(8)
        if kind == 0:
            del lines[i]
        elif kind == 1:
            lines.insert(i, r.choice(lines))
        elif kind == 2:
            lines[i] += r.choice([b"\r", b" ", b",", b"\x00", b"{}"])
        elif kind == 3:
            lines[0] = r.choice([b"\xef\xbb\xbf", b"[", b"\n", b"# "]) + lines[0]
        elif lines[i].strip():
            lines[i] = mutate_json(r, lines[i])
        if not lines:
            lines = [b""]
    return b"\n".join(lines)[:MOST]


# ---- bytes, when nothing is known of them ----


def mutate_bytes(r, data):
    out = bytearray(data)
    for _ in range(r.choice([1, 1, 2, 4, 16])):
        i = r.randrange(len(out) + 1)
        kind = r.randrange(8)
        if kind == 0 and out:
            out[i % len(out)] ^= 1 << r.randrange(8)
        elif kind == 1 and out:
            out[i % len(out)] = r.choice([0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x20, r.randrange(256)])
        elif kind == 2:
            del out[i : i + r.choice([1, 2, 4, 16, 256])]
        elif kind == 3:
            out[i:i] = bytes(r.randrange(256) for _ in range(r.choice([1, 4, 8])))
        elif kind == 4:
            j = r.randrange(len(out) + 1)
            out[i:i] = out[j : j + r.choice([1, 8, 64, 1024])] * r.choice([1, 1, 2, 50])
        elif kind == 5:
            del out[i:]
        elif kind == 6 and len(out) >= 8:
            width, code = r.choice([(1, "<B"), (2, "<H"), (4, "<I"), (8, "<Q")])
            at = (i % (len(out) - 7)) // width * width
            struct.pack_into(code, out, at, r.choice(INTEGERS) & ((1 << 8 * width) - 1))
        elif kind == 7:
            out[i:i] = r.choice(TEXTS).encode("utf-8", "surrogatepass")
    return bytes(out[:MOST])


# ---- GGUF ----

GGUF_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<B", 10: "<Q", 11: "<q", 12: "<d"}


class GgufReader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, code):
        (value,) = struct.unpack_from(code, self.data, self.at)
        self.at += struct.calcsize(code)
        return value

    def text(self):
        n = self.take("<Q")
        if n > len(self.data) - self.at:
            raise struct.error("text")
        self.at += n
        return self.data[self.at - n : self.at]

    def value(self, kind):
        if kind in GGUF_SCALARS:
            return self.take(GGUF_SCALARS[kind])
        if kind == 8:
            return self.text()
        if kind == 9:
            item, count = self.take("<I"), self.take("<Q")
            if count > len(self.data):
                raise struct.error("array")
            return (item, [self.value(item) for _ in range(count)])
        raise struct.error("kind")


def gguf_text(b):
    return struct.pack("<Q", len(b)) + b


def gguf_value(kind, value):
    if kind in GGUF_SCALARS:
        code = GGUF_SCALARS[kind]
        if code in ("<f", "<d"):
            try:
                return struct.pack(code, float(value))
            except (OverflowError, ValueError, TypeError):
                return struct.pack(code, float("inf"))
        value = int(value) if isinstance(value, (int, float)) and value == value and abs(value) != float("inf") else 1
        return (value & ((1 << 8 * struct.calcsize(code)) - 1)).to_bytes(struct.calcsize(code), "little")
    if kind == 8:
        return gguf_text(value if isinstance(value, bytes) else b"x")
    if kind == 9 and isinstance(value, tuple):
        return struct.pack("<IQ", value[0], len(value[1])) + b"".join(gguf_value(value[0], v) for v in value[1])
    return b""


GGUF_BLOCKS = {
    0: (1, 4),
    1: (1, 2),
    2: (32, 18),
    3: (32, 20),
    6: (32, 22),
    8: (32, 34),
    10: (256, 84),
    12: (256, 144),
    14: (256, 210),
    30: (1, 2),
}  # type: values, bytes


def laid_out(infos, body):
    """Offsets and data that fit what the tensors say of their shapes and types: what is wrong then is wrong for the
    model, not for the file."""
    out = b""
    for info in infos:
        values, size = GGUF_BLOCKS.get(info[2], (1, 4))
        count = 1
        for d in info[1]:
            count *= d
        size = min(count // values * size, MOST)
        at = min(info[3], len(body))
        info[3] = len(out)
        out += (body[at : at + size] + bytes(size))[:size]
        out += bytes(-len(out) % 32)
    return out


def mutate_gguf(r, data):
    try:
        g = GgufReader(data)
        magic, version = g.take("<I"), g.take("<I")
        tensors, pairs = g.take("<Q"), g.take("<Q")
        if version < 2 or tensors > 10000 or pairs > 10000:
            raise struct.error("head")
        keys = []
        for _ in range(pairs):
            key, kind = g.text(), g.take("<I")
            keys.append([key, kind, g.value(kind)])
        infos = []
        for _ in range(tensors):
            name, rank = g.text(), g.take("<I")
            infos.append([name, [g.take("<Q") for _ in range(rank)], g.take("<I"), g.take("<Q")])
    except (struct.error, RecursionError):
        return mutate_bytes(r, data)
    body = data[(g.at + 31) // 32 * 32 :]
    counts = [tensors, pairs]
    for _ in range(r.choice([1, 1, 1, 2, 3])):
        kind = r.choice([0, 1, 2, 3, 4, 4, 4, 5, 5, 5, 6, 7, 8, 9, 10, 10, 11, 12, 13])
        if kind <= 5 and keys:
            entry = r.choice(keys)
            if kind == 0:
                entry[1] = r.choice([0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 99])
                if entry[1] == 9 and not isinstance(entry[2], tuple):
                    entry[2] = (r.choice([4, 5, 6, 8]), [1] * r.choice([0, 1, 3]))
            elif kind == 1:
                keys.remove(entry)
            elif kind == 2:
                keys.append([entry[0] + r.choice([b"", b".more", b"_"]), *entry[1:]])
            elif kind == 3:
                entry[0] = misspelt(r, entry[0].decode("latin-1")).encode("utf-8", "surrogatepass")
            elif isinstance(entry[2], tuple):
                item, values = entry[2]
                values = list(values)
                if values and r.random() < 0.7:
                    i = r.randrange(len(values))
                    values[i] = (
                        mutate_text(r, values[i].decode("latin-1")).encode("utf-8", "surrogatepass")
                        if isinstance(values[i], bytes)
                        else r.choice(INTEGERS)
                    )
                    if r.random() < 0.3:
                        del values[i]
                else:
                    values += values[:4] * r.choice([1, 100])
                entry[2] = (item if r.random() < 0.9 else r.choice(list(GGUF_SCALARS) + [8]), values)
            elif isinstance(entry[2], bytes):
                entry[2] = mutate_text(r, entry[2].decode("latin-1")).encode("utf-8", "surrogatepass")
            else:
                entry[2] = r.choice(
                    INTEGERS + [0.0, float("nan"), float("inf"), -1.5, 1e30, entry[2] + 1, entry[2] * 2, -entry[2]]
                )
        elif kind <= 10 and infos:
            info = r.choice(infos)
            if kind == 6:
                i = r.randrange(len(info[1]) or 1)
                if info[1]:
                    info[1][i] = r.choice(
                        [info[1][i] + 1, info[1][i] * 2, info[1][i] // 2, abs(r.choice(INTEGERS)) & (2**64 - 1)]
                    )
            elif kind == 7:
                info[2] = r.choice([0, 1, 2, 3, 6, 8, 10, 12, 14, 30, 39, 99])
            elif kind == 8:
                info[3] = r.choice(
                    [info[3] + 32, max(0, info[3] - 32), info[3] + 1, abs(r.choice(INTEGERS)) & (2**64 - 1)]
                )
            elif kind == 9:
                info[0] = r.choice(
                    [
                        misspelt(r, info[0].decode("latin-1")).encode("utf-8", "surrogatepass"),
                        r.choice(infos)[0],
                        info[0].replace(b"weight", b"bias"),
                        b"extra.scale",
                    ]
                )
            else:
                r.choice(
                    [
                        lambda: infos.remove(info),
                        lambda: infos.append([b"new." + info[0], list(info[1]), info[2], info[3]]),
                        lambda: info[1].append(1),
                        lambda: info[1].reverse(),
                    ]
                )()
        elif kind == 11 and r.random() < 0.5:
            counts[r.randrange(2)] += r.choice([1, -1, 1 << 40])
        elif kind == 12 and r.random() < 0.5:
            version = r.choice([1, 2, 3, 4, 0x03000000])
        else:
            body = body[: r.randrange(len(body) + 1)]
    if r.random() < 0.6 and len(infos) < 1000:
        body = laid_out(infos, body)
    out = struct.pack(
        "<IIQQ",
        magic,
        version & 0xFFFFFFFF,
        (counts[0] - tensors + len(infos)) & (2**64 - 1),
        (counts[1] - pairs + len(keys)) & (2**64 - 1),
    )
    out += b"".join(gguf_text(k) + struct.pack("<I", kind) + gguf_value(kind, v) for k, kind, v in keys)
    for name, dims, kind, offset in infos:
        out += (
            gguf_text(name)
            + struct.pack("<I", len(dims))
            + b"".join(struct.pack("<Q", d & (2**64 - 1)) for d in dims)
            + struct.pack("<IQ", kind, offset & (2**64 - 1))
        )
    return out + b"\x00" * (-len(out) % 32) + body


# ---- safetensors, and files made of it ----


def mutate_safetensors(r, data):
    if len(data) < 10 or r.random() < 0.1:
        return mutate_bytes(r, data)
    (size,) = struct.unpack_from("<Q", data)
    if size > len(data) - 8:
        return mutate_bytes(r, data)
    header, body = data[8 : 8 + size], data[8 + size :]
    if r.random() < 0.85:
        header = mutate_json(r, header)
    else:
        body = mutate_bytes(r, body)
    length = len(header) if r.random() < 0.95 else r.choice(INTEGERS) & (2**64 - 1)
    return struct.pack("<Q", length) + header + body


# ---- pictures: chunks with their lengths and sums recomputed ----


def mutate_png(r, data):
    chunks, at = [], 8
    while at + 12 <= len(data):
        (n,) = struct.unpack_from(">I", data, at)
        chunks.append([data[at + 4 : at + 8], data[at + 8 : at + 8 + n]])
        at += 12 + n
    if not chunks:
        return mutate_bytes(r, data)
    for _ in range(r.choice([1, 1, 2])):
        c = r.choice(chunks)
        kind = r.randrange(5)
        if kind == 0 and c[0] == b"IHDR" and len(c[1]) == 13:
            head = bytearray(c[1])
            field = r.choice([0, 4])
            if r.random() < 0.5:
                struct.pack_into(">I", head, field, r.choice([0, 1, 2, 65535, 65536, 1 << 24, (1 << 31) - 1]))
            else:
                head[r.choice([8, 9, 10, 11, 12])] = r.choice([0, 1, 2, 3, 4, 6, 8, 16, 255])
            c[1] = bytes(head)
        elif kind == 1:
            chunks.remove(c)
            chunks = chunks or [c]
        elif kind == 2:
            chunks.insert(r.randrange(len(chunks) + 1), list(c))
        elif kind == 3 and c[0] == b"IDAT":
            try:
                c[1] = zlib.compress(mutate_bytes(r, zlib.decompress(c[1])))
            except zlib.error:
                c[1] = mutate_bytes(r, c[1])
        else:
            c[1] = mutate_bytes(r, c[1])
    out = data[:8]
    for name, body in chunks:
        out += (
            struct.pack(">I", len(body))
            + name
            + body
            + struct.pack(">I", zlib.crc32(name + body) if r.random() < 0.97 else 0)
        )
    return out


def mutate_jpeg(r, data):
    out, at = [data[:2]], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        (n,) = struct.unpack_from(">H", data, at + 2)
        out.append(data[at : at + 2 + n])
        at += 2 + n
    rest = data[at:]
    if len(out) > 1 and r.random() < 0.8:
        i = r.randrange(1, len(out))
        kind = r.randrange(4)
        if kind == 0:
            del out[i]
        elif kind == 1:
            out.insert(i, out[i])
        elif len(out[i]) > 4:
            body = mutate_bytes(r, out[i][4:])[:65000]
            out[i] = out[i][:2] + struct.pack(">H", len(body) + 2) + body
    else:
        rest = mutate_bytes(r, rest)
    return b"".join(out) + rest


def mutate_riff(r, data):
    out = bytearray(data)
    if len(out) > 40 and r.random() < 0.7:
        at = r.randrange(12, min(len(out) - 4, 60))
        struct.pack_into("<I", out, at, r.choice([0, 1, len(out), 0xFFFF, 0xFFFFFFFF, 0x3FFF3FFF, 16383]))
        return bytes(out)
    return mutate_bytes(r, data)


def mutate_bmp(r, data):
    out = bytearray(data)
    if len(out) >= 54 and r.random() < 0.8:
        field, code = r.choice(
            [(10, "<I"), (14, "<I"), (18, "<i"), (22, "<i"), (26, "<H"), (28, "<H"), (30, "<I"), (46, "<I")]
        )
        (old,) = struct.unpack_from(code, out, field)
        width = struct.calcsize(code) * 8
        new = r.choice([-old, old + 1, old * 2, 0, 1, 4, 8, 16, 24, 32, 3, r.choice(INTEGERS)]) & ((1 << width) - 1)
        out[field : field + width // 8] = new.to_bytes(width // 8, "little")
        return bytes(out)
    return mutate_bytes(r, data)


def mutate_picture(r, data):
    kind = {b"\x89PN": mutate_png, b"\xff\xd8\xff": mutate_jpeg, b"RIF": mutate_riff}.get(
        bytes(data[:3]), mutate_bmp if data[:2] == b"BM" else mutate_bytes
    )
    return kind(r, data) if r.random() < 0.9 else mutate_bytes(r, data)


# ---- texts made of words and lines ----

JINJA_WORDS = """{% for m in messages %} {% endfor %} {% if x %} {% else %} {% elif m.role == 'user' %} {% endif %} {% set x = messages %} {% set ns = namespace(a=0) %} {% set ns.a = ns.a + 1 %}
{% macro f(a, b=1) %} {% endmacro %} {% call f(1) %} {% endcall %} {% filter upper %} {% endfilter %} {% set t %} {% endset %} {% generation %} {% endgeneration %} {% break %} {% continue %} {%- -%} {{- -}}
{{ x }} {{ m.content }} {{ messages|length }} {{ messages|tojson }} {{ messages|map(attribute='role')|list }} {{ 'a' * 1000 }} {{ range(1000)|list }} {{ x|join(',') }} {{ m['content'].split('a') }}
{{ messages[::-1] }} {{ messages[0] }} {{ 'abc'[1:2] }} {{ 1 // 0 }} {{ 2 ** 100 }} {{ -9223372036854775808 // -1 }} {{ x is defined }} {{ x is mapping }} {{ x is in [1] }} {{ not x }} {{ x and y or z }} {{ loop.index }}
{{ loop.cycle(1, 2) }} {{ f(1) }} {{ caller() }} {{ raise_exception('no') }} {{ strftime_now('%Y') }} {{ dict(a=1) }} {{ [1, 2, 3]|sum }} {{ messages|selectattr('role', 'equalto', 'user')|list }} {{ x|default('d', true) }}
{{ 'a%s' % 1 }} {{ '{}'.format(1) }} {{ 'x'.replace('x', 'yy') }} {{ x|trim }} {{ x|upper }} {{ x|round(2) }} {{ x|int }} {{ x|float }} {{ x|string }} {{ x|batch(3)|list }} {{ x|slice(3)|list }} {{ x|groupby('role')|list }}
{{ x|unique|list }} {{ x|sort }} {{ x|reverse|list }} {{ x|indent(4) }} {{ x|truncate(3) }} {{ x|wordcount }} {{ x|center(80) }} {{ x|replace('a', 'b') }} {{ x|dictsort }} {{ x|items|list }} {{ x|tojson(indent=2) }} {{ x|first }}
{{ x|last }} {{ x|min }} {{ x|max }} {{ x|random }} {{ x|safe }} {{ x|escape }} {{ 'a' ~ 1 }} {{ 'a' in 'abc' }} {{ 'abc'.startswith(('a', 'b')) }} {{ ' a '.strip() }} {{ 'a,b'.rsplit(',', 1) }} {{ 'A'.lower() }} {{ 'a'.isalpha() }}
{{ joiner(',') }} {{ cycler(1, 2).next() }} {{ lipsum() }} {# c #} {% raw %} {% endraw %} {{ 9223372036854775807 + 1 }} {{ 1e308 * 10 }} {{ '' .join(x) }} {{ x.items() }} {{ x.keys() }} {{ x.get('a', 1) }} {{ none }} {{ true }}""".split(
    "\n"
)
JINJA_WORDS = [w for line in JINJA_WORDS for w in re.findall(r"\{[{%#].*?[}%#]\}", line)]


def mutate_jinja(r, data):
    text = data.decode("utf-8", "replace")
    parts = re.findall(r"\{[{%#].*?[}%#]\}|[^{]+|\{", text, re.S)
    for _ in range(r.choice([1, 1, 2, 4, 12])):
        i = r.randrange(len(parts) + 1)
        kind = r.randrange(7)
        if kind == 0 and parts:
            del parts[i % len(parts)]
        elif kind == 1 and parts:
            parts.insert(i, r.choice(parts))
        elif kind == 2 and len(parts) > 1:
            j = r.randrange(len(parts))
            parts[i % len(parts)], parts[j] = parts[j], parts[i % len(parts)]
        elif kind == 3 and parts:  # words within a tag
            words = re.findall(r"\w+|\s+|.", parts[i % len(parts)], re.S)
            j = r.randrange(len(words) or 1)
            words[j : j + 1] = [
                r.choice(
                    words
                    + [
                        "|",
                        "(",
                        ")",
                        "[",
                        "]",
                        ".",
                        ",",
                        "-",
                        "*",
                        "in",
                        "is",
                        "not",
                        "x",
                        "1",
                        "'a'",
                        "for",
                        "if",
                        "else",
                        "|list",
                        "|join",
                        "9" * 30,
                        "1e400",
                    ]
                )
            ]
            parts[i % len(parts)] = "".join(words)
        elif kind == 4 and parts:
            parts.insert(i, (r.choice(parts) * r.choice([2, 20, 400]))[:MOST])
        else:
            parts.insert(i, r.choice(JINJA_WORDS))
    return "".join(parts).encode("utf-8", "replace")[:MOST]


CELLS = [
    "",
    " ",
    "0",
    "-1",
    "1e300",
    "nan",
    "inf",
    "1.5",
    "1700000000",
    "1700000000000",
    "1700000000000000",
    "1.7e9",
    "2024-01-02T03:04:05Z",
    '"a"',
    '"a""b"',
    '"a,b"',
    '"',
    '"a\nb"',
    "a" * 300,
    "é",
    "\ufeff",
    "\x00",
    "user_id",
    "item_id",
    "timestamp",
    "9223372036854775808",
    "0x10",
    "1_000",
    "٣",
    "a\tb",
    "1,5",
    "-0",
    "+1",
    "1 ",
]


def mutate_table(r, data):
    text = data.decode("utf-8", "surrogateescape")
    mark = max(",\t;|", key=text.split("\n")[0].count)
    rows = [line.split(mark) for line in text.split("\n")]
    for _ in range(r.choice([1, 1, 2, 5])):
        row = r.choice(rows)
        kind = r.randrange(9)
        if kind == 0:
            rows.insert(r.randrange(len(rows) + 1), [""])
        elif kind == 1:
            rows.insert(r.randrange(len(rows) + 1), list(row))
        elif kind == 2 and len(rows) > 1:
            rows.remove(row)
        elif kind == 3:
            row.append(r.choice(CELLS))
        elif kind == 4 and len(row) > 1:
            del row[r.randrange(len(row))]
        elif kind == 5:
            for other in rows:  # a column
                if len(other) > 1:
                    other.insert(1, other[0])
        else:
            row[r.randrange(len(row))] = r.choice(CELLS)
    out = "\n".join((mark if r.random() < 0.98 else r.choice(",\t;| ")).join(row) for row in rows)
    if r.random() < 0.1:
        out = "\ufeff" + out
    if r.random() < 0.1:
        out = out.replace("\n", "\r\n")
    out = out.encode("utf-8", "surrogateescape")
    return mutate_bytes(r, out) if r.random() < 0.1 else out


def mutate_lines(r, data):
    """Settings, headers: lines of words."""
    lines = data.decode("latin-1").split("\n")
    for _ in range(r.choice([1, 1, 2, 4])):
        i = r.randrange(len(lines))
        kind = r.randrange(6)
        if kind == 0 and len(lines) > 1:
            del lines[i]
        elif kind == 1:
            lines.insert(i, r.choice(lines))
        else:
            words = re.findall(r"\w+|\s+|.", lines[i], re.S)
            j = r.randrange(len(words) + 1)
            words[j : j + r.choice([0, 1])] = [
                r.choice(
                    words
                    + TEXTS[:20]
                    + [str(n) for n in INTEGERS]
                    + ["=", "[", "]", '"', "'", "#", ".", ":", "\r", "true", "[1, 2", '"""', "{"]
                )
            ]
            lines[i] = "".join(words)
    return "\n".join(lines).encode("utf-8", "surrogatepass")[:MOST]

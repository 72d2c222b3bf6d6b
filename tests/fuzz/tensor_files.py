"""Structure-aware mutations of files made of safetensors that stay files of their kind: every tensor keeps bytes that
fit its shape, offsets are laid out again, and what several places say changes in all of them. As in mutations.py:
(random, bytes) -> bytes."""

import json
import re
import struct

import mutations as m
from own_formats import integer_near
from parts import sized_parts_of

WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "U8": 1, "I8": 1, "BOOL": 1}
WIDTHS |= {"F8_E4M3": 1, "F8_E5M2": 1}
FLOATS = [
    0x7F800000,
    0xFF800000,
    0x7FC00000,
    0x7F7FFFFF,
    0xFF7FFFFF,
    0x80000000,
    0,
    1,
    0xBF800000,
    0x3F800000,
    0x7E000000,
]  # inf, NaN, the largest, -0, a denormal number, -1, 1e38


class Tensors:
    """A safetensors file, taken apart: metadata {key: text}, tensors [name, dtype, shape, bytes]."""

    def __init__(self, data):
        (size,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8 : 8 + size])
        self.metadata = header.pop("__metadata__", {})
        body = data[8 + size :]
        self.tensors = [
            [name, t["dtype"], t["shape"], bytearray(body[slice(*t["data_offsets"])])] for name, t in header.items()
        ]

    def bytes(self):
        header, at = {"__metadata__": self.metadata} if self.metadata else {}, 0
        for name, dtype, shape, values in self.tensors:
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(values)]}
            at += len(values)
        text = json.dumps(header, separators=(",", ":")).encode("utf-8", "surrogatepass")
        text += b" " * (-len(text) % 8)
        return struct.pack("<Q", len(text)) + text + b"".join(bytes(t[3]) for t in self.tensors)

    def values(self, name, code):
        tensor = next((t for t in self.tensors if t[0] == name), None)
        if tensor is None:
            raise KeyError(name)
        return [v for (v,) in struct.iter_unpack(code, tensor[3])]

    def set_values(self, name, code, values):
        tensor = next(t for t in self.tensors if t[0] == name)
        tensor[2], tensor[3] = [len(values)], bytearray(b"".join(struct.pack(code, v) for v in values))


def taken_apart(data):
    try:
        return Tensors(data)
    except (struct.error, ValueError, KeyError, TypeError, AttributeError):
        return None


def new_number(r, old):
    return str(
        r.choice(
            [
                old + 1,
                old - 1,
                old * 2,
                r.choice(m.INTEGERS),
                (1 << 53) - 1,
                (1 << 63) - 2,
                f"{old}.0",
                f" {old}",
                f"+{old}",
                f"0{old}",
                "1e3",
                "",
                10**15,
                10**16,
                10**17 - 1,
            ]
        )
    )


def mutate_metadata(r, t):
    numbers = [k for k, v in t.metadata.items() if re.fullmatch(r"-?\d+", v)]
    if numbers and r.random() < 0.85:
        key = r.choice(numbers)
        t.metadata[key] = new_number(r, int(t.metadata[key]))
    elif t.metadata:
        key = r.choice(list(t.metadata))
        r.choice(
            [
                lambda: t.metadata.pop(key),
                lambda: t.metadata.update({m.misspelt(r, key): t.metadata[key]}),
                lambda: t.metadata.update({key: m.mutate_text(r, t.metadata[key])[:1000]}),
            ]
        )()


def mutate_shapes(r, t):
    """A tensor of another shape or type, missing, doubled or misnamed: its bytes fit."""
    i = r.randrange(len(t.tensors))
    name, dtype, shape, values = t.tensors[i]
    width, kind = WIDTHS.get(dtype, 1), r.randrange(9)
    if kind == 0:
        del t.tensors[i]
    elif kind == 1:
        t.tensors.append([name + r.choice([".more", "_", " "]), dtype, shape, values])
    elif kind == 2:
        t.tensors[i][0] = m.misspelt(r, name)
    elif kind == 3:
        t.tensors[i] = [name, r.choice([d for d in WIDTHS if len(values) % WIDTHS[d] == 0]), shape, values]
        t.tensors[i][2] = [len(values) // WIDTHS[t.tensors[i][1]]]
    elif kind == 4:
        t.tensors[i][2] = r.choice(
            [
                [1] + shape,
                shape + [1],
                shape[::-1],
                [len(values) // width],
                [1, len(values) // width, 1, 1],
                shape + [1] * 5,
            ]
        )
    elif kind == 5:
        count = r.choice([0, 1, max(0, len(values) // width - 1), len(values) // width + 1, len(values) // width * 2])
        t.tensors[i][2], t.tensors[i][3] = [count], (values * 2 + bytearray(width))[: count * width]
    elif kind == 6:
        j = r.randrange(len(t.tensors))
        t.tensors[i][0], t.tensors[j][0] = t.tensors[j][0], t.tensors[i][0]
    elif kind == 7:
        r.shuffle(t.tensors)
    else:
        t.tensors[i][1:] = [r.choice(list(WIDTHS)), [0], bytearray()]


def mutate_numbers(r, t):
    """One value of a tensor, or all of them."""
    tensor = r.choice([x for x in t.tensors if x[3]] or t.tensors)
    values = tensor[3]
    if tensor[1] == "F32" and len(values) >= 4:
        if r.random() < 0.3:
            values[:] = struct.pack("<I", r.choice(FLOATS)) * (len(values) // 4)
        else:
            at = r.randrange(len(values) // 4) * 4
            struct.pack_into(
                "<I",
                values,
                at,
                r.choice(FLOATS + [r.randrange(1 << 32), struct.unpack_from("<I", values, at)[0] ^ 0x80000000]),
            )
    elif tensor[1] == "I32" and len(values) >= 4:
        at = r.randrange(len(values) // 4) * 4
        struct.pack_into("<I", values, at, integer_near(r, struct.unpack_from("<I", values, at)[0], 4))
    elif values:
        values[r.randrange(len(values))] = r.choice([0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x20, r.randrange(256)])


def mutate_values(r, data):
    t = taken_apart(data)
    if t is None or not t.tensors or r.random() < 0.1:
        return m.mutate_safetensors(r, data)
    for _ in range(r.choice([1, 1, 2, 4])):
        kind = r.randrange(10)
        if kind < 3:
            mutate_metadata(r, t)
        elif kind < 9 or not t.tensors:
            mutate_numbers(r, t) if t.tensors else mutate_metadata(r, t)
        else:
            mutate_shapes(r, t)
    return t.bytes()


# ---- a model in several files ----

SPLIT_GGUF = sized_parts_of(m.mutate_gguf, m.mutate_gguf, m.mutate_bytes)
SHARDS = sized_parts_of(m.mutate_json, mutate_values, mutate_values)


def mutate_shards(r, data):
    return SPLIT_GGUF(r, data) if data[4:8] == b"GGUF" else SHARDS(r, data)


# ---- where a run was: src/train/state_file.cpp ----


def mutate_state(r, data):
    t = taken_apart(data)
    if t is None or r.random() < 0.6:
        return mutate_values(r, data)
    numbers = [k for k, v in t.metadata.items() if v.isdigit()]
    n = r.choice([0, 1, 2, 3, 4, 998, 999, 1000, 1001, 10**15, 1 << 53, 10**17 - 1])
    kind = r.randrange(3)
    if kind == 0:  # the steps agree
        for key in ("step", "optimizer_steps"):
            t.metadata[key] = str(n)
    elif kind == 1:  # at the end of the data, or of an epoch
        for key in numbers:
            if key in ("position", "user", "epoch"):
                t.metadata[key] = str(r.choice([0, 1, 2, 3, n]))
    else:
        for key in numbers:
            t.metadata[key] = str(r.choice([n, 0, int(t.metadata[key])]))
    if r.random() < 0.5 and t.tensors:
        mutate_numbers(r, t)
    return t.bytes()


def mutate_online(r, data):
    """state.json, a zero byte and the checkpoint; both say how many events have been learned."""
    text, zero, checkpoint = data.partition(b"\0")
    kind = r.randrange(5)
    if kind == 0:
        text = m.mutate_json(r, text).replace(b"\0", b"")
    elif kind == 1:  # scores that are numbers
        number = r.choice(
            [b"0", b"-1", b"1e308", b"-1e308", b"1e-320", b"0.5", b"9007199254740993", b"null", b"18446744073709551615"]
        )
        places = list(re.finditer(rb"-?\d+\.\d+", text))
        if places:
            at = r.choice(places)
            text = text[: at.start()] + number + text[at.end() :]
    elif kind == 2:
        t, n = (
            taken_apart(checkpoint),
            r.choice([0, 1, 2, 4, 255, 256, 16383, 16384, 10**15, 1 << 53, 10**17 - 1, 10**17]),
        )
        if t is not None:
            t.metadata["step"] = str(n)
            t.metadata["optimizer_steps"] = str(r.choice([n, 0, 1]))
            checkpoint = t.bytes()
            text = re.sub(rb'"learned":\d+', b'"learned":%d' % n, text)
    else:
        checkpoint = mutate_state(r, checkpoint)
    return text + zero + checkpoint


# ---- graphs of items: src/optional/hnsw/graph.cpp ----


def graph_of(t):
    """links[node][level] = the nodes that it leads to."""
    levels, sizes, neighbours = t.values("levels", "<B"), t.values("list_sizes", "<B"), t.values("neighbours", "<i")
    lists, at, links = 0, 0, []
    for level in levels:
        mine = []
        for _ in range(level + 1):
            mine.append(neighbours[at : at + sizes[lists]])
            at += sizes[lists]
            lists += 1
        links.append(mine)
    return links


def set_graph(t, links):
    t.set_values("levels", "<B", [len(mine) - 1 & 0xFF for mine in links])
    t.set_values("list_sizes", "<B", [len(level) & 0xFF for mine in links for level in mine])
    t.set_values("neighbours", "<i", [to for mine in links for level in mine for to in level])


def mutate_graph(r, data):
    t = taken_apart(data)
    try:
        links, items = graph_of(t), t.values("items", "<i")
    except (AttributeError, KeyError, IndexError, struct.error):
        return mutate_values(r, data)
    if r.random() < 0.25 or not links:
        return mutate_values(r, data)
    for _ in range(r.choice([1, 1, 2, 5])):
        n = r.randrange(len(links))
        level = r.randrange(len(links[n]) or 1)
        there = [i for i, mine in enumerate(links) if len(mine) > level]
        mine = links[n][level] if links[n] else []
        kind = r.randrange(11)
        if kind == 0:
            mine[:] = [r.choice(there) for _ in mine]  # leads elsewhere on its level, perhaps to itself
        elif kind == 1:
            mine.clear()
        elif kind == 2:
            for other in links:  # nothing leads anywhere on this level
                if len(other) > level:
                    other[level] = []
        elif kind == 3 and mine:
            mine[r.randrange(len(mine))] = r.choice(
                [n, -1, len(links), len(links) - 1, 0, r.randrange(len(links)), (1 << 31) - 1, -(1 << 31)]
            )
        elif kind == 4:
            mine.extend(r.choice(there) for _ in range(r.choice([1, 2, 4, 130, 255])))
        elif kind == 5:
            links[n].append([r.choice(there) for _ in range(r.choice([0, 1, 2]))])  # a level higher
        elif kind == 6 and len(links[n]) > 1:
            links[n].pop()
        elif kind == 7:
            i, j = r.randrange(len(items)), r.randrange(len(items))
            items[i], items[j] = items[j], items[i]
        elif kind == 8:
            items[r.randrange(len(items))] = r.choice([-1, 0, len(items), len(items) - 1, (1 << 31) - 1])
        elif kind == 9:
            t.metadata["links"] = str(r.choice([2, 3, 16, 64, 65, 1, 0, 1 << 40]))
        else:
            highest = max(len(mine) for mine in links)
            t.metadata["entry"] = str(
                r.choice([i for i, other in enumerate(links) if len(other) == highest] + [n, len(links), -1])
            )
            t.metadata["build_width"] = str(r.choice([0, 1, 10, 1000, 1 << 20, (1 << 20) + 1]))
    for mine in links:
        for level in mine:
            del level[255:]
    set_graph(t, links[:4096])
    t.set_values("items", "<i", items)
    return t.bytes()

"""Structure-aware mutations of Puna's own binary files (packed weights, snapshots of sessions), whose checksums are put right again, of safetensors that stay files of their kind,
of SQLite databases and of regular expressions. As in mutations.py: (random, bytes) -> bytes."""
import re
import sqlite3
import struct

import mutations as m

MASK = (1 << 64) - 1


def hash_of(data, state=0x243F6A8885A308D3):
    """src/base/hash.h: Hash::add on a whole buffer. Several buffers: hash_state() of one after the other."""
    state = hash_state(data, state)
    return state ^ state >> 29


def hash_state(data, state):
    whole = len(data) // 8 * 8
    for word in struct.unpack(f"<{whole // 8}Q", data[:whole]) + (int.from_bytes(data[whole:], "little") ^ (len(data) - whole) << 56,):
        state = (state ^ word) * 0x9E3779B97F4A7C15 & MASK
        state ^= state >> 32
    return state


def integer_near(r, old, width):
    new = r.choice([old + 1, old - 1, old * 2, old // 2, 0, 1, old ^ 1 << r.randrange(8 * width), r.choice(m.INTEGERS), old + 4096, old - 4096])
    return new & (1 << 8 * width) - 1


def mutate_fields(r, data, at, fields):
    """One of the numbers of a record: fields are struct codes one behind the other, "8s" and the like are left alone."""
    places = []
    for code in fields:
        if not code.endswith("s"):
            places.append((at, "<" + code))
        at += struct.calcsize("<" + code)
    at, code = r.choice(places)
    old, = struct.unpack_from(code, data, at)
    width = struct.calcsize(code)
    data[at:at + width] = integer_near(r, old, width).to_bytes(width, "little")


# ---- packed weights: src/runtime/opening/packed_file.h ----

PACKED_HEADER, PACKED_ENTRY = ["8s", "I", "I", "Q", "Q", "Q"], ["i", "I", "q", "q", "Q", "Q"]


def mutate_packed_file(r, data):
    out = bytearray(data)
    count = struct.unpack_from("<I", out, 12)[0] if len(out) >= 40 else 0
    if not 0 < count <= (len(out) - 40) // 40 or r.random() < .05:
        return m.mutate_bytes(r, data)
    for _ in range(r.choice([1, 1, 2, 4])):
        kind = r.randrange(8)
        entries = [bytes(out[40 + 40 * i:80 + 40 * i]) for i in range(count)]
        if kind == 0:
            mutate_fields(r, out, 0, PACKED_HEADER)
        elif kind <= 3:
            mutate_fields(r, out, 40 + 40 * r.randrange(count), PACKED_ENTRY)
        elif kind == 4:  # two entries change places, or one stands twice
            i, j = r.randrange(count), r.randrange(count)
            out[40 + 40 * i:80 + 40 * i] = entries[j]
            if r.random() < .5:
                out[40 + 40 * j:80 + 40 * j] = entries[i]
        elif kind == 5:  # the matrices' bytes
            at = r.randrange(4096, len(out)) if len(out) > 4096 else 0
            out[at:at + 8] = r.choice([b"\xff" * 8, b"\x00\x7e" * 4, b"\x00\x7c" * 4, bytes(r.randrange(256) for _ in range(8))])
            out = out[:len(data)]
        elif kind == 6:
            del out[r.choice([len(out) - 1, len(out) - 4096, 4096, 40, r.randrange(len(out))]):]
            if len(out) < 40 + 40 * count:
                return bytes(out)
        else:
            out += bytes(r.choice([1, 4096, 65536]))
    if r.random() < .5:
        struct.pack_into("<Q", out, 24, len(out))
    if r.random() < .9:
        count = min(struct.unpack_from("<I", out, 12)[0], (len(out) - 40) // 40)
        struct.pack_into("<Q", out, 32, hash_of(bytes(out[40:40 + 40 * count])))
    return bytes(out)


# ---- snapshots of sessions: src/runtime/session/snapshot.cpp ----

SNAPSHOT_HEADER = ["8s", "I", "I", "8s", "Q", "8s", "q", "q", "q", "q"]  # magic, version, flags, model, bytes, checksum, max_positions, prefill_chunk, tokens, complete


def mutate_snapshot(r, data):
    if len(data) < 72 or r.random() < .05:
        return m.mutate_bytes(r, data)
    out = bytearray(data)
    for _ in range(r.choice([1, 1, 2, 3])):
        kind = r.randrange(6)
        if kind <= 1:
            mutate_fields(r, out, 0, SNAPSHOT_HEADER)
        elif kind == 2 and len(out) > 76:  # a word of the body: tokens are there, and the numbers of images
            at = r.randrange(72, len(out) - 4) // 4 * 4
            old, = struct.unpack_from("<I", out, at)
            struct.pack_into("<I", out, at, integer_near(r, old, 4))
        elif kind == 3 and len(out) > 80:
            at = 72 + r.randrange((len(out) - 72) // 8) * 8
            old, = struct.unpack_from("<Q", out, at)
            struct.pack_into("<Q", out, at, integer_near(r, old, 8))
        elif kind == 4:
            out = out[:72] + bytearray(m.mutate_bytes(r, bytes(out[72:])))
        else:  # what is at the end: images
            del out[len(out) - r.choice([8, 16, 32, 64]):]
            out += bytes(r.choice([0, 8, 32, 96]))
        if len(out) < 72:
            return bytes(out)
    if r.random() < .95:
        struct.pack_into("<Q", out, 24, len(out))
    if r.random() < .97:
        out[32:40] = bytes(8)
        state = hash_state(bytes(out[72:]), hash_state(bytes(out[:72]), 0x243F6A8885A308D3))
        struct.pack_into("<Q", out, 32, state ^ state >> 29)
    return bytes(out)


# ---- safetensors that stay files of their kind: numbers of the metadata ("step": "12"), and values in their places ----

def mutate_values(r, data):
    if len(data) < 10 or r.random() < .3:
        return m.mutate_safetensors(r, data)
    size, = struct.unpack_from("<Q", data)
    if size > len(data) - 8:
        return m.mutate_bytes(r, data)
    header, body = data[8:8 + size].decode("utf-8", "replace"), bytearray(data[8 + size:])
    for _ in range(r.choice([1, 1, 2, 4])):
        counts = list(re.finditer(r'"(\w+)":"(-?\d+)"', header))
        if counts and r.random() < .7:
            at = r.choice(counts)
            old = int(at[2])
            new = str(r.choice([old + 1, old - 1, r.choice(m.INTEGERS), (1 << 53) - 1, (1 << 63) - 2, f"{old}.0", f" {old}", f"+{old}", "1e3", ""]))
            header = f"{header[:at.start(2)]}{new}{header[at.end(2):]}"
        elif len(body) >= 4:  # a number
            at = r.randrange(len(body) // 4) * 4
            kind = r.randrange(3)
            if kind == 0:
                struct.pack_into("<I", body, at, r.choice([0x7F800000, 0xFF800000, 0x7FC00000, 0x7F7FFFFF, 0x80000000, 1, 0xBF800000, r.randrange(1 << 32)]))
            elif kind == 1:
                struct.pack_into("<I", body, at, integer_near(r, struct.unpack_from("<I", body, at)[0], 4))
            else:
                body[r.randrange(len(body))] = r.choice([0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x20, r.randrange(256)])
    header = header.encode()
    return struct.pack("<Q", len(header)) + header + bytes(body)


# ---- SQLite databases: www.sqlite.org/fileformat2.html ----

HOSTILE_SQL = ["DROP TABLE {t}", "DELETE FROM {t}", "DELETE FROM {t} WHERE rowid % 2", "UPDATE {t} SET {c} = {v}", "UPDATE {t} SET {c} = {v} WHERE rowid = 2", "INSERT INTO {t} SELECT * FROM {t}",
               "ALTER TABLE {t} RENAME TO other", "ALTER TABLE {t} RENAME COLUMN {c} TO other", "ALTER TABLE {t} ADD COLUMN more", "ALTER TABLE {t} ADD COLUMN more AS (randomblob(1000000000))",
               "ALTER TABLE {t} DROP COLUMN {c}", "CREATE INDEX i{n} ON {t} ({c})", "CREATE UNIQUE INDEX i{n} ON {t} ({c})", "CREATE INDEX i{n} ON {t} (abs({c}))", "CREATE INDEX i{n} ON {t} (hex(zeroblob(4000000)))",
               "CREATE TRIGGER g{n} AFTER INSERT ON {t} BEGIN DELETE FROM {t}; END", "CREATE TRIGGER g{n} BEFORE INSERT ON {t} BEGIN SELECT raise(IGNORE); END",
               "CREATE TRIGGER g{n} AFTER INSERT ON {t} BEGIN INSERT INTO keys WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x) SELECT i, i FROM x; END",
               "CREATE TRIGGER g{n} AFTER INSERT ON {t} WHEN (WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x) SELECT count(*) FROM x) BEGIN SELECT 1; END",
               "DROP TABLE {t}; CREATE VIEW {t} AS SELECT 1 AS number, 2 AS time, 0 AS surface, 1 AS known, 1.0 AS weight, x'' AS ids, x'' AS numbers, x'' AS outcomes",
               "DROP TABLE events; CREATE VIEW events AS WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x) SELECT i AS number, i AS time, 0 AS surface, 1 AS known, 1.0 AS weight, "
               "zeroblob(8) AS ids, x'' AS numbers, x'' AS outcomes FROM x",
               "DROP TABLE {t}; CREATE TABLE {t} (number, time, surface, known, weight, ids, numbers, outcomes)", "DROP TABLE {t}; CREATE TABLE {t} (a)",
               "DROP TABLE {t}; CREATE TABLE {t} (number INTEGER PRIMARY KEY, time, surface, known, weight, ids, numbers, outcomes, CHECK (length(hex(zeroblob(2000000))) > 0))",
               "DROP TABLE {t}; CREATE VIRTUAL TABLE {t} USING fts5(number, time, surface, known, weight, ids, numbers, outcomes)", "CREATE TABLE more (x); ANALYZE",
               "PRAGMA application_id = {n}", "PRAGMA user_version = {n}", "PRAGMA auto_vacuum = 1; VACUUM", "PRAGMA encoding = 'UTF-16'", "VACUUM"]
VALUES = ["NULL", "0", "-1", "9223372036854775807", "-9223372036854775808", "1e300", "'a'", "x''", "x'00'", "zeroblob(8)", "zeroblob(1000000)", "x'FFFFFFFFFFFFFFFF'", "x'0100000000000000FFFFFFFFFFFFFF7F'"]


def hostile_sql(r, data):
    """The database as statements that a person could have run leave it; the schema's texts may be changed as well."""
    plain = bytearray(data)
    plain[18:20] = b"\x01\x01"  # not WAL: that is two files
    db = sqlite3.connect(":memory:", isolation_level=None)
    turns = iter(range(50))
    db.set_progress_handler(lambda: next(turns, None) is None, 10000)  # a seed may hold what never ends
    try:
        db.deserialize(bytes(plain))
        for _ in range(r.choice([1, 1, 2, 4])):
            table = r.choice(["events", "events", "keys"])
            column = r.choice(["number", "key"] if table == "keys" else ["number", "time", "surface", "known", "weight", "ids", "numbers", "outcomes"])
            try:
                if r.random() < .3:
                    kind, name, sql = r.choice(db.execute("SELECT type, name, sql FROM sqlite_schema").fetchall())
                    words = re.findall(r"\w+|\s+|.", sql or "x")
                    words[r.randrange(len(words))] = r.choice(words + ["INTEGER", "TEXT", "STRICT", "WITHOUT ROWID", "UNIQUE", "CHECK (0)", "DEFAULT (1)", "AS (1)", "COLLATE NOCASE", "", "x", ",", "(", ")", "events", "keys"])
                    db.execute("PRAGMA writable_schema = 1")
                    db.execute("UPDATE sqlite_schema SET sql = ?, type = ?, rootpage = rootpage + ? WHERE name = ?",
                               ("".join(words), kind if r.random() < .9 else r.choice(["table", "view", "index", "trigger"]), r.choice([0, 0, 0, 1, -1, 1000]), name))
                    db.execute("PRAGMA writable_schema = 0")
                else:
                    db.executescript(r.choice(HOSTILE_SQL).format(t=table, c=column, v=r.choice(VALUES), n=r.randrange(100)))
            except sqlite3.Error:
                pass
        out = bytearray(db.serialize())
        out[18:20] = data[18:20]
        return bytes(out) if len(out) <= m.MOST else data
    except (sqlite3.Error, IndexError):
        return m.mutate_bytes(r, data)
    finally:
        db.close()


def mutate_pages(r, data):
    """Fields of the file's header, of a page's header, and a page's cell pointers and cells."""
    out = bytearray(data)
    size = struct.unpack_from(">H", out, 16)[0] or 512
    size = 65536 if size == 1 else max(size, 512)
    for _ in range(r.choice([1, 1, 2, 4])):
        if r.random() < .2:
            at, width = r.choice([(16, 2), (18, 1), (19, 1), (20, 1), (21, 1), (22, 1), (23, 1), (24, 4), (28, 4), (32, 4), (36, 4), (40, 4), (44, 4), (52, 4), (56, 4), (64, 4), (68, 4), (92, 4)])
        else:
            page = r.randrange((len(out) + size - 1) // size) * size
            head = page + (100 if page == 0 else 0)
            kind = r.randrange(4)
            cells = struct.unpack_from(">H", out, head + 3)[0] if head + 8 <= len(out) else 0
            pointers = head + (12 if out[head] in (2, 5) else 8)
            if kind == 0:
                at, width = r.choice([(head, 1), (head + 1, 2), (head + 3, 2), (head + 5, 2), (head + 7, 1), (head + 8, 4)])
            elif kind == 1 or not 0 < cells < 200:
                at, width = pointers + 2 * r.randrange(max(1, min(cells, 200))), 2
            else:  # the beginning of a cell: its size, its number, the sizes of its fields
                pointer = pointers + 2 * r.randrange(cells)
                at, width = page + (struct.unpack_from(">H", out, pointer)[0] if pointer + 2 <= len(out) else 0) + r.randrange(14), 1
        if at + width <= len(out):
            old = int.from_bytes(out[at:at + width], "big")
            out[at:at + width] = integer_near(r, old, width).to_bytes(width, "big")
    return bytes(out)


def mutate_sqlite(r, data):
    if len(data) < 512 or r.random() < .1:
        return m.mutate_bytes(r, data)
    kind = r.randrange(4)
    if kind <= 1 and hasattr(sqlite3.Connection, "deserialize"):
        data = hostile_sql(r, data)
    return mutate_pages(r, data) if kind >= 1 else data


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
            parts[min(i, j):max(i, j)] = ["(", *parts[min(i, j):max(i, j)], ")", r.choice(["", "*", "+", "?", "{2}", "{0,3}", "|b"])]
        elif kind == 3 and parts:
            parts.insert(i, (r.choice(parts) * r.choice([1, 2, 50, 2000]))[:m.MOST])
        else:
            parts.insert(i, r.choice(PATTERN_PARTS))
    return "".join(parts).encode("utf-8", "replace").replace(b"\x00", b"")[:m.MOST]

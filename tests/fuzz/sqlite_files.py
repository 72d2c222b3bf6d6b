"""Structure-aware mutations of the files of an SQLite database: the database, its write-ahead log, that log's index and
its rollback journal (www.sqlite.org/fileformat2.html). Checksums are recomputed. As in mutations.py: (random, bytes) ->
bytes."""

import re
import sqlite3
import struct

import mutations as m
from own_formats import integer_near, mutate_fields
from parts import sized_parts_of

# ---- SQLite databases: pages, and what statements make of them ----

HOSTILE_SQL = [
    "DROP TABLE {t}",
    "DELETE FROM {t}",
    "DELETE FROM {t} WHERE rowid % 2",
    "UPDATE {t} SET {c} = {v}",
    "UPDATE {t} SET {c} = {v} WHERE rowid = 2",
    "INSERT INTO {t} SELECT * FROM {t}",
    "ALTER TABLE {t} RENAME TO other",
    "ALTER TABLE {t} RENAME COLUMN {c} TO other",
    "ALTER TABLE {t} ADD COLUMN more",
    "ALTER TABLE {t} ADD COLUMN more AS (randomblob(1000000000))",
    "ALTER TABLE {t} DROP COLUMN {c}",
    "CREATE INDEX i{n} ON {t} ({c})",
    "CREATE UNIQUE INDEX i{n} ON {t} ({c})",
    "CREATE INDEX i{n} ON {t} (abs({c}))",
    "CREATE INDEX i{n} ON {t} (hex(zeroblob(4000000)))",
    "CREATE TRIGGER g{n} AFTER INSERT ON {t} BEGIN DELETE FROM {t}; END",
    "CREATE TRIGGER g{n} BEFORE INSERT ON {t} BEGIN SELECT raise(IGNORE); END",
    "CREATE TRIGGER g{n} AFTER INSERT ON {t} BEGIN INSERT INTO keys WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x) SELECT i, i FROM x; END",
    "CREATE TRIGGER g{n} AFTER INSERT ON {t} WHEN (WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x) SELECT count(*) FROM x) BEGIN SELECT 1; END",
    "DROP TABLE {t}; CREATE VIEW {t} AS SELECT 1 AS number, 2 AS time, 0 AS surface, 1 AS known, 1.0 AS weight, x'' AS ids, x'' AS numbers, x'' AS outcomes",
    "DROP TABLE events; CREATE VIEW events AS WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x) SELECT i AS number, i AS time, 0 AS surface, 1 AS known, 1.0 AS weight, "
    "zeroblob(8) AS ids, x'' AS numbers, x'' AS outcomes FROM x",
    "DROP TABLE {t}; CREATE TABLE {t} (number, time, surface, known, weight, ids, numbers, outcomes)",
    "DROP TABLE {t}; CREATE TABLE {t} (a)",
    "DROP TABLE {t}; CREATE TABLE {t} (number INTEGER PRIMARY KEY, time, surface, known, weight, ids, numbers, outcomes, CHECK (length(hex(zeroblob(2000000))) > 0))",
    "DROP TABLE {t}; CREATE VIRTUAL TABLE {t} USING fts5(number, time, surface, known, weight, ids, numbers, outcomes)",
    "CREATE TABLE more (x); ANALYZE",
    "PRAGMA application_id = {n}",
    "PRAGMA user_version = {n}",
    "PRAGMA auto_vacuum = 1; VACUUM",
    "PRAGMA encoding = 'UTF-16'",
    "VACUUM",
]
VALUES = [
    "NULL",
    "0",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "1e300",
    "'a'",
    "x''",
    "x'00'",
    "zeroblob(8)",
    "zeroblob(1000000)",
    "x'FFFFFFFFFFFFFFFF'",
    "x'0100000000000000FFFFFFFFFFFFFF7F'",
]


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
            column = r.choice(
                ["number", "key"]
                if table == "keys"
                else ["number", "time", "surface", "known", "weight", "ids", "numbers", "outcomes"]
            )
            try:
                if r.random() < 0.3:
                    kind, name, sql = r.choice(db.execute("SELECT type, name, sql FROM sqlite_schema").fetchall())
                    words = re.findall(r"\w+|\s+|.", sql or "x")
                    words[r.randrange(len(words))] = r.choice(
                        words
                        + [
                            "INTEGER",
                            "TEXT",
                            "STRICT",
                            "WITHOUT ROWID",
                            "UNIQUE",
                            "CHECK (0)",
                            "DEFAULT (1)",
                            "AS (1)",
                            "COLLATE NOCASE",
                            "",
                            "x",
                            ",",
                            "(",
                            ")",
                            "events",
                            "keys",
                        ]
                    )
                    db.execute("PRAGMA writable_schema = 1")
                    db.execute(
                        "UPDATE sqlite_schema SET sql = ?, type = ?, rootpage = rootpage + ? WHERE name = ?",
                        (
                            "".join(words),
                            kind if r.random() < 0.9 else r.choice(["table", "view", "index", "trigger"]),
                            r.choice([0, 0, 0, 1, -1, 1000]),
                            name,
                        ),
                    )
                    db.execute("PRAGMA writable_schema = 0")
                else:
                    db.executescript(
                        r.choice(HOSTILE_SQL).format(t=table, c=column, v=r.choice(VALUES), n=r.randrange(100))
                    )
            except sqlite3.Error:
                pass
        out = bytearray(db.serialize())
        out[18:20] = data[18:20]
        return bytes(out) if len(out) <= m.MOST else data
    except (sqlite3.Error, IndexError):
        return m.mutate_bytes(r, data)
    finally:
        db.close()


def place_in_page(r, out, page, head):
    """(offset, bytes) of a field of a page's header at `head`, of a cell pointer or at a cell's beginning."""
    kind = r.randrange(4)
    cells = struct.unpack_from(">H", out, head + 3)[0] if head + 8 <= len(out) else 0
    pointers = head + (12 if head < len(out) and out[head] in (2, 5) else 8)
    if kind == 0:
        return r.choice([(head, 1), (head + 1, 2), (head + 3, 2), (head + 5, 2), (head + 7, 1), (head + 8, 4)])
    if kind == 1 or not 0 < cells < 200:
        return pointers + 2 * r.randrange(max(1, min(cells, 200))), 2
    pointer = pointers + 2 * r.randrange(cells)  # a cell: its size, its number, the sizes of its fields
    return page + (struct.unpack_from(">H", out, pointer)[0] if pointer + 2 <= len(out) else 0) + r.randrange(14), 1


def mutate_page(r, page, first):
    out = bytearray(page)
    at, width = place_in_page(r, out, 0, 100 if first else 0)
    if at + width <= len(out):
        out[at : at + width] = integer_near(r, int.from_bytes(out[at : at + width], "big"), width).to_bytes(
            width, "big"
        )
    return bytes(out)


def mutate_pages(r, data):
    """Fields of the file's header, of a page's header, and a page's cell pointers and cells."""
    out = bytearray(data)
    size = struct.unpack_from(">H", out, 16)[0] or 512
    size = 65536 if size == 1 else max(size, 512)
    for _ in range(r.choice([1, 1, 2, 4])):
        if r.random() < 0.2:
            at, width = r.choice(
                [
                    (16, 2),
                    (18, 1),
                    (19, 1),
                    (20, 1),
                    (21, 1),
                    (22, 1),
                    (23, 1),
                    (24, 4),
                    (28, 4),
                    (32, 4),
                    (36, 4),
                    (40, 4),
                    (44, 4),
                    (52, 4),
                    (56, 4),
                    (64, 4),
                    (68, 4),
                    (92, 4),
                ]
            )
        else:
            page = r.randrange((len(out) + size - 1) // size) * size
            at, width = place_in_page(r, out, page, page + (100 if page == 0 else 0))
        if at + width <= len(out):
            old = int.from_bytes(out[at : at + width], "big")
            out[at : at + width] = integer_near(r, old, width).to_bytes(width, "big")
    return bytes(out)


def mutate_sqlite(r, data):
    if len(data) < 512 or r.random() < 0.1:
        return m.mutate_bytes(r, data)
    kind = r.randrange(4)
    if kind <= 1 and hasattr(sqlite3.Connection, "deserialize"):
        data = hostile_sql(r, data)
    return mutate_pages(r, data) if kind >= 1 else data


# ---- the write-ahead log: a header, and frames of a header and a page; sums go on from one to the next ----


def wal_sum(data, order, state):
    s0, s1 = state
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for x0, x1 in zip(words[::2], words[1::2]):
        s0 = s0 + x0 + s1 & 0xFFFFFFFF
        s1 = s1 + x1 + s0 & 0xFFFFFFFF
    return s0, s1


def mutate_wal(r, data):
    if len(data) < 32 or r.random() < 0.05:
        return m.mutate_bytes(r, data)
    head, size = bytearray(data[:32]), struct.unpack_from(">I", data, 8)[0]
    size = size if size in (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536) else 4096
    frames = [
        [bytearray(data[at : at + 24]), data[at + 24 : at + 24 + size]]
        for at in range(32, len(data) - 24 - size + 1, 24 + size)
    ]
    tail = b""
    for _ in range(r.choice([1, 1, 2, 3])):
        kind = r.randrange(9)
        if kind == 0 or not frames:
            mutate_fields(
                r, head, 0, ["8s", "I", "I", "I", "I"]
            )  # big-endian; the values are near the old ones all the same
        elif kind == 1:
            frame = r.choice(frames)[0]  # its page
            struct.pack_into(">I", frame, 0, r.choice([0, 1, 2, 3, 4, 5, 100, 0x7FFFFFFF, 0xFFFFFFFF]))
        elif kind == 2:
            frame = r.choice(frames)[0]  # the database's pages: it commits
            struct.pack_into(">I", frame, 4, r.choice([0, 0, 1, 2, 3, 4, 100, 0x7FFFFFFF, 0xFFFFFFFF]))
        elif kind <= 5:
            frame = r.choice(frames)
            frame[1] = (
                mutate_page(r, frame[1], struct.unpack_from(">I", frame[0])[0] == 1)
                if r.random() < 0.8
                else r.choice(frames)[1]
            )
        elif kind == 6:
            i, j = r.randrange(len(frames)), r.randrange(len(frames))
            frames[i], frames[j] = frames[j], frames[i]
        elif kind == 7:
            r.choice(
                [
                    lambda: frames.pop(r.randrange(len(frames))),
                    lambda: frames.append([bytearray(frames[0][0]), frames[-1][1]]),
                ]
            )()
        else:
            tail = bytes(r.choice([1, 24, 24 + size, 4096]))
    if r.random() < 0.9:
        order = ">" if head[3] & 1 else "<"
        state = wal_sum(bytes(head[:24]), order, (0, 0))
        struct.pack_into(">II", head, 24, *state)
        for frame, page in frames:
            frame[8:16] = head[16:24]  # the salts
            state = wal_sum(bytes(frame[:8]) + page, order, state)
            struct.pack_into(">II", frame, 16, *state)
    return bytes(head) + b"".join(bytes(frame) + page for frame, page in frames) + tail


# ---- the index of the write-ahead log in shared memory: two copies of a header, marks of readers, tables ----


def mutate_shm(r, data):
    out = bytearray(data) + bytes(max(0, 136 - len(data)))
    for _ in range(r.choice([1, 1, 3])):
        kind = r.randrange(3)
        if kind == 0:
            mutate_fields(r, out, 0, ["I", "I", "I", "B", "B", "H", "I", "I", "I", "I", "I", "I"])
        elif kind == 1:
            mutate_fields(r, out, 96, ["I"] * 6)
        else:
            out = out[:136] + bytearray(m.mutate_bytes(r, bytes(out[136:])))
    struct.pack_into("<II", out, 40, *wal_sum(bytes(out[:40]), "<", (0, 0)))
    out[48:96] = out[:48]
    return bytes(out)


# ---- the rollback journal: a header of a sector, and records of a page's number, its old bytes and a sum ----

JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")


def mutate_journal(r, data):
    if len(data) < 28 or r.random() < 0.05:
        return m.mutate_bytes(r, data)
    records, nonce, pages, sector, size = struct.unpack_from(">IIIII", data, 8)
    if not 28 <= sector <= 65536 or not 512 <= size <= 65536:
        return m.mutate_bytes(r, data)
    found = [
        [struct.unpack_from(">I", data, at)[0], data[at + 4 : at + 4 + size]]
        for at in range(sector, len(data) - 8 - size + 1, 8 + size)
    ]
    name = None
    for _ in range(r.choice([1, 1, 2, 3])):
        kind = r.randrange(8)
        if kind == 0:
            records = r.choice([0, 1, records + 1, 0xFFFFFFFF, 0x7FFFFFFF])
        elif kind == 1:
            pages = r.choice([0, 1, 2, pages + 1, 1000, 0x7FFFFFFF, 0xFFFFFFFF])
        elif kind == 2:
            sector, size = r.choice(
                [
                    (sector * 2, size),
                    (32, size),
                    (0, size),
                    (sector, size * 2),
                    (sector, 0),
                    (sector, size + 1),
                    (1 << 31, size),
                    (65536, 65536),
                ]
            )
        elif kind == 3:
            name = r.choice([b"named-file", b"", b"./named-file", b"x" * 2000, b"\0"])
        elif kind == 4 and found:
            r.choice(found)[0] = r.choice([0, 1, 2, 3, 4, pages, pages + 1, 0x40000000 // max(size, 1) + 1, 0xFFFFFFFF])
        elif kind == 5 and found:
            found.append(list(r.choice(found)))
            records = len(found)
        elif found:
            record = r.choice(found)
            record[1] = mutate_page(r, record[1], record[0] == 1)
    out = JOURNAL_MAGIC + struct.pack(
        ">IIIII", records & 0xFFFFFFFF, nonce, pages & 0xFFFFFFFF, sector & 0xFFFFFFFF, size & 0xFFFFFFFF
    )
    out += bytes(max(0, min(sector, 65536) - len(out)))
    for number, page in found:
        total = nonce + sum(page[i] for i in range(len(page) - 200, 0, -200))
        out += (
            struct.pack(">I", number & 0xFFFFFFFF)
            + page
            + struct.pack(">I", total & 0xFFFFFFFF if r.random() < 0.98 else 0)
        )
    if name is not None:
        out += (
            struct.pack(">I", 0x40000000 // max(size, 1) + 1)
            + name
            + struct.pack(">II", len(name), sum(name))
            + JOURNAL_MAGIC
        )
    return out if r.random() < 0.95 else out[: r.randrange(len(out) + 1)]


mutate_files = sized_parts_of(mutate_sqlite, mutate_wal, mutate_shm, mutate_journal)

"""Mutators of inputs that hold several files: one of the files is changed."""

import struct


def parts_of(*mutators):
    """Texts with a zero byte between one and the next; what is behind the last may have more of them."""

    def mutate(r, data):
        pieces = data.split(b"\x00", len(mutators) - 1)
        pieces += [b""] * (len(mutators) - len(pieces))
        i = r.choice([n for n, piece in enumerate(pieces) if piece or r.random() < 0.1] or [0])
        pieces[i] = mutators[i](r, pieces[i])
        return b"\x00".join(p.replace(b"\x00", b"") if n < len(pieces) - 1 else p for n, p in enumerate(pieces))

    return mutate


def behind_a_byte(mutate):
    return lambda r, data: (bytes([r.randrange(256)]) if r.random() < 0.1 else data[:1]) + mutate(r, data[1:])


def sized_parts_of(*mutators):
    """As scratch_folder.h's split_by_sizes(): each part but the last has its size in front, in 4 bytes."""

    def mutate(r, data):
        pieces = []
        for _ in mutators[1:]:
            size = int.from_bytes(data[:4], "little")
            pieces.append(data[4 : 4 + size])
            data = data[4 + size :]
        pieces.append(data)
        there = [n for n, piece in enumerate(pieces) if piece] or [0]
        i = r.choice(there)
        pieces[i] = mutators[i](r, pieces[i])
        return b"".join(struct.pack("<I", len(p)) + p for p in pieces[:-1]) + pieces[-1]

    return mutate

"""Small pictures of every kind that decoders meet, and beside each what Pillow makes of it (open, exif_transpose,
convert("RGB")) as bytes.
usage: make.py     needs Pillow; rewrites this folder. cases.json lists file, width, height and how far a decoder may be
off."""

import json
import pathlib
import struct
import zlib

from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).parent
W, H = 23, 17
cases = []


def base(mode="RGB"):
    image = Image.new("RGBA", (W, H))
    image.putdata(
        [((x * 11 + y) % 256, (y * 15) % 256, (x * y) % 256, (x * 40) % 256) for y in range(H) for x in range(W)]
    )
    return image.convert(mode)


def keep(name, tolerance=0, expected=None):
    shown = expected or ImageOps.exif_transpose(Image.open(HERE / name)).convert("RGB")
    (HERE / f"{name}.rgb").write_bytes(shown.tobytes())
    cases.append({"file": name, "width": shown.width, "height": shown.height, "tolerance": tolerance})


def oriented(n):
    exif = Image.Exif()
    exif[0x0112] = n
    return exif


def png16(name, channels):
    """16-bit PNG written by hand; the upper bytes are what we keep."""
    colour = {1: 0, 3: 2}[channels]
    rows = b"".join(
        b"\0"
        + b"".join(
            struct.pack(">H", (x * 2571 + y * 997 + c * 21000) % 65536) for x in range(W) for c in range(channels)
        )
        for y in range(H)
    )
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    (HERE / name).write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, 16, colour, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    high = Image.new("RGB", (W, H))
    high.putdata(
        [
            tuple(((x * 2571 + y * 997 + (c if channels == 3 else 0) * 21000) % 65536) >> 8 for c in range(3))
            for y in range(H)
            for x in range(W)
        ]
    )
    keep(name, expected=high)


for mode in ("RGB", "RGBA", "L", "LA", "1", "P"):
    base("RGB").convert("P", palette=Image.Palette.ADAPTIVE, colors=13).save(HERE / "p.png") if mode == "P" else base(
        mode
    ).save(HERE / f"{mode.lower()}.png")
    keep(f"{mode.lower()}.png")
palette = base("RGB").convert("P", palette=Image.Palette.ADAPTIVE, colors=13)
palette.save(HERE / "transparent_palette.png", transparency=3)
keep("transparent_palette.png")
png16("grey16.png", 1)
png16("rgb16.png", 3)
for n in range(1, 9):
    base().save(HERE / f"orientation{n}.jpg", exif=oriented(n), quality=90)
    keep(f"orientation{n}.jpg", 2)
base().save(HERE / "orientation6.png", exif=oriented(6))
keep("orientation6.png")
base().save(HERE / "orientation6.webp", exif=oriented(6), lossless=True)
keep("orientation6.webp")
base("L").save(HERE / "grey.jpg")
keep("grey.jpg", 2)
base("RGB").convert("CMYK").save(HERE / "cmyk.jpg", quality=95)
keep("cmyk.jpg", 3)
base().save(HERE / "progressive.jpg", progressive=True, quality=80)
keep("progressive.jpg", 2)
base().save(HERE / "subsampled.jpg", subsampling=2, quality=80)
keep("subsampled.jpg", 4)
base().save(HERE / "lossy.webp", quality=80)
keep("lossy.webp", 4)
base("RGBA").save(HERE / "alpha.webp", lossless=True, exact=True)
keep("alpha.webp")
for mode in ("RGB", "L", "P", "1"):
    image = palette if mode == "P" else base(mode)
    image.save(HERE / f"{mode.lower()}.bmp")
    keep(f"{mode.lower()}.bmp")


def bmp(name, bits, top_down, masks=None, header=40, gap=0):
    """BMP written by hand: rows from the top or the bottom, 16 and 32 bits with and without masks, Adobe's header of 56
    bytes."""
    pixel = lambda x, y: ((x * 37 + y * 11) % 256, (y * 15 + x) % 256, (x * y * 13) % 256)

    def stored(x, y):
        if bits == 8:
            return bytes([(x * 3 + y) % 16])
        if bits == 24:
            return bytes(pixel(x, y)[::-1])
        parts = masks or ((0xFF0000, 0xFF00, 0xFF) if bits == 32 else (0x7C00, 0x3E0, 0x1F))
        value = sum((c >> (8 - bin(m).count("1"))) << ((m & -m).bit_length() - 1) for m, c in zip(parts, pixel(x, y)))
        return struct.pack("<I" if bits == 32 else "<H", value)

    rows = [b"".join(stored(x, y) for x in range(W)) for y in range(H)]
    data = b"".join(r + b"\0" * (-len(r) % 4) for r in (rows if top_down else rows[::-1]))
    colours = b"".join(bytes([i * 15 % 256, i * 40 % 256, i * 70 % 256, 0]) for i in range(16)) if bits == 8 else b""
    info = struct.pack(
        "<IiiHHIIiiII",
        header,
        W,
        -H if top_down else H,
        1,
        bits,
        3 if masks else 0,
        len(data),
        2835,
        2835,
        len(colours) // 4,
        0,
    )
    if masks:
        info += struct.pack("<IIII", *masks, 0)[: 12 if header == 40 else 16]
    offset = 14 + len(info) + len(colours) + gap
    (HERE / name).write_bytes(
        b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + info + colours + bytes(gap) + data
    )
    keep(name)


bmp("top_down24.bmp", 24, True)
bmp("top_down8.bmp", 8, True)
bmp("top_down32.bmp", 32, True)
bmp("565.bmp", 16, False, (0xF800, 0x7E0, 0x1F))
bmp("top_down555.bmp", 16, True)
bmp("adobe32.bmp", 32, False, (0xFF0000, 0xFF00, 0xFF), header=56)
bmp("gap24.bmp", 24, False, gap=6)
(HERE / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")

"""Small pictures of every kind that decoders meet, and beside each what Pillow makes of it (open, exif_transpose, convert("RGB")) as bytes.
usage: make.py     needs Pillow; rewrites this folder. cases.json lists file, width, height and how far a decoder may be off."""
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
    image.putdata([((x * 11 + y) % 256, (y * 15) % 256, (x * y) % 256, (x * 40) % 256) for y in range(H) for x in range(W)])
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
    rows = b"".join(b"\0" + b"".join(struct.pack(">H", (x * 2571 + y * 997 + c * 21000) % 65536) for x in range(W) for c in range(channels)) for y in range(H))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    (HERE / name).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, 16, colour, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    high = Image.new("RGB", (W, H))
    high.putdata([tuple(((x * 2571 + y * 997 + (c if channels == 3 else 0) * 21000) % 65536) >> 8 for c in range(3)) for y in range(H) for x in range(W)])
    keep(name, expected=high)


for mode in ("RGB", "RGBA", "L", "LA", "1", "P"):
    base("RGB").convert("P", palette=Image.Palette.ADAPTIVE, colors=13).save(HERE / "p.png") if mode == "P" else base(mode).save(HERE / f"{mode.lower()}.png")
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
(HERE / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")

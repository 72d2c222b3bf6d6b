"""Pictures for models that see."""
from __future__ import annotations

import os
import pathlib
from typing import Any, List, NamedTuple, Sequence

import numpy as np

from . import errors
from .native import HERE, SLICE_US, check, created, ffi, int32_pointer, lib, sized

_DECODE = "libpuna_decode.so.0"


class ImageInfo(NamedTuple):
    """How a picture was cut: a grid of tiles, and the rows (`features`) and prompt tokens it takes."""

    rows: int
    columns: int
    tiles: int
    tile: int
    hidden: int
    features: int
    tokens: int
    encoded: bool


class Image:
    """A picture made ready for one model: `Model.image(...)` makes it. Shared by any number of sessions."""

    def __init__(self, model: Any, handle: Any) -> None:
        self._model, self._handle = model, handle

    @property
    def info(self) -> ImageInfo:
        i = sized("puna_image_info")
        check(lib.puna_image_get_info(self._handle, i))
        return ImageInfo(*(getattr(i, name) for name in ImageInfo._fields))._replace(encoded=bool(i.encoded))

    @property
    def pixels(self) -> np.ndarray:
        """The prepared pixels, float32 [tiles, 3, tile, tile]."""
        i = self.info
        out = np.empty((i.tiles, 3, i.tile, i.tile), np.float32)
        check(lib.puna_image_pixels(self._handle, ffi.from_buffer("float[]", out), out.size, ffi.new("size_t*")))
        return out

    @property
    def tokens(self) -> List[int]:
        """What <|image|> becomes in a prompt."""
        out, count = ffi.new("int32_t[]", self.info.tokens), ffi.new("size_t*")
        check(lib.puna_image_tokens(self._handle, out, len(out), count))
        return list(out)

    def encode(self) -> "np.ndarray[Any, Any]":
        """What the text model sees: float32 [features, hidden]. Computed once."""
        self._encode_in_slices()
        i = self.info
        out = np.empty((i.features, i.hidden), np.float32)
        check(lib.puna_image_encode(self._handle, ffi.from_buffer("float[]", out), out.size))
        return out


    def _encode_in_slices(self) -> None:
        """An append encodes its images first, in slices of time, between which Ctrl-C is heard; the features then stay with the image."""
        info = self.info
        if info.encoded or info.tokens == 0:
            return
        session, list_, finished = self._model.session(), handles([self]), ffi.new("int32_t*")
        ids = np.array(self.tokens, np.int32)
        if lib.puna_session_begin_images(session._handle, int32_pointer(ids), ids.size, list_, 1) != lib.PUNA_OK:
            return  # a model with fewer positions than the image takes
        while not finished[0] and not self.info.encoded:
            check(lib.puna_session_step(session._handle, SLICE_US, finished))


def handles(images: "Image | Sequence[Image]") -> Any:
    """The images as C takes them; keep the result alive during the call."""
    if isinstance(images, Image):
        images = [images]
    return ffi.new("const puna_image*[]", [image._handle for image in images])


def make(model: Any, source: Any) -> Image:
    """From an array uint8 [height, width, 3], anything numpy reads as one (a Pillow image), a path, or the bytes of a file."""
    if isinstance(source, (str, os.PathLike)):
        source = pathlib.Path(source).read_bytes()
    rgb = decode(source) if isinstance(source, (bytes, bytearray, memoryview)) else np.ascontiguousarray(source)
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"expected uint8 [height, width, 3], got {rgb.dtype} {list(rgb.shape)}")
    height, width, _ = rgb.shape
    handle = created(lib.puna_image_free, lib.puna_image_from_rgb, model._handle, ffi.from_buffer("uint8_t[]", rgb), width, height, 0, type="puna_image")
    return Image(model, handle)


def from_pixels(model: Any, pixels: np.ndarray, rows: int, columns: int) -> Image:
    """From prepared pixels, float32 [tiles, 3, tile, tile]."""
    array = np.ascontiguousarray(pixels, np.float32)
    handle = created(lib.puna_image_free, lib.puna_image_from_pixels, model._handle, ffi.from_buffer("float[]", array), array.size, rows, columns,
                     type="puna_image")
    return Image(model, handle)


_decoder: Any = None


def decode(data: Any) -> np.ndarray:
    """PNG, JPEG, WebP or BMP bytes as uint8 [height, width, 3], by libpuna_decode; without it, by Pillow where that is installed."""
    global _decoder
    if _decoder is None:
        beside = [HERE / _DECODE, pathlib.Path(os.environ.get("PUNA_LIBRARY", HERE / "x")).parent / _DECODE]
        found = [p for p in beside if p.is_file()]
        try:
            _decoder = ffi.dlopen(str(found[0])) if found else False
        except OSError:  # one of the picture libraries is not on this system
            _decoder = False
    if _decoder is False:
        return _decode_by_pillow(data)
    view, info = ffi.from_buffer(data), sized("puna_picture_info")
    _check(_decoder.puna_decode_info(view, len(view), info))
    out = np.empty((info.height, info.width, 3), np.uint8)
    _check(_decoder.puna_decode_rgb(view, len(view), ffi.from_buffer("uint8_t[]", out), out.size))
    return out


def _check(status: int) -> None:
    if status != lib.PUNA_OK:
        raise errors.BY_STATUS.get(status, errors.Error)(ffi.string(_decoder.puna_decode_last_error()).decode("utf-8", "replace"))


def _decode_by_pillow(data: Any) -> np.ndarray:
    try:
        import io

        import PIL.Image  # type: ignore[import-not-found,unused-ignore]
        import PIL.ImageOps  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise errors.Unsupported(f"{_DECODE} is not beside libpuna, and Pillow is not installed: give pixels as an array") from None
    return np.asarray(PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data))).convert("RGB"))

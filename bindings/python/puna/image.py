"""Pictures for models that see."""

from __future__ import annotations

import os
import pathlib
from typing import Any, List, NamedTuple, Sequence

import numpy as np

from . import errors
from .native import (
    SLICE_US,
    beside_library,
    borrowed,
    check,
    created,
    ffi,
    float_view,
    handle_of,
    lib,
    read,
    sized,
    values_of,
)

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
        i = read("puna_image_info", lib.puna_image_get_info, self._handle)
        return ImageInfo(*values_of(i, ImageInfo))._replace(encoded=bool(i.encoded))

    @property
    def pixels(self) -> np.ndarray:
        """The prepared pixels, float32 [tiles, 3, tile, tile]: the library's own memory, read-only, like encode()'s."""
        i = self.info
        return float_view(*borrowed("float", lib.puna_image_get_pixels, self._handle), self._handle).reshape(
            i.tiles, 3, i.tile, i.tile
        )

    @property
    def tokens(self) -> List[int]:
        """What <|image|> becomes in a prompt."""
        return list(ffi.unpack(*borrowed("int32_t", lib.puna_image_get_tokens, self._handle)))

    def encode(self) -> "np.ndarray[Any, Any]":
        """What the text model sees: float32 [features, hidden]. Computed once."""
        self._encode_in_slices()
        i = self.info
        return float_view(*borrowed("float", lib.puna_image_encode, self._handle), self._handle).reshape(
            i.features, i.hidden
        )

    def _encode_in_slices(self) -> None:
        """An append encodes its images first, in slices of time, between which Ctrl-C takes effect; the features then
        stay with the image."""
        info = self.info
        if info.encoded or info.tokens == 0:
            return
        session, finished = self._model.session(), ffi.new("int32_t*")
        options = sized("puna_append_options", images=handles(self), image_count=1)
        if (
            lib.puna_session_begin(
                session._handle, *borrowed("int32_t", lib.puna_image_get_tokens, self._handle), options
            )
            != lib.PUNA_OK
        ):
            return  # a model with fewer positions than the image takes
        while not finished[0] and not self.info.encoded:
            check(lib.puna_session_step(session._handle, SLICE_US, finished))


def handles(images: "Image | Sequence[Image]") -> Any:
    """The images as C takes them; keep the result alive during the call."""
    if isinstance(images, Image):
        images = [images]
    return ffi.new("const puna_image*[]", [handle_of(image, "Image", "images") for image in images])


def make(model: Any, source: Any) -> Image:
    """From an array uint8 [height, width, 3], anything numpy reads as one (a Pillow image), a path, or the bytes of a
    file."""
    if isinstance(source, (str, os.PathLike)):
        source = pathlib.Path(source).read_bytes()
    rgb = decode(source) if isinstance(source, (bytes, bytearray, memoryview)) else np.ascontiguousarray(source)
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"expected uint8 [height, width, 3], got {rgb.dtype} {list(rgb.shape)}")
    height, width, _ = rgb.shape
    handle = created(
        lib.puna_image_free,
        lib.puna_image_create,
        model._handle,
        ffi.from_buffer("uint8_t[]", rgb),
        width,
        height,
        0,
        type="puna_image",
    )
    return Image(model, handle)


def from_pixels(model: Any, pixels: np.ndarray, rows: int, columns: int) -> Image:
    """From prepared pixels, float32 [tiles, 3, tile, tile]."""
    array = np.ascontiguousarray(pixels, np.float32)
    handle = created(
        lib.puna_image_free,
        lib.puna_image_create_from_pixels,
        model._handle,
        ffi.from_buffer("float[]", array),
        array.size,
        rows,
        columns,
        type="puna_image",
    )
    return Image(model, handle)


_decoder: Any = None


def decode(data: Any) -> np.ndarray:
    """PNG, JPEG, WebP or BMP bytes as uint8 [height, width, 3], by libpuna_decode; without it, by Pillow where that is
    installed."""
    global _decoder
    if _decoder is None:
        found = beside_library(_DECODE)
        try:
            _decoder = ffi.dlopen(str(found)) if found else False
        except OSError:  # one of the picture libraries is not on this system
            _decoder = False
    if _decoder is False:
        return _decode_by_pillow(data)
    view, info = ffi.from_buffer(data), sized("puna_picture_info")
    _check(_decoder.puna_decode_get_info(view, len(view), info))
    out = np.empty((info.height, info.width, 3), np.uint8)
    _check(_decoder.puna_decode_rgb(view, len(view), ffi.from_buffer("uint8_t[]", out), out.size))
    return out


def _check(status: int) -> None:
    if status != lib.PUNA_OK:
        raise errors.BY_STATUS.get(status, errors.Error)(
            ffi.string(_decoder.puna_decode_last_error()).decode("utf-8", "replace")
        )


def _decode_by_pillow(data: Any) -> np.ndarray:
    try:
        import io

        import PIL.Image  # type: ignore[import-not-found,unused-ignore]
        import PIL.ImageOps  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise errors.Unsupported(
            f"{_DECODE} is not beside libpuna, and Pillow is not installed: give pixels as an array"
        ) from None
    return np.asarray(PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data))).convert("RGB"))

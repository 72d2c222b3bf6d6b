use crate::error::{check, Result};
use crate::model::Model;
use crate::raw::{invalid, pointer, sized, slice, Handle};
use puna_sys::*;
use std::sync::Arc;

/// A picture made ready for one model: cut into tiles, encoded when somebody needs it. Clones are the same image.
#[derive(Clone)]
pub struct Image {
    pub(crate) handle: Arc<Handle<puna_image>>,
}
// The library's images may be used by any number of threads at once.
unsafe impl Send for Image {}
unsafe impl Sync for Image {}

/// How a picture was cut, and what it takes in a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageInfo {
    /// Of the grid, in tiles.
    pub rows: i32,
    /// Of the grid, in tiles.
    pub columns: i32,
    /// With the whole picture as one more, when there are several.
    pub tiles: i32,
    /// Pixels a side of one.
    pub tile: i32,
    /// Width of a feature row.
    pub hidden: i32,
    /// Feature rows that it fills in a prompt: as many `<|patch|>` tokens.
    pub features: i64,
    /// Tokens that `<|image|>` becomes; 0 when the model's tokenizer cannot write images.
    pub tokens: i64,
    /// The features are computed.
    pub encoded: bool,
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Image").field(&self.handle.raw).finish()
    }
}

impl Image {
    /// From RGB bytes, rows from the top without gaps. Any decoder will do.
    pub fn from_rgb(model: &Model, rgb: &[u8], width: usize, height: usize) -> Result<Self> {
        if width.checked_mul(height).and_then(|n| n.checked_mul(3)) != Some(rgb.len()) {
            return invalid(format!("{} bytes are not {width} x {height} pixels of RGB", rgb.len()));
        }
        Self::create(model, |out| unsafe {
            puna_image_create(model.handle.raw, rgb.as_ptr(), width as i64, height as i64, 0, out)
        })
    }

    /// From pixels that were prepared elsewhere: `[tiles, 3, tile, tile]` floats of a grid of rows x columns tiles, row
    /// by row, then, when there are several, the whole picture as one more.
    pub fn from_pixels(model: &Model, pixels: &[f32], rows: i32, columns: i32) -> Result<Self> {
        Self::create(model, |out| unsafe {
            puna_image_create_from_pixels(model.handle.raw, pointer(pixels), pixels.len(), rows, columns, out)
        })
    }

    fn create(model: &Model, make: impl FnOnce(*mut *mut puna_image) -> puna_status) -> Result<Self> {
        Ok(Image { handle: Arc::new(Handle::create(puna_image_free, make)?.keeping(model.handle.clone())) })
    }

    /// How it was cut.
    pub fn info(&self) -> Result<ImageInfo> {
        let mut i: puna_image_info = sized();
        check(unsafe { puna_image_get_info(self.handle.raw, &mut i) })?;
        Ok(ImageInfo {
            rows: i.rows,
            columns: i.columns,
            tiles: i.tiles,
            tile: i.tile,
            hidden: i.hidden,
            features: i.features,
            tokens: i.tokens,
            encoded: i.encoded != 0,
        })
    }

    /// The prepared pixels, `[tiles, 3, tile, tile]`: like the tokens and features the library's own memory.
    pub fn pixels(&self) -> Result<&[f32]> {
        self.array(|data, count| unsafe { puna_image_get_pixels(self.handle.raw, data, count) })
    }

    /// What `<|image|>` becomes in a prompt.
    pub fn tokens(&self) -> Result<&[i32]> {
        self.array(|data, count| unsafe { puna_image_get_tokens(self.handle.raw, data, count) })
    }

    /// What the text model sees, `[features, hidden]`: computed now unless it is there already.
    pub fn encode(&self) -> Result<&[f32]> {
        self.array(|data, count| unsafe { puna_image_encode(self.handle.raw, data, count) })
    }

    // The library's arrays live as long as the image.
    fn array<T>(&self, get: impl FnOnce(*mut *const T, *mut usize) -> puna_status) -> Result<&[T]> {
        let (mut data, mut count) = (std::ptr::null(), 0);
        check(get(&mut data, &mut count))?;
        Ok(unsafe { slice(data, count) })
    }
}

pub(crate) fn handles(images: &[Image]) -> Vec<*const puna_image> {
    images.iter().map(|i| i.handle.raw.cast_const()).collect()
}

use crate::error::{check, Error, Result, Status};
use crate::model::Model;
use crate::raw::{sized, Handle};
use crate::session::Session;
use puna_sys::*;
use std::ptr::null_mut;
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
    /// Rows it fills in a prompt: as many `<|patch|>` tokens.
    pub features: i64,
    /// Tokens that `<|image|>` becomes.
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
            let message = format!("{} bytes are not {width} x {height} pixels of RGB", rgb.len());
            return Err(Error { status: Status::InvalidArgument, message });
        }
        let raw = model.handle.raw;
        let make = |out| unsafe { puna_image_from_rgb(raw, rgb.as_ptr(), width as i64, height as i64, 0, out) };
        Ok(Image { handle: Arc::new(Handle::create(puna_image_free, make)?) })
    }

    /// How it was cut.
    pub fn info(&self) -> Result<ImageInfo> {
        let mut i: puna_image_info = sized();
        check(unsafe { puna_image_get_info(self.handle.raw, &mut i) })?;
        let (rows, columns, tiles, tile, features, tokens) = (i.rows, i.columns, i.tiles, i.tile, i.features, i.tokens);
        Ok(ImageInfo { rows, columns, tiles, tile, features, tokens, encoded: i.encoded != 0 })
    }

    /// Computes what the text model sees, unless it is there.
    pub fn encode(&self) -> Result<()> {
        check(unsafe { puna_image_encode(self.handle.raw, null_mut(), 0) })
    }
}

pub(crate) fn handles(images: &[Image]) -> Vec<*const puna_image> {
    images.iter().map(|i| i.handle.raw.cast_const()).collect()
}

impl Session {
    /// Computes tokens with an image for each `<|image|>` among them (or for their `<|patch|>` tokens) and adds them: all or none.
    pub fn append_images(&mut self, tokens: &[i32], images: &[Image]) -> Result<()> {
        let list = handles(images);
        check(unsafe { puna_session_append_images(self.handle.raw, tokens.as_ptr(), tokens.len(), list.as_ptr(), list.len(), null_mut(), 0) })
    }
}

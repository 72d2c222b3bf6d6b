use crate::error::{check, Result};
use crate::raw::{bytes_of, c_string, sized, Handle};
use puna_sys::*;

/// Text to token ids and back.
pub struct Tokenizer {
    handle: Handle<puna_tokenizer>,
}
// Immutable in the library.
unsafe impl Send for Tokenizer {}
unsafe impl Sync for Tokenizer {}

impl Tokenizer {
    /// From a GGUF file, a Hugging Face folder, a tokenizer.json or a tokenizer.model.
    pub fn open(path: &str) -> Result<Self> {
        let path = c_string(path)?;
        Ok(Tokenizer { handle: Handle::create(puna_tokenizer_free, |out| unsafe { puna_tokenizer_open(path.as_ptr(), out) })? })
    }
    pub(crate) fn of_model(model: *const puna_model) -> Result<Self> {
        Ok(Tokenizer { handle: Handle::create(puna_tokenizer_free, |out| unsafe { puna_tokenizer_of_model(model, out) })? })
    }

    /// The number of ids.
    pub fn size(&self) -> Result<i32> {
        let mut info: puna_tokenizer_info = sized();
        check(unsafe { puna_tokenizer_get_info(self.handle.raw, &mut info) })?;
        Ok(info.size)
    }

    /// The ids of a text, which need not be UTF-8. `parse_special`: "<|eot|>" is the special token, else ordinary text.
    pub fn encode(&self, text: impl AsRef<[u8]>, parse_special: bool) -> Result<Vec<i32>> {
        let text = text.as_ref();
        let mut options: puna_tokenize_options = sized();
        options.parse_special = parse_special.into();
        let mut ids = vec![0; text.len() + 2];
        let mut count = 0;
        let capacity = ids.len();
        check(unsafe {
            puna_tokenizer_encode(self.handle.raw, text.as_ptr().cast(), text.len(), &options, ids.as_mut_ptr(), capacity, &mut count)
        })?;
        ids.truncate(count);
        Ok(ids)
    }

    /// The bytes of all tokens joined.
    pub fn decode(&self, tokens: &[i32], keep_special: bool) -> Result<Vec<u8>> {
        bytes_of(|text, capacity, size| unsafe {
            puna_tokenizer_decode(self.handle.raw, tokens.as_ptr(), tokens.len(), keep_special.into(), text, capacity, size)
        })
    }
}

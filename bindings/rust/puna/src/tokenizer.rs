use crate::chat::{tokenize, Text};
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

    /// The ids of a text, which need not be UTF-8. `parse_special`: "<|eot|>" is the special token, else ordinary text; what the messages of a
    /// [`ChatText`](crate::ChatText) say is ordinary text in any case.
    pub fn encode(&self, text: impl Text, parse_special: bool) -> Result<Vec<i32>> {
        tokenize(&text, parse_special, false, |text, bytes, options, tokens, capacity, count| unsafe {
            puna_tokenizer_encode(self.handle.raw, text, bytes, options, tokens, capacity, count)
        })
    }

    /// The bytes of all tokens joined.
    pub fn decode(&self, tokens: &[i32], keep_special: bool) -> Result<Vec<u8>> {
        bytes_of(|text, capacity, size| unsafe {
            puna_tokenizer_decode(self.handle.raw, tokens.as_ptr(), tokens.len(), keep_special.into(), text, capacity, size)
        })
    }
}

// life.h -- a life of the library from context to last free, through every kind of call; it ends at the first status
// that is not OK.
#pragma once
#include <string>

#include "capi/fixture.h"

namespace puna::test {

struct Life {
  puna_context_options context = sized<puna_context_options>();
  puna_model_options model = sized<puna_model_options>();
  std::string path;                                                                     // of the model, or "" and
  const std::string* bytes = nullptr;                                                   // its bytes, read through
  int32_t (*read_at)(void* user, uint64_t offset, uint64_t count, void* to) = nullptr;  // this, or in place
  void* reader_user = nullptr;
  bool drafts = false;         // it only answers, plainly and with drafts, which may do without memory
  bool constrained = false;    // it only answers by grammars, of tools too; the model has a tokenizer. With drafts: by
                               // one grammar, plainly and with guesses of a model
  bool engine = false;         // it only answers requests of an engine, which does without a prefix cache if it must
  bool text = false;           // the model ships a tokenizer and a chat template
  std::string adapter_folder;  // not "": instead of talking it learns, keeps what it learned there, and answers with it
  int32_t (*process_logits)(void*, float*, uint64_t, const int32_t*, uint64_t) = nullptr;
  puna_token_fn on_token = nullptr;
  void* user = nullptr;
};

// Every handle is freed, whatever happened.
puna_status live(const Life& life);

}  // namespace puna::test

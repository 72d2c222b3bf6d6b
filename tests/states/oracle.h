// oracle.h -- what a model says behind a history: a fresh session's answer, in a context of its own, remembered by the
// history.
#pragma once
#include <puna_train.h>
#include <puna_vision.h>

#include <memory>
#include <mutex>
#include <unordered_map>

#include "states/choice_rules.h"
#include "states/rules.h"

namespace puna::test::states {

template <class T>
T sized() {
  T t{};
  t.struct_size = sizeof(T);
  return t;
}

// A model with what goes with it, in one context: the one that is tested, or the oracle's own.
struct Subject {
  puna_context* context = nullptr;
  puna_model* model = nullptr;
  puna_adapter* adapter = nullptr;
  std::vector<puna_image*> images;
  std::vector<History> image_tokens;
  puna_model_info info = sized<puna_model_info>();
  int32_t patch = -1;
  // Of a model with a tokenizer: its tokens, those that end an answer, eos first, and a grammar for each of kChoices.
  Vocabulary tokens;
  std::vector<int32_t> own_stops;
  std::vector<puna_grammar*> grammars;

  // folder: a model, or one with base/ and adapter/ in it.
  Subject(const std::string& folder, const puna_context_options& options);
  ~Subject();
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;
  int32_t vocabulary() const { return info.vocabulary; }
  std::vector<const puna_image*> images_of(const History& h) const;  // that begin in it

 private:
  void read_tokens(const puna_tokenizer* tokenizer);
};

// How a session computes, besides what it holds.
struct Mode {
  bool exact = false, adapter = false;
};

// Any thread.
class Oracle {
 public:
  explicit Oracle(const std::string& folder);
  std::vector<float> logits(const History& h, Mode mode);  // behind the last of it
  std::vector<float> embedding(const History& before, const std::vector<int32_t>& ids, int32_t pooling, Mode mode);
  std::vector<float> scores(const std::vector<int32_t>& ids, Mode mode);

 private:
  struct FreeSession {
    void operator()(puna_session* s) const { puna_session_free(s); }
  };
  using Session = std::unique_ptr<puna_session, FreeSession>;
  Session session(Mode mode) const;
  // Fills an empty session, and `rows` with the logits behind every position.
  void fill(puna_session* s, const History& h, std::vector<float>& rows) const;
  template <class Make>
  std::vector<float> remembered(const std::string& key, Make&& make);

  Subject subject_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::vector<float>> known_;
};

}  // namespace puna::test::states

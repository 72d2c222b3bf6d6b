// engine_access.h -- what an engine sees of sessions and generations: their parts, to run the appends of many in one
// pass.
#pragma once
#include "puna/runtime/generate.h"
#include "runtime/generate/generation_impl.h"
#include "runtime/session/session_impl.h"

namespace puna {

class EngineAccess {
 public:
  using Append = Session::Append;
  using SessionImpl = Session::Impl;
  using GenerationImpl = Generation::Impl;
  using Next = Generation::Impl::Next;

  static SessionImpl& impl(Session& s) noexcept { return *s.impl_; }
  static GenerationImpl& impl(Generation& g) noexcept { return *g.impl_; }
  static Append* append(Session& s) noexcept { return s.impl_->append.get(); }

  static void commit(Session& s) {
    const std::shared_ptr<Append> append = s.impl_->append;
    append->commit();
    append->detach();
  }

  static void require_prompt(const Session& s, const PromptView& prompt) { s.require_prompt(prompt); }

  // An empty session takes over the first `length` tokens of a prompt, whose pages its cache holds already.
  static void adopt(Session& s, Prompt held) {
    SessionImpl& impl = *s.impl_;
    impl.complete = int64_t(held.tokens.size());
    impl.held = std::move(held);
    ++impl.changes;
  }
  // The pages of what is held are gone, or back as far as `complete`: the next append computes what is missing.
  static void release_pages(Session& s) {
    s.drop_append();
    SessionImpl& impl = *s.impl_;
    impl.forget_ahead();
    impl.complete = impl.kv.rewind(0);
  }
};

}  // namespace puna

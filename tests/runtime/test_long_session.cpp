// A conversation that grows token by token: the scratch of a pass is measured once a shape, and what is held is copied
// rarely. Neither may show in the bits.
#include "model/made_model.h"
#include "puna/runtime/session.h"
#include "support/last_logits.h"

using namespace puna;
using namespace puna::test;

namespace test_long_session {
namespace {

// Two layers see their chunk, which is no multiple of the 1024 positions that a thread attends to at once; two see
// everything.
ModelPtr chunked_model() {
  LlamaConfig c = make_config(/*llama4=*/true, /*layers=*/4, /*hidden=*/32, /*heads=*/2, /*kv_heads=*/1,
                              /*head_dim=*/16, /*vocab=*/61, /*ffn=*/32);
  c.chunk = 1536;
  const Made made = make_gguf(c);
  Checkpoint checkpoint;
  checkpoint.metadata = made.metadata;
  checkpoint.tensors = made.map();
  return Model::from_checkpoint(make_context({}), std::move(checkpoint));
}

std::vector<int32_t> tokens_of(const ModelPtr& model, int64_t count) {
  const std::vector<int64_t> ids = made_tokens(count, model->config().vocab);
  return {ids.begin(), ids.end()};
}

}  // namespace

TEST_CASE("a conversation that grows by one token has the bits of one prompt, over every boundary of spans and chunks",
          "[runtime]") {
  const ModelPtr model = chunked_model();
  const std::vector<int32_t> all = tokens_of(model, 3100);
  Session grown(model, {});
  grown.append(std::span(all).first(1000));
  const auto check = [&](int64_t length) {
    CAPTURE(length);
    Session whole(model, {});
    whole.append(std::span(all).first(size_t(length)));
    CHECK(last_logits(grown) == last_logits(whole));
    CHECK(std::ranges::equal(grown.tokens(), whole.tokens()));
  };
  for (int64_t length = 1001; length <= int64_t(all.size()); ++length) {
    grown.append(std::span(all).subspan(size_t(length - 1), 1));
    for (const int64_t boundary : {1024, 1536, 2048, 2560, 3072})
      if (length >= boundary && length <= boundary + 2) check(length);
  }
}

TEST_CASE("batches of changing sizes share one scratch", "[runtime]") {
  const ModelPtr model = chunked_model();
  const std::vector<int32_t> all = tokens_of(model, 1600);
  Session a(model, {}), b(model, {}), c(model, {});
  a.append(std::span(all).first(1000));
  b.append(std::span(all).first(20));
  c.append(std::span(all).first(1530));
  Session* const three[] = {&a, &b, &c};
  for (int round = 0; round < 8; ++round) {
    const size_t n = size_t(1 + round % 3);  // how many sessions go on
    const std::span<Session* const> some = std::span(three).first(n);
    std::vector<PromptView> next;
    for (Session* s : some) next.push_back(std::span(all).subspan(size_t(s->length()), 1));
    Session::append_batch(some, next);
  }
  for (Session* s : three) {
    Session alone(model, {});
    alone.append(std::span(all).first(size_t(s->length())));
    CHECK(last_logits(*s) == last_logits(alone));
  }
}

}  // namespace test_long_session

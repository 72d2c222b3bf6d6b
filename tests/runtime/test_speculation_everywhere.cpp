// Two hundred prompts, every way to draw: with drafts at every ISA level and with one to three threads the answers are
// the plain ones of one level and one thread.
#include <map>

#include "puna/grammar/grammar.h"
#include "puna/runtime/generate.h"
#include "puna/runtime/save.h"
#include "puna/runtime/snapshot.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/isa.h"

using namespace puna;
using namespace puna::test;

namespace test_speculation_everywhere {
namespace {

using Ids = std::vector<int32_t>;

constexpr int64_t kTokens = 20, kTokensOfScalar = 6;  // the beginning of an answer is the same, and scalar code is slow

// Sentences that repeat themselves, so that a lookup is right now and then and wrong now and then.
std::string prompt(size_t i) {
  const char* const said[] = {"It is a truth universally acknowledged, ", "She was not at all surprised, ",
                              "Mr. Bennet made no answer. ", "The house was small, but well built, ",
                              "He had never been so happy. "};
  const char* const more[] = {"and her mother would have it so. ", "that a man must be in want of a wife. ",
                              "but nobody believed it. ", "and they walked on in silence. "};
  const char* const last[] = {"It is", "She was", "Mr.", "The house", "He had never", "and her", "that a", "but"};
  const std::string both = std::string(said[i % 5]) + more[i / 5 % 4];
  return both + (i % 3 != 0 ? both : "") + last[i / 20 % 8] + (i / 160 ? " all" : "");
}

struct Way {
  const char* name;
  GenerateOptions options;
};
std::vector<Way> ways() {
  const auto drawn = [](float temperature, float top_p = 1) {
    GenerateOptions o;
    o.ignore_eos = true;
    o.max_tokens = kTokens;
    o.sampler.temperature = temperature;
    o.sampler.top_p = top_p;
    return o;
  };
  GenerateOptions grammar = drawn(0.9f);
  grammar.ignore_eos = false;
  grammar.grammar = grammar_from_json_schema(R"({"type": "object", "additionalProperties": false, "properties": {
      "estate": {"enum": ["Pemberley", "Longbourn"]}, "rooms": {"type": "integer", "minimum": 1, "maximum": 99},
      "remark": {"type": "string", "maxLength": 30}}, "required": ["estate", "rooms", "remark"]})");
  return {{"greedy", drawn(0)},
          {"temperature 0.3", drawn(0.3f)},
          {"temperature 0.8", drawn(0.8f)},
          {"temperature 1.2", drawn(1.2f)},
          {"top-p 0.8", drawn(0.9f, 0.8f)},
          {"grammar", grammar}};
}

// A model in one place, with another that drafts, and the prompt at hand in both.
class Place {
 public:
  Place(const TempFolder& folder, const std::string& isa, int threads) : scalar_(isa == "scalar") {
    ContextOptions options;
    options.isa = isa;
    options.threads = threads;
    answers_ = Model::open(make_context(options), folder / "Q8_0.gguf");
    draft_ = std::make_unique<Session>(Model::open(make_context(options), folder / "Q4_0.gguf"), SessionOptions());
  }
  void read(const std::string& text) {
    session_ = std::make_unique<Session>(answers_, SessionOptions());
    session_->append(answers_->require_tokenizer().encode(text, false));
  }
  int64_t tokens() const { return scalar_ ? kTokensOfScalar : kTokens; }
  // The answer to what was read, and the snapshot of the session behind it.
  GenerateResult answer(GenerateOptions o, bool lookup, bool draft, std::vector<std::byte>* snapshot = nullptr) {
    const std::unique_ptr<Session> session = session_->fork();
    o.max_tokens = tokens();
    o.lookup_tokens = lookup ? 8 : 0;
    o.draft = draft ? draft_.get() : nullptr;
    const GenerateResult result = generate(*session, Ids(), o);
    if (snapshot) {
      snapshot->resize(snapshot_bytes(*session));
      save_snapshot(*session, *snapshot);
    }
    return result;
  }

 private:
  bool scalar_;
  ModelPtr answers_;
  std::unique_ptr<Session> draft_, session_;
};

}  // namespace

TEST_CASE("two hundred prompts are answered with drafts as without, at every way to draw, ISA level and thread count",
          "[runtime][slow]") {
  const TempFolder folder;
  {
    const ModelPtr bundled =
        Model::open(make_context(ContextOptions()), PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf");
    for (const DType type : {DType::q8_0, DType::q4_0}) {
      SaveOptions o;
      o.matrices = type;
      save_gguf(*bundled, folder / (std::string(info(type).name) + ".gguf"), o);
    }
  }
  const std::vector<std::string> isas = supported_isas();
  Place plain(folder, "", 1);
  std::map<std::pair<size_t, int>, std::unique_ptr<Place>> places;
  for (size_t isa = 0; isa < isas.size(); ++isa)
    for (int threads = 1; threads <= 3; ++threads)
      places[{isa, threads}] = std::make_unique<Place>(folder, isas[isa], threads);
  std::vector<Way> all = ways();
  int64_t accepted = 0, rejected = 0, answers = 0;
  for (size_t i = 0; i < 200; ++i) {
    plain.read(prompt(i));
    // Each level with one number of threads, and with each of them for a third of the prompts.
    std::vector<Place*> here;
    for (size_t isa = 0; isa < isas.size(); ++isa) here.push_back(places[{isa, 1 + int((i + isa) % 3)}].get());
    for (Place* place : here) place->read(prompt(i));
    for (size_t w = 0; w < all.size(); ++w) {
      GenerateOptions& o = all[w].options;
      o.sampler.seed = 7 * i + w;
      std::vector<std::byte> session, of_drafted;
      const bool bytes = i % 10 == w;  // they are hundreds of kilobytes
      const GenerateResult want = plain.answer(o, false, false, bytes ? &session : nullptr);
      for (size_t isa = 0; isa < isas.size(); ++isa) {
        CAPTURE(i, all[w].name, isas[isa], 1 + int((i + isa) % 3));
        const bool draft = (i + w + isa) % 2 == 0, lookup = !draft || i % 4 == 0;
        const bool whole = here[isa]->tokens() == kTokens;
        const GenerateResult got = here[isa]->answer(o, lookup, draft, bytes && whole ? &of_drafted : nullptr);
        const size_t tokens = std::min(want.tokens.size(), size_t(here[isa]->tokens()));
        REQUIRE(got.tokens == Ids(want.tokens.begin(), want.tokens.begin() + std::ptrdiff_t(tokens)));
        if (whole) REQUIRE(got.text == want.text);
        if (bytes && whole) REQUIRE(of_drafted == session);
        accepted += got.accepted_drafts;
        rejected += got.rejected_drafts;
        ++answers;
      }
    }
  }
  CAPTURE(accepted, rejected, answers);
  CHECK(answers == int64_t(200 * all.size() * isas.size()));
  CHECK(accepted > answers);  // drafts were right, and wrong
  CHECK(rejected > answers / 4);
}

}  // namespace test_speculation_everywhere

// Images in sessions: the reference's ids and logits, and the same bits however a prompt with images reaches a session.
#include <atomic>
#include <cstring>

#include "puna/base/error.h"
#include "puna/image/decode.h"
#include "puna/runtime/generate.h"
#include "puna/runtime/image.h"
#include "puna/runtime/snapshot.h"
#include "runtime/images/image_cache.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/isa.h"
#include "support/last_logits.h"
#include "support/left_out.h"
#include "support/status.h"

using namespace puna;
using namespace puna::test;

namespace {

bool sees(const Golden& g) {
  return g.has("pixel_values_hf") && g.has("logits") && g.manifest["facts"].contains("prompt");
}

std::vector<int32_t> narrow(const std::vector<int64_t>& wide) { return {wide.begin(), wide.end()}; }

// The golden prompt with its images, prepared from the golden pixels or from the picture files.
struct Case {
  const Golden& golden;
  ModelPtr model;
  std::vector<ImagePtr> images;
  Prompt prompt;

  explicit Case(const Golden& g, const ContextOptions& options = {}, bool from_files = false)
      : golden(g), model(Model::open(make_context(options), g.folder())) {
    const std::vector<float> pixels = g.array("pixel_values_hf").f32();
    size_t at = 0, index = 0;
    for (const auto& facts : g.manifest["facts"]["images"]) {
      const auto grid = g.manifest["facts"]["aspect_ratios_hw"][index++].get<std::vector<int64_t>>();
      const size_t tiles = size_t(grid[0] * grid[1] + (grid[0] * grid[1] > 1)),
                   floats = tiles * size_t(model->require_vision().config.pixels());
      const std::string file = g.folder() + "/" + facts["file"].get<std::string>();
      images.push_back(from_files
                           ? Image::from_picture(model, decode_picture_file(model->context(), file.c_str()).view())
                           : Image::from_pixels(model, std::span(pixels).subspan(at, floats), grid[0], grid[1]));
      at += floats;
    }
    const std::string text = g.manifest["facts"]["prompt"];
    prompt = expand_images(*model, model->require_tokenizer().encode(text, true), images);
  }
  size_t size() const { return prompt.tokens.size(); }
  size_t vocab() const { return size_t(model->config().vocab); }
  Prompt part(size_t begin, size_t end) const { return slice(prompt, int64_t(begin), int64_t(end)); }
};

std::vector<float> all_logits(const Case& c, bool exact, int64_t chunk = 256) {
  Session s(c.model, {exact, 0, chunk});
  std::vector<float> logits(c.size() * c.vocab());
  s.append(c.prompt, {.logits = logits});
  return logits;
}

const std::vector<Golden>& sets() {
  static const std::vector<Golden> all = goldens(sees);
  return all;
}

}  // namespace

TEST_CASE("a prompt with images has the reference's ids, logits and greedy answer", "[runtime][golden]") {
  for (const Golden& g : sets()) {
    CAPTURE(g.folder());
    const Case c(g);
    CHECK(c.prompt.tokens == narrow(g.array("input_ids").i64()));
    g.check("logits", all_logits(c, /*exact=*/true));
    const std::vector<int32_t> want = narrow(g.array("greedy_tokens").i64());
    Session s(c.model, {true, 0, 256});
    GenerateOptions options;
    options.max_tokens = int64_t(want.size());
    options.ignore_eos = true;
    CHECK(generate(s, c.prompt, options).tokens == want);
  }
}

TEST_CASE("from picture files the same images come out as from the golden pixels", "[runtime][golden]") {
  for (const Golden& g : sets()) {
    if (left_out_file(g.folder() + "/" + g.manifest["facts"]["images"][0]["file"].get<std::string>())) continue;
    const Case pixels(g), files(g, {}, /*from_files=*/true);
    CHECK(files.prompt.tokens == pixels.prompt.tokens);
    const std::vector<float> a = all_logits(pixels, true), b = all_logits(files, true);
    // The pixels may differ by the manifest's tolerance; then so may logits, and there is no bound to hold them to.
    if (std::equal(files.images[0]->pixels().begin(), files.images[0]->pixels().end(),
                   pixels.images[0]->pixels().begin()))
      CHECK(a == b);
  }
}

TEST_CASE("images give the same bits whole, in chunks, in pieces, in steps, in a batch", "[runtime]") {
  const bool exact = GENERATE(true, false);
  for (const Golden& g : sets()) {
    const Case c(g);
    const std::vector<float> want = all_logits(c, exact);
    const std::vector<float> last(want.end() - std::ptrdiff_t(c.vocab()), want.end());
    for (const int64_t chunk : {1, 7, 31}) CHECK(all_logits(c, exact, chunk) == want);
    for (const size_t piece : {size_t(1), size_t(5), size_t(33)}) {
      Session s(c.model, {exact, 0, 256});
      for (size_t p = 0; p < c.size(); p += piece) s.append(c.part(p, std::min(p + piece, c.size())));
      CHECK(last_logits(s) == last);
    }
    {
      const Case fresh(g);  // not encoded yet: the encoder is stepped through as well
      Session s(fresh.model, {exact, 0, 16});
      s.begin(fresh.prompt);
      int steps = 1;
      std::atomic<int> asked{0};  // a few tiles a step
      while (!s.step([&] { return ++asked % 4 == 0; })) ++steps;
      CHECK(steps > 100);
      CHECK(last_logits(s) == last);
    }
    {
      Session a(c.model, {exact, 0, 24}), b(c.model, {exact, 0, 24});
      Session* sessions[] = {&a, &b};
      const Prompt half = c.part(0, c.size() / 2);
      const PromptView prompts[] = {half, c.prompt};
      Session::append_batch(sessions, prompts);
      CHECK(last_logits(b) == last);
      a.append(c.part(c.size() / 2, c.size()));
      CHECK(last_logits(a) == last);
    }
  }
}

TEST_CASE("sessions with images fork, rewind anywhere and come back from snapshots, to the bit", "[runtime]") {
  const bool exact = GENERATE(true, false);
  for (const Golden& g : sets()) {
    const Case c(g);
    const std::vector<float> want = all_logits(c, exact);
    const auto behind = [&](size_t length) {
      return std::vector<float>(want.begin() + std::ptrdiff_t((length - 1) * c.vocab()),
                                want.begin() + std::ptrdiff_t(length * c.vocab()));
    };
    Session s(c.model, {exact, 0, 16});
    s.append(c.prompt);
    const std::unique_ptr<Session> fork = s.fork();
    std::vector<std::byte> bytes(snapshot_bytes(s));
    save_snapshot(s, bytes);
    const std::unique_ptr<Session> restored = restore_snapshot(c.model, bytes);
    for (Session* session : {&s, fork.get(), restored.get()}) {
      CHECK(last_logits(*session) == behind(c.size()));
      // Into the images, and into chunks that were dropped: their patches are computed again from the features that the
      // session kept.
      for (size_t keep = c.size() - 1; keep > 0; keep = keep * 3 / 4) {
        session->truncate(int64_t(keep));
        session->append(c.part(keep, c.size()));
        CHECK(last_logits(*session) == behind(c.size()));
      }
      CHECK(shared_prefix(session->held(), c.prompt) == int64_t(c.size()));
    }
    std::vector<std::byte> again(snapshot_bytes(*restored));
    save_snapshot(*restored, again);
    CHECK(again.size() == bytes.size());
    const Case elsewhere(g);  // another model object: the restored session knows nothing of the images it once had
    const std::unique_ptr<Session> far = restore_snapshot(elsewhere.model, bytes);
    CHECK(shared_prefix(far->held(), elsewhere.prompt) == int64_t(c.size()));
    far->truncate(1);
    far->append(elsewhere.part(1, c.size()));
    CHECK(last_logits(*far) == behind(c.size()));
  }
}

TEST_CASE("damaged snapshots with images are errors", "[runtime]") {
  const Case c(sets()[0]);
  Session s(c.model, {false, 0, 256});
  s.append(c.prompt);
  std::vector<std::byte> bytes(snapshot_bytes(s));
  save_snapshot(s, bytes);
  for (size_t cut = 1; cut < bytes.size(); cut += 997)
    CHECK(status_of([&] { restore_snapshot(c.model, std::span(bytes).first(bytes.size() - cut)); }) ==
          Status::bad_file);
  for (size_t at = 0; at < bytes.size(); at += 1009) {
    bytes[at] ^= std::byte{0x41};
    CHECK(status_of([&] { restore_snapshot(c.model, bytes); }) != Status::ok);
    bytes[at] ^= std::byte{0x41};
  }
  ModelOptions blind;
  blind.vision.load = false;
  const ModelPtr text = Model::open(make_context({}), sets()[0].folder(), {}, blind);
  CHECK(status_of([&] { restore_snapshot(text, bytes); }) == Status::unsupported);
}

TEST_CASE("prefixes are shared by content: the same image again is the same, another is not", "[runtime]") {
  const Case c(sets()[0]);
  const Case again(sets()[0]);  // the same pictures, opened anew
  CHECK(shared_prefix(c.prompt, again.prompt) == int64_t(c.size()));
  std::vector<float> pixels(c.images[0]->pixels().begin(), c.images[0]->pixels().end());
  pixels[0] += 0.25f;
  const std::vector<ImagePtr> other = {Image::from_pixels(c.model, pixels, c.images[0]->rows(), c.images[0]->cols()),
                                       c.images[1]};
  const Prompt changed = place_images(*c.model, c.prompt.tokens, other);
  CHECK(shared_prefix(c.prompt, changed) == c.prompt.patches[0].position);
  const Prompt bare{c.prompt.tokens, {}};
  CHECK(shared_prefix(c.prompt, bare) == c.prompt.patches[0].position);
  CHECK(shared_prefix(bare, c.prompt) == c.prompt.patches[0].position);
}

TEST_CASE("cutting and joining prompts keeps what fills each position", "[runtime]") {
  const Case c(sets()[0]);
  for (size_t cut = 0; cut <= c.size(); ++cut) {
    Prompt joined = c.part(0, cut);
    joined.append(c.part(cut, c.size()));
    CHECK(shared_prefix(joined, c.prompt) == int64_t(c.size()));
    Prompt shorter = c.prompt;
    shorter.truncate(int64_t(cut));
    CHECK(shorter.tokens.size() == cut);
    CHECK(shared_prefix(shorter, c.prompt) == int64_t(cut));
  }
}

TEST_CASE("a full context drops the oldest, images too, as if the rest had been the conversation", "[runtime]") {
  const Case c(sets()[0]);
  GenerateOptions options;
  options.max_tokens = 30;
  options.ignore_eos = true;
  options.context_policy = ContextPolicy::drop_oldest;
  options.keep_prefix = 2;
  const int64_t most = int64_t(c.size()) + 10;
  Session s(c.model, {false, most, 256});
  const GenerateResult result = generate(s, c.prompt, options);
  REQUIRE(result.tokens.size() == 30);
  CHECK(s.held().patches.size() < c.prompt.patches.size());
  if (s.pending()) s.append(std::vector<int32_t>());
  Session plain(c.model, {false, 0, 256});
  plain.append(slice(s.held(), 0, s.length()));
  CHECK(last_logits(plain) == last_logits(s));
}

TEST_CASE("an answer about images is the same with drafts, also of a model that does not see them", "[runtime]") {
  int64_t accepted = 0;
  for (const Golden& g : sets()) {
    const Case c(g);
    const Prompt turn = [&] {  // the same conversation with the first image once more
      Prompt p = c.prompt;
      p.append(c.part(0, size_t(c.prompt.patches[0].position + c.prompt.patches[0].count)));
      return p;
    }();
    // Most of the answer is a text that repeats itself, which random weights would not write; the rest is theirs.
    const auto repeats = [&](std::span<float> logits, std::span<const int32_t> history) {
      if (history.size() % 9 != 0) logits[history.size() % 5 + 40] = 1e9f;
    };
    for (const float temperature : {0.0f, 0.7f}) {
      for (const auto& [lookup, drafts] : {std::pair(8, false), std::pair(0, true), std::pair(5, true)}) {
        CAPTURE(temperature, lookup, drafts);
        GenerateOptions options;
        options.max_tokens = 40;
        options.ignore_eos = true;
        options.sampler.temperature = temperature;
        options.processor = Sampler::Processor(repeats);
        Session plain(c.model, {}), drafted(c.model, {}), draft(c.model, {});
        for (const bool again : {false, true}) {
          options.keep_shared = again;
          const Prompt& prompt = again ? turn : c.prompt;
          options.lookup_tokens = 0;
          options.draft = nullptr;
          const GenerateResult want = generate(plain, prompt, options);
          options.lookup_tokens = lookup;
          options.draft = drafts ? &draft : nullptr;
          const GenerateResult got = generate(drafted, prompt, options);
          CHECK(got.tokens == want.tokens);
          std::vector<std::byte> bytes(snapshot_bytes(plain)), of_drafted(snapshot_bytes(drafted));
          save_snapshot(plain, bytes);
          save_snapshot(drafted, of_drafted);
          CHECK(of_drafted == bytes);
          accepted += got.accepted_drafts;
        }
        if (drafts) CHECK(draft.held().patches.empty());
      }
    }
  }
  CHECK(accepted > 20);
}

TEST_CASE("encodings are found again by content, within a budget", "[runtime]") {
  const Golden& g = sets()[0];
  ModelOptions tight;
  tight.vision.cache_bytes = 0;
  for (const ModelOptions& options : {ModelOptions(), tight}) {
    const ModelPtr model = Model::open(make_context({}), g.folder(), {}, options);
    const std::vector<float> pixels = g.array("pixel_values_hf").f32();
    const auto one = std::span(pixels).first(size_t(model->require_vision().config.pixels()));
    const ImagePtr first = Image::from_pixels(model, one, 1, 1), second = Image::from_pixels(model, one, 1, 1);
    CHECK(first->encoded() == nullptr);
    first->encode();
    second->encode();
    REQUIRE(first->encoded() != nullptr);
    CHECK((second->encoded() == first->encoded()) == (options.vision.cache_bytes != 0));
    CHECK(
        std::equal(first->encoded(), first->encoded() + first->features() * model->config().hidden, second->encoded()));
    const uint64_t bytes = one.size_bytes() + uint64_t(first->features() * model->config().hidden) * 4;
    CHECK(model->image_cache().bytes() == (options.vision.cache_bytes != 0 ? bytes : 0));
  }
}

TEST_CASE("an image cache evicts the least recently used image", "[runtime]") {
  const ContextPtr context = make_context({});
  const auto buffer = [&](char content) {
    auto b = std::make_shared<Buffer>(context->allocate(64, "a test"));
    memset(b->data(), content, 64);
    return b;
  };
  ImageCache cache(3 * 128);
  const auto a = buffer('a'), b = buffer('b'), c = buffer('c'), d = buffer('d');
  const ImageId id{{1, 2}};  // one for all: content decides
  cache.keep(id, a, a);
  cache.keep(id, b, b);
  cache.keep(id, c, c);
  CHECK(cache.find(id, *a) == a);
  cache.keep(id, d, d);
  CHECK(cache.find(id, *b) == nullptr);
  CHECK(cache.find(id, *a) == a);
  CHECK(cache.find(id, *d) == d);
  CHECK(cache.find({{1, 3}}, *d) == nullptr);
  CHECK(cache.bytes() == 3 * 128);
  cache.clear();
  CHECK(cache.bytes() == 0);
}

TEST_CASE("prompts and images that do not go together are errors that change nothing", "[runtime]") {
  const Golden& g = sets()[0];
  const Case c(g);
  const Case other(g);
  const std::vector<int32_t> text = c.model->require_tokenizer().encode("<|image|> a", true);
  CHECK(status_of([&] { expand_images(*c.model, text, c.images); }) == Status::invalid_argument);
  CHECK(status_of([&] { expand_images(*c.model, text, std::vector<ImagePtr>{nullptr}); }) == Status::invalid_argument);
  CHECK(status_of([&] { expand_images(*c.model, text, std::vector<ImagePtr>{other.images[0]}); }) ==
        Status::invalid_argument);
  CHECK(status_of([&] { place_images(*c.model, text, c.images); }) == Status::invalid_argument);
  CHECK(status_of([&] { place_images(*c.model, c.prompt.tokens, std::vector<ImagePtr>{c.images[0]}); }) ==
        Status::invalid_argument);
  Session s(c.model, {false, 0, 256});
  CHECK(status_of([&] { s.append(other.prompt); }) == Status::invalid_argument);
  Prompt wrong = c.prompt;
  wrong.patches[0].row = 1;
  CHECK(status_of([&] { s.append(wrong); }) == Status::invalid_argument);
  wrong = c.prompt;
  wrong.patches.back().count = 1000;
  CHECK(status_of([&] { s.append(wrong); }) == Status::invalid_argument);
  CHECK(s.length() == 0);
  CHECK(status_of([&] { Image::from_pixels(c.model, std::vector<float>(10), 1, 1); }) == Status::invalid_argument);
  CHECK(status_of([&] { Image::from_pixels(c.model, {}, 1000, 1000); }) == Status::invalid_argument);
  ModelOptions blind;
  blind.vision.load = false;
  const ModelPtr text_only = Model::open(make_context({}), g.folder(), {}, blind);
  CHECK(text_only->vision() == nullptr);
  CHECK(status_of([&] { Image::from_pixels(text_only, {}, 1, 1); }) == Status::unsupported);
}

TEST_CASE("a cancel ends an append while its images are encoded", "[runtime]") {
  const Case c(sets()[0]);
  Session s(c.model, {false, 0, 256});
  s.begin(c.prompt);
  CHECK_FALSE(s.step([] { return true; }));
  CHECK(c.images.back()->encoded() == nullptr);
  s.cancel();
  CHECK(status_of([&] { s.step({}); }) == Status::cancelled);
  CHECK((s.length() == 0 && !s.under_way()));
  s.append(c.prompt);
  CHECK(s.length() == int64_t(c.size()));
}

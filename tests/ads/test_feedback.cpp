// Feedback: values are right whatever was shown how often, pairs point the right way as often as they say, and the
// comparison of writers has errors that are true and no opinion where there is no difference.
#include <cmath>
#include <map>
#include <numeric>

#include "base/normals.h"
#include "base/sha256.h"
#include "puna/ads/feedback.h"
#include "support/catch.h"
#include "support/status.h"

using namespace puna;
using namespace puna::ads;
using namespace puna::test;

namespace {

// A log of `count` impressions of `cells` segments with their own rates and their own way to show texts. Texts below
// `texts_of_a` are by a, the others by b, whose rates are multiplied by `lift`.
struct MadeUp {
  std::vector<double> rate;  // [cells][texts]
  std::vector<JudgedImpression> log;
  int texts;
  MadeUp(uint64_t seed, int cells, int texts, int texts_of_a, double lift, int count) : texts(texts) {
    Normals n(seed, 9);
    std::vector<double> p;
    for (int c = 0; c < cells; ++c) {
      std::vector<double> weight;
      for (int k = 0; k < texts; ++k) {
        rate.push_back(0.1 * std::exp(0.3 * double(n.next())) * (k >= texts_of_a ? lift : 1));
        weight.push_back(0.2 + n.uniform() * (k % 2 == 0 ? 3 : 0.5));
      }
      const double all = std::accumulate(weight.begin(), weight.end(), 0.0);
      for (const double w : weight) p.push_back(w / all);
    }
    for (int i = 0; i < count; ++i) {
      const int c = int(n.uniform() * cells);
      double left = n.uniform();
      int k = 0;
      while (k + 1 < texts && (left -= p[size_t(c * texts + k)]) >= 0) ++k;
      const bool clicked = n.uniform() < rate[size_t(c * texts + k)];
      log.push_back({.cell = c,
                     .variant = k,
                     .person = uint64_t(i / 3),
                     .propensity = p[size_t(c * texts + k)],
                     .reward = clicked ? 1.0 : 0.0});
    }
  }
};

std::string hex(const Sha256& hash) {
  std::string out;
  for (const uint8_t byte : hash) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

}  // namespace

TEST_CASE("SHA-256 of the standard's examples and of every length around a block", "[base]") {
  CHECK(hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(hex(sha256(std::string(1'000'000, 'a'))) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  // The hash of the hashes of 0 to 199 bytes, by hashlib.
  std::string all;
  for (size_t n = 0; n < 200; ++n) {
    const Sha256 h = sha256(std::string(n, char('0' + n % 10)));
    all.append(h.begin(), h.end());
  }
  CHECK(hex(sha256(all)) == "7482c8b916751cf350a2e5cf4c04f6344b4eb6a9768692db7f34267fdcaa943d");
}

TEST_CASE("values of texts follow their rates and not how often they were shown; few rewards are shrunk", "[ads]") {
  const MadeUp m(1, 3, 4, 4, 1, 120'000);
  const auto values = text_values(m.log);
  REQUIRE(values.size() == 12);
  int within = 0;
  for (const TextValue& v : values) {
    CHECK(v.standard_error > 0);
    within += std::fabs(v.value - m.rate[size_t(v.cell * 4 + v.variant)]) <= 3 * v.standard_error;
  }
  CHECK(within == 12);
  const std::vector<JudgedImpression> few{{0, 0, 1, 0.5, 0}, {0, 1, 2, 0.5, 1}, {0, 1, 3, 0.5, 0}, {0, 0, 4, 0.5, 0}};
  const auto shrunk = text_values(few, 50);
  CHECK(shrunk[0].value == Approx(50 * 0.25 / 52));
  CHECK(shrunk[1].value == Approx((1 + 50 * 0.25) / 52));
  CHECK(shrunk[0].standard_error == shrunk[1].standard_error);  // nothing seen is not certainty
  std::vector<JudgedImpression> bad = few;
  bad[2].propensity = 0;
  CHECK(message_of([&] { text_values(bad); }) == "a propensity is 0, expected a probability above 0");
}

TEST_CASE("pairs of texts are the wrong way round as often as they say", "[ads]") {
  double expected = 0;
  int64_t pairs = 0, wrong = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const MadeUp m(100 + seed, 2, 4, 4, 1, 8000);
    for (const PreferredPair& p : preferred_pairs(m.log, {.confidence = 0.8})) {
      ++pairs;
      expected += p.wrong;
      CHECK(p.wrong <= 0.2 + 1e-12);
      wrong += m.rate[size_t(p.cell * 4 + p.chosen)] < m.rate[size_t(p.cell * 4 + p.rejected)];
    }
  }
  CHECK(pairs > 100);
  CHECK(double(wrong) <= expected + 3 * std::sqrt(expected) + 1);
}

TEST_CASE("where all texts are alike there are as few pairs as the confidence allows", "[ads]") {
  int64_t pairs = 0, possible = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    MadeUp m(200 + seed, 2, 4, 4, 1, 4000);
    Normals n(seed, 10);
    for (JudgedImpression& i : m.log) i.reward = n.uniform() < 0.1;
    pairs += int64_t(preferred_pairs(m.log, {.confidence = 0.95}).size());
    possible += 12;
  }
  CHECK(double(pairs) <= 2 * 0.05 * double(possible) + 3 * std::sqrt(0.1 * double(possible)));
}

TEST_CASE("the difference of two writers is right, and so is its error", "[ads]") {
  for (const double lift : {1.0, 1.2}) {
    int beyond = 0;
    double sum = 0, squares = 0;
    constexpr int kRuns = 60;
    for (uint64_t seed = 0; seed < kRuns; ++seed) {
      const MadeUp m(300 + seed, 3, 5, 2, lift, 9000);
      const std::vector<int32_t> writer_of{0, 0, 1, 1, 1};
      const WriterDifference d = writer_difference(m.log, writer_of);
      REQUIRE(d.scores.size() == m.log.size());
      double truth = 0, mean = 0, variance = 0;
      std::vector<double> share(3);
      for (const JudgedImpression& i : m.log) share[size_t(i.cell)] += 1.0 / double(m.log.size());
      for (int c = 0; c < 3; ++c) {
        const double* r = &m.rate[size_t(c) * 5];
        truth += share[size_t(c)] * ((r[2] + r[3] + r[4]) / 3 - (r[0] + r[1]) / 2);
      }
      for (const double x : d.scores) mean += x / double(d.scores.size());
      for (const double x : d.scores) variance += (x - mean) * (x - mean);
      CHECK(mean == Approx(d.value_b - d.value_a));
      const double error = std::sqrt(variance) / double(d.scores.size());
      beyond += std::fabs(mean - truth) > 1.96 * error;
      sum += (mean - truth) / error;
      squares += (mean - truth) * (mean - truth) / error / error;
    }
    CHECK(beyond <= 9);  // of 60, 3 expected
    CHECK(std::fabs(sum / kRuns) < 0.5);
    CHECK(std::sqrt(squares / kRuns) > 0.7);
    CHECK(std::sqrt(squares / kRuns) < 1.35);
  }
}

TEST_CASE("cells that have texts of one writer alone are left out, and wrong propensities show", "[ads]") {
  MadeUp m(7, 2, 4, 2, 1, 5000);
  const std::vector<int32_t> writer_of{0, 0, 1, -1};
  const WriterDifference all = writer_difference(m.log, writer_of);
  CHECK(all.cells == 2);
  CHECK(all.left_out == 0);
  CHECK(all.mean_weight_a == Approx(1).margin(0.1));
  std::erase_if(m.log, [](const JudgedImpression& i) { return i.cell == 1 && i.variant < 2; });
  const WriterDifference one = writer_difference(m.log, writer_of);
  CHECK(one.cells == 1);
  CHECK(one.left_out > 0);
  CHECK(one.left_out + one.impressions == int64_t(m.log.size()));
  for (JudgedImpression& i : m.log) i.propensity /= 3;
  CHECK(writer_difference(m.log, writer_of).mean_weight_a > 2);
  CHECK(status_of([&] { writer_difference(m.log, std::vector<int32_t>{0}); }) == Status::invalid_argument);
}

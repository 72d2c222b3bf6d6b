// RoPE frequencies, angles and the attention temperature against the reference's tables for published models'
// parameters.
#include <cmath>

#include "base/fp_env.h"
#include "model/rope.h"
#include "support/catch.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;
using nlohmann::json;

namespace {

bool is_rope_set(const Golden& g) { return g.fixture() == "rope_real_configs"; }

RopeScaling scaling(RopeScaling::Kind kind, double factor) {
  RopeScaling s;
  s.kind = kind;
  s.factor = factor;
  return s;
}

RopeScaling scaling_of(const json& how) {
  RopeScaling s;
  const std::string type = how["rope_type"];
  if (type == "default") return s;
  REQUIRE((type == "llama3" || type == "linear"));
  s.kind = type == "llama3" ? RopeScaling::Kind::llama3 : RopeScaling::Kind::linear;
  s.factor = how["factor"];
  s.low_freq_factor = how.value("low_freq_factor", s.low_freq_factor);
  s.high_freq_factor = how.value("high_freq_factor", s.high_freq_factor);
  s.original_max_positions = how.value("original_max_position_embeddings", s.original_max_positions);
  return s;
}

// The models of the set: every <name>_inv_freq array.
std::vector<std::string> models_of(const Golden& g) {
  const std::string suffix = "_inv_freq";
  std::vector<std::string> names;
  for (const auto& [name, ignored] : g.manifest["arrays"].items())
    if (name.ends_with(suffix)) names.push_back(name.substr(0, name.size() - suffix.size()));
  REQUIRE(!names.empty());
  return names;
}

// "... floor_scale 8192, attn_scale 0.1 ..." -> the number behind the word
double number_behind(const std::string& text, const std::string& word) {
  const size_t at = text.find(word + " ");
  REQUIRE(at != std::string::npos);
  return std::stod(text.substr(at + word.size()));
}

}  // namespace

TEST_CASE("RoPE frequencies and angles are the reference's for published models", "[model][golden]") {
  const FpEnv fp;
  for (const Golden& g : goldens(is_rope_set))
    for (const std::string& model : models_of(g)) {
      INFO(g.folder() << ": " << model);
      const json how = json::parse(g.manifest["arrays"][model + "_inv_freq"]["how"].get<std::string>());
      const std::vector<float> frequency = rope_inverse_frequency(how["head_dim"], how["rope_theta"], scaling_of(how));
      g.check(model + "_inv_freq", frequency);

      // Angles from the reference's own frequencies: at position 131071 the last bit of a frequency is worth 0.008
      // radians.
      const std::vector<float> theirs = g.array(model + "_inv_freq").f32();
      const std::vector<int64_t> positions = g.manifest["facts"]["positions"];
      std::vector<float> cosine(positions.size() * theirs.size()), sine(cosine.size());
      for (size_t p = 0; p < positions.size(); ++p)
        rope_angles(cosine.data() + p * theirs.size(), sine.data() + p * theirs.size(), positions[p], theirs);
      g.check(model + "_cos", cosine);
      g.check(model + "_sin", sine);
    }
}

TEST_CASE("the attention temperature is the reference's", "[model][golden]") {
  const FpEnv fp;
  for (const Golden& g : goldens(is_rope_set)) {
    const std::string prefix = "temperature_scale_";
    int compared = 0;
    for (const auto& [name, array] : g.manifest["arrays"].items()) {
      if (!name.starts_with(prefix)) continue;
      LlamaConfig c;
      c.floor_scale = std::stof(name.substr(prefix.size()));
      c.attn_scale = float(number_behind(array["how"], "attn_scale"));
      std::vector<float> got;
      for (const int64_t p : g.array("temperature_positions").i64()) got.push_back(attention_temperature(c, p));
      g.check(name, got);
      ++compared;
    }
    CHECK(compared > 0);
  }
}

TEST_CASE("the temperature is exactly 1 before floor_scale and grows in steps", "[model]") {
  const FpEnv fp;
  LlamaConfig c;
  c.floor_scale = 8;
  c.attn_scale = 0.1f;
  for (int64_t p = 0; p < 7; ++p) CHECK(attention_temperature(c, p) == 1.0f);
  CHECK(attention_temperature(c, 7) > 1.0f);  // the 8th token: floor(8 / 8) = 1
  CHECK(attention_temperature(c, 14) == attention_temperature(c, 7));
  CHECK(attention_temperature(c, 15) > attention_temperature(c, 14));
  c.attn_scale = 0;
  CHECK(attention_temperature(c, 1 << 20) == 1.0f);
}

TEST_CASE("llama3 scaling keeps short wavelengths, slows long ones by the factor and joins them without a gap",
          "[model]") {
  const FpEnv fp;
  const int64_t head_dim = 128;
  RopeScaling s = scaling(RopeScaling::Kind::llama3, 8);
  const std::vector<float> plain = rope_inverse_frequency(head_dim, 500000, {}),
                           scaled = rope_inverse_frequency(head_dim, 500000, s);
  CHECK(plain[0] == 1.0f);
  for (size_t i = 0; i < plain.size(); ++i) {
    const double wavelength = 2 * 3.14159265358979 / plain[i];
    CAPTURE(i, wavelength);
    if (wavelength < 8192.0 / 4)
      CHECK(scaled[i] == plain[i]);
    else if (wavelength > 8192.0)
      CHECK(scaled[i] == Approx(plain[i] / 8).epsilon(1e-6));
    else
      CHECK((scaled[i] < plain[i] && scaled[i] > plain[i] / 8));
    if (i > 0) CHECK(scaled[i] < scaled[i - 1]);
  }
  s.high_freq_factor = s.low_freq_factor = 1;  // Llama 4 Scout: no blend at all, and nothing divided by zero
  for (const float f : rope_inverse_frequency(head_dim, 500000, s)) CHECK((std::isfinite(f) && f > 0));
}

TEST_CASE("linear scaling divides every frequency", "[model]") {
  const FpEnv fp;
  const std::vector<float> plain = rope_inverse_frequency(24, 10000, {});
  const std::vector<float> scaled = rope_inverse_frequency(24, 10000, scaling(RopeScaling::Kind::linear, 4));
  REQUIRE(plain.size() == 12);
  for (size_t i = 0; i < plain.size(); ++i) CHECK(scaled[i] == plain[i] / 4);  // a power of two: exact
}

TEST_CASE("RoPE does not rotate position 0, and its angles follow from the absolute position", "[model]") {
  const FpEnv fp;
  const std::vector<float> f = rope_inverse_frequency(16, 10000, {});
  std::vector<float> c(f.size()), s(f.size());
  rope_angles(c.data(), s.data(), 0, f);
  for (size_t i = 0; i < f.size(); ++i) CHECK((c[i] == 1.0f && s[i] == 0.0f));
  for (const int64_t position : {1, 7, 1000, 131071}) {
    rope_angles(c.data(), s.data(), position, f);
    for (size_t i = 0; i < f.size(); ++i) {
      const double angle = double(float(position) * f[i]);
      CHECK(std::abs(c[i] - std::cos(angle)) < 1e-7);
      CHECK(std::abs(s[i] - std::sin(angle)) < 1e-7);
    }
  }
}

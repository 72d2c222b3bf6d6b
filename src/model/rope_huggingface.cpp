// rope_huggingface.cpp -- RoPE as config.json says it: two layouts of one content, and the kinds of scaling.
#include <cmath>
#include <vector>

#include "base/det_math.h"
#include "model/config_common.h"
#include "model/family.h"
#include "model/huggingface_keys.h"
#include "model/leftovers.h"
#include "puna/base/error.h"

namespace puna {
namespace {

// The keys of RoPE stand in rope_parameters (transformers 5) or rope_scaling (published files); rope_theta, the share
// of a head that is rotated and the first length may stand beside them as well. Values given twice must be equal.
class RopeKeys {
 public:
  explicit RopeKeys(const HuggingFaceKeys& k) : RopeKeys(k, {"rope_parameters", "rope_scaling"}) {}
  RopeKeys(const HuggingFaceKeys& k, std::vector<std::string> groups) : k_(k), m_(k.m), groups_(std::move(groups)) {
    for (const std::string& group : groups_) {
      const std::string at = k.key(group.c_str());
      if (m_.has(at) && !m_.has_group(at)) {
        const MetadataValue* v = m_.find(at);
        fail(Status::bad_file, "%s is %s, expected an object", at.c_str(), v ? describe(*v).c_str() : "a list");
      }
      for (const char* type : {"full_attention", "sliding_attention", "chunked_attention"})
        if (m_.has_group(at + "." + type))
          fail(Status::unsupported, "%s.%s: RoPE that differs by layer is not supported", at.c_str(), type);
    }
  }
  // The full name of a key, wherever it stands; "" when it is missing.
  std::string place(const char* key, const char* top = nullptr) const {
    std::string found;
    const auto look = [&](const std::string& at) {
      if (!m_.has(at)) return;
      if (found.empty())
        found = at;
      else if (!same_value(found, at))
        fail(Status::bad_file, "%s is %s, but %s is %s", found.c_str(), text(found).c_str(), at.c_str(),
             text(at).c_str());
    };
    for (const std::string& group : groups_) look(k_.key(group.c_str()) + "." + key);
    if (top) look(k_.key(top));
    return found;
  }
  double number(const char* key, double low, double high, std::optional<double> fallback = {},
                const char* top = nullptr) const {
    const std::string at = place(key, top);
    return m_.number(at.empty() ? k_.key(groups_[0].c_str()) + "." + key : at, low, high, fallback);
  }
  bool boolean(const char* key, bool fallback) const {
    const std::string at = place(key);
    return at.empty() ? fallback : m_.boolean(at);
  }
  std::vector<double> numbers(const char* key, size_t count) const {
    const std::string at = place(key);
    const std::vector<double>* list = at.empty() ? nullptr : m_.numbers(at);
    if (!list || list->size() != count)
      fail(Status::bad_file, "%s has %zu numbers, expected %zu", key, list ? list->size() : size_t(0), count);
    return *list;
  }
  std::string type() const {
    const std::string now = place("rope_type"), then = place("type");
    if (!now.empty() && !then.empty() && !same_value(now, then))
      fail(Status::bad_file, "%s is %s, but %s is %s", now.c_str(), text(now).c_str(), then.c_str(),
           text(then).c_str());
    return now.empty() && then.empty() ? "default" : m_.string(now.empty() ? then : now);
  }
  // HuggingFaceKeys that would do something in a type of RoPE other than this one.
  void refuse(std::initializer_list<NeutralKey> keys) const {
    for (const std::string& group : groups_)
      require_neutral(m_, k_.key(group.c_str()) + ".", std::vector<NeutralKey>(keys));
  }

 private:
  bool same_value(const std::string& a, const std::string& b) const {
    const MetadataValue *x = m_.find(a), *y = m_.find(b);
    if (!x || !y) return false;
    const auto number = [](const MetadataValue& v) {
      const auto* i = std::get_if<int64_t>(&v);
      const auto* d = std::get_if<double>(&v);
      return i ? std::optional(double(*i)) : d ? std::optional(*d) : std::nullopt;
    };
    return *x == *y || (number(*x) && number(*x) == number(*y));
  }
  std::string text(const std::string& at) const {
    const MetadataValue* v = m_.find(at);
    return v ? describe(*v) : "an object or list";
  }

  const HuggingFaceKeys& k_;
  const Metadata& m_;
  std::vector<std::string> groups_;
};

double whole(const RopeKeys& rope, double x) {
  if (x != std::floor(x))
    fail(Status::bad_file, "%s is %g, expected an integer", rope.place("original_max_position_embeddings").c_str(), x);
  return x;
}

// m(f, s) of the YaRN paper's temperature: 0.1 s ln f + 1.
double yarn_magnitude(double factor, double s) { return factor <= 1 ? 1 : 0.1 * s * det::log(factor) + 1; }

RopeScaling yarn(LlamaConfig& c, const RopeKeys& rope) {
  RopeScaling s;
  s.kind = RopeScaling::Kind::yarn;
  s.original_max_positions = whole(rope, rope.number("original_max_position_embeddings", 1, double(kMaxPositions),
                                                     double(c.max_positions), "original_max_position_embeddings"));
  s.factor = rope.number("factor", 1e-6, 1e6, double(c.max_positions) / s.original_max_positions);
  s.beta_fast = rope.number("beta_fast", 1e-6, 1e6, 32.0);
  s.beta_slow = rope.number("beta_slow", 1e-6, 1e6, 1.0);
  s.truncate = rope.boolean("truncate", true);
  const double mscale = rope.number("mscale", 0, 1e6, 0.0), all = rope.number("mscale_all_dim", 0, 1e6, 0.0);
  const double usual = mscale != 0 && all != 0 ? yarn_magnitude(s.factor, mscale) / yarn_magnitude(s.factor, all)
                                               : yarn_magnitude(s.factor, 1);
  s.mscale_all_dim = all;
  c.rope_magnitude = float(rope.number("attention_factor", 1e-6, 1e6, usual));
  if (c.rope_theta <= 1) fail(Status::bad_file, "rope_theta is %g, expected more than 1 for YaRN", c.rope_theta);
  return s;
}

RopeScaling rope_scaling(LlamaConfig& c, const RopeKeys& rope) {
  RopeScaling s;
  const MetadataValue one = int64_t{1};
  const std::string kind = rope.type();
  const bool is_yarn = kind == "yarn" && family_of(c).scaling;
  rope.refuse({{"long_factor", {}},
               {"short_factor", {}},
               {"mrope_section", {}},
               {"llama_4_scaling_beta", {int64_t{0}, double(c.query_growth)}},
               {"alpha", {one}},
               {"finetuned", {false}}});
  if (is_yarn) {
    rope.refuse({{"low_freq_factor", {}}, {"high_freq_factor", {}}});
    return yarn(c, rope);
  }
  rope.refuse({{"attention_factor", {one}}, {"mscale", {}}, {"mscale_all_dim", {}}});
  if (kind == "default") {
    // scaled, but the method is missing
    rope.refuse({{"factor", {one}}, {"low_freq_factor", {}}, {"high_freq_factor", {}}});
    return s;
  }
  if (kind != "linear" && kind != "llama3")
    fail(Status::unsupported, "rope type '%.40s' is not supported; known: default, linear, llama3%s", kind.c_str(),
         family_of(c).scaling ? ", yarn" : "");
  s.kind = kind == "linear" ? RopeScaling::Kind::linear : RopeScaling::Kind::llama3;
  s.factor = rope.number("factor", 1e-6, 1e6);
  if (s.kind == RopeScaling::Kind::linear) return s;
  s.low_freq_factor = rope.number("low_freq_factor", 1e-6, 1e6);
  s.high_freq_factor = rope.number("high_freq_factor", 1e-6, 1e6);
  s.original_max_positions = whole(rope, rope.number("original_max_position_embeddings", 1, double(kMaxPositions), {},
                                                     "original_max_position_embeddings"));
  return s;
}

// Of a head's dimensions, those that are rotated.
int64_t rotated_dimensions(const LlamaConfig& c, const RopeKeys& rope, bool may_be_fewer) {
  const double part = rope.number("partial_rotary_factor", 0, 1, 1.0, "partial_rotary_factor");
  if (part == 1) return c.head_dim;
  const int64_t dims = int64_t(double(c.head_dim) * part);
  if (!may_be_fewer)
    fail(Status::unsupported, "%s is %g, expected 1: partially rotated heads are not supported",
         rope.place("partial_rotary_factor", "partial_rotary_factor").c_str(), part);
  if (dims < 2 || dims % 2 != 0)
    fail(Status::bad_file, "partial_rotary_factor is %g: %jd of %jd dimensions are no pairs", part, dims, c.head_dim);
  return dims;
}

// LongRoPE (arXiv:2402.13753), as modeling_phi3.py: every pair has a factor of its own, for short sequences and for
// long ones.
void read_longrope(LlamaConfig& c, const RopeKeys& rope, int64_t dims) {
  rope.refuse({{"mscale", {}}, {"mscale_all_dim", {}}, {"low_freq_factor", {}}, {"high_freq_factor", {}}});
  c.long_from = int64_t(whole(rope, rope.number("original_max_position_embeddings", 1, double(kMaxPositions), {},
                                                "original_max_position_embeddings")));
  const double factor = double(c.max_positions) / double(c.long_from);
  const double usual = factor <= 1 ? 1 : std::sqrt(1 + det::log(factor) / det::log(double(c.long_from)));
  c.rope_magnitude = float(rope.number("attention_factor", 1e-6, 1e6, usual));
  const std::vector<float> plain = rope_inverse_frequency(dims, c.rope_theta, {});
  const auto divided = [&](const char* key) {
    const std::vector<double> factors = rope.numbers(key, plain.size());
    std::vector<float> f;
    for (size_t i = 0; i < plain.size(); ++i) {
      if (!(factors[i] > 0)) fail(Status::bad_file, "%s[%zu] is %g, expected more than 0", key, i, factors[i]);
      f.push_back(float(1 / (factors[i] * det::pow(c.rope_theta, 2.0 * double(i) / double(dims)))));
    }
    return f;
  };
  const auto kept = [&](const char* key) {
    const std::vector<double> factors = rope.numbers(key, plain.size());
    return std::vector<float>(factors.begin(), factors.end());
  };
  c.rope_scaling.short_factor = kept("short_factor");
  c.rope_scaling.long_factor = kept("long_factor");
  c.inverse_frequency = divided("short_factor");
  c.long_frequency = divided("long_factor");
}

// The lower pairs are rotated as those of a whole head, the others not at all.
std::vector<float> proportional_frequency(const LlamaConfig& c, const RopeKeys& rope, double usual) {
  rope.refuse({{"factor", {int64_t{1}}}, {"low_freq_factor", {}}, {"high_freq_factor", {}}, {"attention_factor", {}}});
  const double part = rope.number("partial_rotary_factor", 0, 1, usual);
  std::vector<float> f = rope_inverse_frequency(c.head_dim, c.rope_theta, {});
  for (size_t i = size_t(std::floor(part * double(c.head_dim) / 2)); i < f.size(); ++i) f[i] = 0;
  return f;
}

}  // namespace

void read_huggingface_rope(LlamaConfig& c, const HuggingFaceKeys& k) {
  const RopeKeys rope(k);
  const Family& family = family_of(c);
  c.rope_theta = rope.number("rope_theta", 1, 1e12, family.theta, "rope_theta");
  const bool is_phi = c.architecture == "phi3";
  const int64_t dims = rotated_dimensions(c, rope, is_phi);
  const std::string type = rope.type();
  if (is_phi && (type == "longrope" || type == "su" || type == "yarn"))  // all three mean LongRoPE there
    read_longrope(c, rope, dims);
  else {
    c.rope_scaling = rope_scaling(c, rope);
    c.inverse_frequency = rope_inverse_frequency(dims, c.rope_theta, c.rope_scaling);
  }
}

void read_huggingface_two_ropes(LlamaConfig& c, const HuggingFaceKeys& k, double local_theta) {
  const std::string at = k.key("rope_parameters");
  const bool nested = k.m.has_group(at + ".full_attention");
  const RopeKeys all = nested ? RopeKeys(k, {"rope_parameters.full_attention"}) : RopeKeys(k);
  c.rope_theta = all.number("rope_theta", 1, 1e12, family_of(c).theta, "rope_theta");
  const bool missing = !k.m.has_group(at);
  if (c.architecture == "gemma4" && (missing || all.type() == "proportional")) {
    c.inverse_frequency = proportional_frequency(c, all, missing ? 0.25 : 1.0);
  } else {
    c.rope_scaling = rope_scaling(c, all);
    rotated_dimensions(c, all, false);
    c.inverse_frequency = rope_inverse_frequency(c.head_dim, c.rope_theta, c.rope_scaling);
  }
  double theta = k.number("rope_local_base_freq", 1, 1e12, local_theta);
  RopeScaling scaling;
  if (nested) {
    const RopeKeys local(k, {"rope_parameters.sliding_attention"});
    theta = local.number("rope_theta", 1, 1e12, theta);
    rotated_dimensions(c, local, false);
    const float magnitude = c.rope_magnitude;
    scaling = rope_scaling(c, local);
    if (scaling.kind == RopeScaling::Kind::yarn)
      fail(Status::unsupported, "rope_parameters.sliding_attention.rope_type is 'yarn', expected default or linear");
    c.rope_magnitude = magnitude;
  }
  c.local_theta = theta;
  c.local_frequency = rope_inverse_frequency(c.local_head_dim != 0 ? c.local_head_dim : c.head_dim, theta, scaling);
}

}  // namespace puna

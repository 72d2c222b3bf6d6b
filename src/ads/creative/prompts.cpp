#include "ads/creative/prompts.h"

#include <algorithm>

#include "base/json_out.h"
#include "puna/base/error.h"
#include "puna/runtime/prompt.h"

namespace puna::ads {
namespace {

constexpr size_t kBytesOfFacts = 1500, kBytesOfPage = 400;

const char* goal_of(Objective objective) {
  switch (objective) {
    case Objective::awareness: return "People should get to know the business.";
    case Objective::traffic: return "People should visit.";
    case Objective::leads: return "People should get in touch.";
    case Objective::sales: return "People should buy.";
  }
  return "";
}

std::string spaced(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

// At most `bytes` of a text, cut between two characters.
std::string beginning(const std::string& text, size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

}  // namespace

Prompts::Prompts(const Brief& brief, const Model& model, int64_t most)
    : brief_(brief), model_(model), most_(most), facts_(0) {
  for (size_t bytes = 0; facts_ < brief.facts.size(); ++facts_) {
    bytes += brief.facts[facts_].text.size();
    if (bytes > kBytesOfFacts && facts_ > 0) break;
  }
}

std::vector<int32_t> Prompts::tokens_with(size_t facts, size_t segment, const std::string& task) const {
  std::string text = "Business: " + brief_.name + "\n" + goal_of(brief_.objective) + "\n";
  if (!brief_.voice.empty()) text += "Voice: " + brief_.voice + "\n";
  if (facts > 0) text += "Facts:\n";
  for (size_t f = 0; f < facts; ++f) text += "- " + beginning(brief_.facts[f].text, kBytesOfFacts) + "\n";
  if (!brief_.page_text.empty() && facts == facts_) text += "Page: " + beginning(brief_.page_text, kBytesOfPage) + "\n";
  const Segment& readers = brief_.segments[segment];
  if (!readers.about.empty()) text += "Readers: " + readers.about + "\n";
  text += task;
  const std::string system = "You write short, plain advertisements. You say only what the facts say.";
  if (!model_.chat_template()) return encode_prompt(model_.require_tokenizer(), system + "\n" + text + "\n", false);
  const auto message = [](const char* role, const std::string& content) {
    return JsonObject().text("role", role).text("content", content).str();
  };
  const JsonList messages = JsonList().add(message("system", system)).add(message("user", text));
  const JsonObject variables = JsonObject().json("messages", messages.str()).flag("add_generation_prompt", true);
  return model_.require_tokenizer().encode_chat(model_.render_chat(variables.str(), "2026-01-01"));
}

std::vector<int32_t> Prompts::tokens(size_t segment, const PlacementField& field, int64_t limit, int64_t answer) const {
  std::string task = "Write one " + spaced(field.name) + " for an advertisement, at most " + std::to_string(limit) +
                     " characters, in the language '" + brief_.language + "'.";
  for (size_t facts = facts_;; facts /= 2) {
    std::vector<int32_t> ids = tokens_with(facts, segment, task);
    if (int64_t(ids.size()) + answer <= most_) return ids;
    if (facts == 0)
      fail(Status::context_full,
           "the model has room for %jd tokens, the prompt without any fact takes %zu and the answer %jd", most_,
           ids.size(), answer);
  }
}

}  // namespace puna::ads

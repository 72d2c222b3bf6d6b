// What can be done with each family, found out by doing it with its golden checkpoint; docs/families.md has the same
// table, or this test fails and says what belongs there.
#include <algorithm>
#include <map>
#include <optional>

#include "model/family.h"
#include "puna/chat/chat_template.h"
#include "puna/chat/tool_parser.h"
#include "puna/runtime/image.h"
#include "puna/runtime/save.h"
#include "puna/runtime/session.h"
#include "puna/train/pass.h"
#include "support/files.h"
#include "support/golden.h"
#include "support/run_model.h"

using namespace puna;
using namespace puna::test;
using namespace puna::train;

namespace test_families_table {
namespace {

// Names on the left are model_type.
const char* model_type_of(const Golden& g) {
  static std::string type;
  type = nlohmann::json::parse(read_text(g.folder() + "/config.json")).value("model_type", std::string());
  return type.c_str();
}

bool is_text_model(const Golden& g) {
  return is_text_decoder(g) && g.has_file("config.json") && g.has_file("model.safetensors") &&
         family_of_type(model_type_of(g));
}

std::vector<float> logits_of(const ModelPtr& model, const std::vector<int64_t>& ids, bool exact) {
  Session session(model, {.exact = exact});
  std::vector<float> logits(ids.size() * size_t(model->config().vocab));
  session.append(std::vector<int32_t>(ids.begin(), ids.end()), {.logits = logits});
  return logits;
}

bool close(const Golden& g, const std::vector<float>& got) {
  const std::vector<float> want = g.array("logits").f32();
  const Tolerance t = g.tolerance("logits");
  for (size_t i = 0; i < want.size(); ++i)
    if (!(std::abs(got[i] - want[i]) <= t.atol + t.rtol * std::abs(want[i]))) return false;
  return want.size() == got.size();
}

// Of rows whose best token leads by 0.4 of the logits' deviation, how many have the same one in `got`. Random weights
// know few clear favourites, and a mixture's router turns where two experts are about as good: without that lead the
// best token says little (emulated on gpt-oss' set: in 29 % of rows Q8_0 reaches another expert in some layer).
double agreement(const std::vector<float>& got, const std::vector<float>& want, size_t V) {
  double sum = 0, squares = 0;
  for (const float x : want) {
    sum += double(x);
    squares += double(x) * double(x);
  }
  const double n = double(want.size()), lead = 0.4 * std::sqrt(squares / n - sum / n * (sum / n));
  size_t same = 0, clear = 0;
  for (size_t r = 0; r < want.size() / V; ++r) {
    std::vector<float> row(want.begin() + std::ptrdiff_t(r * V), want.begin() + std::ptrdiff_t((r + 1) * V));
    const int64_t best = argmax(row);
    std::nth_element(row.begin(), row.begin() + 1, row.end(), std::greater<float>());
    if (double(row[0]) - double(row[1]) < lead) continue;
    ++clear;
    same += best == argmax({got.data() + r * V, V});
  }
  INFO(clear << " of " << want.size() / V << " rows have a clear favourite, " << same << " the same");
  CHECK(clear >= 5);
  return double(same) / double(clear);
}

double mean_loss(const std::vector<double>& nll) {
  double sum = 0;
  for (const double x : nll) sum += x;
  return sum / double(nll.size());
}

Sequence sequence_of(const std::vector<int64_t>& ids) {
  Sequence s;
  for (size_t t = 0; t < 24; ++t) s.tokens.push_back(int32_t(ids[t]));
  s.counted.assign(s.tokens.size(), 1);
  return s;
}

// One step against the gradient lowers the loss.
bool learns(const Context& context, const Llama& model, Parameters& parameters, const Adapter* adapter,
            const std::vector<int64_t>& ids) {
  const std::vector<Sequence> batch = {sequence_of(ids)};
  const Pass::Target target{&parameters.gradients(), adapter ? &adapter->loras() : nullptr, {}};
  Pass pass(context, model, {.exact = true});
  const float weight = 1.0f / 23;
  const double before = mean_loss(pass.losses(batch, weight, target));
  const double length = std::sqrt(parameters.gradient_square_sum());
  for (const Parameter& p : parameters.list())
    for (int64_t i = 0; i < p.count; ++i) p.values[i] -= float(0.01 / length) * p.gradient[i];
  return mean_loss(pass.losses(batch, 0, {nullptr, target.adapter, {}})) < before;
}

// The published chat template of each model_type that has golden renders: the template's name there.
const std::map<std::string, std::string> kTemplates = {{"gemma2", "gemma2"},          {"gemma3_text", "gemma3"},
                                                       {"gemma4_text", "gemma4"},     {"gpt_oss", "gpt_oss"},
                                                       {"granite", "granite3_3"},     {"llama4_text", "llama4_hf"},
                                                       {"ministral", "mistral_nemo"}, {"ministral3", "ministral3"},
                                                       {"mistral", "mistral_nemo"},   {"phi3", "phi3_5"},
                                                       {"qwen2", "qwen2_5"},          {"qwen3", "qwen3"},
                                                       {"qwen3_moe", "qwen3"},        {"smollm3", "smollm3"}};

struct GoldenTemplate {
  std::string source;
  nlohmann::ordered_json cases;
};
std::optional<GoldenTemplate> template_of(const std::string& type) {
  const auto name = kTemplates.find(type);
  if (name == kTemplates.end()) return std::nullopt;
  for (const Golden& g : goldens([](const Golden& s) { return s.fixture().starts_with("tokenizer"); }))
    if (const std::string path = g.folder() + "/golden/" + name->second;
        g.has_file("golden/" + name->second + "_chat_template.jinja"))
      return GoldenTemplate{read_text(path + "_chat_template.jinja"),
                            nlohmann::ordered_json::parse(read_text(path + "_template.json"))};
  return std::nullopt;
}

// The format of calls that the published template asks for, when it writes tools and a call of one is read back; "-"
// when it writes none. Nothing when the template is not there (its licence forbids): the docs' cell is then not looked
// at.
std::optional<std::string> tools_of(const std::string& type) {
  const std::optional<GoldenTemplate> t = template_of(type);
  if (!t) return std::nullopt;
  const ToolFormat& format = find_tool_format(t->source, [](std::string_view) { return false; });
  for (const auto& c : t->cases) {
    const auto tools = c.value("tools", nlohmann::ordered_json());
    if (tools.is_null() || c.contains("raises") || !c.contains("text")) continue;
    const Tools given = Tools::parse(tools.dump());
    if (c["text"].get<std::string>().find(given.all()[0].name) == std::string::npos) continue;
    std::string answer;
    for (const ChatSegment& s : write_tool_calls(format, {{given.all()[0].name, R"({"a": [1, "x"]})"}}))
      answer += s.text;
    ToolCallParser parser(given, format);
    size_t calls = 0;
    parser.push(answer, [](const ToolEvent&) {});
    calls = parser.calls();
    return calls == 1 ? std::string(tool_format_name(format)) : "no";
  }
  return "-";
}

// A golden set of the same text model with pictures, whose features are the reference's.
bool sees(const std::string& type) {
  const auto has_pictures = [](const Golden& g) { return g.has("pixel_values_hf") && g.has("projected_features"); };
  for (const Golden& g : goldens([](const Golden& s) { return s.has("logits"); })) {
    if (!has_pictures(g) || !g.has_file("config.json")) continue;
    const auto config = nlohmann::json::parse(read_text(g.folder() + "/config.json"));
    if (config.value("text_config", nlohmann::json::object()).value("model_type", "") != type) continue;
    return Model::open(make_context({}), g.folder())->vision() != nullptr;
  }
  return false;
}

std::string yes(bool is) { return is ? "yes" : "no"; }

std::string row_of(const Golden& g) {
  const std::string type = model_type_of(g);
  const ContextPtr context = make_context({});
  const ModelPtr model = Model::open(context, g.folder());
  const std::vector<int64_t> ids = g.array("input_ids").i64();
  const TempFolder folder;
  const std::vector<float> exact = logits_of(model, ids, true);
  const ModelPtr copy = Model::open(context, save_gguf(*model, folder / "copy.gguf", {}).front());
  const ModelPtr small = Model::open(context, save_gguf(*model, folder / "small.gguf", {DType::f16, 0}).front());
  bool quantised = agreement(logits_of(small, ids, false), exact, size_t(model->config().vocab)) > 0.9;
  const LlamaConfig& c = model->config();
  if (c.expert_ffn % 32 == 0 && c.ffn % 32 == 0 && c.per_layer % 32 == 0) {
    const ModelPtr q8 = Model::open(context, save_gguf(*model, folder / "q8.gguf", {DType::q8_0, 0}).front());
    quantised = quantised && agreement(logits_of(q8, ids, false), exact, size_t(model->config().vocab)) > 0.9;
  }
  Parameters all(context), few(context);
  const Llama trained = make_trainable(model->llama(), all);
  const bool trains = learns(*context, trained, all, nullptr, ids);
  AdapterOptions options;
  options.targets = {"all"};
  const std::shared_ptr<Adapter> adapter = Adapter::create(*context, model->llama(), options);
  few.track(*adapter);
  const bool adapts = learns(*context, model->llama(), few, adapter.get(), ids);
  const Family& family = *family_of_type(type);
  return "| " + type + " | " + family.name + " | " + yes(close(g, exact)) + " | " +
         yes(close(g, logits_of(copy, ids, true))) + " | " + yes(quantised) + " | " + yes(trains) + " | " +
         yes(adapts) + " | ";
}

// With tools and vision; what cannot be looked at here, the docs say.
std::string with_chat(const std::string& row, const std::string& type, const std::string& docs) {
  std::string tools;
  if (const std::optional<std::string> found = tools_of(type)) {
    tools = *found;
  } else if (const size_t at = docs.find(row); at != docs.npos) {
    tools = docs.substr(at + row.size(), docs.find(" |", at + row.size()) - at - row.size());
  }
  return row + tools + " | " + yes(sees(type)) + " |\n";
}

}  // namespace

TEST_CASE("the table of families in the docs says what is so", "[train][golden]") {
  std::vector<std::string> rows;
  const std::string docs = read_text(PUNA_SOURCE_DIR "/docs/families.md");
  for (const Golden& g : goldens(is_text_model)) {
    INFO("golden set " << g.folder());
    const std::string row = row_of(g);
    CHECK(row.find("| no |") == std::string::npos);
    rows.push_back(with_chat(row, model_type_of(g), docs));
  }
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  std::string table;
  for (const std::string& row : rows) {
    table += row;
    CHECK(docs.find(row) != std::string::npos);
  }
  INFO("docs/families.md should have\n" << table);
  size_t lines = 0;
  for (size_t at = docs.find("\n| "); at != std::string::npos; at = docs.find("\n| ", at + 1)) ++lines;
  CHECK(lines == rows.size() + 1);  // and the head of the table
}

}  // namespace test_families_table

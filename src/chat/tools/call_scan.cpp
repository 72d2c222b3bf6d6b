#include "chat/tools/call_scan.h"

#include <algorithm>

namespace puna::tools {
namespace {

constexpr std::string_view kCall = ".call";  // Llama 3's own tools: brave_search.call(query="...")
constexpr std::string_view kGemmaCall = "call:";
constexpr size_t kMostWord = 64;  // of a name, and of keys beside it

bool is_tool_byte(char c) noexcept {
  return uint8_t(c) >= 0x80 || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' ||
         c == '-' || c == '.';
}

constexpr std::string_view kKeys[] = {"name", "parameters", "arguments", "type", "id", "function"};

bool begins_key(std::string_view text) noexcept {
  return std::any_of(std::begin(kKeys), std::end(kKeys), [&](std::string_view key) { return key.starts_with(text); });
}

bool is_json_object(std::string_view text) {
  JsonScan scan;
  size_t i = 0;
  while (i < text.size() && is_json_blank(text[i])) ++i;
  if (i == text.size() || text[i] != '{') return false;
  do {
    if (scan.step(text[i++]) == JsonScan::Event::bad) return false;
  } while (i < text.size() && scan.depth() > 0);
  return scan.depth() == 0 && std::all_of(text.begin() + ptrdiff_t(i), text.end(), is_json_blank);
}

}  // namespace

ToolNames::ToolNames(const Tools& tools) {
  for (const Tool& t : tools.all()) names_.push_back(t.name);
  std::sort(names_.begin(), names_.end());
}

bool ToolNames::has(std::string_view name) const noexcept {
  return std::binary_search(names_.begin(), names_.end(), name, std::less<std::string_view>());
}

bool ToolNames::has_prefix(std::string_view text) const noexcept {
  const auto at = std::lower_bound(names_.begin(), names_.end(), text, std::less<std::string_view>());
  return at != names_.end() && std::string_view(*at).starts_with(text);
}

CallScan::CallScan(const ToolNames& names, unsigned notations, std::string_view name_end)
    : names_(names), notations_(notations), name_end_(name_end) {}

bool CallScan::can_begin(char c, unsigned notations) noexcept {
  if (c == '{') return notations & kJsonObject;
  if (c == '[') return notations & (kJsonList | kPythonList);
  if (notations & kGemma) return c == kGemmaCall[0];
  return (notations & (kPythonCall | kNamed)) && is_tool_byte(c);
}

bool CallScan::takes_special(std::string_view name) const noexcept {
  if (kind_ == Kind::gemma) return at_ == At::arguments && name == kGemmaQuote;
  return !name_end_.empty() && name == name_end_;
}

const std::string& CallScan::arguments() const noexcept {
  return python_ ? python_->json() : gemma_ ? gemma_->json() : json_arguments_;
}
size_t CallScan::settled() const noexcept { return python_ ? python_->settled() : arguments().size(); }

bool CallScan::take_called() noexcept {
  const bool called = called_;
  called_ = false;
  if (called) begun_ = false;
  return called;
}

void CallScan::next_call() {
  begun_ = has_name_ = has_arguments_ = nested_ = was_nested_ = false;
  name_.clear();
  word_.clear();
  json_arguments_.clear();
  python_.reset();
}

void CallScan::whole() { whole_ = !text_; }

void CallScan::end() {
  if (!whole_) return;
  whole_ = false;
  called_ = true;
}

CallScan::Step CallScan::step(char c) {
  if (kind_ == Kind::first) {
    if (c == '[') {
      kind_ = Kind::bracket;
      list_ = true;
      base_ = 2;
      return Step::more;
    }
    kind_ = c == '{'              ? Kind::json
            : notations_ & kGemma ? Kind::gemma
            : notations_ & kNamed ? Kind::named
                                  : Kind::python;
  }
  if (kind_ == Kind::bracket) {
    if (is_json_blank(c)) return Step::more;
    const bool object = c == '{';
    if (!(notations_ & (object ? kJsonList : kPythonList)) || c == ']') return Step::bad;
    kind_ = object ? Kind::json : Kind::python;
    if (object) json_.step('[');
  }
  switch (kind_) {
    case Kind::json: return json(c);
    case Kind::python: return python(c);
    case Kind::gemma: return gemma(c);
    default: return named(c);
  }
}

void CallScan::take_name(std::string_view name) {
  if (has_name_ || !names_.has(name)) return no_call();
  name_ = name;
  has_name_ = true;
  begin_if_known();
}

// ---- JSON ----

CallScan::Step CallScan::json(char c) {
  const JsonScan::Event e = json_.step(c);
  if (e == JsonScan::Event::bad) return Step::bad;
  if (!text_) field(c, e);
  const bool over = json_.depth() == 0;
  if (over || (list_ && e == JsonScan::Event::comma && json_.depth() == 1)) end();
  return over ? Step::done : Step::more;
}

void CallScan::field(char c, JsonScan::Event e) {
  using Event = JsonScan::Event;
  const size_t depth = json_.depth();
  if (field_ == Field::arguments) {  // as they are written
    json_arguments_ += c;
    if (e == Event::close && depth == base_) field_ = Field::none;
    return;
  }
  switch (e) {
    case Event::open: return opened(c);
    case Event::close:
      if (depth == base_ - 1) envelope_closed();
      return;
    case Event::text_open:
      word_.clear();
      if (depth != base_) return no_call();
      if (json_.in_key()) field_ = Field::key;
      return;
    case Event::text_byte:
      word_ += c;
      if (field_ == Field::arguments_text || field_ == Field::id) return;
      if (word_.size() > kMostWord) return no_call();
      if (field_ == Field::name ? !names_.has_prefix(word_) : field_ == Field::key && !begins_key(word_)) no_call();
      return;
    case Event::text_close: return field_ == Field::key ? key_closed() : value_closed();
    case Event::scalar: return no_call();
    default: return;
  }
}

// An object or a list begins: the call itself, or one of its fields.
void CallScan::opened(char c) {
  const size_t depth = json_.depth();
  if (depth == base_ && field_ == Field::none) {
    if (c != '{') return no_call();
    return next_call();
  }
  if (depth < base_) return;  // the list itself
  if (field_ == Field::arguments_text && c == '{') {
    field_ = Field::arguments;
    json_arguments_ = "{";
    has_arguments_ = true;
    return begin_if_known();
  }
  if (field_ != Field::function || c != '{' || was_nested_ || has_name_ || has_arguments_) return no_call();
  nested_ = was_nested_ = true;
  field_ = Field::none;
  ++base_;
}

void CallScan::key_closed() {
  field_ = word_ == "name"                                 ? Field::name
           : word_ == "parameters" || word_ == "arguments" ? Field::arguments_text
           : word_ == "type"                               ? Field::type
           : word_ == "id"                                 ? Field::id
           : word_ == "function"                           ? Field::function
                                                           : Field::none;
  // Fields beside "function": {...}: its name and arguments are inside
  const bool twice = (field_ == Field::name && (has_name_ || (was_nested_ && !nested_))) ||
                     (field_ == Field::arguments_text && (has_arguments_ || (was_nested_ && !nested_)));
  if (field_ == Field::none || twice) no_call();
  word_.clear();
}

void CallScan::value_closed() {
  const Field field = field_;
  field_ = Field::none;
  if (field == Field::name || field == Field::function) return take_name(word_);
  if (field == Field::type && !word_.starts_with("function")) return no_call();
  if (field != Field::arguments_text) return;
  json_arguments_ = unescaped(word_);
  if (!is_json_object(json_arguments_)) return no_call();
  has_arguments_ = true;
  begin_if_known();
}

void CallScan::envelope_closed() {
  if (nested_) {
    nested_ = false;
    --base_;
    field_ = Field::none;
    return;
  }
  if (!has_name_ || !has_arguments_) return no_call();
  whole();
}

// ---- Python ----

CallScan::Step CallScan::python(char c) {
  if (comment_) {
    comment_ = c != '\n';
    return Step::more;
  }
  if (at_ == At::name) return python_name(c);
  if (at_ == At::arguments) {
    const PythonScan::Step step = python_->step(c);
    if (step == PythonScan::Step::bad) return Step::bad;
    if (step == PythonScan::Step::done) {
      at_ = At::behind;
      whole();
    }
    return Step::more;
  }
  if (!list_ && (c == '\n' || c == ';')) {
    end();
    return Step::done;
  }
  if (is_json_blank(c)) return Step::more;
  if (!list_) return Step::bad;
  if (c == '#') {
    comment_ = true;
    return Step::more;
  }
  if (c != ',' && c != ']') return Step::bad;
  end();
  at_ = At::name;
  return c == ']' ? Step::done : Step::more;
}

CallScan::Step CallScan::python_name(char c) {
  if (word_.empty()) {
    if (list_ && (is_json_blank(c) || c == '#')) {
      comment_ = c == '#';
      return Step::more;
    }
    if (c == ']' && list_ && count_ > 0) return Step::done;
  }
  if (c == '(') {
    if (word_.empty()) return Step::bad;
    std::string_view name = word_;
    if (!names_.has(name) && name.ends_with(kCall)) name.remove_suffix(kCall.size());
    has_arguments_ = true;
    if (!text_) take_name(name);
    if (text_ && !list_) return Step::bad;
    word_.clear();
    python_.emplace();
    at_ = At::arguments;
    ++count_;
    return Step::more;
  }
  if (!is_tool_byte(c) || word_.size() > kMostWord + kCall.size()) return Step::bad;
  if (word_.empty() && !text_) next_call();
  word_ += c;
  if (text_ || names_.has_prefix(word_)) return Step::more;
  const size_t dot = word_.rfind('.');
  if (dot != word_.npos && kCall.starts_with(std::string_view(word_).substr(dot)) &&
      names_.has(std::string_view(word_).substr(0, dot)))
    return Step::more;
  if (!list_) return Step::bad;
  no_call();
  return Step::more;
}

// ---- <function=NAME>{...}, and the like ----

CallScan::Step CallScan::named(char c) {
  if (at_ == At::name) {
    word_ += c;
    if (word_.ends_with(name_end_)) {
      word_.resize(word_.size() - name_end_.size());
      if (!text_) take_name(word_);
      at_ = At::arguments;
      return Step::more;
    }
    if (!is_tool_byte(c) && name_end_.find(c) == name_end_.npos) return Step::bad;
    if (word_.size() > kMostWord + name_end_.size()) return Step::bad;
    if (text_ || names_.has_prefix(word_)) return Step::more;
    for (size_t n = std::min(name_end_.size(), word_.size()); n > 0; --n)
      if (word_.ends_with(name_end_.substr(0, n)) && names_.has(std::string_view(word_).substr(0, word_.size() - n)))
        return Step::more;
    no_call();
    return Step::more;
  }
  if (!has_arguments_) {
    if (is_json_blank(c)) return Step::more;
    if (c != '{') return Step::bad;
    has_arguments_ = true;
    if (!text_) begin_if_known();
  }
  if (json_.step(c) == JsonScan::Event::bad) return Step::bad;
  if (!text_) json_arguments_ += c;
  if (json_.depth() > 0) return Step::more;
  whole();
  end();
  return Step::done;
}

// ---- call:f{...} ----

CallScan::Step CallScan::gemma(char c) {
  if (at_ == At::name) {
    const size_t from = kGemmaCall.size();
    if (c == '{' && word_.size() > from) {
      if (!text_) take_name(std::string_view(word_).substr(from));
      has_arguments_ = true;
      if (!text_) begin_if_known();
      gemma_.emplace();
      at_ = At::arguments;
      return Step::more;
    }
    const bool front = word_.size() < from;
    if (front ? c != kGemmaCall[word_.size()] : !is_tool_byte(c)) return Step::bad;
    if (word_.size() > kMostWord + from) return Step::bad;
    word_ += c;
    if (!text_ && !front && !names_.has_prefix(std::string_view(word_).substr(from))) no_call();
    return Step::more;
  }
  const GemmaScan::Step step = gemma_->step(c);
  if (step == GemmaScan::Step::bad) return Step::bad;
  if (step == GemmaScan::Step::more) return Step::more;
  whole();
  end();
  return Step::done;
}

}  // namespace puna::tools

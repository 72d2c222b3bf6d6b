// globals.cpp -- the functions a template finds without defining them.
#include "chat/jinja/globals.h"

#include <algorithm>
#include <iterator>

#include "chat/jinja/builder.h"
#include "chat/jinja/ops.h"
#include "chat/jinja/search.h"

namespace puna::jinja {
namespace globals {
namespace {

struct Function final : Opaque {
  Value (*body)(Machine&, Args&) = nullptr;
  const char* type_name() const override { return "function"; }
  bool callable() const override { return true; }
  Value call(Machine& m, Args& args) override { return body(m, args); }
};

// ---- range, dict

Value range(Machine& m, Args& args) {
  constexpr int64_t kMaxRange = 100000;  // the sandbox's own limit
  if (!args.named.empty()) m.fail("range() takes no keyword arguments");
  Bound b(m, "range", {"start", "stop", "step"}, 1, args);
  const bool two = b.has(1);
  auto r = make_ref<Range>();
  r->start = two ? b.integer(0, 0) : 0;
  r->stop = two ? b.integer(1, 0) : b.integer(0, 0);
  r->step = b.integer(2, 1);
  if (r->step == 0) m.fail("range() arg 3 must not be zero");
  const bool up = r->step > 0;
  const uint64_t size = up ? uint64_t(r->step) : 0 - uint64_t(r->step);
  const uint64_t span = up ? uint64_t(r->stop) - uint64_t(r->start) : uint64_t(r->start) - uint64_t(r->stop);
  const uint64_t count = (up ? r->start < r->stop : r->start > r->stop) ? (span - 1) / size + 1 : 0;
  if (count > uint64_t(kMaxRange))
    m.fail("Range too big. The sandbox blocks ranges larger than MAX_RANGE (%jd).", kMaxRange);
  r->count = int64_t(count);
  for (size_t i = 0; i < 3; ++i) r->content = r->content || (b.has(i) && b[i].is_content());
  return Value::of(Kind::range, std::move(r));
}

// dict(mapping or pairs, **named)
Value dict(Machine& m, Args& args) {
  if (args.positional.size() > 1) m.fail("dict expected at most 1 argument, got %zu", args.positional.size());
  std::vector<std::pair<Value, Value>> items;
  if (!args.positional.empty()) {
    const Value& source = args.positional[0];
    if (source.is(Kind::dict)) {
      for (size_t i = 0; i < source.as<Dict>().size(); ++i) {
        m.charge(1);
        items.emplace_back(source.as<Dict>().key(i), source.as<Dict>().value(i));
      }
    } else {
      for (const Value& pair : m.collect(source)) {
        std::vector<Value> kv = m.collect(pair);
        if (kv.size() != 2) m.fail("dictionary update sequence element has length %zu; 2 is required", kv.size());
        items.emplace_back(std::move(kv[0]), std::move(kv[1]));
      }
    }
  }
  for (NamedArgument& a : args.named) items.emplace_back(a.name, std::move(a.value));
  return m.dict(std::move(items));
}

// ---- namespace

struct Namespace final : Opaque {
  std::vector<std::pair<Value, Value>> attributes;  // few; by name, a text
  const char* type_name() const override { return "Namespace"; }

  Value* find(Machine& m, std::string_view name) {
    m.charge(1 + int64_t(attributes.size()) / 8);
    for (auto& [key, value] : attributes)
      if (equal_bytes(m, key.text(), name)) return &value;
    return nullptr;
  }
  bool attribute(Machine& m, std::string_view name, Value& out) override {
    const Value* value = find(m, name);
    if (value) out = *value;
    return value != nullptr;
  }
  Value repr(Machine& m) override {
    TextBuilder out(m);
    out.add("<Namespace ");
    out.add(to_repr(m, m.dict(attributes)));
    out.add(">");
    return out.finish();
  }
};

Value make_namespace(Machine& m, Args& args) {
  const Value initial = dict(m, args);
  auto space = make_ref<Namespace>();
  for (size_t i = 0; i < initial.as<Dict>().size(); ++i)
    space->attributes.emplace_back(to_str(m, initial.as<Dict>().key(i)), initial.as<Dict>().value(i));
  return m.register_cyclic(std::move(space), [](Object& o) { static_cast<Namespace&>(o).attributes.clear(); });
}

// ---- cycler, joiner

struct Cycler final : Opaque {
  std::vector<Value> items;
  size_t at = 0;
  const char* type_name() const override { return "Cycler"; }
  bool attribute(Machine& m, std::string_view name, Value& out) override;
};

struct CyclerMethod final : Opaque {
  Ref<Object> self;
  bool is_reset = false;
  const char* type_name() const override { return "method"; }
  bool callable() const override { return true; }
  Value call(Machine& m, Args& args) override {
    Bound b(m, "cycler method", {}, 0, args);
    Cycler& cycler = static_cast<Cycler&>(*self);
    const size_t at = cycler.at;
    cycler.at = is_reset ? 0 : (at + 1) % cycler.items.size();
    return is_reset ? Value::none() : cycler.items[at];
  }
};

bool Cycler::attribute(Machine& m, std::string_view name, Value& out) {
  if (name == "current") {
    out = items[at];
    return true;
  }
  if (name != "next" && name != "reset") return false;
  out = m.make<CyclerMethod>(Kind::object, depth);
  out.as<CyclerMethod>().self = Ref<Object>(this);
  out.as<CyclerMethod>().is_reset = name == "reset";
  return true;
}

Value make_cycler(Machine& m, Args& args) {
  if (args.positional.empty()) m.fail("at least one item has to be provided");
  if (!args.named.empty()) m.fail("cycler() takes no keyword arguments");
  Value v = m.make<Cycler>(Kind::object, deepest(args.positional));
  v.as<Cycler>().items = args.positional;
  return v;
}

struct Joiner final : Opaque {
  Value separator;
  bool used = false;
  const char* type_name() const override { return "Joiner"; }
  bool callable() const override { return true; }
  Value call(Machine& m, Args& args) override {
    Bound b(m, "joiner", {}, 0, args);
    if (std::exchange(used, true)) return separator;
    return m.text("");
  }
};

Value make_joiner(Machine& m, Args& args) {
  Bound b(m, "joiner", {"sep"}, 0, args);
  const Value separator = b.value(0, m.text(", "));
  Value v = m.make<Joiner>(Kind::object, separator.depth());
  v.as<Joiner>().separator = separator;
  return v;
}

// ---- transformers'

Value raise_exception(Machine& m, Args& args) {
  Bound b(m, "raise_exception", {"message"}, 1, args);
  throw Raised{Status::invalid_argument, to_str(m, b[0]).text()};
}

Value strftime_now(Machine& m, Args& args) {
  Bound b(m, "strftime_now", {"format"}, 1, args);
  return m.text(format_date(m, m.now(), b.string(0)), false, is_content(b[0]));
}

Value lipsum(Machine& m, Args&) { m.unsupported("lipsum()"); }

struct Entry {
  std::string_view name;
  Value (*body)(Machine&, Args&);
};
constexpr Entry kGlobals[] = {
    {"range", range},        {"dict", dict},     {"namespace", make_namespace},        {"cycler", make_cycler},
    {"joiner", make_joiner}, {"lipsum", lipsum}, {"raise_exception", raise_exception}, {"strftime_now", strftime_now}};

}  // namespace
}  // namespace globals

bool is_global(std::string_view name) {
  return std::any_of(std::begin(globals::kGlobals), std::end(globals::kGlobals),
                     [&](const globals::Entry& e) { return e.name == name; });
}

Value find_global(Machine& m, std::string_view name) {
  const auto at = std::find_if(std::begin(globals::kGlobals), std::end(globals::kGlobals),
                               [&](const globals::Entry& e) { return e.name == name; });
  if (at == std::end(globals::kGlobals) || (name == "strftime_now" && m.now().empty())) return Value();
  Value v = m.make<globals::Function>(Kind::object, 0);
  v.as<globals::Function>().body = at->body;
  return v;
}

bool set_namespace_attribute(Machine& m, const Value& value, std::string_view name, const Value& to) {
  auto* space = value.is(Kind::object) ? dynamic_cast<globals::Namespace*>(value.object()) : nullptr;
  if (!space) return false;
  if (Value* old = space->find(m, name)) {
    *old = to;
  } else {
    m.charge(2);
    space->attributes.emplace_back(m.text(std::string(name)), to);
  }
  return true;
}

}  // namespace puna::jinja

// filters_list.cpp -- the filters over sequences: picking, sorting, grouping, mapping. Those that are generators
// in Jinja are generators here: lazy, walked once, always true.
#include <algorithm>
#include <iterator>
#include <optional>
#include <set>

#include "chat/jinja/builder.h"
#include "chat/jinja/filters.h"
#include "chat/jinja/ops.h"
#include "chat/jinja/search.h"
#include "chat/jinja/text.h"

namespace puna::jinja {
namespace list_filters {
namespace {

using Parts = std::vector<Value>;

bool pass(Machine& m, Iterator& source, Value& out) { return source.next(m, out); }

Value lowered(Machine& m, const Value& v) {
  return v.is_string() ? as_markup(m, with_case(m, v, map_lower), false) : v;
}

// What sort, unique, min, max and groupby compare: the attribute (or the item itself), letters' case ignored unless
// asked for.
Value key_of(Machine& m, const Value& item, const Parts& parts, bool case_sensitive, const Value* fallback = nullptr) {
  const Value v = get_path(m, item, parts, fallback);
  return case_sensitive ? v : lowered(m, v);
}

// Indices of `keys` in order. Equal keys keep their order, also when reversed, as Python's sort does.
std::vector<size_t> sorted_order(Machine& m, const std::vector<Value>& keys, bool reverse) {
  std::vector<size_t> order(keys.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return reverse ? less(m, keys[b], keys[a]) : less(m, keys[a], keys[b]); });
  return order;
}

Value first(Machine& m, const Value& input, Args& args) {
  Bound b(m, "first", {}, 0, args);
  Value v;
  return m.iterate(input)->next(m, v) ? v : m.missing("No first item, sequence was empty.");
}

bool is_reversible(const Value& v) {
  return v.is_undefined() || v.is_string() || v.is_sequence() || v.is(Kind::dict) || v.is(Kind::range) ||
         v.is(Kind::view);
}

Value last(Machine& m, const Value& input, Args& args) {
  Bound b(m, "last", {}, 0, args);
  if (!is_reversible(input)) m.fail("'%s' object is not reversible", type_name(input));
  if (input.is_string() || input.is_sequence() || input.is(Kind::range)) {
    if (length(m, input) > 0) return get_item(m, input, Value::integer(length(m, input) - 1));
    return m.missing("No last item, sequence was empty.");
  }
  const Parts items = m.collect(input);
  return items.empty() ? m.missing("No last item, sequence was empty.") : items.back();
}

Value reverse(Machine& m, const Value& input, Args& args) {
  Bound b(m, "reverse", {}, 0, args);
  if (input.is_string()) return get_slice(m, input, Value::none(), Value::none(), Value::integer(-1));
  Parts items = m.collect(input);
  std::reverse(items.begin(), items.end());
  return is_reversible(input) ? generator(m, m.list(std::move(items)), 0, pass) : m.list(std::move(items));
}

Value list(Machine& m, const Value& input, Args& args) {
  Bound b(m, "list", {}, 0, args);
  return m.list(m.collect(input));
}

Value items(Machine& m, const Value& input, Args& args) {
  Bound b(m, "items", {}, 0, args);
  return deferred(m, input, 0, [](Machine& m, const Value& source) {
    if (!source.is_undefined() && !source.is(Kind::dict)) m.fail("Can only get item pairs from a mapping.");
    Parts pairs;
    if (source.is(Kind::dict))
      for (size_t i = 0; i < source.as<Dict>().size(); ++i)
        pairs.push_back(m.tuple({source.as<Dict>().key(i), source.as<Dict>().value(i)}));
    return pairs;
  });
}

Value join(Machine& m, const Value& input, Args& args) {
  Bound b(m, "join", {"d", "attribute"}, 0, args);
  const Value separator = b.has(0) ? to_str(m, b[0]) : m.text("");
  const Parts parts = b.given(1) ? attribute_parts(m, b[1]) : Parts();
  TextBuilder out(m);
  bool first = true;
  const auto it = m.iterate(input);
  for (Value v; it->next(m, v); first = false) {
    m.charge(1);
    if (!first) out.add(separator);
    out.add(to_str(m, get_path(m, v, parts)));
  }
  return out.finish();
}

size_t comma_in(Machine& m, std::string_view s) {
  for (size_t i = 0; i < s.size(); ++i) {
    m.charge_bytes(1);
    if (s[i] == ',') return i;
  }
  return s.npos;
}

Value sort(Machine& m, const Value& input, Args& args) {
  Bound b(m, "sort", {"reverse", "case_sensitive", "attribute"}, 0, args);
  const bool case_sensitive = b.truth(1, false);
  std::vector<Parts> paths;  // attribute="a,b.c": several, the first decides first
  if (b.given(2) && b[2].is_string()) {
    std::string_view rest = b[2].text();
    for (size_t comma; (comma = comma_in(m, rest)) != rest.npos; rest.remove_prefix(comma + 1))
      paths.push_back(attribute_parts(m, m.text(std::string(rest.substr(0, comma)))));
    paths.push_back(attribute_parts(m, m.text(std::string(rest))));
  } else {
    paths.push_back(b.given(2) ? attribute_parts(m, b[2]) : Parts());
  }
  const Parts source = m.collect(input);
  Parts keys, out;
  for (const Value& item : source) {
    Parts key;
    for (const Parts& path : paths) key.push_back(key_of(m, item, path, case_sensitive));
    keys.push_back(m.list(std::move(key)));
  }
  for (size_t i : sorted_order(m, keys, b.truth(0, false))) out.push_back(source[i]);
  return m.list(std::move(out));
}

Value dict_sort(Machine& m, const Value& input, Args& args) {
  Bound b(m, "dictsort", {"case_sensitive", "by", "reverse"}, 0, args);
  const std::string by = b.has(1) ? to_str(m, b[1]).text() : "key";
  if (by != "key" && by != "value") m.fail("You can only sort by either \"key\" or \"value\"");
  m.require_defined(input);
  if (!input.is(Kind::dict)) m.fail("'%s' object has no attribute 'items'", type_name(input));
  const Dict& d = input.as<Dict>();
  Parts keys, out;
  for (size_t i = 0; i < d.size(); ++i) {
    m.charge(1);
    const Value& v = by == "key" ? d.key(i) : d.value(i);
    keys.push_back(b.truth(0, false) ? v : lowered(m, v));
  }
  for (size_t i : sorted_order(m, keys, b.truth(2, false))) out.push_back(m.tuple({d.key(i), d.value(i)}));
  return m.list(std::move(out));
}

template <bool Max>
Value extreme(Machine& m, const Value& input, Args& args) {
  Bound b(m, Max ? "max" : "min", {"case_sensitive", "attribute"}, 0, args);
  const Parts parts = b.given(1) ? attribute_parts(m, b[1]) : Parts();
  const auto it = m.iterate(input);
  Value best, best_key;
  bool any = false;
  for (Value v; it->next(m, v);) {
    const Value key = key_of(m, v, parts, b.truth(0, false));
    if (!any || (Max ? less(m, best_key, key) : less(m, key, best_key))) {
      best = v;
      best_key = key;
    }
    any = true;
  }
  return any ? best : m.missing("No aggregated item, sequence was empty.");
}

Value unique(Machine& m, const Value& input, Args& args) {
  Bound b(m, "unique", {"case_sensitive", "attribute"}, 0, args);
  const Parts parts = b.given(1) ? attribute_parts(m, b[1]) : Parts();
  const auto before = [&m](const std::string& a, const std::string& b) { return compare_bytes(m, a, b) < 0; };
  return generator(m, input, deepest(parts),
                   [parts, sensitive = b.truth(0, false), seen = std::set<std::string, decltype(before)>(before)](
                       Machine& m, Iterator& it, Value& out) mutable {
                     while (it.next(m, out)) {
                       const Value key = key_of(m, out, parts, sensitive);
                       if (seen.insert(m.key(key)).second) return true;
                     }
                     return false;
                   });
}

Value group_by(Machine& m, const Value& input, Args& args) {
  Bound b(m, "groupby", {"attribute", "default", "case_sensitive"}, 1, args);
  const Parts parts = attribute_parts(m, b[0]), source = m.collect(input);
  const bool sensitive = b.truth(2, false);
  const Value* fallback = b.given(1) ? &b[1] : nullptr;
  Parts keys, groups, members;
  for (const Value& item : source) keys.push_back(key_of(m, item, parts, sensitive, fallback));
  const std::vector<size_t> order = sorted_order(m, keys, false);
  for (size_t k = 0; k < order.size(); ++k) {
    members.push_back(source[order[k]]);
    if (k + 1 < order.size() && equal(m, keys[order[k]], keys[order[k + 1]])) continue;
    Value group = m.tuple({key_of(m, members[0], parts, true, fallback), m.list(members)});
    group.as<Sequence>().is_group = true;
    groups.push_back(std::move(group));
    members.clear();
  }
  return m.list(std::move(groups));
}

Value sum(Machine& m, const Value& input, Args& args) {
  Bound b(m, "sum", {"attribute", "start"}, 0, args);
  const Parts parts = b.given(0) ? attribute_parts(m, b[0]) : Parts();
  Value total = b.value(1, Value::integer(0));
  if (total.is_string()) m.fail("sum() can't sum strings [use ''.join(seq) instead]");
  const auto it = m.iterate(input);
  for (Value v; it->next(m, v);) {
    m.charge(1);
    total = calculate(m, Operator::add, total, get_path(m, v, parts));
  }
  return total;
}

Value batch(Machine& m, const Value& input, Args& args) {
  Bound b(m, "batch", {"linecount", "fill_with"}, 1, args);
  return deferred(m, input, b.value(1, Value::none()).depth(),
                  [size = b.integer(0, 0), fill = b.value(1, Value::none())](Machine& m, const Value& source) {
                    Parts rows, row;
                    for (const Value& v : m.collect(source)) {
                      if (int64_t(row.size()) == size) {
                        rows.push_back(m.list(std::move(row)));
                        row.clear();
                      }
                      row.push_back(v);
                    }
                    if (row.empty()) return rows;
                    if (!fill.is_none() && int64_t(row.size()) < size) {
                      m.check_steps(size);
                      for (row.reserve(size_t(size)); int64_t(row.size()) < size; row.push_back(fill)) m.charge(1);
                    }
                    rows.push_back(m.list(std::move(row)));
                    return rows;
                  });
}

Value slice(Machine& m, const Value& input, Args& args) {
  Bound b(m, "slice", {"slices", "fill_with"}, 1, args);
  return deferred(m, input, b.value(1, Value::none()).depth(),
                  [slices = b.integer(0, 0), fill = b.value(1, Value::none())](Machine& m, const Value& source) {
                    const Parts items = m.collect(source);
                    const int64_t n = int64_t(items.size());
                    if (slices == 0) m.fail("integer division or modulo by zero");
                    m.check_steps(slices);
                    Parts rows;
                    for (int64_t i = 0, at = 0; i < slices; ++i) {
                      const int64_t take = n / slices + (i < n % slices);
                      Parts row;
                      for (int64_t k = 0; k < take; ++k) {
                        m.charge(1);
                        row.push_back(items[size_t(at + k)]);
                      }
                      if (!fill.is_none() && i >= n % slices) row.push_back(fill);
                      rows.push_back(m.list(std::move(row)));
                      at += take;
                    }
                    return rows;
                  });
}

Value map(Machine& m, const Value& input, Args& args) {
  if (!truth(input)) return generator(m, Value(), 0, pass);
  if (args.positional.empty()) {
    Bound b(m, "map", {"attribute", "default"}, 0, args);
    if (!b.has(0)) m.fail("map requires a filter argument");
    const Value fallback = b.given(1) ? b[1] : Value();
    return generator(m, input, std::max(fallback.depth(), b[0].depth()),
                     [parts = attribute_parts(m, b[0]), fallback](Machine& m, Iterator& it, Value& out) {
                       if (!it.next(m, out)) return false;
                       out = get_path(m, out, parts, fallback.is_undefined() ? nullptr : &fallback);
                       return true;
                     });
  }
  const Value name = args.positional[0];
  const Filter filter = name.is_string() ? find_filter(name.text()) : nullptr;
  Args rest = args;
  rest.positional.erase(rest.positional.begin());
  return generator(m, input, deepest(args), [name, filter, rest](Machine& m, Iterator& it, Value& out) mutable {
    Value item;
    if (!it.next(m, item)) return false;
    if (!filter) m.fail("No filter named %s.", to_repr(m, name).text().c_str());
    out = filter(m, item, rest);
    return true;
  });
}

// select, reject, selectattr, rejectattr: [attribute,] [test, arguments...]
template <bool Keep, bool Attribute>
Value select(Machine& m, const Value& input, Args& args) {
  if (!truth(input)) return generator(m, Value(), 0, pass);
  Args rest = args;
  const auto take = [&rest]() -> std::optional<Value> {
    if (rest.positional.empty()) return std::nullopt;
    Value first = rest.positional.front();
    rest.positional.erase(rest.positional.begin());
    return first;
  };
  const std::optional<Value> attribute = Attribute ? take() : std::nullopt, name = take();
  const Test test = name && name->is_string() ? find_test(name->text()) : nullptr;
  const Parts parts = attribute ? attribute_parts(m, *attribute) : Parts();
  return generator(m, input, deepest(args),
                   [attribute, name, parts, test, rest](Machine& m, Iterator& it, Value& out) mutable {
                     if (Attribute && !attribute) m.fail("Missing parameter for attribute name");
                     while (it.next(m, out)) {
                       m.charge(1);
                       if (name && !test) m.fail("No test named %s.", to_repr(m, *name).text().c_str());
                       const Value v = get_path(m, out, parts);
                       if ((test ? test(m, v, rest) : truth(v)) == Keep) return true;
                     }
                     return false;
                   });
}

constexpr FilterEntry kFilters[] = {{"first", first},
                                    {"last", last},
                                    {"reverse", reverse},
                                    {"list", list},
                                    {"items", items},
                                    {"join", join},
                                    {"sort", sort},
                                    {"dictsort", dict_sort},
                                    {"min", extreme<false>},
                                    {"max", extreme<true>},
                                    {"unique", unique},
                                    {"groupby", group_by},
                                    {"sum", sum},
                                    {"batch", batch},
                                    {"slice", slice},
                                    {"map", map},
                                    {"select", select<true, false>},
                                    {"reject", select<false, false>},
                                    {"selectattr", select<true, true>},
                                    {"rejectattr", select<false, true>}};

}  // namespace
}  // namespace list_filters

Filter find_list_filter(std::string_view name) { return find_among(list_filters::kFilters, name); }

bool Lazy::next(Machine& m, Value& out) {
  Machine::Nested nested(m);
  m.charge(1);
  if (!iterator && !done) iterator = m.iterate(source);
  done = done || !step(m, *iterator, out);
  return !done;
}

Value generator(Machine& m, const Value& source, int held, Lazy::Step step) {
  Value v = m.make<Lazy>(Kind::iterator, std::max(source.depth(), held) + 1);
  v.as<Lazy>().source = source;
  v.as<Lazy>().step = std::move(step);
  return v;
}

Value deferred(Machine& m, const Value& source, int held,
               std::function<std::vector<Value>(Machine&, const Value&)> make) {
  return generator(m, Value(), std::max(source.depth(), held),
                   [source = Value(source), make = std::move(make), items = Ref<Iterator>()](Machine& m, Iterator&,
                                                                                             Value& out) mutable {
                     if (!items) items = m.iterate(m.list(make(m, std::exchange(source, Value()))));
                     return items->next(m, out);
                   });
}

}  // namespace puna::jinja

// jinja_value.h -- what a template computes with: Python's values, immutable but for iterators and a few opaque objects.
// A Value is a kind plus either a scalar or a shared object. Containers know how deep they nest, and the Machine refuses to
// build one too deep, so printing, comparing and destroying may recurse. What can refer back to itself (namespaces, macro
// scopes) registers with the Machine, which cuts the cycles when the render ends.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace puna::jinja {

class Machine;
class Value;
struct Args;

enum class Kind : uint8_t { undefined, none, boolean, integer, real, string, list, tuple, dict, range, view, iterator, object };

struct Object {
  virtual ~Object() = default;
  int depth = 0;  // containers around containers
};

class Value {
 public:
  Value() = default;  // undefined
  static Value none() { return Value(Kind::none); }
  static Value boolean(bool b) {
    Value v(Kind::boolean);
    v.integer_ = b;
    return v;
  }
  static Value integer(int64_t i) {
    Value v(Kind::integer);
    v.integer_ = i;
    return v;
  }
  static Value real(double d) {
    Value v(Kind::real);
    v.real_ = d;
    return v;
  }
  static Value of(Kind kind, std::shared_ptr<Object> object) {
    Value v(kind);
    v.object_ = std::move(object);
    return v;
  }

  Kind kind() const { return kind_; }
  bool is(Kind k) const { return kind_ == k; }
  bool is_undefined() const { return kind_ == Kind::undefined; }
  bool is_none() const { return kind_ == Kind::none; }
  bool is_string() const { return kind_ == Kind::string; }
  bool is_sequence() const { return kind_ == Kind::list || kind_ == Kind::tuple; }
  bool is_integral() const { return kind_ == Kind::integer || kind_ == Kind::boolean; }  // Python's bool is an int
  bool is_number() const { return is_integral() || kind_ == Kind::real; }

  int64_t as_integer() const { return integer_; }  // of an integral value
  double as_real() const { return kind_ == Kind::real ? real_ : double(integer_); }
  template <class T>
  T& as() const {
    return static_cast<T&>(*object_);
  }
  const std::string& text() const;          // of a string
  const std::vector<Value>& items() const;  // of a list or tuple
  const std::shared_ptr<Object>& object() const { return object_; }
  int depth() const { return object_ ? object_->depth : 0; }

 private:
  explicit Value(Kind kind) : kind_(kind) {}
  Kind kind_ = Kind::undefined;
  union {
    int64_t integer_ = 0;
    double real_;
  };
  std::shared_ptr<Object> object_;
};

// UTF-8; `markup` is what |safe and |escape return: joining it with plain text escapes the plain text.
struct Text final : Object {
  Text(std::string t, bool m);
  std::string text;
  int64_t length;  // code points
  bool markup;
  bool ascii() const { return length == int64_t(text.size()); }
};

// Why a value is undefined, for the error when it is used.
struct Missing final : Object {
  explicit Missing(std::string m) : message(std::move(m)) {}
  std::string message;
};

struct Sequence final : Object {  // list, tuple
  std::vector<Value> items;
  bool is_group = false;  // groupby's tuple: also .grouper and .list
};

// Keeps insertion order; found through a sorted index of canonical keys: strings that are equal just when the keys are
// (1 == 1.0 == True). Machine::hash makes them, since that may cost.
class Dict final : public Object {
 public:
  using Item = std::pair<Value, Value>;
  using Index = std::vector<std::pair<std::string, uint32_t>>;
  // `keys` are the items' canonical ones. The last value of equal keys wins, at the first one's place.
  Dict(std::vector<Item> items, std::vector<std::string> keys);
  const Value* find(const std::string& canonical) const;
  const Value* find_text(std::string_view key) const { return find(text_key(key)); }
  const std::vector<Item>& items() const { return items_; }
  const Index& index() const { return index_; }
  static std::string text_key(std::string_view text) { return "s" + std::string(text); }

 private:
  std::vector<Item> items_;
  Index index_;
};

struct Range final : Object {
  int64_t start = 0, stop = 0, step = 1, count = 0;
  int64_t at(int64_t i) const { return int64_t(uint64_t(start) + uint64_t(i) * uint64_t(step)); }  // i * step alone may wrap
};

struct View final : Object {  // dict.keys(), .values(), .items()
  enum class What : uint8_t { keys, values, items };
  Value dict;
  What what = What::keys;
};

struct Iterator : Object {
  virtual bool next(Machine& m, Value& out) = 0;  // false at the end, and from then on
};

// Everything else: namespaces, macros, functions, bound methods, loop, cycler, joiner.
struct Opaque : Object, std::enable_shared_from_this<Opaque> {
  virtual const char* type_name() const = 0;
  virtual bool attribute(Machine&, std::string_view, Value&) { return false; }
  virtual bool callable() const { return false; }
  virtual Value call(Machine& m, Args& args);
  virtual std::string repr(Machine& m) const;
};

struct Args {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

bool is_markup(const Value& v);
const char* type_name(const Value& v);  // Python's: "str", "dict", ...

}  // namespace puna::jinja

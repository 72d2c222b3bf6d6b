// value.h -- what a template computes with: Python's values, immutable but for iterators and a few opaque
// objects. A Value is a kind plus either a scalar or a shared object. Containers and iterators know how deep they nest,
// and the Machine refuses to build one too deep, so printing, comparing and destroying may recurse. What can refer back
// to itself (namespaces, macro scopes) registers with the Machine, which cuts the cycles when the render ends.
// Content is what the caller's variables brought, as opposed to what the template says: a number or None knows it of
// itself, a text of each of its bytes.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "puna/text/rendered_chat.h"

namespace puna::jinja {

inline constexpr size_t kFewKeys = 8;  // of a dict: looked through one by one, they need no order

class Machine;
class Value;
struct Args;

enum class Kind : uint8_t {
  undefined,
  none,
  boolean,
  integer,
  real,
  string,
  list,
  tuple,
  dict,
  range,
  view,
  iterator,
  object
};

struct Object {
  Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;
  mutable std::atomic<uint32_t> references{0};  // a template's constants are shared by the threads that render it
  int depth = 0;                                // containers around containers
};

// Shares an object, which counts its holders.
template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) noexcept : p_(object) {
    if (p_) p_->references.fetch_add(1, std::memory_order_relaxed);
  }
  Ref(const Ref& other) noexcept : Ref(other.p_) {}
  Ref(Ref&& other) noexcept : p_(std::exchange(other.p_, nullptr)) {}
  template <class U>
  Ref(Ref<U> other) noexcept : p_(other.release()) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(p_, other.p_);
    return *this;
  }
  ~Ref() {
    if (p_ && p_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete p_;
  }

  T* get() const { return p_; }
  T& operator*() const { return *p_; }
  T* operator->() const { return p_; }
  explicit operator bool() const { return p_ != nullptr; }
  void reset() { *this = Ref(); }
  T* release() noexcept { return std::exchange(p_, nullptr); }  // with its count

 private:
  T* p_ = nullptr;
};

template <class T, class... A>
Ref<T> make_ref(A&&... arguments) {
  return Ref<T>(new T(std::forward<A>(arguments)...));
}

class Value {
 public:
  Value() noexcept : object_(nullptr) {}  // undefined
  Value(const Value& other) noexcept : kind_(other.kind_), content_(other.content_), integer_(other.integer_) {
    if (Object* o = object()) o->references.fetch_add(1, std::memory_order_relaxed);
  }
  Value(Value&& other) noexcept : kind_(other.kind_), content_(other.content_), integer_(other.integer_) {
    other.forget();
  }
  Value& operator=(Value other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(content_, other.content_);
    std::swap(integer_, other.integer_);
    return *this;
  }
  ~Value() {
    Object* o = object();
    if (o && o->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete o;
  }

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
  static Value of(Kind kind, Ref<Object> object) {
    Value v(kind);
    v.object_ = object.release();
    return v;
  }
  Value from_content(bool content) && {  // the same number (or None), as the caller's
    content_ = content_ || (content && !holds_object());
    return std::move(*this);
  }

  Kind kind() const { return kind_; }
  bool is(Kind k) const { return kind_ == k; }
  bool is_undefined() const { return kind_ == Kind::undefined; }
  bool is_none() const { return kind_ == Kind::none; }
  bool is_string() const { return kind_ == Kind::string; }
  bool is_sequence() const { return kind_ == Kind::list || kind_ == Kind::tuple; }
  bool is_integral() const { return kind_ == Kind::integer || kind_ == Kind::boolean; }  // Python's bool is an int
  bool is_number() const { return is_integral() || kind_ == Kind::real; }
  bool is_content() const { return content_; }  // of a number, a bool or None

  int64_t as_integer() const { return kind_ == Kind::none ? 0 : integer_; }  // of an integral value
  double as_real() const { return kind_ == Kind::real ? real_ : double(integer_); }
  template <class T>
  T& as() const {
    return static_cast<T&>(*object_);
  }
  const std::string& text() const;          // of a string
  const std::vector<Value>& items() const;  // of a list or tuple
  Object* object() const { return holds_object() ? object_ : nullptr; }
  int depth() const { return object() ? object_->depth : 0; }

 private:
  explicit Value(Kind kind) : kind_(kind), integer_(0) {}
  bool holds_object() const { return kind_ < Kind::none || kind_ > Kind::real; }
  void forget() {
    kind_ = Kind::undefined;
    content_ = false;
    object_ = nullptr;
  }

  Kind kind_ = Kind::undefined;
  bool content_ = false;
  union {
    int64_t integer_;
    double real_;
    Object* object_;
  };
};
static_assert(sizeof(Value) == 16);

// A text that is being put together, and which of its bytes are content (sorted, disjoint, none empty, none touching
// the next).
struct Marked {
  std::string text;
  std::vector<TextSpan> spans;
  void add(std::string_view s, bool content);
};

// UTF-8; `markup` is what |safe and |escape return: joining it with plain text escapes the plain text.
struct Text final : Object {
  Text(std::string t, bool is_markup, bool is_content = false);
  Text(Marked t, int64_t code_points, bool is_markup);
  std::string text;
  int64_t length;                               // code points
  std::unique_ptr<std::vector<TextSpan>> some;  // NULL when all or no bytes are content
  bool all = false;
  const bool markup;

  bool ascii() const { return length == int64_t(text.size()); }
  bool has_content() const { return all || some; }
  bool has_content(size_t begin, size_t end) const;
  // Calls f(from, to, content) for the stretches of [begin, end) in order. They may end within a character only if a
  // span does.
  template <class F>
  void each_stretch(size_t begin, size_t end, F f) const {
    if (!some) {
      if (begin < end) f(begin, end, all);
      return;
    }
    for (size_t i = first_span(begin); begin < end; ++i) {
      const TextSpan next = i < some->size() ? (*some)[i] : TextSpan{end, end};
      if (next.begin > begin) {
        const size_t stop = next.begin < end ? next.begin : end;
        f(begin, stop, false);
        begin = stop;
      }
      if (begin >= end) break;
      const size_t stop = next.end < end ? next.end : end;
      f(begin, stop, true);
      begin = stop;
    }
  }
  size_t first_span(size_t at) const;  // the first one that ends behind `at`
};

// Answers for byte after byte whether it is content: cheap when they are near each other.
class ContentAt {
 public:
  explicit ContentAt(const Text& text) : text_(text) {}
  bool operator()(size_t byte);

 private:
  const Text& text_;
  size_t span_ = 0;
};

bool is_content(const Value& v);  // a number or None of the caller, a text with any byte of content

// Why a value is undefined, for the error when it is used.
struct Missing final : Object {
  explicit Missing(std::string m) : message(std::move(m)) {}
  std::string message;
};

struct Sequence final : Object {  // list, tuple
  std::vector<Value> items;
  bool is_group = false;  // groupby's tuple: also .grouper and .list
};

// The keys of a dict in insertion order, found through a sorted index of canonical keys: strings that are equal just
// when the keys are (1 == 1.0 == True). Machine::hash makes them, since that may cost. Dicts that were read share their
// keys.
class Keys final : public Object {
 public:
  // All different. `canonical` may be left out when all keys are strings.
  Keys(std::vector<Value> keys, std::vector<std::string> canonical, std::vector<uint32_t> order)
      : values(std::move(keys)), canonical_(std::move(canonical)), order_(std::move(order)) {}
  static constexpr size_t npos = size_t(-1);
  size_t find(Machine& m, std::string_view canonical) const;
  size_t find_text(Machine& m, std::string_view key) const;
  const std::vector<Value> values;

 private:
  const std::vector<std::string> canonical_;
  const std::vector<uint32_t> order_;
};

// Its values lie right behind it, in one piece of memory: a long chat has millions of them.
class Dict final : public Object {
 public:
  static Ref<Dict> make(Ref<const Keys> keys, std::span<Value> values);  // takes the values, one for each key
  ~Dict() override;
  static void operator delete(void* p) { ::operator delete(p); }
  const Value* find(Machine& m, std::string_view canonical) const { return at(keys_->find(m, canonical)); }
  const Value* find_text(Machine& m, std::string_view key) const { return at(keys_->find_text(m, key)); }
  size_t size() const { return keys_->values.size(); }
  const Value& key(size_t i) const { return keys_->values[i]; }
  const Value& value(size_t i) const { return values()[i]; }

 private:
  Dict(Ref<const Keys> keys, std::span<Value> values);
  struct TrailingValues {
    size_t values;
  };
  static void* operator new(size_t size, TrailingValues trailing) {
    return ::operator new(size + trailing.values * sizeof(Value));
  }
  static void operator delete(void* p, TrailingValues) { ::operator delete(p); }
  Value* values() { return reinterpret_cast<Value*>(this + 1); }
  const Value* values() const { return reinterpret_cast<const Value*>(this + 1); }
  const Value* at(size_t i) const { return i == Keys::npos ? nullptr : &values()[i]; }
  Ref<const Keys> keys_;
};
static_assert(sizeof(Dict) % alignof(Value) == 0);

struct Range final : Object {
  int64_t start = 0, stop = 0, step = 1, count = 0;
  int64_t at(int64_t i) const {
    return int64_t(uint64_t(start) + uint64_t(i) * uint64_t(step));
  }  // i * step alone may wrap
  bool content = false;
};

struct View final : Object {  // dict.keys(), .values(), .items()
  enum class What : uint8_t { keys, values, items };
  Value dict;
  What what = What::keys;
};

struct Iterator : Object {
  virtual bool next(Machine& m, Value& out) = 0;  // false at the end, and from then on
};

// Everything else: namespaces, macros, functions, bound methods, loop, cycler, joiner, and integers beyond 64 bits.
struct Opaque : Object {
  virtual const char* type_name() const = 0;
  virtual bool attribute(Machine&, std::string_view, Value&) { return false; }
  virtual bool callable() const { return false; }
  virtual Value call(Machine& m, Args& args);
  virtual Value repr(Machine& m);  // a text
};

struct NamedArgument {
  Value name;  // a text: kwargs shows it to the template
  Value value;
  const std::string& text() const { return name.text(); }
};

struct Args {
  std::vector<Value> positional;
  std::vector<NamedArgument> named;
};

bool is_markup(const Value& v);
const char* type_name(const Value& v);  // Python's: "str", "dict", ...
int deepest(std::span<const Value> values);
int deepest(const Args& args);

}  // namespace puna::jinja

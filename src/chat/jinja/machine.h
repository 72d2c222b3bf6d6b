// machine.h -- the state of one render: what is left of the limits, the scopes, the output, and the way to fail.
// Everything costs steps where it arises: one for a node or an item, one for every 32 bytes of text that is made, moved
// or looked at (what costs more per byte pays several times). So the steps bound the time and (32 bytes x steps) the
// memory, and the watch, which is asked as steps are paid, is asked every few milliseconds: nobody pays for more than a
// piece of work before doing it, and texts are walked through and put together by what is declared here, in
// search.h and in builder.h alone. Depth bounds the native stack. Failing throws Raised, which the template
// turns into an Error naming the line.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/jinja/value.h"
#include "puna/base/error.h"
#include "puna/chat/chat_template.h"

namespace puna::jinja {

struct Expr;
struct Target;
struct Stmt;

struct Raised {
  Status status;
  std::string message;
};

struct Scope {
  std::vector<std::pair<int, Value>> variables;  // by interned name; few
  std::shared_ptr<Scope> parent;
};
using ScopePtr = std::shared_ptr<Scope>;

enum class Flow : uint8_t { normal, break_loop, continue_loop };
using Body = std::vector<std::unique_ptr<const Stmt>>;

class Machine {
 public:
  Machine(const ChatTemplate::Limits& limits, std::string_view now, const Watch& watch, TemplateStyle style)
      : limits_(limits), watch_(watch), steps_(limits.steps), now_(now), strict_(style == TemplateStyle::plain) {}
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // ---- failing: a Python exception, a limit, a feature we lack
  [[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 2, 3)));
  [[noreturn]] void unsupported(const char* what);
  [[noreturn]] void raise(const Value& missing);  // an undefined value was used
  void require_defined(const Value& v) {
    if (v.is_undefined()) raise(v);
  }

  bool condition(const Value& v);  // of an if, a not, an and

  // ---- paying, before the work
  static constexpr int64_t kBytesPerStep = 32;
  static constexpr size_t kPiece = 256 << 10;  // of a text: what is walked through between two payments
  void charge(int64_t steps) {
    if (steps < 0 || steps_ < steps) out_of_steps();
    steps_ -= steps;
    watch_.tick(uint64_t(steps));
  }
  void check_steps(int64_t steps) {  // of what is done step by step: refused before memory is allocated for it
    if (steps > steps_) out_of_steps();
  }
  void charge_bytes(int64_t bytes) {  // little by little: what is left of a step is kept
    unpaid_ += bytes;
    if (unpaid_ >= 32 * kBytesPerStep) charge(std::exchange(unpaid_, unpaid_ % kBytesPerStep) / kBytesPerStep);
  }
  void check_size(int64_t bytes) const {  // of a text that is growing, or will be this long
    if (bytes < 0 || bytes > limits_.output_bytes) too_long();
  }
  void append(std::string& to, std::string_view s) {  // of any length
    check_size(int64_t(to.size() + s.size()));
    for (size_t i = 0; i < s.size(); i += kPiece) {
      const std::string_view piece = s.substr(i, kPiece);
      charge_bytes(int64_t(piece.size()));
      to += piece;
    }
  }
  std::optional<std::string> hash(const Value& v);  // the canonical key of a hashable value (value.cpp)
  std::string key(const Value& v);                  // the same; fails on what cannot be a key
  struct Nested {                                   // one level of evaluation
    explicit Nested(Machine& machine) : m(machine) {
      if (++m.depth_ > m.limits_.depth) m.too_deep();
    }
    ~Nested() { --m.depth_; }
    Machine& m;
  };

  // ---- making values
  Value text(std::string s, bool markup = false, bool content = false);
  Value text(Marked s, bool markup = false);
  Value list(std::vector<Value> items) { return sequence(Kind::list, std::move(items)); }
  Value tuple(std::vector<Value> items) { return sequence(Kind::tuple, std::move(items)); }
  Value dict(std::vector<std::pair<Value, Value>> items);  // value.cpp
  Value missing(std::string message) { return Value::of(Kind::undefined, make_ref<Missing>(std::move(message))); }
  template <class T, class... A>
  Value make(Kind kind, int inner_depth, A&&... args) {  // a container or iterator around something `inner_depth` deep
    charge(4);
    auto object = make_ref<T>(std::forward<A>(args)...);
    object->depth = inner_depth + 1;
    check_depth(*object);
    return Value::of(kind, std::move(object));
  }
  Value register_cyclic(Ref<Object> object, void (*cut)(Object&));  // an opaque object that may refer to itself

  // ---- iterating, calling
  Ref<Iterator> iterate(const Value& v);       // fails on what Python cannot iterate
  std::vector<Value> collect(const Value& v);  // list(v)
  Value call(const Value& callee, Args& args);

  // ---- evaluating (eval.cpp, expr.cpp)
  Value evaluate(const Expr& e);
  Flow execute(const Body& body);
  template <class F>
  Marked capture(F&& body) {  // what `body` prints
    struct Restore {          // also when it throws
      Marked &output, outer;
      ~Restore() { output = std::move(outer); }
    } restore{output_, std::exchange(output_, {})};
    body();
    return std::move(output_);
  }
  void print(const Value& v);
  void print(std::string_view s, bool content = false);
  void assign(const Target& target, const Value& value);
  const Value* lookup(int name);  // NULL: undefined
  void set(int name, Value value);
  void open_scope(ScopePtr parent,
                  const std::vector<int>& hidden);  // hidden names are undefined in it until they are set
  void capture_scope(const ScopePtr& scope);        // a macro keeps it alive: its variables are dropped at the end
  class ScopeGuard {                                // inner scope for a block of statements
   public:
    ScopeGuard(Machine& m, ScopePtr parent, const std::vector<int>& hidden) : m_(m), saved_(std::move(m.scope)) {
      m.open_scope(std::move(parent), hidden);
    }
    ~ScopeGuard() { m_.scope = std::move(saved_); }

   private:
    Machine& m_;
    ScopePtr saved_;
  };

  ScopePtr scope;
  std::vector<Value> context;  // by interned name: the render's variables, then Jinja's globals
  int line = 1;
  std::string_view now() const { return now_; }
  const ChatTemplate::Limits& limits() const { return limits_; }
  Marked take_output() { return std::exchange(output_, {}); }

 private:
  [[noreturn]] void out_of_steps();
  [[noreturn]] void too_deep();
  [[noreturn]] void too_long() const;
  void check_depth(const Object& o) const;
  Value sequence(Kind kind, std::vector<Value> items);

  ChatTemplate::Limits limits_;
  const Watch& watch_;
  int64_t steps_;
  int64_t unpaid_ = 0;  // bytes
  int depth_ = 0;
  std::string_view now_;
  bool strict_;
  Marked output_;
  std::vector<std::pair<Ref<Object>, void (*)(Object&)>> cyclic_;
  std::vector<ScopePtr> captured_;
};

// Puts the arguments of a call into the slots of a signature, as Python does: too many, unknown or missing ones are
// errors.
class Bound {
 public:
  Bound(Machine& m, const char* function, std::initializer_list<const char*> names, size_t required, Args& args);
  bool has(size_t i) const { return slots_[i].has_value(); }
  const Value& operator[](size_t i) const { return *slots_[i]; }
  bool given(size_t i) const { return has(i) && !slots_[i]->is_none(); }  // for parameters whose default is None
  int64_t integer(size_t i, int64_t otherwise) const;
  bool truth(size_t i, bool otherwise) const;
  const std::string& string(size_t i) const;  // fails unless it is one
  Value value(size_t i, const Value& otherwise) const { return has(i) ? *slots_[i] : otherwise; }

 private:
  Machine& m_;
  const char* function_;
  std::vector<const char*> names_;
  std::vector<std::optional<Value>> slots_;
};

}  // namespace puna::jinja

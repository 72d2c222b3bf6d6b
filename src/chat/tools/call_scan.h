// call_scan.h -- what may be a call, or a list of calls, byte by byte from its first one on.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/tools/format.h"
#include "chat/tools/gemma_scan.h"
#include "chat/tools/json_scan.h"
#include "chat/tools/python_scan.h"

namespace puna::tools {

class ToolNames {
 public:
  explicit ToolNames(const Tools& tools);
  bool has(std::string_view name) const noexcept;
  bool has_prefix(std::string_view text) const noexcept;  // does a name begin so?

 private:
  std::vector<std::string> names_;  // sorted
};

class CallScan {
 public:
  // more: the byte belongs to it. done: and is its last. bad: it ends before this byte, and so it was no call, or the
  // list was broken behind those told.
  enum class Step : uint8_t { more, done, bad };

  // To be given its first byte, one that can_begin(), and on.
  CallScan(const ToolNames& names, unsigned notations, std::string_view name_end);
  static bool can_begin(char c, unsigned notations) noexcept;

  Step step(char c);
  // Is a special token of this name a part of it? Then its bytes are to be given, too.
  bool takes_special(std::string_view name) const noexcept;
  void end();  // nothing follows: what is whole and waits for its comma is a call

  // Not a call whatever comes: the bytes are text, the scan goes on to its end.
  bool is_text() const noexcept { return text_; }
  void no_call() noexcept {
    text_ = true;
    begun_ = whole_ = false;
  }
  // The call being read: its name is known and its arguments have begun.
  bool begun() const noexcept { return begun_; }
  const std::string& name() const noexcept { return name_; }
  // The arguments as JSON so far; `settled` bytes of them will stay.
  const std::string& arguments() const noexcept;
  size_t settled() const noexcept;
  // Is it whole, so that it counts? Once a call: then the next one begins.
  bool take_called() noexcept;

 private:
  enum class Kind : uint8_t { first, bracket, json, python, named, gemma };
  enum class Field : uint8_t { none, key, name, arguments, arguments_text, type, id, function };
  enum class At : uint8_t { name, arguments, behind };  // python, named and gemma

  Step json(char c);
  void field(char c, JsonScan::Event e);
  void opened(char c);
  void key_closed();
  void value_closed();
  void envelope_closed();
  void whole();  // the call is; in a list the comma confirms it
  Step python(char c);
  Step python_name(char c);
  Step named(char c);
  Step gemma(char c);
  void next_call();
  void take_name(std::string_view name);
  void begin_if_known() { begun_ = begun_ || (!text_ && has_name_ && has_arguments_); }

  const ToolNames& names_;
  const unsigned notations_;
  const std::string_view name_end_;
  Kind kind_ = Kind::first;
  At at_ = At::name;
  bool list_ = false, text_ = false, begun_ = false, whole_ = false, called_ = false;
  bool has_name_ = false, has_arguments_ = false;
  std::string name_, word_, json_arguments_;
  JsonScan json_;
  Field field_ = Field::none;
  size_t base_ = 1;                           // the depth inside the object that has the name
  bool nested_ = false, was_nested_ = false;  // in the object of "function"
  bool comment_ = false;
  size_t count_ = 0;  // Python calls of the list
  std::optional<PythonScan> python_;
  std::optional<GemmaScan> gemma_;
};

}  // namespace puna::tools

// symbols.h -- which names a scope hides. Jinja resolves names when it compiles: a name whose first use in a
// scope is an unconditional assignment is that scope's own from the start, so before the assignment (in an inner loop
// or macro, say) it is undefined even if the render was given a variable of that name. Otherwise, lookup by scope at
// run time gives the same answers.
#pragma once
#include <set>
#include <vector>

#include "puna/base/watch.h"

namespace puna::jinja {

class Symbols {
 public:
  // Scopes open and close as the parser goes through them; `hidden` is filled by finish(). A macro's scope is left and
  // re-entered when the expression after its parameters belongs to the scope around it.
  int open(std::vector<int>* hidden) {
    scopes_.push_back({current_, 0, {}, {}, {}, hidden});
    return current_ = int(scopes_.size()) - 1;
  }
  int leave() {
    const int left = current_;
    current_ = scopes_[size_t(left)].parent;
    return left;
  }
  void enter(int scope) { current_ = scope; }

  void load(int name) {
    if (!is_bound(name)) free_.insert(name);
    scopes_[size_t(current_)].seen.insert(name);
  }
  void declare(int name) {  // parameters, loop targets: assigned when the scope opens
    scopes_[size_t(current_)].seen.insert(name);
    scopes_[size_t(current_)].bound.insert(name);
  }
  void store(int name) {
    Scope& s = scopes_[size_t(current_)];
    if (s.branches == 0) s.bound.insert(name);
    if (s.seen.insert(name).second && s.branches == 0) s.stored_first.push_back(name);
  }
  void enter_branch() { ++scopes_[size_t(current_)].branches; }
  void leave_branch() { --scopes_[size_t(current_)].branches; }

  // Names that are read somewhere without being assigned before, whatever the branches taken: the render may give them.
  const std::set<int>& free() const { return free_; }

  // A name that a scope further out uses as well is that one's business.
  void finish(const Watch& watch) {
    for (Scope& s : scopes_)
      for (int name : s.stored_first) {
        bool outside = false;
        for (int p = s.parent; p >= 0 && !outside; p = scopes_[size_t(p)].parent) {
          watch.tick();
          outside = scopes_[size_t(p)].seen.count(name) > 0;
        }
        if (!outside) s.hidden->push_back(name);
      }
  }

 private:
  struct Scope {
    int parent;
    int branches;  // if statements around the current position
    std::set<int> seen;
    std::set<int> bound;  // assigned from here on in any case
    std::vector<int> stored_first;
    std::vector<int>* hidden;
  };
  bool is_bound(int name) const {
    for (int s = current_; s >= 0; s = scopes_[size_t(s)].parent)
      if (scopes_[size_t(s)].bound.count(name) > 0) return true;
    return false;
  }

  std::vector<Scope> scopes_;
  std::set<int> free_;
  int current_ = -1;
};

}  // namespace puna::jinja

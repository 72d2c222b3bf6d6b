// mask_builder.cpp -- a token may come where any one thread reads it, by any one of its lexemes. So the threads are
// parted:
//   narrow  lexemes that only few bytes may begin (names, numbers, punctuation): walked through the trees together
//   wide    the others (a string's inside): what they go on through is kept by expression, for all grammars. Where one
//           may end within a token, the walk goes on from there, with the column that this opens
#include "grammar/mask_builder.h"

#include <algorithm>

#include "grammar/clamp.h"

namespace puna::grammar {
namespace {

constexpr uint32_t kSomeLexeme = kNone - 1;  // stands for whichever lexeme has the expression

class MaskBuilder {
 public:
  MaskBuilder(Automaton& automaton, const GrammarVocabulary& vocabulary, std::span<uint64_t> bits)
      : automaton_(automaton), vocabulary_(vocabulary), bits_(bits) {
    for (const TokenGroup& group : vocabulary.groups()) longest_ = std::max(longest_, group.longest);
    path_.resize(size_t(longest_) + 1);
  }

  void add(uint32_t configuration) {
    part(configuration);
    if (narrow_ != Configurations::kDead)
      for (const TokenGroup& group : vocabulary_.groups()) {
        walk(group.plain, narrow_);
        walk(group.others, narrow_);
      }
    if (!wide_.empty())
      for (size_t g = 0; g < vocabulary_.groups().size(); ++g) add_wide(g);
  }

 private:
  // A wide lexeme of a thread.
  struct Wide {
    uint32_t column, lexeme;
    Regex left;
  };
  struct Exit {
    uint32_t node, wide;
    auto operator<=>(const Exit&) const = default;
  };

  void allow(std::span<const int32_t> tokens) noexcept {
    for (const int32_t id : tokens) bits_[size_t(id) / 64] |= uint64_t(1) << (id % 64);
  }

  void part(uint32_t configuration) {
    std::vector<Thread> narrow_threads, wide_threads;
    std::vector<LexerItem> narrow, wide;
    RegexBuilder& regexes = automaton_.regexes();
    for (const Thread& thread : automaton_.configurations().threads(configuration)) {
      narrow.clear();
      wide.clear();
      for (const LexerItem& item : automaton_.lexers().items(thread.state))
        (regexes.first(item.left).count() >= vocabulary_.tuning().wide ? wide : narrow).push_back(item);
      for (const LexerItem& item : wide) wide_.push_back({thread.column, item.lexeme, item.left});
      if (!narrow.empty()) narrow_threads.push_back({thread.column, automaton_.lexers().intern(narrow)});
      if (!wide.empty()) wide_threads.push_back({thread.column, automaton_.lexers().intern(wide)});
    }
    narrow_ = sub_configuration(narrow_threads);
    all_wide_ = sub_configuration(wide_threads);
  }
  uint32_t sub_configuration(std::vector<Thread>& threads) {
    std::sort(threads.begin(), threads.end());
    return automaton_.configurations().of(threads, false, kNone);
  }

  // All of a tree from its root.
  void walk(const TokenTrie& trie, uint32_t configuration) {
    path_[0] = configuration;
    walk_below(trie, 0);
  }
  // path_[depth of the node] is where the walk begins.
  void walk_below(const TokenTrie& trie, uint32_t node) {
    const TokenTrie::Node* const nodes = trie.nodes().data();
    for (uint32_t i = node + 1, end = nodes[node].end; i < end;) {
      const uint32_t next = automaton_.step(path_[nodes[i].depth - 1u], nodes[i].byte);
      if (next == Configurations::kDead) {
        i = nodes[i].end;
        continue;
      }
      path_[nodes[i].depth] = next;
      allow(trie.tokens_at(i));
      ++i;
    }
  }

  void add_wide(size_t g) {
    const TokenGroup& group = vocabulary_.groups()[g];
    std::vector<std::shared_ptr<const ExpressionMask>> masks;
    uint64_t exit_nodes = 0;
    for (const Wide& wide : wide_) {
      masks.push_back(expression_mask(g, wide.left));
      masks.back()->inside.add_to(bits_);
      exit_nodes += masks.back()->exit_nodes;
    }
    if (exit_nodes > group.plain.nodes().size() + group.others.nodes().size()) {
      walk(group.plain, all_wide_);
      walk(group.others, all_wide_);
      return;
    }
    leave(group.plain, masks, &ExpressionMask::plain_exits);
    leave(group.others, masks, &ExpressionMask::other_exits);
  }

  // Below the nodes where lexemes end: all that end at one node open one column.
  void leave(const TokenTrie& trie, std::span<const std::shared_ptr<const ExpressionMask>> masks,
             std::vector<uint32_t> ExpressionMask::*exits) {
    std::vector<Exit> all;
    for (size_t w = 0; w < masks.size(); ++w)
      for (const uint32_t node : (*masks[w]).*exits) all.push_back({node, uint32_t(w)});
    if (masks.size() > 1) std::sort(all.begin(), all.end());
    std::vector<uint32_t> ending, before;
    uint32_t after = Configurations::kDead;
    for (size_t i = 0; i < all.size();) {
      const uint32_t node = all[i].node;
      ending.clear();
      for (; i < all.size() && all[i].node == node; ++i) ending.push_back(all[i].wide);
      if (ending != before) after = after_lexemes(ending);
      before = ending;
      if (after == Configurations::kDead) continue;
      path_[trie.nodes()[node].depth] = after;
      walk_below(trie, node);
    }
  }
  uint32_t after_lexemes(std::span<const uint32_t> ending) {
    kernel_.clear();
    for (const uint32_t w : ending) automaton_.columns().advance(kernel_, wide_[w].column, wide_[w].lexeme);
    const uint32_t column = automaton_.columns().intern(kernel_);
    const Thread thread{column, automaton_.columns().first_state(column)};
    return thread.state == 0 ? Configurations::kDead : automaton_.configurations().of({&thread, 1}, false, kNone);
  }

  // Of a string's inside each character more is another expression, and the same one once it is clamped.
  std::shared_ptr<const ExpressionMask> expression_mask(size_t g, Regex left) {
    std::weak_ptr<const ExpressionMask>& known = automaton_.known_mask(&vocabulary_, uint32_t(g), left);
    if (auto mask = known.lock()) return mask;
    const Regex clamped = automaton_.clamped(left, vocabulary_.groups()[g].longest);
    std::weak_ptr<const ExpressionMask>& of_clamped = automaton_.known_mask(&vocabulary_, uint32_t(g), clamped);
    std::shared_ptr<const ExpressionMask> mask = of_clamped.lock();
    if (!mask) mask = shared_mask(g, clamped);
    of_clamped = mask;
    known = mask;
    return mask;
  }

  std::shared_ptr<const ExpressionMask> shared_mask(size_t g, Regex clamped) {
    std::string key = written_down(automaton_.regexes(), clamped, vocabulary_.tuning().kept_nodes);
    if (key.empty()) return compute(vocabulary_.groups()[g], clamped);
    key += char('0' + g);
    if (auto mask = vocabulary_.of_expressions().find(key)) return mask;
    auto mask = compute(vocabulary_.groups()[g], clamped);
    vocabulary_.of_expressions().put(key, mask, key.size());
    return mask;
  }

  std::shared_ptr<const ExpressionMask> compute(const TokenGroup& group, Regex regex) {
    LexerStates& lexers = automaton_.lexers();
    const LexerItem item{kSomeLexeme, regex};
    const uint32_t state = lexers.intern({&item, 1});
    auto mask = std::make_shared<ExpressionMask>();
    std::vector<uint64_t> inside(bits_.size());
    if (goes_through_plain_text(lexers, automaton_.rules().classes, state, group.longest))
      inside = group.plain_bits;
    else
      walk_expression(group.plain, state, inside, mask->plain_exits, mask->exit_nodes);
    walk_expression(group.others, state, inside, mask->other_exits, mask->exit_nodes);
    mask->inside = StoredMask::from_bits(inside, vocabulary_.bitmaps());
    return mask;
  }
  void walk_expression(const TokenTrie& trie, uint32_t state, std::span<uint64_t> inside, std::vector<uint32_t>& exits,
                       uint64_t& exit_nodes) {
    const TokenTrie::Node* const nodes = trie.nodes().data();
    LexerStates& lexers = automaton_.lexers();
    const std::array<uint8_t, 256>& class_of = automaton_.rules().classes.of;
    path_[0] = state;
    for (uint32_t i = 1, end = nodes[0].end; i < end;) {
      const size_t before = lexers.size();
      const LexerStates::Step step = lexers.step(path_[nodes[i].depth - 1u], class_of[nodes[i].byte]);
      if (lexers.size() != before) automaton_.check();
      if (step.state == 0 && step.ended == 0) {
        i = nodes[i].end;
        continue;
      }
      for (const int32_t id : trie.tokens_at(i)) inside[size_t(id) / 64] |= uint64_t(1) << (id % 64);
      if (step.ended != 0 && nodes[i].end > i + 1) {
        exits.push_back(i);
        exit_nodes += nodes[i].end - i;
      }
      path_[nodes[i].depth] = step.state;
      i = step.state == 0 ? nodes[i].end : i + 1;
    }
  }

  Automaton& automaton_;
  const GrammarVocabulary& vocabulary_;
  std::span<uint64_t> bits_;
  int longest_ = 0;
  std::vector<uint32_t> path_;  // by depth: configurations, or lexer states
  uint32_t narrow_ = Configurations::kDead, all_wide_ = Configurations::kDead;
  std::vector<Wide> wide_;
  Kernel kernel_;
};

}  // namespace

void add_mask(Automaton& automaton, const GrammarVocabulary& vocabulary, uint32_t configuration,
              std::span<uint64_t> bits) {
  MaskBuilder(automaton, vocabulary, bits).add(configuration);
}

}  // namespace puna::grammar

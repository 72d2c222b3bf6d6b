// snapshot.cpp -- layout: a header; token ids, padded to 8 bytes; logits if there are any; then of each layer, head by
// head, position by position as far as the layer keeps them: key, value; then, in version 2, the images
// (snapshot_images.h). The pages' own order stays inside KvCache, and only committed positions are written, so the same
// session gives the same bytes.
#include "puna/runtime/snapshot.h"

#include <cstring>

#include "base/copy_bytes.h"
#include "base/hash.h"
#include "puna/base/checked.h"
#include "runtime/opening/fingerprint.h"
#include "runtime/session/session_impl.h"
#include "runtime/session/snapshot_images.h"

namespace puna {
namespace {

constexpr char kSnapshotMagic[8] = {'P', 'U', 'N', 'A', 'S', 'N', 'A', 'P'};
// Version 1 is what sessions without images are written as.
constexpr uint32_t kSnapshotVersion = 1, kVersionWithImages = 2, kExact = 1, kHasLogits = 2, kQ8 = 4, kPending = 8;

struct Header {
  char magic[8];
  uint32_t version, flags;
  uint64_t model, bytes, checksum;  // of the whole snapshot; the checksum is computed with this field zero
  int64_t max_positions, prefill_chunk, tokens, complete;
};
static_assert(sizeof(Header) == 72);

uint64_t checksum_of(Header header, const std::byte* body, uint64_t bytes) {
  header.checksum = 0;
  Hash hash;
  hash.add_value(header);
  hash.add(body, bytes);
  return hash.value();
}

uint64_t total_bytes(const LlamaConfig& c, const KvCache& kv, int64_t tokens, int64_t complete, bool has_logits) {
  Size total = sizeof(Header);
  total += Size::from_signed(tokens) * 4;
  total = total.round_up(8);
  if (has_logits) total += Size::from_signed(c.vocab) * 4;
  for (int64_t l = 0; l < kv.layers(); ++l)
    total += Size(kv.position_bytes(l)) * Size::from_signed(complete - kv.kept_from(l, complete));
  return total.take(INT64_MAX, "the size of a snapshot");
}

}  // namespace

// What friends of Session may see.
class SnapshotAccess {
 public:
  static const Session::Impl& impl(const Session& s) { return *s.impl_; }
  static Session::Impl& impl(Session& s) { return *s.impl_; }
  static const SessionOptions& options(const Session& s) { return s.options_; }
  static void require_idle(const Session& s) { s.require_idle(); }

  // Visits every position that is kept, in the layout's order: f(layer, position, head).
  template <class F>
  static void each_row(const Session& s, F&& f) {
    const Session::Impl& impl = *s.impl_;
    for (int64_t l = 0; l < impl.kv.layers(); ++l)
      for (int64_t h = 0; h < impl.kv.kv_heads(l); ++h)
        for (int64_t p = impl.kv.kept_from(l, impl.complete); p < impl.complete; ++p) f(l, p, h);
  }
};

uint64_t snapshot_bytes(const Session& session) {
  SnapshotAccess::require_idle(session);
  if (SnapshotAccess::options(session).adapter)
    fail(Status::unsupported, "a session with an adapter has no snapshot: it would not say which adapter it needs");
  const auto& impl = SnapshotAccess::impl(session);
  return total_bytes(session.model().config(), impl.kv, session.length(), impl.complete, impl.has_logits) +
         (impl.held.patches.empty() ? 0 : snapshot_images_bytes(impl.held.patches));
}

void save_snapshot(const Session& session, std::span<std::byte> to) {
  const auto& impl = SnapshotAccess::impl(session);
  const SessionOptions& options = SnapshotAccess::options(session);
  const uint64_t bytes = snapshot_bytes(session);
  PUNA_REQUIRE(to.size() == bytes, "the buffer holds %zu bytes, expected %ju", to.size(), bytes);
  Header header{};
  memcpy(header.magic, kSnapshotMagic, sizeof kSnapshotMagic);
  header.version = impl.held.patches.empty() ? kSnapshotVersion : kVersionWithImages;
  header.flags = (options.exact ? kExact : 0) | (impl.has_logits ? kHasLogits : 0) |
                 (options.kept() == DType::q8_0 ? kQ8 : 0) | (impl.pending ? kPending : 0);
  header.model = fingerprint(session.model().llama());
  header.bytes = bytes;
  header.max_positions = options.max_positions;
  header.prefill_chunk = options.prefill_chunk;
  header.tokens = session.length();
  header.complete = impl.complete;
  std::byte* at = to.data() + sizeof header;
  const auto put = [&](const void* data, size_t n) {
    copy_bytes(at, data, n);
    at += n;
  };
  const std::vector<int32_t>& tokens = impl.held.tokens;
  put(tokens.data(), tokens.size() * 4);
  if (tokens.size() % 2 != 0) put("\0\0\0", 4);
  if (impl.has_logits) put(impl.logits.data(), impl.logits.size());
  SnapshotAccess::each_row(session, [&](int64_t layer, int64_t position, int64_t head) {
    impl.kv.copy_out(layer, position, head, at);
    at += impl.kv.row_bytes(layer);
  });
  if (!impl.held.patches.empty()) {
    save_snapshot_images(impl.held.patches, at);
    at += snapshot_images_bytes(impl.held.patches);
  }
  PUNA_INVARIANT(at == to.data() + to.size());
  header.checksum = checksum_of(header, to.data() + sizeof header, bytes - sizeof header);
  memcpy(to.data(), &header, sizeof header);
}

std::unique_ptr<Session> restore_snapshot(ModelPtr model, std::span<const std::byte> from) {
  PUNA_REQUIRE(model != nullptr, "model is NULL");
  Header header;
  if (from.size() < sizeof header) fail(Status::bad_file, "snapshot: %zu bytes are less than its header", from.size());
  memcpy(&header, from.data(), sizeof header);
  if (memcmp(header.magic, kSnapshotMagic, sizeof kSnapshotMagic) != 0)
    fail(Status::bad_file, "snapshot: it does not begin with PUNASNAP");
  if (header.version < kSnapshotVersion || header.version > kVersionWithImages ||
      header.flags > (kExact | kHasLogits | kQ8 | kPending) || (header.flags & (kExact | kQ8)) == (kExact | kQ8))
    fail(Status::unsupported, "snapshot: version %u with flags %u, this library knows up to %u", header.version,
         header.flags, kVersionWithImages);
  if (header.bytes != from.size())
    fail(Status::bad_file, "snapshot: it says %ju bytes, %zu are there", header.bytes, from.size());
  if (checksum_of(header, from.data() + sizeof header, from.size() - sizeof header) != header.checksum)
    fail(Status::bad_file, "snapshot: the checksum does not match: it is damaged");
  PUNA_REQUIRE(header.model == fingerprint(model->llama()), "the snapshot belongs to another model");

  const LlamaConfig& config = model->config();
  const bool has_logits = header.flags & kHasLogits;
  if (header.max_positions < 1 || header.max_positions > config.max_positions)
    fail(Status::bad_file, "snapshot: max_positions is %jd, expected 1 to %jd", header.max_positions,
         config.max_positions);
  if (header.tokens < 0 || header.tokens > header.max_positions)
    fail(Status::bad_file, "snapshot: %jd tokens, expected 0 to %jd", header.tokens, header.max_positions);
  if (header.prefill_chunk < 1 || header.prefill_chunk > kMostPrefillChunk)
    fail(Status::bad_file, "snapshot: prefill_chunk is %jd, expected 1 to %jd", header.prefill_chunk,
         kMostPrefillChunk);
  if (header.complete < 0 || header.complete > header.tokens)
    fail(Status::bad_file, "snapshot: keys and values of %jd positions do not go with %jd tokens", header.complete,
         header.tokens);
  if ((header.flags & kPending) && (!has_logits || header.complete >= header.tokens))
    fail(Status::bad_file,
         "snapshot: it says that its last token is not computed, but keeps keys and values of it, or no logits before "
         "it");
  const DType kv_type = header.flags & kQ8 ? DType::q8_0 : DType::f16;
  auto session = std::make_unique<Session>(
      std::move(model),
      SessionOptions{bool(header.flags & kExact), header.max_positions, header.prefill_chunk, nullptr, kv_type});
  auto& impl = SnapshotAccess::impl(*session);
  const uint64_t expected = total_bytes(config, impl.kv, header.tokens, header.complete, has_logits);
  const bool has_images = header.version == kVersionWithImages;
  if (has_images ? expected > from.size() : expected != from.size())
    fail(Status::bad_file, "snapshot: %zu bytes, but what its header says takes %ju", from.size(), expected);

  const std::byte* at = from.data() + sizeof header;
  const auto get = [&](void* data, size_t n) {
    copy_bytes(data, at, n);
    at += n;
  };
  std::vector<int32_t>& tokens = impl.held.tokens;
  tokens.resize(size_t(header.tokens));
  get(tokens.data(), tokens.size() * 4);
  if (tokens.size() % 2 != 0) at += 4;
  for (size_t i = 0; i < tokens.size(); ++i)
    if (tokens[i] < 0 || tokens[i] >= config.vocab)
      fail(Status::bad_file, "snapshot: token %zu is %d, expected 0 to %jd", i, tokens[i], config.vocab - 1);
  if (has_logits) get(impl.logits.data(), impl.logits.size());
  impl.has_logits = has_logits;
  impl.pending = header.flags & kPending;
  impl.complete = header.complete;
  impl.kv.prepare_kept(header.complete);
  SnapshotAccess::each_row(*session, [&](int64_t layer, int64_t position, int64_t head) {
    impl.kv.copy_in(layer, position, head, at);
    at += impl.kv.row_bytes(layer);
  });
  if (has_images)
    impl.held.patches =
        restore_snapshot_images(session->model_ptr(), from.subspan(size_t(at - from.data())), header.tokens);
  return session;
}

}  // namespace puna

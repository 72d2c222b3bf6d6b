// snapshot.h -- a session as bytes and back, exactly: tokens, keys and values, logits. A snapshot belongs to one model
// (its configuration and weights, not its path) and to any machine and ISA level; read back it is untrusted input like
// any file.
#pragma once
#include <cstddef>
#include <memory>
#include <span>

#include "puna/runtime/session.h"

namespace puna {

uint64_t snapshot_bytes(const Session& session);
void save_snapshot(const Session& session, std::span<std::byte> to);  // of exactly snapshot_bytes
// Error{bad_file} naming what is wrong, {invalid_argument} when it belongs to another model.
std::unique_ptr<Session> restore_snapshot(ModelPtr model, std::span<const std::byte> from);

}  // namespace puna

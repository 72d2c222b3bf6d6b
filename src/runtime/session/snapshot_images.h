// snapshot_images.h -- the part of a snapshot that says which positions images fill, and with what:
//   u64 images, u64 runs;  of each image: id, i64 rows, i64 cols, features [count, hidden] f32 padded to 8 bytes;
//   of each run: i64 position, count, row, image.
// Pixels are not kept: a session needs the features only.
#pragma once
#include <cstddef>
#include <span>

#include "puna/runtime/image.h"

namespace puna {

uint64_t snapshot_images_bytes(std::span<const Patches> patches);
void save_snapshot_images(std::span<const Patches> patches, std::byte* to);  // writes exactly that many
// Error{bad_file} when the bytes do not make sense for `tokens` positions, {unsupported} when the model was opened
// without vision.
std::vector<Patches> restore_snapshot_images(const ModelPtr& model, std::span<const std::byte> from, int64_t tokens);

}  // namespace puna

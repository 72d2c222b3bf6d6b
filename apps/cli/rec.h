// rec.h -- the verbs behind `puna rec`, a file each.
#pragma once
#include <memory>
#include <string>

#include "command_line.h"
#include "puna/recsys/neighbours.h"
#include "puna/recsys/sequence_model.h"

namespace puna::cli {

void add_rec_index(const Verb& rec);
void add_rec_online(const Verb& rec);  // serve, update

// The graph that `puna rec index` made for the model; NULL for "". Error{unsupported} in builds without hnswlib.
std::shared_ptr<const recsys::NeighbourIndex> open_index(const recsys::SequenceModel& model, const std::string& path);

}  // namespace puna::cli

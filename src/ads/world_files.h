// world_files.h -- days of auctions, worlds and streams of impressions in files, for the simulators.
//   auctions   a table with the columns hour (0 to below 24, not falling), value and price; others are not looked at
//   world      {"p": [[rate of each variant], ... a list a segment], "rates": [...] what a ranker predicts, or none,
//              "segments": [names], or none}
//   stream     a table with the columns segment (its number from 0 on, or its name) and u (0 to 1)
#pragma once
#include <string>
#include <vector>

#include "ads/text_file.h"
#include "puna/ads/simulate.h"
#include "puna/base/watch.h"

namespace puna::ads {

struct NamedWorld {
  World world;
  std::vector<std::string> segments;  // may be empty
};

// Error{bad_file} with line and column, or the field.
std::vector<AuctionRecord> read_auctions(const TextFile& file, const Watch& watch = Watch());
NamedWorld read_world(const TextFile& file, const Watch& watch = Watch());
std::vector<Impression> read_stream(const TextFile& file, const NamedWorld& world, const Watch& watch = Watch());

}  // namespace puna::ads

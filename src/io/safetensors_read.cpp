// safetensors_read.cpp -- length, header, data: opened, checked, attached.
#include "io/safetensors_read.h"

#include "io/byte_reader.h"
#include "io/guarded.h"
#include "puna/io/safetensors.h"

namespace puna {
namespace io {

SafetensorsPart open_safetensors(SourcePtr source, const Watch& watch, Unreadable unreadable) {
  SafetensorsPart part;
  ByteReader in(*source, watch);
  const std::string json = in.string({"safetensors header"});  // uint64 length, then JSON
  part.header = parse_safetensors_header(json, source->name(), watch, unreadable);
  part.data_offset = in.offset();
  check_layout(source->name(), part.header.tensors, source->size() - part.data_offset, Holes::forbidden);
  part.source = std::move(source);
  return part;
}

}  // namespace io

SafetensorsFile read_safetensors(const Context& context, const SourcePtr& source, LoadProgress progress) {
  PUNA_REQUIRE(source != nullptr, "the source is NULL");
  return io::guarded(context, source->name(), [&] {
    io::SafetensorsPart part = io::open_safetensors(source);
    SafetensorsFile file;
    io::ProgressMeter meter(progress, source->size(), source->name());
    io::attach(context, source, part.data_offset, std::move(part.header.tensors), meter, file.tensors, file.keepalive);
    meter.advance_to(source->size());
    file.metadata = std::move(part.header.metadata);
    return file;
  });
}

}  // namespace puna

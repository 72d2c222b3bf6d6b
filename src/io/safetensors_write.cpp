// safetensors_write.cpp -- the header as JSON in the order given, padded so that the data is aligned.
#include "base/json.h"
#include "base/utf8.h"
#include "io/output_stream.h"
#include "io/safetensors_header.h"
#include "puna/io/safetensors.h"

namespace puna {
namespace {

// The header's JSON, put together as text: a tree of JSON values could not be destroyed without memory (base/json.h).
// `bytes` receives each tensor's size. Tensors lie in the order given, without gaps.
std::string header_json(const std::string& path, const std::map<std::string, std::string>& metadata,
                        std::span<const OutputTensor> tensors, std::vector<uint64_t>& bytes) {
  std::string header;
  for (const auto& [key, value] : metadata) {
    if (!is_utf8(key) || !is_utf8(value))
      io::fail_in(path, Status::invalid_argument, "metadata '%s' is not valid UTF-8", io::display(key).c_str());
    header += (header.empty() ? "{\"__metadata__\":{" : ",") + quoted(key) + ":" + quoted(value);
  }
  header += header.empty() ? "{" : "}";
  uint64_t offset = 0;
  for (const OutputTensor& t : tensors) {
    const char* type = io::safetensors_type_name(t.dtype);
    if (type == nullptr)
      io::fail_in(path, Status::unsupported, "tensor '%s': safetensors has no type %s", io::display(t.name).c_str(),
                  name(t.dtype));
    if (t.name == "__metadata__")
      io::fail_in(path, Status::invalid_argument, "a tensor cannot be named '__metadata__'");
    bytes.push_back(io::checked_entry(path, t).bytes);
    std::string shape;
    for (int i = 0; i < t.shape.rank; ++i) shape += (i ? "," : "") + std::to_string(t.shape[i]);
    header += (header.size() > 1 ? "," : "") + quoted(t.name) + ":{\"dtype\":\"" + type + "\",\"shape\":[" + shape +
              "],\"data_offsets\":[" + std::to_string(offset) + "," + std::to_string(offset + bytes.back()) + "]}";
    offset += bytes.back();
  }
  return header + "}";
}

}  // namespace

void write_safetensors(const std::string& path, const std::map<std::string, std::string>& metadata,
                       std::span<const OutputTensor> tensors) {
  constexpr uint64_t kAlignment = 8;  // so that the data of any type is aligned in a mapping
  io::check_names_unique(path, tensors);
  std::vector<uint64_t> bytes;
  std::string json = header_json(path, metadata, tensors, bytes);
  json.resize((json.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  const uint64_t json_size = json.size();

  io::OutputStream out(path);
  out.write(&json_size, sizeof json_size);
  out.write(json.data(), json.size());
  for (size_t i = 0; i < tensors.size(); ++i) io::write_tensor(out, path, tensors[i], bytes[i]);
  out.commit();
}

}  // namespace puna

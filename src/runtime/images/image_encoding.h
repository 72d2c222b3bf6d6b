// image_encoding.h -- one image on its way through the vision encoder, some tiles at a time, with pauses between tiles
// of work.
#pragma once
#include "ops/inference.h"
#include "puna/runtime/image.h"

namespace puna {

class ImageEncoding {
 public:
  explicit ImageEncoding(ImagePtr image) : image_(std::move(image)) {}
  // True: the image is encoded. False: `stop` said so; call again to go on. Error{out_of_memory} leaves everything as
  // it was.
  bool run(FunctionRef<bool()> stop);

 private:
  void begin();
  bool forward(Arena& arena, Cursor& cursor, FunctionRef<bool()> stop) const;
  int64_t group() const noexcept;  // tiles of the pass that starts at done_

  ImagePtr image_;
  std::shared_ptr<Buffer> features_;
  Buffer scratch_;
  Cursor cursor_;
  int64_t done_ = 0;  // tiles
};

}  // namespace puna

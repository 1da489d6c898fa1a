// SPDX-License-Identifier: Apache-2.0
// Descriptors inside other documents.
#pragma once

#include "storage/image/image_config_json.h"
#include "storage/meta/json_reader.h"

namespace knarr::storage {

Descriptor read_descriptor(const JsonReader& reader);  // throws InvalidArgument
Json render_descriptor(const Descriptor& descriptor);

}  // namespace knarr::storage

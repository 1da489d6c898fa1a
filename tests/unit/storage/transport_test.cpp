// SPDX-License-Identifier: Apache-2.0
#include "storage/transport.h"

#include <gtest/gtest.h>

#include "rootless/sys/error.h"

namespace knarr::storage {
namespace {

TEST(TransportName, PathAndReference) {
  const auto name = parse_transport_name("oci:/some/where:localhost/app:1");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->transport, Transport::oci);
  EXPECT_EQ(name->path, "/some/where");
  EXPECT_EQ(name->reference, "localhost/app:1");
  EXPECT_EQ(parse_transport_name("docker-archive:a.tar")->reference, "");
  EXPECT_EQ(parse_transport_name("docker-archive:a.tar:@1")->reference, "@1");
}

TEST(TransportName, ADirectoryMayHaveAColonAndAnImageHasOne) {
  EXPECT_EQ(parse_transport_name("dir:/a:b")->path, "/a:b");
  EXPECT_EQ(parse_transport_name("containers-storage:localhost/app:1")->path, "localhost/app:1");
  EXPECT_EQ(parse_transport_name("docker://h:5000/app:1")->path, "h:5000/app:1");
}

TEST(TransportName, OtherNamesHaveNone) {
  for (const char* text : {"app", "app:1", "localhost:5000/oci:1", "docker:5000/app", "sha256:0123"}) {
    EXPECT_FALSE(parse_transport_name(text)) << text;
  }
}

TEST(TransportName, WhatCannotBeUsedIsRefused) {
  EXPECT_THROW(parse_transport_name("docker-daemon:app:1"), Unsupported);
  EXPECT_THROW(parse_transport_name("oci:"), InvalidArgument);
  EXPECT_THROW(parse_transport_name("oci::name"), InvalidArgument);
  EXPECT_THROW(parse_transport_name("docker://"), InvalidArgument);
}

}  // namespace
}  // namespace knarr::storage

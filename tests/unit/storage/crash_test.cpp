// SPDX-License-Identifier: Apache-2.0
// A command may be killed before any of its system calls. Whatever instant it was: the next command sees
// whole objects or none, can make the same ones again, and sweeping leaves nothing of the dead one behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "storage/container_store.h"
#include "storage/image/image_store.h"
#include "storage/layer/layer_meta_json.h"
#include "storage/volume/volume_store.h"
#include "tests/unit/storage/temporary_store.h"

namespace knarr::storage {
namespace {

using ::testing::AnyOf;
using ::testing::IsEmpty;

// Runs `act` in a child and kills it when it enters its n-th system call, before the kernel does anything.
// False when it ended before that, which it must do with status 0.
bool kill_at_system_call(int n, const std::function<void()>& act) {
  const pid_t child = ::fork();
  if (child < 0) throw_errno("forking");
  if (child == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    act();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
  for (int entered = 0; !WIFEXITED(status) && !WIFSIGNALED(status);) {
    const bool at_call = WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80);
    // Entries and exits take turns; an odd stop is an entry.
    if (at_call && ++entered == 2 * n - 1) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      return true;
    }
    ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    ::waitpid(child, &status, 0);
  }
  EXPECT_EQ(status, 0) << "the act itself failed";
  return false;
}

std::string hex_of(char digit) {
  return std::string(64, digit);
}

class CrashTest : public StoreTest {
 protected:
  ContainerStore containers_{store_};
  ImageStore images_{store_};
  VolumeStore volumes_{store_};

  void create_container(char id, const std::string& name) const {
    containers_.create({.id = hex_of(id),
                        .name = name,
                        .config_json = "{}",
                        .summary = "s",
                        .durability = sys::Durability::synced});
  }

  Image image_on(char id, char own_layer) const {
    Image image;
    image.id = hex_of(id);
    image.manifest = {"sha256", id == 'a' ? hex_of('e') : hex_of('f')};
    image.layers = {{"sha256", hex_of('1')}, {"sha256", hex_of(own_layer)}};
    image.layer_sizes = {1, 1};
    return image;
  }
  void add_layers(const Image& image) const {
    for (const Digest& layer : image.layers) {
      sys::make_directories(store_.fd(), "layers/" + layer.hex + "/diff", 0700);
      write("layers/" + layer.hex + "/meta.json", render_layer_meta({.diff_id = layer}));
    }
  }
  void add_image(const Image& image) const {
    images_.add_image(image, "manifest", "config",
                      {parse_reference("localhost/x"), parse_reference("localhost/y:1")});
  }

  // Calls check() after a kill at each system call of act(), on a store in which prepare() was done. check()
  // must leave the store empty.
  void kill_everywhere(const std::function<void()>& prepare, const std::function<void()>& act,
                       const std::function<void()>& check) const {
    for (int n = 1;; ++n) {
      SCOPED_TRACE("killed at system call " + std::to_string(n));
      prepare();
      const bool killed = kill_at_system_call(n, act);
      check();
      expect_empty();
      if (HasFailure()) return;
      if (!killed) {
        EXPECT_GT(n, 10) << "it cannot have done anything";
        return;
      }
    }
  }

  void expect_empty() const {
    images_.remove_unreferenced();
    store_.empty_trash();
    for (const char* directory :
         {"layers", "images", "refs", "blobs/sha256", "containers", "names", "volumes", "staging", "trash"}) {
      EXPECT_THAT(list(directory), IsEmpty()) << directory;
    }
  }

  void sweep_containers() const {
    for (const std::string& id : containers_.find_garbage()) containers_.remove_garbage(id);
    containers_.remove_dangling_names();
  }
};

TEST_F(CrashTest, CreatingAContainer) {
  kill_everywhere([] {}, [&] { create_container('a', "web"); },
                  [&] {
                    sweep_containers();
                    const auto entries = containers_.list();
                    for (const ContainerEntry& entry : entries)
                      EXPECT_EQ(containers_.read(entry.id, "config.json"), "{}");
                    EXPECT_EQ(containers_.remove(hex_of('a'), "web"), !entries.empty());
                    create_container('b', "web");
                    EXPECT_TRUE(containers_.remove(hex_of('b'), "web"));
                  });
}

TEST_F(CrashTest, RenamingAContainer) {
  kill_everywhere([&] { create_container('a', "old"); },
                  [&] { containers_.rename(hex_of('a'), "old", "new", [] {}); },
                  [&] {
                    EXPECT_THAT(containers_.find_garbage(), IsEmpty());
                    EXPECT_TRUE(containers_.find_id("old") || containers_.find_id("new"));
                    containers_.remove(hex_of('a'), "old");
                    containers_.remove_dangling_names();
                  });
}

TEST_F(CrashTest, RemovingAContainer) {
  kill_everywhere([&] { create_container('a', "web"); }, [&] { containers_.remove(hex_of('a'), "web"); },
                  [&] {
                    if (containers_.find_id("web")) {
                      containers_.remove(hex_of('a'), "web");
                    } else {
                      sweep_containers();
                    }
                    EXPECT_THAT(containers_.list(), IsEmpty());
                  });
}

TEST_F(CrashTest, AddingAnImage) {
  const Image image = image_on('a', '2');
  kill_everywhere([&] { add_layers(image); }, [&] { add_image(image); },
                  [&] {
                    for (const Image& there : images_.list_images()) {
                      EXPECT_EQ(images_.read_manifest_json(there), "manifest");
                      EXPECT_EQ(images_.read_config_json(there), "config");
                    }
                    add_image(image);
                    EXPECT_EQ(images_.get_image("y:1").names.size(), 2u);
                    images_.remove_image(image);
                  });
}

TEST_F(CrashTest, MovingANameToAnotherImage) {
  const Image one = image_on('a', '2');
  const Image two = image_on('b', '3');
  kill_everywhere(
      [&] {
        add_layers(one);
        add_layers(two);
        images_.add_image(two, "manifest", "config", {});
        add_image(one);
      },
      [&] { images_.tag_image(two, parse_reference("x")); },
      [&] {
        EXPECT_THAT(images_.get_image("x").id, AnyOf(one.id, two.id));
        images_.remove_image(one);
        images_.remove_image(two);
      });
}

TEST_F(CrashTest, RemovingAnImageThatSharesALayer) {
  const Image one = image_on('a', '2');
  const Image two = image_on('b', '3');
  kill_everywhere(
      [&] {
        add_layers(one);
        add_layers(two);
        add_image(one);
        images_.add_image(two, "manifest", "config", {parse_reference("two")});
      },
      [&] { images_.remove_image(one); },
      [&] {
        const LayerStore layers(store_);
        for (const Image& there : images_.list_images()) {
          for (const Digest& layer : there.layers) EXPECT_TRUE(layers.find_layer(layer)) << there.id;
        }
        EXPECT_EQ(images_.get_image("two").id, two.id);
        images_.remove_image(two);
        images_.remove_image(one);
      });
}

TEST_F(CrashTest, MakingAndRemovingAVolume) {
  kill_everywhere([] {},
                  [&] {
                    volumes_.create_volume({.name = "data"});
                    volumes_.mark_copied_up("data");
                    volumes_.remove_volume("data");
                  },
                  [&] {
                    EXPECT_EQ(volumes_.ensure_volume({.name = "data"}).name, "data");
                    volumes_.remove_volume("data");
                  });
}

TEST_F(CrashTest, EmptyingTheTrash) {
  kill_everywhere(
      [&] {
        sys::make_directories(store_.fd(), "trash/x/a/b", 0700);
        write("trash/x/a/file", "content");
        sys::make_directories(store_.fd(), "staging/y/c", 0700);
      },
      [&] { store_.empty_trash(); }, [] {});
}

}  // namespace
}  // namespace knarr::storage

// SPDX-License-Identifier: Apache-2.0
// A program that does nothing, linked to libc like the engine: what starting it costs is the kernel's.
int main(void) {
  return 0;
}

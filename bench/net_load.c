// SPDX-License-Identifier: Apache-2.0
// A client and a server that bench/net measures networks with, on plain sockets.
//
// usage: net_load serve PORT            TCP and UDP on all addresses; prints "ready"
//        net_load stream ADDRESS PORT SECONDS CONNECTIONS   sends; prints bytes the server has read per
//        second net_load fetch ADDRESS PORT SECONDS CONNECTIONS    the same the other way round net_load rr
//        ADDRESS PORT SECONDS                   64 bytes to and fro: "PER_SECOND P50_US P99_US" net_load crr
//        ADDRESS PORT SECONDS                  connect, one byte to and fro, close: the same net_load udp
//        ADDRESS PORT SECONDS SIZE             sends datagrams in trains; bytes per second that arrived
//        net_load udprr ADDRESS PORT SECONDS                64 bytes to and fro as datagrams: as rr
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { message_size = 64, block_size = 131072, max_connections = 64, max_samples = 4000000 };

// The first byte of a connection, or of a datagram.
enum { take_all = 's', send_all = 'f', echo = 'r', count_datagram = 'u', report_datagrams = 'c' };

static void fail(const char* act) {
  fprintf(stderr, "net_load: %s: %s\n", act, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void set_flag(int fd, int level, int option) {
  const int on = 1;
  if (setsockopt(fd, level, option, &on, sizeof on) < 0) fail("setting a socket option");
}

// ---- server ----

static void* serve_connection(void* argument) {
  const int fd = (int)(intptr_t)argument;
  static __thread char block[block_size];
  ssize_t got = recv(fd, block, 1, 0);
  const char kind = block[0];
  uint64_t total = 0;
  if (got == 1 && kind == echo) {
    while ((got = recv(fd, block, message_size, 0)) > 0 && send(fd, block, (size_t)got, MSG_NOSIGNAL) > 0) {
    }
  } else if (got == 1 && kind == send_all) {
    while (send(fd, block, sizeof block, MSG_NOSIGNAL) > 0) {
    }
  } else if (got == 1) {
    while ((got = recv(fd, block, sizeof block, 0)) > 0) total += (uint64_t)got;
    send(fd, &total, sizeof total, MSG_NOSIGNAL);
  }
  close(fd);
  return NULL;
}

static void* serve_datagrams(void* argument) {
  const int fd = (int)(intptr_t)argument;
  static char bytes[65536];
  uint64_t total = 0;
  for (;;) {
    struct sockaddr_in6 sender;
    socklen_t size = sizeof sender;
    const ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr*)&sender, &size);
    if (got <= 0) continue;
    if (bytes[0] == count_datagram) total += (uint64_t)got;
    if (bytes[0] == echo) sendto(fd, bytes, (size_t)got, 0, (struct sockaddr*)&sender, size);
    if (bytes[0] == report_datagrams) {
      sendto(fd, &total, sizeof total, 0, (struct sockaddr*)&sender, size);
      total = 0;
    }
  }
  return NULL;
}

static int listen_on(int type, int port) {
  const int fd = socket(AF_INET6, type, 0);
  const int off = 0, large = 4 << 20;
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  if (fd < 0) fail("opening a socket");
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (type == SOCK_DGRAM) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
  if (type == SOCK_STREAM) set_flag(fd, SOL_SOCKET, SO_REUSEADDR);
  if (bind(fd, (struct sockaddr*)&address, sizeof address) < 0) fail("binding");
  if (type == SOCK_STREAM && listen(fd, 4096) < 0) fail("listening");
  return fd;
}

static void spawn(void* (*run)(void*), int fd) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, (void*)(intptr_t)fd) != 0) fail("starting a thread");
  pthread_detach(thread);
}

// One byte and its answer need no thread, which would cost more than the connection.
static int answer_at_once(int fd) {
  char bytes[2];
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  poll(&wait, 1, 1000);
  const ssize_t got = recv(fd, bytes, sizeof bytes, MSG_PEEK);
  if (got != 2 || bytes[0] != echo) return 0;
  recv(fd, bytes, 2, 0);
  send(fd, bytes, 1, MSG_NOSIGNAL);
  recv(fd, bytes, 1, 0);
  close(fd);
  return 1;
}

static void serve(int port) {
  const int listener = listen_on(SOCK_STREAM, port);
  spawn(serve_datagrams, listen_on(SOCK_DGRAM, port));
  set_flag(listener, IPPROTO_TCP, TCP_NODELAY);
  puts("ready");
  fflush(stdout);
  for (;;) {
    const int fd = accept(listener, NULL, NULL);
    if (fd >= 0 && !answer_at_once(fd)) spawn(serve_connection, fd);
  }
}

// ---- client ----

static struct sockaddr_storage target;
static socklen_t target_size;
static double deadline;

static void set_target(const char* address, int port) {
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
    memcpy(&target, &v4, target_size = sizeof v4);
  } else if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1) {
    memcpy(&target, &v6, target_size = sizeof v6);
  } else {
    errno = EINVAL;
    fail(address);
  }
}

static int open_connection(int type) {
  const int fd = socket(target.ss_family, type, 0);
  if (fd < 0) fail("opening a socket");
  if (connect(fd, (struct sockaddr*)&target, target_size) < 0) fail("connecting");
  if (type == SOCK_STREAM) set_flag(fd, IPPROTO_TCP, TCP_NODELAY);
  return fd;
}

static void* stream_one(void* total) {
  static __thread char block[block_size];
  const int fd = open_connection(SOCK_STREAM);
  block[0] = take_all;
  send(fd, block, 1, 0);
  while (now() < deadline) {
    if (send(fd, block, sizeof block, MSG_NOSIGNAL) < 0) fail("sending");
  }
  shutdown(fd, SHUT_WR);
  if (recv(fd, total, sizeof(uint64_t), MSG_WAITALL) != sizeof(uint64_t)) fail("receiving the count");
  close(fd);
  return NULL;
}

static void* fetch_one(void* total) {
  static __thread char block[block_size];
  const int fd = open_connection(SOCK_STREAM);
  block[0] = send_all;
  send(fd, block, 1, 0);
  while (now() < deadline) {
    const ssize_t got = recv(fd, block, sizeof block, 0);
    if (got <= 0) fail("receiving");
    *(uint64_t*)total += (uint64_t)got;
  }
  close(fd);
  return NULL;
}

static void stream(void* (*run)(void*), int connections) {
  pthread_t threads[max_connections];
  uint64_t totals[max_connections] = {0}, sum = 0;
  const double start = now();
  for (int i = 0; i < connections; ++i) pthread_create(&threads[i], NULL, run, &totals[i]);
  for (int i = 0; i < connections; ++i) {
    pthread_join(threads[i], NULL);
    sum += totals[i];
  }
  printf("%.0f\n", (double)sum / (now() - start));
}

static int compare(const void* one, const void* other) {
  const float a = *(const float*)one, b = *(const float*)other;
  return (a > b) - (a < b);
}

static void repeat(void (*exchange)(int), int fd) {
  float* samples = malloc(max_samples * sizeof *samples);
  size_t count = 0;
  const double start = now();
  double before = start;
  while (before < deadline && count < max_samples) {
    exchange(fd);
    const double after = now();
    samples[count++] = (float)((after - before) * 1e6);
    before = after;
  }
  qsort(samples, count, sizeof *samples, compare);
  printf("%.0f %.1f %.1f\n", (double)count / (before - start), (double)samples[count / 2],
         (double)samples[count * 99 / 100]);
}

static void exchange_message(int fd) {
  static char message[message_size] = {echo};
  if (send(fd, message, sizeof message, 0) < 0) fail("sending");
  for (size_t have = 0; have < sizeof message;) {
    const ssize_t got = recv(fd, message, sizeof message, 0);
    if (got <= 0) fail("receiving");
    have += (size_t)got;
  }
}

static void exchange_connection(int unused) {
  (void)unused;
  char bytes[2] = {echo, 'x'};
  const int fd = open_connection(SOCK_STREAM);
  if (send(fd, bytes, 2, 0) != 2 || recv(fd, bytes, 1, 0) != 1) fail("exchanging a byte");
  close(fd);
}

static void send_datagrams(size_t size) {
  const int fd = open_connection(SOCK_DGRAM);
  static char train[65536];
  const size_t count = 60000 / size > 32 ? 32 : 60000 / size;
  const int segment = (int)size;
  if (count > 1 && setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment) < 0) fail("UDP_SEGMENT");
  for (size_t i = 0; i < count; ++i) train[i * size] = count_datagram;
  const struct timeval patience = {.tv_sec = 5};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const double start = now();
  while (now() < deadline) send(fd, train, count * size, 0);
  const double end = now();
  usleep(200000);
  uint64_t total = 0;
  const char ask = report_datagrams;
  const int off = 0;
  setsockopt(fd, SOL_UDP, UDP_SEGMENT, &off, sizeof off);
  send(fd, &ask, 1, 0);
  if (recv(fd, &total, sizeof total, 0) != sizeof total) fail("receiving the count");
  printf("%.0f\n", (double)total / (end - start));
}

int main(int count, char** arguments) {
  if (count == 3 && strcmp(arguments[1], "serve") == 0) serve(atoi(arguments[2]));
  if (count < 5) {
    fprintf(stderr, "usage: net_load serve PORT | MODE ADDRESS PORT SECONDS [CONNECTIONS|SIZE]\n");
    return 2;
  }
  const char* mode = arguments[1];
  const int extra = count > 5 ? atoi(arguments[5]) : 1;
  set_target(arguments[2], atoi(arguments[3]));
  deadline = now() + atof(arguments[4]);
  if (strcmp(mode, "stream") == 0) {
    stream(stream_one, extra);
  } else if (strcmp(mode, "fetch") == 0) {
    stream(fetch_one, extra);
  } else if (strcmp(mode, "rr") == 0) {
    const int fd = open_connection(SOCK_STREAM);
    const char kind = echo;
    send(fd, &kind, 1, 0);
    usleep(20000);  // the server shall not take this byte and the first message for a short connection
    repeat(exchange_message, fd);
  } else if (strcmp(mode, "crr") == 0) {
    repeat(exchange_connection, -1);
  } else if (strcmp(mode, "udp") == 0) {
    send_datagrams((size_t)extra);
  } else if (strcmp(mode, "udprr") == 0) {
    repeat(exchange_message, open_connection(SOCK_DGRAM));
  } else {
    fprintf(stderr, "net_load: unknown mode %s\n", mode);
    return 2;
  }
  return 0;
}

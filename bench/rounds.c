// SPDX-License-Identifier: Apache-2.0
// Times commands against each other: every round runs each command once, in turn, so that a slow moment of
// the machine meets all of them. A round trip is posix_spawn to wait4, without a shell. Before each timed one
// the machine rests: the kernel takes a network namespace down in the background for some ten milliseconds,
// holding locks that whoever makes one next would wait for. After many it rests as many times as long.
//
// usage: rounds ROUNDS < COMMANDS > SAMPLES
//
// COMMANDS, one per line, fields separated by tabs:
//   NAME <tab> ARGV0 <tab> ARGV1 ...   is timed
//   WIDTH*NAME <tab> ARGV0 ...         is timed from the first of WIDTH at once to the end of the last
//   - <tab> ARGV0 ...                  runs after the command above it, untimed; its status does not count
// "%d" inside a field becomes the number of the round. Standard input and output of the commands are
// /dev/null; of timed ones standard error passes. A timed command that fails ends the program with status 1.
// SAMPLES: NAME <tab> microseconds, one line each; the first round warms up and is left out.
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

enum { max_commands = 64, max_fields = 128, max_width = 256 };

struct command {
  char* name;
  int width;
  char* argv[max_fields];
};

static int parse(char* line, struct command* command) {
  int count = 0;
  line[strcspn(line, "\n")] = '\0';
  command->name = strsep(&line, "\t");
  char* star = strchr(command->name, '*');
  command->width = star == NULL ? 1 : atoi(command->name);
  if (star != NULL) command->name = star + 1;
  while (line != NULL && count < max_fields - 1) command->argv[count++] = strsep(&line, "\t");
  command->argv[count] = NULL;
  if (command->width < 1 || command->width > max_width) {
    fprintf(stderr, "rounds: %s: from 1 to %d at once\n", command->name, max_width);
    exit(2);
  }
  return count > 0;
}

static char* expand(const char* field, int round) {
  const char* place = strstr(field, "%d");
  char* text = NULL;
  if (place == NULL) return strdup(field);
  if (asprintf(&text, "%.*s%d%s", (int)(place - field), field, round, place + 2) < 0) abort();
  return text;
}

static void rest(int width) {
  const struct timespec pause = {.tv_nsec = 30 * 1000 * 1000};
  while (width-- > 0) nanosleep(&pause, NULL);
}

static double now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

// Microseconds, or a negative number when the command failed.
static double run(const struct command* command, int round, int quiet) {
  char* argv[max_fields];
  int count = 0, status = 0;
  for (; command->argv[count] != NULL; ++count) argv[count] = expand(command->argv[count], round);
  argv[count] = NULL;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  if (quiet) posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t pids[max_width];
  int started = 0, error = 0, failed = 0;
  const double start = now_us();
  while (error == 0 && started < command->width)
    if ((error = posix_spawnp(&pids[started], argv[0], &actions, NULL, argv, environ)) == 0) ++started;
  for (int i = 0; i < started; ++i) {
    while (wait4(pids[i], &status, 0, NULL) < 0 && errno == EINTR) continue;
    failed |= status;
  }
  const double end = now_us();
  posix_spawn_file_actions_destroy(&actions);
  for (int i = 0; i < count; ++i) free(argv[i]);
  if (error != 0) fprintf(stderr, "rounds: %s: %s\n", command->argv[0], strerror(error));
  return error != 0 || failed != 0 ? -1 : end - start;
}

int main(int argc, char** argv) {
  static struct command commands[max_commands];
  int count = 0;
  char* line = NULL;
  size_t size = 0;
  if (argc != 2 || atoi(argv[1]) < 1) {
    fprintf(stderr, "usage: rounds ROUNDS < COMMANDS\n");
    return 2;
  }
  while (count < max_commands && getline(&line, &size, stdin) > 0) {
    if (parse(line, &commands[count])) ++count;
    line = NULL;  // the command keeps it
  }
  int width_before = 1;
  for (int round = 0; round <= atoi(argv[1]); ++round) {
    for (int i = 0; i < count; ++i) {
      const int timed = strcmp(commands[i].name, "-") != 0;
      if (timed) rest(width_before);
      width_before = commands[i].width;
      const double duration = run(&commands[i], round, !timed);
      if (timed && duration < 0) {
        fprintf(stderr, "rounds: %s failed in round %d\n", commands[i].name, round);
        return 1;
      }
      if (timed && round > 0) printf("%s\t%.1f\n", commands[i].name, duration);
    }
  }
  return 0;
}

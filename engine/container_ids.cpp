// SPDX-License-Identifier: Apache-2.0
#include "engine/container_ids.h"

#include <sys/random.h>

#include <cerrno>
#include <string_view>

#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

// Arrays and no pointers: those would be written to at every start, wherever the program lies this time.
constexpr char adjectives[][16] = {
    "able",    "agile",   "airy",   "amber",    "ample",   "apt",      "ardent",  "azure",  "balanced",
    "bold",    "brave",   "breezy", "bright",   "brisk",   "broad",    "bubbly",  "calm",   "candid",
    "careful", "cheery",  "chief",  "civil",    "clear",   "clever",   "coastal", "cosy",   "crisp",
    "curious", "daring",  "dapper", "deft",     "direct",  "driven",   "dry",     "eager",  "early",
    "earnest", "eastern", "easy",   "elated",   "exact",   "fair",     "famous",  "fast",   "firm",
    "fleet",   "fluent",  "fond",   "frank",    "fresh",   "gallant",  "gentle",  "glad",   "golden",
    "grand",   "happy",   "hardy",  "hearty",   "honest",  "humble",   "jolly",   "keen",   "kind",
    "lively",  "loyal",   "lucid",  "lucky",    "lunar",   "mellow",   "merry",   "mighty", "modest",
    "neat",    "nimble",  "noble",  "northern", "patient", "placid",   "plucky",  "polar",  "polite",
    "proud",   "quick",   "quiet",  "radiant",  "ready",   "robust",   "rustic",  "salty",  "sharp",
    "silent",  "sincere", "smooth", "snug",     "solid",   "southern", "spry",    "stable", "steady",
    "stellar", "stout",   "sturdy", "sunny",    "swift",   "tender",   "tidal",   "tidy",   "trusty",
    "upbeat",  "valiant", "vivid",  "warm",     "western", "windward", "wise",    "witty",  "zesty"};

// Of people who found something out, sailed somewhere or built something.
constexpr char surnames[][16] = {
    // mathematics and computing
    "abel", "archimedes", "babbage", "banach", "bernoulli", "boole", "cantor", "cauchy", "church",
    "descartes", "dijkstra", "euclid", "euler", "fermat", "fibonacci", "fourier", "galois", "gauss",
    "germain", "hamilton", "hardy", "hilbert", "hopper", "huffman", "jacobi", "kepler", "khayyam",
    "kolmogorov", "kovalevskaya", "lagrange", "laplace", "legendre", "leibniz", "lovelace", "minkowski",
    "mirzakhani", "napier", "neumann", "noether", "pascal", "poincare", "ptolemy", "pythagoras", "ramanujan",
    "riemann", "robinson", "shannon", "turing", "weierstrass", "zuse",
    // physics and astronomy
    "ampere", "becquerel", "bohr", "boltzmann", "born", "bose", "bragg", "brahe", "cannon", "carnot",
    "cassini", "chandrasekhar", "compton", "copernicus", "coulomb", "curie", "dirac", "doppler", "eddington",
    "einstein", "faraday", "fermi", "feynman", "foucault", "fraunhofer", "fresnel", "galilei", "halley",
    "heisenberg", "helmholtz", "herschel", "hertz", "hooke", "hubble", "huygens", "joule", "kelvin",
    "kirchhoff", "landau", "leavitt", "lorentz", "mach", "maxwell", "meitner", "messier", "michelson",
    "millikan", "newton", "oersted", "ohm", "payne", "planck", "raman", "rayleigh", "roentgen", "rubin",
    "rutherford", "schrodinger", "stokes", "tesla", "thomson", "volta", "wien", "wu", "yukawa",
    // chemistry, life and earth
    "agassiz", "anning", "avogadro", "berzelius", "boyle", "carson", "cavendish", "cuvier", "dalton",
    "darwin", "davy", "elion", "fleming", "franklin", "haber", "harvey", "hodgkin", "humboldt", "hutton",
    "jenner", "koch", "lamarck", "lavoisier", "leeuwenhoek", "liebig", "linnaeus", "lister", "lyell",
    "mcclintock", "mendel", "mendeleev", "mercator", "merian", "nightingale", "nobel", "pasteur", "pauling",
    "perutz", "priestley", "sanger", "scheele", "steno", "vesalius", "virchow", "wallace", "wegener",
    "wohler",
    // navigators and travellers
    "amundsen", "barents", "battuta", "bering", "bird", "cabot", "cartier", "cook", "dampier", "earhart",
    "eriksson", "flinders", "frobisher", "gama", "hudson", "majid", "kingsley", "laperouse", "magellan",
    "nansen", "nordenskiold", "polo", "pytheas", "ross", "scoresby", "shackleton", "tasman", "torres",
    "vancouver", "zheng",
    // engineers and inventors
    "arkwright", "bell", "benz", "bessemer", "braille", "brunel", "carlson", "cugnot", "daguerre", "daimler",
    "diesel", "edison", "eiffel", "ericsson", "fulton", "goddard", "gutenberg", "harrison", "jacquard",
    "lilienthal", "marconi", "montgolfier", "morse", "otto", "parsons", "roebling", "siemens", "stephenson",
    "stirling", "telford", "trevithick", "watt", "whittle", "wright", "zeppelin"};

constexpr int plain_attempts = 4;

void fill_random(void* bytes, std::size_t size) {
  // Requests of up to 256 bytes are never cut short (getrandom(2)); only a signal before the pool is ready
  // can interrupt.
  while (::getrandom(bytes, size, 0) < 0) {
    if (errno != EINTR) throw_errno("reading random bytes");
  }
}

}  // namespace

std::string random_container_id() {
  constexpr std::string_view digits = "0123456789abcdef";
  unsigned char bytes[32];
  fill_random(bytes, sizeof bytes);
  std::string id;
  id.reserve(2 * sizeof bytes);
  for (const unsigned char byte : bytes) {
    id += digits[byte >> 4];
    id += digits[byte & 15];
  }
  return id;
}

std::string random_container_name(int attempt) {
  std::uint64_t random = 0;
  fill_random(&random, sizeof random);
  return container_name(random, attempt);
}

std::string container_name(std::uint64_t random, int attempt) {
  const std::string_view adjective = adjectives[random % std::size(adjectives)];
  random /= std::size(adjectives);
  const std::string_view surname = surnames[random % std::size(surnames)];
  random /= std::size(surnames);
  if (attempt <= plain_attempts) return concat(adjective, "_", surname);
  return concat(adjective, "_", surname, "_", random % 1'000'000);
}

}  // namespace knarr::engine

// SPDX-License-Identifier: Apache-2.0
// What Go's text/template does with the same input; the outputs were compared with podman's.
#include "cli/template/template.h"

#include <gmock/gmock.h>

namespace knarr::cli::templates {
namespace {

Value sample() {
  Value labels(std::map<std::string, std::string>{{"k", "v"}, {"a", "b"}});
  Value state = Value::structure("State");
  state.set("Status", "running").set("Pid", 42);
  Value first = Value::structure("Mount");
  first.set("Source", "/src").set("RW", true);
  Value second = Value::structure("Mount");
  second.set("Source", "/tmp").set("RW", false);
  Value container = Value::structure("Container");
  container.set("Names", std::vector<std::string>{"web", "www"})
      .set("Labels", labels)
      .set("State", state)
      .set("Mounts", Value::list().push_back(first).push_back(second))
      .set("Image", "docker.io/library/debian:latest")
      .set("Empty", "")
      .set("Count", 3)
      .set("Ratio", 1.5)
      .set("Nothing", Value())
      .set("Extra", Value::map().set("x", 1))
      .set_hidden("ID", "abc")
      .set("Created", Value::time(1'795'435'930'500'000'000));
  container.set_method("Label", [labels](std::span<const Value> arguments) -> Value {
    const Value* found = labels.find(arguments[0].string());
    return found != nullptr ? *found : Value("");
  });
  return container;
}

std::string render(std::string_view text) {
  return Template::parse("t", text).render(sample());
}

std::string error_of(std::string_view text) {
  try {
    return "no error: " + render(text);
  } catch (const TemplateError& error) {
    return error.message();
  }
}

TEST(Template, CopiesTextAndPrintsFields) {
  EXPECT_EQ(render("a {{.Image}} b"), "a docker.io/library/debian:latest b");
  EXPECT_EQ(render("{{.State.Status}}/{{.State.Pid}}"), "running/42");
  EXPECT_EQ(render("{{ .ID }}"), "abc");
  EXPECT_EQ(render("{{.ID}}}"), "abc}");
  EXPECT_EQ(render(""), "");
}

TEST(Template, PrintsListsMapsAndStructuresAsGoDoes) {
  EXPECT_EQ(render("{{.Names}}"), "[web www]");
  EXPECT_EQ(render("{{.Labels}}"), "map[a:b k:v]");
  EXPECT_EQ(render("{{.Mounts}}"), "[{/src true} {/tmp false}]");
  EXPECT_EQ(render("{{.Ratio}} {{.Count}}"), "1.5 3");
  EXPECT_EQ(render("{{.Created}}"), "2026-11-23 12:12:10.5 +0000 UTC");
}

TEST(Template, AMissingKeyOfAMapIsNoValueAndAMissingFieldAnError) {
  EXPECT_EQ(render("{{.Labels.k}} {{.Labels.zz}}"), "v <no value>");
  EXPECT_EQ(render("{{.Extra.y.z}}"), "<no value>");
  EXPECT_EQ(render("{{.Nothing}}"), "<no value>");
  EXPECT_EQ(error_of("ab{{.Foo}}"),
            "template: t:1:4: executing \"t\" at <.Foo>: can't evaluate field Foo in type Container");
  EXPECT_EQ(error_of("a\n{{.State.Foo}}"),
            "template: t:2:2: executing \"t\" at <.State.Foo>: can't evaluate field Foo in type State");
  EXPECT_EQ(error_of("{{.Image.Foo}}"),
            "template: t:1:2: executing \"t\" at <.Image.Foo>: can't evaluate field Foo in type string");
}

TEST(Template, IndexReachesIntoMapsAndLists) {
  EXPECT_EQ(render("{{index .Labels \"k\"}}|{{index .Labels \"zz\"}}|"), "v||");
  EXPECT_EQ(render("{{index .Extra \"zz\"}}"), "<no value>");
  EXPECT_EQ(render("{{index .Names 1}} {{(index .Mounts 0).Source}}"), "www /src");
  EXPECT_EQ(
      error_of("{{index .Names 2}}"),
      "template: t:1:2: executing \"t\" at <index .Names 2>: error calling index: index out of range: 2");
}

TEST(Template, MethodsTakeArguments) {
  EXPECT_EQ(render("{{.Label \"k\"}}"), "v");
  EXPECT_EQ(render("{{\"k\" | .Label}}"), "v");
  EXPECT_EQ(error_of("{{.Image \"k\"}}"),
            "template: t:1:2: executing \"t\" at <.Image>: Image is not a method but has arguments");
}

TEST(Template, PipesGiveTheLastArgument) {
  EXPECT_EQ(render("{{.State.Status | upper | printf \"%s-%s\" \"x\"}}"), "x-RUNNING");
  EXPECT_EQ(render("{{.Labels | json}}"), R"({"a":"b","k":"v"})");
}

TEST(Template, IfChoosesByTruth) {
  EXPECT_EQ(render("{{if .Empty}}a{{else}}b{{end}}"), "b");
  EXPECT_EQ(render("{{if .Count}}a{{end}}"), "a");
  EXPECT_EQ(render("{{if eq .Count 4}}a{{else if eq .Count 3}}b{{else}}c{{end}}"), "b");
  EXPECT_EQ(render("{{if and .Count (not .Empty)}}y{{end}}"), "y");
  EXPECT_EQ(render("{{if .Nothing}}a{{else}}b{{end}}"), "b");
}

TEST(Template, RangeVisitsListsMapsAndCounts) {
  EXPECT_EQ(render("{{range .Names}}<{{.}}>{{end}}"), "<web><www>");
  EXPECT_EQ(render("{{range $i, $n := .Names}}{{if $i}},{{end}}{{$i}}={{$n}}{{end}}"), "0=web,1=www");
  EXPECT_EQ(render("{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}"), "a=b;k=v;");
  EXPECT_EQ(render("{{range .Mounts}}{{.Source}}:{{$.ID}} {{end}}"), "/src:abc /tmp:abc ");
  EXPECT_EQ(render("{{range .Nothing}}a{{else}}none{{end}}"), "none");
  EXPECT_EQ(render("{{range $x := .Names}}{{$x}}{{break}}{{end}}"), "web");
  EXPECT_EQ(render("{{range .Names}}{{if eq . \"web\"}}{{continue}}{{end}}{{.}}{{end}}"), "www");
  EXPECT_EQ(render("{{range 3}}{{.}}{{end}}"), "012");
}

TEST(Template, WithMovesTheDot) {
  EXPECT_EQ(render("{{with .State}}{{.Status}}{{end}}"), "running");
  EXPECT_EQ(render("{{with .Nothing}}a{{else}}{{.ID}}{{end}}"), "abc");
  EXPECT_EQ(render("{{with $s := .State}}{{$s.Pid}}{{end}}"), "42");
}

TEST(Template, VariablesLiveUntilTheEndOfTheirBlock) {
  EXPECT_EQ(render("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}"), "2");
  EXPECT_EQ(render("{{$x := 1}}{{if true}}{{$x := 2}}{{end}}{{$x}}"), "1");
  EXPECT_EQ(error_of("{{if true}}{{$x := 2}}{{end}}{{$x}}"), "template: t:1: undefined variable \"$x\"");
}

TEST(Template, TrimsAroundMarkersAndSkipsComments) {
  EXPECT_EQ(render("a  {{- .Count -}}  b"), "a3b");
  EXPECT_EQ(render("a {{/* no */}} b"), "a  b");
  EXPECT_EQ(render("a {{- /* no */ -}} b"), "ab");
  EXPECT_EQ(render("{{-3}}"), "-3");
}

TEST(Template, ComparesValuesOfOneType) {
  EXPECT_EQ(render("{{eq .Count 1 2 3}} {{ne .Image \"x\"}} {{lt 1 2}} {{ge \"b\" \"a\"}} {{gt 1.5 2.5}}"),
            "true true true true false");
  EXPECT_EQ(error_of("{{eq .Count \"3\"}}"),
            "template: t:1:2: executing \"t\" at <eq .Count \"3\">: error calling eq: incompatible types for "
            "comparison");
  EXPECT_EQ(
      error_of("{{eq .Names .Names}}"),
      "template: t:1:2: executing \"t\" at <eq .Names .Names>: error calling eq: non-comparable type: list");
}

TEST(Template, AndAndOrStopAtTheDecidingArgument) {
  EXPECT_EQ(render("{{or .Empty .ID}} {{and .ID .Count}} {{and .Empty .Count}}|"), "abc 3 |");
  EXPECT_EQ(render("{{or true (index .Names 9)}}"), "true");
}

TEST(Template, StringFunctions) {
  EXPECT_EQ(render("{{upper \"aé\"}} {{lower \"AB\"}} {{title \"hello big-world\"}}"),
            "Aé ab Hello Big-World");
  EXPECT_EQ(render("{{join .Names \", \"}} {{index (split .Image \":\") 1}}"), "web, www latest");
  EXPECT_EQ(render("{{truncate .Image 9}} [{{pad \"x\" 2 1}}] [{{pad \"\" 2 1}}]"), "docker.io [  x ] []");
  EXPECT_EQ(render("{{len .Names}} {{len .Image}} {{slice .Image 0 6}} {{slice .Names 1}}"),
            "2 31 docker [www]");
  EXPECT_EQ(render("{{split \"aé\" \"\"}}"), "[a é]");
  EXPECT_EQ(render("{{html \"<a>\"}} {{urlquery \"a b/c\"}}"), "&lt;a&gt; a+b%2Fc");
}

TEST(Template, JsonIsOfTheVisibleMembers) {
  EXPECT_EQ(render("{{json .State}} {{json .Names}} {{json .Image}} {{json .Nothing}}"),
            R"({"Status":"running","Pid":42} ["web","www"] "docker.io/library/debian:latest" null)");
  EXPECT_THAT(render("{{json .}}"), ::testing::Not(::testing::HasSubstr("abc")));
  EXPECT_EQ(render("{{json .Created}}"), "\"2026-11-23T12:12:10.5Z\"");
}

TEST(Template, LiteralsAreGos) {
  EXPECT_EQ(render(R"({{"a\tb\"\u00e9\x41\101"}} {{`raw\n`}} {{'a'}} {{0x10}} {{1e3}} {{true}})"),
            "a\tb\"éAA raw\\n 97 16 1000 true");
}

TEST(Template, PrintJoinsAsSprintDoes) {
  EXPECT_EQ(render("{{print 1 2 \"a\" \"b\" 3}}|{{println \"a\" 1}}|{{print nil}}"), "1 2ab3|a 1\n|<nil>");
}

TEST(Template, SyntaxErrorsNameLineAndPlace) {
  EXPECT_EQ(error_of("{{foo .ID}}"), "template: t:1: function \"foo\" not defined");
  EXPECT_EQ(error_of("{{.ID"), "template: t:1: unclosed action");
  EXPECT_EQ(error_of("a\n{{if .ID}}b"), "template: t:2: unexpected EOF");
  EXPECT_EQ(error_of("{{end}}"), "template: t:1: unexpected {{end}}");
  EXPECT_EQ(error_of("{{}}"), "template: t:1: missing value for command");
  EXPECT_EQ(error_of("{{if}}x{{end}}"), "template: t:1: missing value for if");
  EXPECT_EQ(error_of("{{.ID | }}"), "template: t:1: missing value for command");
  EXPECT_EQ(error_of("{{$x}}"), "template: t:1: undefined variable \"$x\"");
  EXPECT_EQ(error_of("{{\"a}}"), "template: t:1: unterminated quoted string");
  EXPECT_EQ(error_of("{{/* a }}"), "template: t:1: unclosed comment");
  EXPECT_EQ(error_of("{{break}}"), "template: t:1: {{break}} outside {{range}}");
  EXPECT_EQ(error_of("{{.ID | \"x\"}}"), "template: t:1: non executable command in pipeline stage 2");
  EXPECT_EQ(error_of("{{template \"x\"}}"), "template: t:1: {{template}} is not supported");
  EXPECT_EQ(error_of("{{.A}b}}"), "template: t:1: unexpected \"}\" behind a word");
  EXPECT_EQ(error_of("{{1 .ID}}"),
            "template: t:1:2: executing \"t\" at <1>: can't give argument to non-function 1");
}

TEST(Template, NestingIsLimited) {
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += "{{if true}}";
  EXPECT_EQ(error_of(deep), "template: t:1: template is nested too deeply");
  EXPECT_EQ(error_of("{{" + std::string(5000, '(')), "template: t:1: unclosed action");
  EXPECT_EQ(error_of("{{" + std::string(5000, '(') + "}}"), "template: t:1: template is nested too deeply");
}

struct PrintfCase {
  const char* call;
  const char* expected;
};
class Printf : public ::testing::TestWithParam<PrintfCase> {};
TEST_P(Printf, FormatsAsGoDoes) {
  EXPECT_EQ(render(std::string("{{printf ") + GetParam().call + "}}"), GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(
    Verbs, Printf,
    ::testing::Values(PrintfCase{R"("%s %v" "a" 1)", "a 1"},
                      PrintfCase{R"("[%5d|%-5d|%05d|%+d]" 42 42 42 42)", "[   42|42   |00042|+42]"},
                      PrintfCase{R"("[%10s|%-10s|%.2s]" "abc" "abc" "abc")", "[       abc|abc       |ab]"},
                      PrintfCase{R"("%q %q" "a\"b" 'x')", R"("a\"b" 'x')"},
                      PrintfCase{R"("%x %X %#x %o %b" 255 255 255 8 5)", "ff FF 0xff 10 101"},
                      PrintfCase{R"("%x" "hi")", "6869"},
                      PrintfCase{R"("%v %v %v" 1e20 123456789.0 0.00001)", "1e+20 1.23456789e+08 1e-05"},
                      PrintfCase{R"("%.2f %6.1f %e %g" 3.14159 2.55 1500.0 1e21)",
                                 "3.14    2.5 1.500000e+03 1e+21"},
                      PrintfCase{R"("%t %v" true false)", "true false"}, PrintfCase{R"("100%%")", "100%"},
                      PrintfCase{R"("%d" "hi")", "%!d(string=hi)"}, PrintfCase{R"("%d")", "%!d(MISSING)"},
                      PrintfCase{R"("%d" 1 2)", "1%!(EXTRA int=2)"}, PrintfCase{R"("%!")", "%!!(MISSING)"},
                      PrintfCase{R"("%")", "%!(NOVERB)"},
                      PrintfCase{R"("%v %s" .Names .Labels)", "[web www] map[a:b k:v]"},
                      PrintfCase{R"("%*d" 5 42)", "   42"},
                      PrintfCase{R"("%-20s|" .Image)", "docker.io/library/debian:latest|"},
                      PrintfCase{R"("%c" 233)", "é"}, PrintfCase{R"("%v" nil)", "<nil>"},
                      PrintfCase{R"("%d" .Names)", "[%!d(string=web) %!d(string=www)]"}));

}  // namespace
}  // namespace knarr::cli::templates

#include "regtorch/report/table.hpp"

#include "catch.hpp"
#include "regtorch/report/html.hpp"

namespace table_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using rt::report::HtmlPage;
using rt::report::Table;

TEST_CASE("a table is written as Markdown", "[report]") {
  const Table table{{"method", "acc | %"}, {{"plain", "70"}, {"two\nlines", "a|b"}}};
  CHECK(table.markdown() ==
        "| method | acc \\| % |\n|---|---|\n| plain | 70 |\n| two lines | a\\|b |\n");
  const Table ragged{{"one"}, {{"a", "b"}}};
  CHECK(
      contains(error_of([&] { (void)ragged.markdown(); }), "wanted rows of 1 texts, got one of 2"));
  CHECK(contains(error_of([&] { HtmlPage("").table(ragged); }), "got one of 2"));
}

TEST_CASE("an HTML page shows texts as they are", "[report]") {
  const auto text = HtmlPage("a < b")
                        .heading("1 & 2")
                        .text("<script>")
                        .table({{"x", "y"}, {{"<b>", "\"q\""}}})
                        .svg("<svg/>\n")
                        .text();
  CHECK(contains(text, "<title>a &lt; b</title>"));
  CHECK(contains(text, "<h1>a &lt; b</h1>\n<h2>1 &amp; 2</h2>\n<p>&lt;script&gt;</p>\n<table>\n"));
  CHECK(contains(text,
                 "<tr><th>x</th><th>y</th></tr>\n"
                 "<tr><td>&lt;b&gt;</td><td>&quot;q&quot;</td></tr>\n</table>\n"
                 "<figure>\n<svg/>\n</figure>\n</body>\n</html>\n"));
  CHECK_FALSE(contains(text, "<script>"));
}

}  // namespace table_test

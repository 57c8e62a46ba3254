#include "regtorch/report/svg_element.hpp"

#include <locale>
#include <string>

#include "catch.hpp"
#include "report/svg_reader.hpp"

namespace svg_element_test {

using regtorch::testing::XmlReader;
using rt::report::svg_number;
using rt::report::SvgElement;
using rt::report::xml_text;

TEST_CASE("an element has its attributes, children and texts in order", "[report]") {
  const auto element = SvgElement("g")
                           .set("class", "a")
                           .set("x", 1.5)
                           .add_text("1 < 2")
                           .add(SvgElement("path").set("d", "M0 0"));
  CHECK(element.text() == "<g class=\"a\" x=\"1.5\">1 &lt; 2\n<path d=\"M0 0\"/></g>");
}

TEST_CASE("text that means something in XML is escaped", "[report]") {
  const std::string hostile = "\"/><script>&amp;'</text>]]>";
  CHECK(xml_text(hostile) == "&quot;/&gt;&lt;script&gt;&amp;amp;'&lt;/text&gt;]]&gt;");
  const auto read =
      XmlReader::read(SvgElement("text").set("class", hostile).add_text(hostile).text());
  CHECK(read.text == hostile);
  CHECK(read.attributes.at("class") == hostile);
}

TEST_CASE("only the characters of XML get through", "[report]") {
  const std::string all = "tab\tline\n~\x7f\u00e9\u20ac\ud7ff\ue000\ufffd\U0001F600\U0010FFFF";
  CHECK(xml_text(all) == all);
  const std::string bad = "\uFFFD";
  CHECK(xml_text(std::string("a\0b", 3)) == "a" + bad + "b");
  CHECK(xml_text("\x1b\r") == bad + bad);
  CHECK(xml_text("\xe9t\xe9") == bad + "t" + bad);               // Latin-1
  CHECK(xml_text("\x80") == bad);                                // begins with a later byte
  CHECK(xml_text("\xe2\x82") == bad + bad);                      // cut short
  CHECK(xml_text("\xc0\xbc") == bad + bad);                      // an overlong <
  CHECK(xml_text("\xe0\x80\xbc") == bad + bad + bad);            // again
  CHECK(xml_text("\xf0\x80\x80\xbc") == bad + bad + bad + bad);  // again
  CHECK(xml_text("\xed\xa0\x80") == bad + bad + bad);            // half a surrogate pair
  CHECK(xml_text("\xef\xbf\xbf") == bad + bad + bad);            // U+FFFF
  CHECK(xml_text("\xf4\x90\x80\x80") == bad + bad + bad + bad);  // above U+10FFFF
  CHECK(xml_text("\xff") == bad);
}

TEST_CASE("lengths have at most two decimals and a point in any locale", "[report]") {
  struct Comma : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  const std::locale before = std::locale::global(std::locale(std::locale(), new Comma));
  const std::string half = svg_number(1234.5);
  std::locale::global(before);
  CHECK(half == "1234.5");
  CHECK(svg_number(1.0 / 3) == "0.33");
  CHECK(svg_number(2.999) == "3");
  CHECK(svg_number(-0.001) == "0");
  CHECK(svg_number(-0.25) == "-0.25");
  CHECK(rt::report::svg_point(1, 2.5) == "1 2.5");
}

}  // namespace svg_element_test

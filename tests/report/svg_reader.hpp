#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace regtorch::testing {

/// An element of an XML file, with its texts run together.
struct XmlElement {
  std::string name;
  std::map<std::string, std::string> attributes;
  std::string text;
  std::vector<XmlElement> children;

  double number(const std::string& attribute) const {
    return std::strtod(attributes.at(attribute).c_str(), nullptr);
  }

  /// Those below it, at any depth and in order, that have this name and, unless "", this class.
  std::vector<XmlElement> all(const std::string& wanted, const std::string& of_class = "") const {
    std::vector<XmlElement> found;
    for (const XmlElement& child : children) {
      const auto own = child.attributes.find("class");
      if (child.name == wanted &&
          (of_class.empty() || (own != child.attributes.end() && own->second == of_class))) {
        found.push_back(child);
      }
      const auto below = child.all(wanted, of_class);
      found.insert(found.end(), below.begin(), below.end());
    }
    return found;
  }
};

/// Reads the part of XML that regtorch writes (elements, attributes, texts and the five named
/// entities) and throws std::runtime_error on anything else: tags that do not match, an attribute
/// given twice, a bare & or <, bytes that are not printable ASCII, white space or above 0x7F.
class XmlReader {
 public:
  static XmlElement read(const std::string& text) {
    XmlReader reader(text);
    XmlElement root = reader.element();
    reader.skip_space();
    reader.want(reader.at_ == text.size(), "the end of the file");
    return root;
  }

 private:
  explicit XmlReader(const std::string& text) : text_(text) {}

  void want(bool holds, const std::string& what) const {
    if (!holds) {
      throw std::runtime_error("wanted " + what + " at byte " + std::to_string(at_) + ": " +
                               text_.substr(at_, 30));
    }
  }
  char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(const std::string& part) {
    const bool found = text_.compare(at_, part.size(), part) == 0;
    at_ += found ? part.size() : 0;
    return found;
  }
  void skip_space() { at_ = std::min(text_.find_first_not_of(" \n", at_), text_.size()); }
  std::string word() {
    const auto end = text_.find_first_not_of(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", at_);
    want(end != at_ && end != std::string::npos, "a name");
    return text_.substr(std::exchange(at_, end), end - at_);
  }

  std::string characters(char until) {
    std::string result;
    while (next() != until) {
      want(next() != '<', "no markup");
      if (next() == '&') {
        const char* const entities[][2] = {
            {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"}};
        bool known = false;
        for (const auto& [entity, character] : entities) {
          if (!known && take(entity)) {
            result += character;
            known = true;
          }
        }
        want(known, "an entity");
        continue;
      }
      const auto byte = static_cast<unsigned char>(next());
      want(byte >= 0x20 || byte == '\n' || byte == '\t', "a character of XML");
      result += next();
      ++at_;
    }
    return result;
  }

  XmlElement element() {
    want(take("<"), "an element");
    XmlElement result;
    result.name = word();
    while (next() == ' ') {
      ++at_;
      const std::string name = word();
      want(take("=\""), "an attribute's value");
      want(result.attributes.emplace(name, characters('"')).second, "each attribute once");
      ++at_;
    }
    if (take("/>")) {
      return result;
    }
    want(take(">"), "the end of a tag");
    while (!take("</")) {
      if (next() == '<') {
        result.children.push_back(element());
      } else {
        result.text += characters('<');
      }
    }
    want(take(result.name + ">"), "the end of " + result.name);
    return result;
  }

  const std::string& text_;
  std::size_t at_ = 0;
};

/// The points a path moves to, by M and L; whether each begins a new piece.
struct PathPoint {
  double x;
  double y;
  bool begins;
};
inline std::vector<PathPoint> path_points(const XmlElement& path) {
  std::vector<PathPoint> points;
  const std::string& text = path.attributes.at("d");
  for (auto at = text.find_first_of("ML"); at != std::string::npos;
       at = text.find_first_of("ML", at + 1)) {
    char* end = nullptr;
    const double x = std::strtod(text.c_str() + at + 1, &end);
    points.push_back({x, std::strtod(end, nullptr), text[at] == 'M'});
  }
  return points;
}

}  // namespace regtorch::testing

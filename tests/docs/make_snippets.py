"""Makes one C++ file of the C++ blocks of all pages, so that they can be compiled:

    python3 make_snippets.py --root REPOSITORY --out FILE PAGE...

Each block is the body of a function that sees what context.hpp declares, and what a comment before
the block declares (markdown.py). A block with a main() is a program, and sees nothing but what it
includes and declares itself. The compiler's messages name the page and its line.
"""

import argparse
import pathlib
import re
import sys

import markdown

INCLUDE = re.compile(r"#include .*")
# The compiler takes its main() for any function, which must not end without return.
PROGRAM = """#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wreturn-type"
namespace {name} {{
{code}}}
#pragma GCC diagnostic pop
"""


def located(code, page, line):
    return f'#line {line} "{page}"\n{code}\n'


def snippets(blocks):
    """The includes and the functions that are made of a page's blocks, as two texts."""
    includes, bodies = "", []
    for block in (b for b in blocks if b.language == "cpp" and not b.skip):
        lines = block.code.split("\n")
        for number, line in enumerate(lines):
            if INCLUDE.fullmatch(line):
                includes += located(line, block.page, block.line + number)
                lines[number] = ""
        code = located("\n".join(lines), block.page, block.line)
        if re.search(r"^int main\(", block.code, re.MULTILINE):
            bodies.append(PROGRAM.format(name=f"program_{block.line}", code=code))
            continue
        given = located(block.given, block.page, block.given_line) if block.given else ""
        if not block.continues:
            bodies.append(["[[maybe_unused]] static auto block_", str(block.line),
                           "() {\nusing namespace docs;\n"])
        elif not bodies or isinstance(bodies[-1], str):
            raise markdown.PageError(block.page, block.line, "wanted a block to go on from")
        bodies[-1] += [given, code]
    return includes, "".join(b if isinstance(b, str) else "".join(b) + "}\n" for b in bodies)


def make(pages):
    """The C++ file of `pages`, each a pair of its name and its text."""
    all_includes, all_functions = '#include "context.hpp"\n', ""
    for page, text in pages:
        includes, functions = snippets(markdown.blocks(text, page))
        all_includes += includes
        name = re.sub(r"\W", "_", page)
        all_functions += f"namespace {name} {{\n{functions}}}\n"
    return all_includes + all_functions


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("pages", nargs="+")
    options = parser.parse_args()
    try:
        options.out.write_text(make([(p, (options.root / p).read_text()) for p in options.pages]))
    except markdown.PageError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

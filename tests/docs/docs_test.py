"""The scripts beside this file, on pages that are wrong:

    python3 docs_test.py --cmake CMAKE --compiler COMPILER [unittest's own arguments]
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import check_cmake
import check_commands
import check_pages
import make_snippets
import markdown

options = argparse.Namespace()


def fenced(code, language="cpp"):
    return f"```{language}\n{code}\n```\n"


class MarkdownTest(unittest.TestCase):
    def test_finds_blocks_and_their_lines(self):
        text = "# A\n\n" + fenced("int a;") + "\n- item\n\n  ```sh\n  ls\n    -l\n  ```\n"
        first, second = markdown.blocks(text, "a.md")
        self.assertEqual((first.language, first.line, first.code), ("cpp", 4, "int a;\n"))
        self.assertEqual((second.language, second.line, second.code), ("sh", 10, "ls\n  -l\n"))

    def test_reads_what_is_given(self):
        text = "<!-- docs-test: given int a;\nint b; -->\n\n" + fenced("a + b;")
        block, = markdown.blocks(text, "a.md")
        self.assertEqual((block.given, block.given_line), ("int a;\nint b;", 1))

    def test_refuses_what_it_does_not_know(self):
        for text, error in (
                ("```\nint a;\n```\n", "a.md:1: wanted one of"),
                ("```cpp\nint a;\n", "a.md:1: wanted a closing"),
                ("```cpp title\n```\n", "a.md:1: wanted ``` and a language alone"),
                ("<!-- docs-test: skip -->\n" + fenced(""), "a.md:1: wanted 'given CODE'"),
                ("<!-- docs-test: ignore it -->\n" + fenced(""), "a.md:1: wanted 'given CODE'"),
                ("<!-- docs-test: skip no reason -->\n" + fenced("ls", "sh"), "a.md:1: wanted 'given"),
                ("<!-- docs-test: given int a;\n\n" + fenced(""), "a.md:1: wanted '-->'"),
                ("<!-- docs-test: continues -->\nText.\n" + fenced(""), "a.md:1: wanted a block"),
                ("Text.\n<!-- docs-test: continues -->\n", "a.md:2: wanted a block")):
            with self.subTest(text), self.assertRaisesRegex(markdown.PageError, error.replace("(", r"\(")):
                markdown.blocks(text, "a.md")

    def test_makes_the_anchors_of_github(self):
        text = "# A `b`, c\n```sh\n# no heading\n```\n## [Link](x.md) & more\n## A b c\n"
        self.assertEqual(markdown.anchors(text), {1: "a-b-c", 5: "link--more", 6: "a-b-c-1"})

    def test_sees_no_links_in_code(self):
        text = "[a](b.md) `[c](d)`\n\n    [e](f)\n\n" + fenced("[g](h);") + "![i](j.svg)\n"
        self.assertEqual(list(markdown.links(text)), [("b.md", 1), ("j.svg", 8)])


class SnippetsTest(unittest.TestCase):
    CONTEXT = "#pragma once\nnamespace rt {}\nnamespace docs { extern int model; }\n"

    def compile(self, *pages):
        """What the compiler says of the pages, and nothing if it takes them."""
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "context.hpp").write_text(self.CONTEXT)
            source = folder / "snippets.cpp"
            source.write_text(make_snippets.make(pages))
            done = subprocess.run([options.compiler, "-std=c++20", "-Wall", "-Wno-unused",
                                   "-fsyntax-only", source], text=True, capture_output=True)
            self.assertEqual(done.returncode != 0, "error: " in done.stderr, done.stderr)
            return done.stderr

    def test_compiles_what_is_right(self):
        page = ("# A\n" + fenced("#include <vector>\nstd::vector<int> v(model);\nint a = 1;") +
                "<!-- docs-test: continues -->\n" + fenced("v[0] = a;") +
                "<!-- docs-test: given int b; -->\n" + fenced("double model = b;") +
                fenced("int main() {}") + fenced("return model > 0 ? 1 : 0;") +
                "<!-- docs-test: skip it is wrong -->\n" + fenced("this is no C++"))
        self.assertEqual(self.compile(("README.md", page), ("docs/a-b.md", page)), "")

    def test_an_error_names_the_page_and_its_line(self):
        broken = fenced("int a = 1;\nint b = 2;\nint c = missing;")
        self.assertIn("docs/a.md:6:", self.compile(("README.md", fenced("int a;")),
                                                   ("docs/a.md", "# A\n\n" + broken)))

    def test_an_error_in_what_is_given_names_its_line(self):
        page = "# A\n\n<!-- docs-test: given int a;\nint b = missing; -->\n" + fenced("a = b;")
        self.assertIn("a.md:4:", self.compile(("a.md", page)))

    def test_a_header_that_is_not_there_names_its_line(self):
        self.assertIn("a.md:3:", self.compile(("a.md", fenced("int a;\n#include <missing.hpp>"))))

    def test_blocks_do_not_see_each_other(self):
        self.assertIn("a.md:5:", self.compile(("a.md", fenced("int a;") + fenced("a = 1;"))))

    def test_a_program_sees_nothing_but_itself(self):
        self.assertIn("a.md:2:", self.compile(("a.md", fenced("int main() { return model; }"))))

    def test_there_must_be_a_block_to_go_on_from(self):
        page = "<!-- docs-test: continues -->\n" + fenced("int a;")
        with self.assertRaisesRegex(markdown.PageError, "a.md:3: wanted a block to go on from"):
            make_snippets.make([("a.md", page)])


class FolderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def write(self, name, text, mode=0o644):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)


class CommandsTest(FolderTest):
    def setUp(self):
        super().setUp()
        presets = [{"name": "test"}, {"name": "base", "hidden": True}]
        self.write("CMakePresets.json", json.dumps(
            {"configurePresets": presets, "buildPresets": presets, "testPresets": presets,
             "workflowPresets": [{"name": "demo"}]}))
        self.write("CMakeLists.txt", "option(REGTORCH_OPTION)\nadd_custom_target(reference)\n")
        self.write("bench/CMakeLists.txt", "add_executable(foo_bench foo.cpp)\n")
        self.write("examples/CMakeLists.txt", "foreach(n foo)\n  add_executable(${n} ${n}.cpp)\n")
        self.write("examples/foo.cpp", "")
        self.write("cmake/developer.cmake", "")
        self.write("bootstrap.sh", "case --dev)\n")
        self.write("build/examples/foo", "#!/bin/sh\necho '  --epochs INT'\n", 0o755)
        self.write("build/CTestTestfile.cmake", 'add_test("docs/pages" "true")\n')
        self.checker = check_commands.Checker(self.root, self.root / "build")

    def test_takes_what_is_there(self):
        commands = ["./bootstrap.sh --dev && cmake --workflow --preset demo  # a comment",
                    "cmake --preset test -DREGTORCH_OPTION=ON -DCMAKE_BUILD_TYPE=Debug",
                    "cmake --build --preset test --target reference foo",
                    "cmake --install build/test --prefix PREFIX", "cmake -P cmake/developer.cmake",
                    "foo --epochs 3 \\\n  --epochs=4", "A=b build/test/examples/foo --epochs 1",
                    "foo_bench --benchmark_filter='a|b'", "ctest --preset test -R '^docs/'",
                    "cp examples/foo.cpp mine"]
        page = fenced("\n".join(commands), "sh") + "\nRun `cmake --workflow --preset demo`.\n"
        self.assertEqual(self.checker.check_page(page, "a.md"), 11)

    def test_names_what_is_not_there(self):
        for command, error in (
                ("cmake --workflow --preset test", "no workflow preset 'test'"),
                ("cmake --preset base", "no configure preset 'base'"),
                ("cmake --build --preset demo", "no build preset 'demo'"),
                ("cmake --build build/demo", "no configure preset 'demo'"),
                ("cmake --build --preset test --target foo bar", "no target 'bar'"),
                ("cmake --preset test -DREGTORCH_OTHER=ON", "no option 'REGTORCH_OTHER'"),
                ("cmake -P cmake/other.cmake", "no file 'cmake/other.cmake'"),
                ("cmake --fresh", "flag of cmake that this test knows, got '--fresh'"),
                ("./bootstrap.sh && ./bootstrap.sh --cuda", "no flag of ./bootstrap.sh '--cuda'"),
                ("foo --epoch 3", "no flag of foo '--epoch'"),
                ("foo_bench --filter=a", "no flag of foo_bench '--filter'"),
                ("build/demo/examples/foo", "no configure preset 'demo'"),
                ("ctest --preset demo", "no test preset 'demo'"),
                ("ctest --preset test -R links", "no test like 'links'"),
                ("cp examples/bar.cpp mine", "no file 'examples/bar.cpp'"),
                ("python3 bench/report.py", "no file 'bench/report.py'"),
                ("make", "command that this test knows, got 'make'")):
            with self.subTest(command), self.assertRaisesRegex(markdown.PageError, f"a.md:3: .*{error}"):
                self.checker.check_page("# A\n" + fenced(command, "sh"), "a.md")

    def test_looks_at_inline_code_too(self):
        with self.assertRaisesRegex(markdown.PageError, "a.md:2: there is no workflow preset 'x'"):
            self.checker.check_page("# A\nRun `cmake --workflow --preset x`.\n", "a.md")

    def test_commands_must_not_hide_in_an_indented_block(self):
        with self.assertRaisesRegex(markdown.PageError, "a.md:3: wanted commands in a block of sh"):
            self.checker.check_page("# A\n\n    cmake --preset test\n", "a.md")


class PagesTest(FolderTest):
    def test_names_links_that_lead_nowhere(self):
        self.write("docs/b.md", "# B\n## A part\n")
        self.write("docs/a.md", "# A\n[b](b.md) [part](b.md#a-part) [self](#a) [away](http://x/y)\n"
                                "[c](c.md) [no part](b.md#c)\n[d](#d)\n")
        self.assertEqual(list(check_pages.broken_links(self.root, "docs/a.md")),
                         ["docs/a.md:3: there is no 'c.md'",
                          "docs/a.md:3: there is no heading '#c' in b.md",
                          "docs/a.md:4: there is no heading '#d' in a.md"])

    def test_names_blocks_that_cannot_be_read(self):
        page = fenced('{"a": 1}', "json") + fenced("{a}", "json") + fenced("a b", "python")
        errors = list(check_pages.unreadable_blocks(page, "a.md"))
        self.assertEqual([error.split(" ")[0] for error in errors], ["a.md:5:", "a.md:8:"])


class CMakeTest(FolderTest):
    def configure(self, page):
        for number, block in enumerate(check_cmake.projects(page, "a.md")):
            check_cmake.configure(block, self.root, self.root / f"work-{number}", options.cmake, [])

    def test_configures_what_is_right(self):
        self.configure(fenced("project(a LANGUAGES NONE)", "cmake") +
                       "<!-- docs-test: continues -->\n" +
                       fenced("if(NOT PROJECT_NAME STREQUAL a)\nmessage(FATAL_ERROR x)\nendif()", "cmake"))

    def test_names_what_is_wrong(self):
        with self.assertRaisesRegex(markdown.PageError, "a.md:3: CMake:(.|\n)*nothing_like_it"):
            self.configure("# A\n" + fenced("project(a LANGUAGES NONE)\n"
                                            "find_package(nothing_like_it REQUIRED)", "cmake"))

    def test_reads_what_is_skipped(self):
        skip = "<!-- docs-test: skip a reason -->\n"
        self.configure(skip + fenced("find_package(nothing_like_it REQUIRED)", "cmake"))
        with self.assertRaisesRegex(markdown.PageError, "a.md:3: CMake:"):
            self.configure(skip + fenced("find_package(nothing_like_it", "cmake"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cmake", required=True)
    parser.add_argument("--compiler", required=True)
    options, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])

"""Looks whether the presets, targets, files, programs, flags and tests that the pages' commands name
are there:

    python3 check_commands.py --root REPOSITORY --build BUILD

Commands are the lines of blocks of sh, and inline code that begins with one. BUILD has been built:
the example programs are asked for their flags.
"""

import argparse
import functools
import json
import pathlib
import re
import shlex
import subprocess
import sys

import markdown

# Of which nothing is looked at but what FILES says.
SHELL = {"cd", "mkdir", "cp", "git", "xargs", "export", "rm"}
FILES = re.compile(r"(tests|cmake|examples|bench|docs|include)/[\w./]*\w")


class Missing(Exception):
    """What a command names and is not there."""


class Checker:
    def __init__(self, root, build):
        self.root = pathlib.Path(root)
        self.build = pathlib.Path(build)
        presets = json.loads((self.root / "CMakePresets.json").read_text())
        self.presets = {kind: {p["name"] for p in presets[f"{kind}Presets"] if not p.get("hidden")}
                        for kind in ("configure", "build", "test", "workflow")}
        lists = [self.root / "CMakeLists.txt"]
        for folder in ("bench", "docs", "examples", "tests"):
            lists += (self.root / folder).rglob("CMakeLists.txt")
        self.lists = [path.read_text() for path in lists]
        # What is built and run by name: examples and benchmarks.
        self.examples = {path.stem for path in (self.root / "examples").glob("*.cpp")}
        self.commands = {"cmake", "ctest", "python", "python3", "bash", "doxygen", "./bootstrap.sh",
                         ".ci/run", *self.examples, *SHELL}

    @functools.cached_property
    def targets(self):
        names = {"all", "install"}  # CMake's own
        for text in self.lists:
            names |= set(re.findall(r"\badd_(?:executable|library|custom_target)\(\s*([\w-]+)", text))
            for variable, values in re.findall(r"foreach\((\w+)([^)]*)\)", text):
                if f"add_executable(${{{variable}}}" in text:
                    names |= set(values.split())
        return names

    @functools.cached_property
    def tests(self):
        return re.findall(r"Test +#\d+: (\S+)", self.output("ctest", "-N", "--test-dir", self.build))

    @staticmethod
    @functools.cache
    def output(*command):
        return subprocess.run(command, check=True, text=True, capture_output=True).stdout

    @staticmethod
    def need(name, there, what):
        if name not in there:
            raise Missing(f"there is no {what} '{name}'")

    def need_file(self, name):
        if not (self.root / name).exists():
            raise Missing(f"there is no file '{name}'")

    def check(self, line):
        """Raises Missing if a line of commands names what is not there."""
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
        lexer.whitespace_split = True
        commands = [[]]
        for word in lexer:
            if set(word) <= set("&|;"):
                commands.append([])
            else:
                commands[-1].append(word)
        for words in commands:
            while words and re.match(r"[A-Z_]+=", words[0]):
                words.pop(0)
            if words:
                self.check_command(words[0], words[1:])

    def check_command(self, name, words):
        program = pathlib.PurePath(name).name
        if name.startswith("build/"):
            self.need(name.split("/")[1], self.presets["configure"], "configure preset")
        if program in self.examples:
            text = self.output(self.build / "examples" / program, "--help")
            self.check_flags(words, text, f"flag of {program}")
        elif program in self.targets and "_bench" in program:
            self.check_flags(words, "--benchmark_filter --benchmark_min_time --benchmark_list_tests",
                             f"flag of {program}")
        elif name in ("python", "python3", "bash", "doxygen"):
            if words[:1] != ["-c"]:
                self.check_script(words[0], words[1:])
        elif name in ("./bootstrap.sh", ".ci/run"):
            self.check_script(name, words)
        elif name == "cmake":
            self.check_cmake(words)
        elif name == "ctest":
            self.check_ctest(words)
        elif name.startswith("clang-format"):
            self.need(name, (self.root / "bootstrap.sh").read_text(), "Debian package")
        elif name not in SHELL and not name.startswith("./build/"):  # a project of the reader's
            raise Missing(f"wanted a command that this test knows, got '{name}'")
        for word in words:
            if FILES.fullmatch(word):
                self.need_file(word)

    def check_script(self, name, words):
        self.need_file(name)
        self.check_flags(words, (self.root / name).read_text(), f"flag of {name}")

    def check_flags(self, words, text, what):
        known = set(re.findall(r"--[\w-]+", text))
        for word in words:
            if word.startswith("--"):
                self.need(word.split("=")[0], known, what)

    def check_cmake(self, words):
        kind = next((k for k in ("workflow", "build") if f"--{k}" in words), "configure")
        text = "\n".join(self.lists) + (self.root / "cmake/developer.cmake").read_text()
        targets = False
        for word, value in zip(words, [*words[1:], ""]):
            targets &= not word.startswith("-")
            if targets:
                self.need(word, self.targets, "target")
            elif word == "--preset":
                self.need(value, self.presets[kind], f"{kind} preset")
            elif word in ("--build", "--install"):
                if value.startswith("build/"):
                    self.need(value.split("/")[1], self.presets["configure"], "configure preset")
            elif word == "-P":
                self.need_file(value)
            elif word == "--target":
                targets = True
            elif match := re.match(r"-D(REGTORCH_\w+)=", word):
                self.need(match[1], re.findall(r"REGTORCH_\w+", text), "option")
            elif word.startswith("-") and not re.match(r"--(workflow|prefix|parallel)$|-[DSBGj]", word):
                raise Missing(f"wanted a flag of cmake that this test knows, got '{word}'")

    def check_ctest(self, words):
        for word, value in zip(words, [*words[1:], ""]):
            if word == "--preset":
                self.need(value, self.presets["test"], "test preset")
            elif word == "-R" and not any(re.search(value, test) for test in self.tests):
                raise Missing(f"there is no test like '{value}'")

    def is_command(self, word):
        return word in self.commands or word.startswith(("build/", "clang-format-"))

    def lines(self, text, page):
        """(commands, line) of a page."""
        for block in markdown.blocks(text, page):
            if block.language == "sh":
                before = ""  # of a line that is continued
                for number, line in enumerate(block.code.split("\n"), block.line):
                    before += line.removesuffix("\\")
                    if not line.endswith("\\"):
                        if before.strip():
                            yield before, number
                        before = ""
        fenced = False
        for number, line in enumerate(text.split("\n"), 1):
            fenced ^= line.lstrip().startswith("```")
            if fenced:
                continue
            words = line.split()
            if line.startswith("    ") and words and self.is_command(words[0]):
                raise markdown.PageError(page, number, "wanted commands in a block of sh")
            for code in re.findall(r"`([^`]+)`", line):
                words = code.split()
                if len(words) > 1 and self.is_command(words[0]):
                    yield code, number

    def check_page(self, text, page):
        """The number of lines of commands looked at."""
        count = 0
        for line, number in self.lines(text, page):
            try:
                self.check(line)
            except (Missing, ValueError) as error:
                raise markdown.PageError(page, number, f"{error} ({line.strip()})") from error
            count += 1
        return count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    options = parser.parse_args()
    checker = Checker(options.root, options.build)
    errors, count = [], 0
    for page in markdown.pages(options.root):
        try:
            count += checker.check_page((options.root / page).read_text(), page)
        except markdown.PageError as error:
            errors.append(str(error))
    print(f"{count} lines of commands")
    sys.exit("\n".join(errors) or None)


if __name__ == "__main__":
    main()

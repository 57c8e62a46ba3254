"""Configures each CMake block of the pages as a project of its own that finds an installed regtorch:

    python3 check_cmake.py --root REPOSITORY --work FOLDER --cmake CMAKE [CMAKE-OPTION...]

Other options go to CMake. A block without project() gets one. `regtorch` is a link
to the repository, for add_subdirectory, and FetchContent takes the repository too. A block that is
skipped is read by CMake, and not carried out.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys

import markdown


def projects(text, page):
    """The blocks, those joined that continue others."""
    result = []
    for block in (b for b in markdown.blocks(text, page) if b.language == "cmake"):
        if not block.continues:
            result.append(block)
        elif result:
            result[-1].code += block.code
        else:
            raise markdown.PageError(page, block.line, "wanted a block to go on from")
    return result


def configure(block, root, folder, cmake, options):
    """Raises PageError if CMake does not take the block."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "regtorch").symlink_to(root.resolve())
    for source in re.findall(r"[\w./]+\.cpp", block.code):
        (folder / source).write_text("int main() {}\n")
    head = ""
    if block.skip:
        command = [cmake, "-P", "CMakeLists.txt"]
        code = f"if(FALSE)\n{block.code}endif()\n"
    else:
        command = [cmake, "-S", ".", "-B", "build", *options,
                   f"-DFETCHCONTENT_SOURCE_DIR_REGTORCH={root.resolve()}"]
        if "cmake_minimum_required(" not in block.code:
            head += "cmake_minimum_required(VERSION 3.25)\n"
        if "project(" not in block.code:
            head += "project(docs LANGUAGES CXX)\n"
        code = block.code
    (folder / "CMakeLists.txt").write_text(head + code)
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True)
    if done.returncode:
        raise markdown.PageError(block.page, block.line, f"CMake:\n{done.stdout}{done.stderr}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--cmake", required=True)
    arguments, options = parser.parse_known_args()
    count = 0
    try:
        for page in markdown.pages(arguments.root):
            for block in projects((arguments.root / page).read_text(), page):
                configure(block, arguments.root, arguments.work / f"docs-{count}", arguments.cmake,
                          options)
                print(f"{page}:{block.line}: " +
                      (f"read only: {block.skip}" if block.skip else "configured"))
                count += 1
    except markdown.PageError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

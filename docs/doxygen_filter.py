"""Prints a page as doxygen 1.9.4 understands it: python3 docs/doxygen_filter.py PAGE

A page's sections get the anchors that GitHub gives them, under names that are unique in the whole
reference, and links to them go by these. Links to what is not in it, as tests, become plain text.
"""

import os
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root / "tests/docs"))
import markdown  # noqa: E402


def name(page, anchor):
    return re.sub(r"\W", "_", f"{page}_{anchor}")


def link(page, match):
    text, target = match.groups()
    if "://" in target:
        return match[0]
    path, _, anchor = target.partition("#")
    file = os.path.normpath(pathlib.PurePath(page).parent / path) if path else page
    if anchor:
        return f"[{text}](@ref {name(file, anchor)})"
    return match[0] if file.endswith((".md", ".svg")) else text


def main():
    page = str(pathlib.Path(sys.argv[1]).resolve().relative_to(root))
    text = pathlib.Path(sys.argv[1]).read_text()
    anchors = markdown.anchors(text)
    prose = markdown.without_code(text, inline=False).split("\n")
    for number, line in enumerate(text.split("\n"), 1):
        if number in anchors and line.startswith("## "):
            line += f" {{#{name(page, anchors[number])}}}"
        elif prose[number - 1]:
            line = re.sub(r"\[([^]]*)\]\(([^)\s]+)\)", lambda match: link(page, match), line)
        print(line)


main()

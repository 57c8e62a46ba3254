"""Looks whether the pages' relative links lead to files and headings that are there, and whether the
blocks of Python and JSON can be read: python3 check_pages.py --root REPOSITORY"""

import argparse
import json
import pathlib
import sys

import markdown


def broken_links(root, page):
    """The errors of a page's links."""
    text = (root / page).read_text()
    for target, line in markdown.links(text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (root / page).parent / path if path else root / page
        if not file.exists():
            yield f"{page}:{line}: there is no '{target}'"
        elif anchor and anchor not in markdown.anchors(file.read_text()).values():
            yield f"{page}:{line}: there is no heading '#{anchor}' in {file.name}"


def unreadable_blocks(text, page):
    """The errors of a page's blocks of Python and JSON."""
    for block in markdown.blocks(text, page):
        try:
            if block.language == "python":
                compile(block.code, page, "exec")
            elif block.language == "json":
                json.loads(block.code)
        except (SyntaxError, ValueError) as error:
            yield f"{page}:{block.line}: {error}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, required=True)
    root = parser.parse_args().root
    errors = []
    pages = markdown.pages(root)
    for page in pages:
        errors += [*broken_links(root, page), *unreadable_blocks((root / page).read_text(), page)]
    print(f"{sum(len(list(markdown.links((root / page).read_text()))) for page in pages)} links on "
          f"{len(pages)} pages")
    sys.exit("\n".join(errors) or None)


if __name__ == "__main__":
    main()

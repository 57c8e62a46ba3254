"""Reads what the tests of the documentation look at: a page's code blocks, links and anchors.

What a block takes for granted stands in a comment before it, which readers do not see:

    <!-- docs-test: given DECLARATIONS -->   they come before the block (C++; also several lines)
    <!-- docs-test: continues -->            the block goes on where the last one of its language ends
    <!-- docs-test: skip REASON -->          it is not compiled (C++), only parsed (CMake)
"""

import dataclasses
import pathlib
import re

LANGUAGES = ("cpp", "cmake", "sh", "python", "json", "text")


class PageError(Exception):
    """What is wrong with a page, and where."""

    def __init__(self, page, line, text):
        super().__init__(f"{page}:{line}: {text}")


@dataclasses.dataclass
class Block:
    page: str
    line: int  # of its first line of code
    language: str
    code: str
    given: str = ""
    given_line: int = 0
    continues: bool = False
    skip: str = ""


def pages(root):
    """The paths, from `root` on, of all pages, in order."""
    root = pathlib.Path(root)
    found = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    return sorted(str(path.relative_to(root)) for path in found)


def _directive(block, text, line):
    match = re.fullmatch(r"(given|continues|skip)\b\s*(.*)", text.strip(), re.DOTALL)
    kind, rest = match.groups() if match else ("", "")
    if kind == "given" and rest and block.language == "cpp":
        block.given, block.given_line = rest, line + text[:text.index(rest)].count("\n")
    elif kind == "continues" and not rest:
        block.continues = True
    elif kind == "skip" and rest and block.language in ("cpp", "cmake"):
        block.skip = rest
    else:
        raise PageError(block.page, line, f"wanted 'given CODE', 'continues' or 'skip REASON', got "
                        f"'{text.strip()}' before a block of {block.language}")


def blocks(text, page):
    """The fenced blocks of a page, in order."""
    result = []
    lines = text.split("\n")
    directives = []  # (text, line) since the last block
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if line.startswith("<!-- docs-test:"):
            first = number
            while "-->" not in line and number < len(lines):
                line += "\n" + lines[number]
                number += 1
            match = re.fullmatch(r"<!-- docs-test:(.*)-->", line, re.DOTALL)
            if not match:
                raise PageError(page, first, "wanted '-->' at the end of the comment's last line")
            directives.append((match[1], first))
            continue
        fence = re.fullmatch(r"( *)```(\w*)", line)
        if not fence:
            if "```" in line:
                raise PageError(page, number, f"wanted ``` and a language alone, got '{line}'")
            if line.strip() and directives:
                raise PageError(page, directives[-1][1], "wanted a block behind the comment")
            continue
        indent, language = fence.groups()
        if language not in LANGUAGES:
            raise PageError(page, number, f"wanted one of {', '.join(LANGUAGES)} behind ```, got "
                            f"'{language}'")
        block = Block(page, number + 1, language, "")
        while number < len(lines) and lines[number] != indent + "```":
            block.code += lines[number].removeprefix(indent) + "\n"
            number += 1
        if number == len(lines):
            raise PageError(page, block.line - 1, "wanted a closing ```")
        number += 1
        for directive in directives:
            _directive(block, *directive)
        directives = []
        result.append(block)
    if directives:
        raise PageError(page, directives[-1][1], "wanted a block behind the comment")
    return result


def without_code(text, inline=True):
    """The page with its code, fenced, indented or inline, blanked: lines stay where they are."""
    fenced = False
    lines = []
    for line in text.split("\n"):
        mark = line.lstrip().startswith("```")
        lines.append("" if fenced or mark or line.startswith("    ") else line)
        fenced ^= mark
    text = "\n".join(lines)
    return re.sub(r"`[^`\n]*`", lambda code: " " * len(code[0]), text) if inline else text


def anchors(text):
    """The anchors of a page's headings by their lines, as GitHub makes them."""
    result = {}
    for number, line in enumerate(without_code(text, inline=False).split("\n"), 1):
        heading = re.fullmatch(r"#{1,6} (.*)", line)
        if heading:
            words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
            slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
            copies = 0
            while (name := f"{slug}-{copies}" if copies else slug) in result.values():
                copies += 1
            result[number] = name
    return result


def links(text):
    """(target, line) of each link and picture of a page."""
    for number, line in enumerate(without_code(text).split("\n"), 1):
        for match in re.finditer(r"\]\(([^)\s]+)\)", line):
            yield match[1], number

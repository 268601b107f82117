"""Counts what shows whether the code stays easy to change: lines, functions, parameters, and what should not be there.

    python tests/measures.py [FOLDER]

`FOLDER` is a checkout, this one by default, so that two can be held side by side. Shipped code is `src` without its tests. Functions
are found by their braces, which `cargo fmt` puts where this expects them.
"""

import pathlib
import re
import statistics
import sys

FUNCTION = re.compile(r"^(\s*)(?:pub(?:\([^)]*\))?\s+)?(?:(?:const|async|unsafe)\s+)*fn\s+(\w+)")
TESTS = re.compile(r"^#\[cfg\((?:all\()?test[^\n]*\n(?:#\[.*\]\n)*(?:pub(?:\([^)]*\))?\s+)?mod \w+ \{", re.MULTILINE)

# What is counted in shipped code by a pattern: a name, the pattern, and the folder that it is about.
PATTERNS = [
    ("JSON by key in src/cli", r'\["[a-z_]+"\]|\.get\("[a-z_]+"\)', "cli"),
    ("Result<_, String>", r"Result<[^;{=]*, String>|Result<[^;{=]*, \(bool, String\)>", ""),
    ("Debug text in format!", r'format!\([^)]*\{[a-z_]*:\?\}', ""),
    ("unwrap", r"\.unwrap\(\)", ""),
    ("expect", r"\.expect\(", ""),
    ("panic and unreachable", r"\b(?:panic|unreachable)!", ""),
    ("unsafe blocks", r"\bunsafe (?:\{|fn|impl)", ""),
    ("clone()", r"\.clone\(\)", ""),
    ("let (a, b) = (x, y)", r"let \((?:[^()]|\([^()]*\))*\) = \((?:[^()]|\([^()]*\))*,", ""),
    ("parameters that are arrays of texts", r"^\s*(?:pub.*)?fn .*\[&str; \d\]", ""),
]


def shipped(text):
    """A file without its tests."""
    found = TESTS.search(text)
    return text[: found.start()] if found else text


def functions(text):
    """Name and length in lines of each function, from its signature to its closing brace."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        found = FUNCTION.match(line)
        if not found:
            continue
        for end in range(number, len(lines)):
            if lines[end] == found[1] + "}" or (end == number and line.endswith("}")):
                yield found[2], end - number + 1
                break
            if lines[end].endswith(";") and "{" not in "".join(lines[number : end + 1]):
                break


def quantile(values, share):
    """The value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main():
    checkout = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    src = checkout / "src"
    files = {path.relative_to(src): shipped(path.read_text()) for path in sorted(src.rglob("*.rs")) if path.name != "tests.rs"}
    lengths = [(length, f"{path}: {name}") for path, text in files.items() for name, length in functions(text)]
    lines = {path: text.count("\n") for path, text in files.items()}
    sizes = [length for length, _ in lengths]
    print(f"shipped files: {len(files)}; lines: {sum(lines.values())}")
    of_files = list(lines.values())
    print(f"lines of a file: median {statistics.median(of_files):.0f}, p90 {quantile(of_files, 0.9)}, max {max(of_files)}")
    print(
        f"functions: {len(sizes)}; lines: median {statistics.median(sizes):.0f}, p90 {quantile(sizes, 0.9)}, "
        f"p99 {quantile(sizes, 0.99)}, max {max(sizes)}; above 60: {sum(size > 60 for size in sizes)}"
    )
    print("longest: " + "; ".join(f"{where} {length}" for length, where in sorted(lengths, reverse=True)[:5]))
    for what, pattern, folder in PATTERNS:
        texts = [text for path, text in files.items() if str(path).startswith(folder)]
        count = sum(len(re.findall(pattern, text, re.MULTILINE)) for text in texts)
        print(f"{what}: {count}")
    rooms = {}
    for path, count in lines.items():
        rooms[path.parts[0]] = rooms.get(path.parts[0], 0) + count
    print("lines by room: " + ", ".join(f"{room} {count}" for room, count in sorted(rooms.items(), key=lambda room: -room[1])))


if __name__ == "__main__":
    main()

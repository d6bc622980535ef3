#!/usr/bin/env python3
"""Reads the source and checks the rules of the house, one TAP case a rule.

It takes text for what it is: comments and strings are blanked, functions are what begins with a
brace in column 0 and ends with one. clang-format and clang-tidy (./dev lint) see to the rest.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FUNCTION_LINES = 70
FILE_LINES = 600
COLUMNS = 100

# What a folder may include: the layers, downwards only. The four folders of layer 2 know nothing
# of each other. tests and bench may include everything.
LAYER_1 = {"engine/base"}
LAYER_2 = LAYER_1 | {"engine/event", "engine/http"}
LAYER_4 = LAYER_2 | {"state", "rules", "functions", "connectors", "engine/log"}
LAYER_5 = LAYER_4 | {"engine/stream", "engine/dispatch"}
LAYER_6 = LAYER_5 | {"engine/app"}
MAY_INCLUDE = {
    "engine/base": set(),
    "engine/event": LAYER_1,
    "engine/http": LAYER_1,
    "state": LAYER_2,
    "rules": LAYER_2 - {"engine/http"},
    "functions": LAYER_2,
    "connectors": LAYER_2,
    "engine/log": LAYER_2 | {"state/store.h"},
    "engine/stream": LAYER_4,
    "engine/dispatch": LAYER_4,
    "engine/app": LAYER_5,
    "engine/api": LAYER_6,
    "engine/cli": LAYER_6 | {"engine/api"},
}

# The one place where a library is used.
SEAMS = {
    r"rocksdb/": r"state/store[^/]*",
    r"(lua5\.4/)?(lua|lauxlib|lualib|luaconf)\.h": r"rules/.*",
    r"microhttpd\.h": r"engine/http/.*",
    r"curl/": r"engine/http/.*",
    r"simdjson": r"engine/event/[^/]*\.cc",
    r"jansson\.h": r"engine/event/.*",
    r"openssl/": r"engine/base/.*",
    r"zstd": r"engine/base/.*",
    r"zlib\.h": r"engine/base/.*",
    r"librdkafka/": r"engine/log/.*",
    r"seccomp\.h": r"functions/.*",
    r"cmocka\.h": r"tests/.*",
}

# Unbounded, unchecked, stateful, or a shell. Allocation goes through engine/base/memory.h.
BANNED = (
    "strcpy stpcpy strcat strncat sprintf vsprintf atoi atol atoll atof strtok gets "
    "scanf fscanf sscanf system popen alloca tmpnam tempnam mktemp"
).split()

PENDING = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")


def listed_files():
    output = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout
    return sorted(name for name in set(output.splitlines()) if (ROOT / name).is_file())


def blank(text):
    """The text with comments and the insides of literals as spaces; lines stay where they are."""
    literal = re.compile(
        r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)

    def spaces(match):
        found = match.group()
        inside = re.sub(r"[^\n]", " ", found)
        return found[0] + inside[1:-1] + found[-1] if found[0] in "\"'" else inside

    return literal.sub(spaces, text)


class Source:
    def __init__(self, name):
        self.name = name
        self.text = (ROOT / name).read_text(errors="replace")
        self.lines = self.text.splitlines()
        self.code = blank(self.text).splitlines()
        self.folder = next((f for f in MAY_INCLUDE if name.startswith(f + "/")), None)

    def places(self, pattern, lines):
        for number, line in enumerate(lines, 1):
            for match in re.finditer(pattern, line):
                yield "%s:%d" % (self.name, number), match

    def includes(self):
        """Place, the mark before the name (a quote or <), the name."""
        for number, line in enumerate(self.lines, 1):
            match = re.match(r"\s*#\s*include\s*([<\"])([^>\"]+)", line)
            if match and self.code[number - 1].strip():
                yield "%s:%d" % (self.name, number), match.group(1), match.group(2)


NAMES = listed_files()
C_NAMES = [name for name in NAMES if re.search(r"\.(c|cc|h)$", name)]
SCRIPTS = [
    name for name in NAMES
    if name.endswith((".py", ".sh", ".lua")) or name in ("dev", ".ci/run", "bench/run")
]
SOURCES = [Source(name) for name in C_NAMES]
HOUSE = [source for source in SOURCES if source.folder]


def includes_point_downwards():
    for source in HOUSE:
        allowed = MAY_INCLUDE[source.folder] | {source.folder}
        for place, mark, name in source.includes():
            if mark == '"' and name not in allowed and os.path.dirname(name) not in allowed:
                yield "%s: %s may not include %s" % (place, source.folder, name)


def includes_are_from_the_root():
    for source in SOURCES:
        for place, mark, name in source.includes():
            if mark == '"' and not (ROOT / name).is_file():
                yield "%s: no file %s: write the path from the root" % (place, name)


def libraries_have_one_seam():
    for source in HOUSE:
        for place, _, name in source.includes():
            for library, seam in SEAMS.items():
                if re.match(library, name) and not re.fullmatch(seam, source.name):
                    yield "%s: %s belongs to %s" % (place, name, seam)


def library_types_stay_inside():
    """A header that includes a library's is for its own folder."""
    private = {}
    for source in HOUSE:
        if source.name.endswith(".h"):
            for _, _, name in source.includes():
                if any(re.match(library, name) for library in SEAMS):
                    private[source.name] = name
    for source in HOUSE:
        for place, _, name in source.includes():
            if name in private and not name.startswith(source.folder + "/"):
                yield "%s: %s brings %s along" % (place, name, private[name])


def signature_start(source, brace):
    """The first line of the declaration whose body opens at the index `brace`."""
    start = brace
    while start > 0 and source.code[start - 1].strip() and not re.search(
            r"[;}]\s*$|^\s*#|\\$", source.code[start - 1]):
        start -= 1
    return start


def functions(source):
    """Name and extent of each function, as indexes of lines; an end of None was not found."""
    for index, line in enumerate(source.code):
        if line.rstrip() != "{":
            continue
        end = next((i for i in range(index, len(source.code)) if source.code[i][:1] == "}"), None)
        start = signature_start(source, index)
        name = re.search(r"(\w+)\s*\(", " ".join(source.code[start:index]))
        yield name.group(1) if name else "?", start, end


def functions_fit_a_screen():
    for source in SOURCES:
        for name, start, end in functions(source):
            place = "%s:%d: %s" % (source.name, start + 1, name)
            if end is None:
                yield "%s has no closing brace in column 0" % place
            elif end - start + 1 > FUNCTION_LINES:
                yield "%s has %d lines, more than %d" % (place, end - start + 1, FUNCTION_LINES)
        for place, _ in source.places(r"^\w[^=]*\)\s*\{\s*$", source.code):
            yield "%s: a function's opening brace belongs on a line of its own" % place


def files_are_short():
    for name in C_NAMES + SCRIPTS:
        count = (ROOT / name).read_text(errors="replace").count("\n")
        if count > FILE_LINES:
            yield "%s has %d lines, more than %d" % (name, count, FILE_LINES)


def lines_are_short():
    for source in SOURCES:
        for number, line in enumerate(source.lines, 1):
            width = len(line.expandtabs(8))
            if width > COLUMNS:
                yield "%s:%d has %d columns, more than %d" % (source.name, number, width, COLUMNS)


def no_banned_calls():
    pattern = r"(?<![\w.>])(%s)\s*\(" % "|".join(BANNED)
    for source in SOURCES:
        for place, match in source.places(pattern, source.code):
            yield "%s: %s is banned" % (place, match.group(1))


def no_allocation_but_ours():
    pattern = r"(?<![\w.>])(malloc|calloc|realloc|reallocarray|strdup|strndup|v?asprintf)\s*\("
    for source in HOUSE:
        if source.name != "engine/base/memory.c":
            for place, match in source.places(pattern, source.code):
                yield "%s: use dal_%s (engine/base/memory.h)" % (place, match.group(1))


def structs_have_no_typedef():
    for source in SOURCES:
        for place, _ in source.places(r"\btypedef\s+(struct|union)\b", source.code):
            yield "%s: write the struct's name" % place


def nothing_is_left_for_later():
    for name in C_NAMES + SCRIPTS + [n for n in NAMES if n.endswith("meson.build")]:
        for number, line in enumerate((ROOT / name).read_text(errors="replace").splitlines(), 1):
            if PENDING.search(line):
                yield "%s:%d: finish it, or open an issue" % (name, number)


def meson_strings(folder):
    """All strings in a folder's meson.build, and in its parents' with paths relative to it."""
    strings = set()
    for parent in [folder, *folder.parents]:
        path = ROOT / parent / "meson.build"
        if path.is_file():
            strings |= set(re.findall(r"'([^'\n]*)'", path.read_text()))
        if parent == Path("."):
            break
    return strings


def is_built(path):
    """'a.c' is in a meson.build, or 'a' and '_test.c' are and the build puts them together."""
    strings = meson_strings(path.parent)
    name = path.name
    return name in strings or str(path) in strings or any(
        name[:i] in strings and name[i:] in strings for i in range(1, len(name)))


def every_source_is_built():
    for source in SOURCES:
        if not source.name.endswith(".h") and not is_built(Path(source.name)):
            yield "%s is in no meson.build" % source.name


def every_header_is_used():
    used = {name for source in SOURCES for _, _, name in source.includes()}
    for source in SOURCES:
        if source.name.endswith(".h") and source.name not in used:
            yield "%s is included by nobody" % source.name


def headers_have_guards():
    """DAL_ and the path: without engine/, and the unit tests' with or without unit/."""
    for source in SOURCES:
        if not source.name.endswith(".h"):
            continue
        paths = [re.sub(r"^engine/", "", source.name), source.name.replace("tests/unit/", "tests/")]
        guards = ["DAL_" + re.sub(r"[^A-Z0-9]", "_", path.upper()) for path in paths]
        expected = r"\s*#ifndef (%s)\n#define \1\n.*#endif\s*$" % "|".join(guards)
        if not re.match(expected, blank(source.text), re.DOTALL):
            yield "%s: the guard should be %s, around all of it" % (source.name, guards[0])


def folders_have_a_readme():
    folders = {source.folder for source in HOUSE} | {"tests"}
    folders |= {"bench"} if any(name.startswith("bench/") for name in NAMES) else set()
    folders |= {"/".join(n.split("/")[:2]) for n in NAMES if re.match(r"examples/[^/]+/", n)}
    for folder in sorted(folders):
        if not (ROOT / folder / "README.md").is_file():
            yield "%s has no README.md" % folder


def tables_name_every_folder():
    """A folder of sources that the tables above don't know would not be checked at all."""
    known = set(MAY_INCLUDE) | {"tests", "bench", "examples"}
    for name in C_NAMES:
        if not any(name.startswith(folder + "/") for folder in known):
            yield "%s is in no folder of the house" % name


RULES = [
    includes_point_downwards,
    includes_are_from_the_root,
    libraries_have_one_seam,
    library_types_stay_inside,
    functions_fit_a_screen,
    files_are_short,
    lines_are_short,
    no_banned_calls,
    no_allocation_but_ours,
    structs_have_no_typedef,
    nothing_is_left_for_later,
    every_source_is_built,
    every_header_is_used,
    headers_have_guards,
    folders_have_a_readme,
    tables_name_every_folder,
]


def main():
    failed = 0
    print("1..%d" % len(RULES))
    for number, rule in enumerate(RULES, 1):
        findings = list(rule())
        failed += bool(findings)
        name = rule.__name__.replace("_", " ")
        print("%sok %d - %s" % ("not " if findings else "", number, name))
        for finding in findings:
            print("# %s" % finding)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

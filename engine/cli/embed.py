"""Writes the files of a folder as C: embed.py FOLDER OUTPUT. For `dalamb init`."""

import os
import sys


def literal(data):
    """Bytes as string literals, a line of the file on a line of the source."""
    lines = []
    for line in data.split(b"\n"):
        text = "".join(
            chr(b) if 32 <= b < 127 and b not in b'"\\?' else "\\%03o" % b for b in line
        )
        lines.append('\t"' + text + '\\n"')
    lines[-1] = lines[-1].replace('\\n"', '"')
    return "\n".join(lines)


def main():
    root, output = sys.argv[1:]
    files = sorted(
        os.path.relpath(os.path.join(folder, name), root)
        for folder, _, names in os.walk(root)
        for name in names
        if "__pycache__" not in folder
    )
    with open(output, "w", encoding="ascii") as out:
        out.write('#include "engine/cli/template.h"\n\n')
        out.write("const struct dal_template_file dal_template_files[] = {\n")
        for name in files:
            with open(os.path.join(root, name), "rb") as file:
                out.write('\t{"%s",\n%s},\n' % (name, literal(file.read())))
        out.write("\t{0},\n};\n")


main()

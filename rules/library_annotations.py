"""Writes library.d.lua as a C string: library_annotations.py INPUT OUTPUT."""

import sys

source, output = sys.argv[1:]
with open(source, encoding="utf-8") as file, open(output, "w", encoding="ascii") as out:
    out.write("extern const char dal_library_annotations[];\nconst char dal_library_annotations[] =\n")
    for line in file.read().encode().splitlines():
        text = "".join(chr(b) if 32 <= b < 127 and b not in b'"\\?' else "\\%03o" % b for b in line)
        out.write('\t"%s\\n"\n' % text)
    out.write("\t;\n")

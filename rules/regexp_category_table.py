#!/usr/bin/env python3
"""Writes regexp_category_table.c:

	python3 rules/regexp_category_table.py > rules/regexp_category_table.c

The source is the Unicode database inside Python. Code points are written as runs of one general
category, each from its first one to the next run's.
"""
import unicodedata

NAMES = (
    "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn"
).split()
COLUMNS = 92

runs = []
previous = None
for code in range(0x110000):
    category = unicodedata.category(chr(code))
    if category != previous:
        runs.append("0x%X," % (code << 5 | NAMES.index(category)))
        previous = category

print("/* Unicode %s. Written by regexp_category_table.py: change that. */"
      % unicodedata.unidata_version)
print("/* clang-format off */")
print('#include "rules/regexp_category.h"\n')
print("const char dal_regexp_category_names[DAL_REGEXP_CATEGORIES][3] = {")
for start in range(0, len(NAMES), 10):
    print("\t%s" % " ".join('"%s",' % name for name in NAMES[start:start + 10]))
print("};\n")
print("const uint32_t dal_regexp_category_runs[] = {")
line = ""
for run in runs:
    if len(line) + 1 + len(run) > COLUMNS:
        print("\t" + line)
        line = ""
    line += (" " if line else "") + run
print("\t%s\n};" % line)
print(
    "const size_t dal_regexp_category_run_count =\n"
    "\tsizeof(dal_regexp_category_runs) / sizeof(dal_regexp_category_runs[0]);"
)

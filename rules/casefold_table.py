#!/usr/bin/env python3
"""Writes casefold_table.c: python3 rules/casefold_table.py > rules/casefold_table.c

The source is the Unicode database inside Python. Its casefold() is full folding; where that gives
several characters, simple folding (CaseFolding.txt, status S) is the simple lower case mapping.
"""
import unicodedata

ranges = []  # [first, last, delta, stride]
for code in range(0x110000):
    character = chr(code)
    folded = character.casefold()
    if len(folded) > 1:
        folded = character.lower()
    if len(folded) > 1 or folded == character:
        continue
    delta = ord(folded) - code
    if ranges and ranges[-1][2] == delta:
        first, last, _, stride = ranges[-1]
        step = code - last
        if step <= 2 and (first == last or step == stride):
            ranges[-1][1], ranges[-1][3] = code, step
            continue
    ranges.append([code, code, delta, 1])

print("/* Unicode %s. Written by casefold_table.py: change that. */" % unicodedata.unidata_version)
print("/* clang-format off */")
print('#include "rules/casefold.h"\n')
print("const struct dal_casefold_range dal_casefold_ranges[] = {")
for first, last, delta, stride in ranges:
    print("\t{0x%05X, 0x%05X, %d, %d}," % (first, last, delta, stride))
print("};")
print(
    "const size_t dal_casefold_range_count =\n"
    "\tsizeof(dal_casefold_ranges) / sizeof(dal_casefold_ranges[0]);"
)

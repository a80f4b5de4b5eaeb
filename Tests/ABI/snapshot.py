"""Writes a C program that prints the size of every struct of the ABI and the offset of every member.

    python3 snapshot.py INCLUDE_FOLDER > snapshot.c
"""

import re
import sys
from pathlib import Path

folder = Path(sys.argv[1]) / "roost"
print('#include <stddef.h>\n#include <stdio.h>\n#include "roost/roost.h"\n\nint main(void) {')
for header in sorted(folder.glob("*.h")):
    text = re.sub(r"/\*.*?\*/", "", header.read_text(encoding="utf-8"), flags=re.S)
    for name, body in re.findall(r"struct\s+(roost_\w+)\s*\{(.*?)\n?\}\s*\w*\s*;", text, flags=re.S):
        print(f'    printf("%s struct {name} %zu\\n", "{header.name}", sizeof(struct {name}));')
        for member in re.split(r";", body):
            member = " ".join(member.split())
            if not member:
                continue
            # A function pointer names itself in "(*name)"; everything else last, before an array's brackets.
            found = re.search(r"\(\*\s*(\w+)\)", member) or re.search(r"(\w+)(?:\[\w+\])?$", member)
            field = found.group(1)
            print(
                f'    printf("%s   {name}.{field} at %zu, %zu bytes\\n", "{header.name}", '
                f"offsetof(struct {name}, {field}), sizeof(((struct {name} *)0)->{field}));")
    for name, value in re.findall(r"^#define\s+(ROOST_\w+)[ \t]+(\(?-?(?:0x)?[0-9A-Fa-f]+u?\)?)[ \t]*$", text, flags=re.M):
        print(f'    printf("%s #define {name} %lld\\n", "{header.name}", (long long)({value}));')
    for name, value in re.findall(r'^#define\s+(ROOST_\w+)[ \t]+(".*")[ \t]*$', text, flags=re.M):
        shown = value.strip('"').replace("\\", "\\\\")
        print(f'    printf("%s #define {name} {shown}\\n", "{header.name}");')
print("    return 0;\n}")

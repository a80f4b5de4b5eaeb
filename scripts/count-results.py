#!/usr/bin/env python3
"""Reads how many tests passed and failed: count-results.py EXIT-STATUS LOG

Prints two numbers. Understands swift-testing, XCTest, pytest, and a line that is exactly `N passed, N failed`; a step
that tells no numbers counts as one test. A step that exits with an error never counts as free of failures.
"""

import re
import sys
from pathlib import Path

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
OWN = re.compile(r"^(\d+) passed, (\d+) failed(?:, \d+ skipped)?$", re.M)
PYTEST = re.compile(r"^(?:=+ )?((?:\d+ (?:passed|failed|errors?|skipped|warnings?|xfailed|xpassed|deselected)(?:, )?)+)"
                    r" in [\d.]+s", re.M)
SWIFT_TESTING = re.compile(r"Test run with (\d+) tests?\b.* (passed|failed) after ")
SWIFT_FAILED = re.compile(r"^. Test (?!run\b|case\b)(?:\"[^\n]*\"|\S+) (?:with \d+ test cases? )?failed after ", re.M)
XCTEST = re.compile(r"^\s*Executed (\d+) tests?, with (?:\d+ tests? skipped and )?(\d+) failures?", re.M)


def count(text):
    passed = failed = 0
    if own := OWN.findall(text):
        # The last line is the sum; lines before it belong to parts.
        passed, failed = map(int, own[-1])
        return passed, failed
    for line in PYTEST.findall(text):
        numbers = {word.rstrip("s"): int(number) for number, word in re.findall(r"(\d+) (\w+)", line)}
        passed += numbers.get("passed", 0)
        failed += numbers.get("failed", 0) + numbers.get("error", 0)
    for total, result in SWIFT_TESTING.findall(text):
        bad = max(len(SWIFT_FAILED.findall(text)), 1) if result == "failed" else 0
        passed += max(int(total) - bad, 0)
        failed += bad
    if executed := XCTEST.findall(text):
        # XCTest prints one line for each suite; the last is that of all.
        total, bad = map(int, executed[-1])
        passed += max(total - bad, 0)
        failed += bad
    return passed, failed


def main():
    status = int(sys.argv[1])
    passed, failed = count(ESCAPES.sub("", Path(sys.argv[2]).read_text(encoding="utf-8", errors="replace")))
    if status != 0 and failed == 0:
        failed = 1
    if passed + failed == 0:
        passed = 1
    print(passed, failed)


if __name__ == "__main__":
    main()

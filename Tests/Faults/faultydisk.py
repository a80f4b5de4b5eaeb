"""A disk that fails on order: builds failing_disk.c and steers it through a page that it shares with the process."""

import ctypes
import errno
import mmap
import os
import shutil
import subprocess
import sys

OFF, ONCE, FROM, KILL, SHORT = range(5)
ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO}


class Page(ctypes.Structure):
    """struct control of failing_disk.c."""

    _fields_ = [(name, ctypes.c_uint32) for name in ("mode", "error", "target", "seen", "failed", "mask")] + [
        ("folder", ctypes.c_char * 4096)
    ]


def build(folder):
    """Compiles the library and returns its path."""
    compiler = shutil.which("cc") or shutil.which("gcc") or sys.exit("a C compiler is missing")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "failing_disk.c")
    library = os.path.join(folder, "failing_disk.so")
    subprocess.run(
        [compiler, "-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


class FaultyDisk:
    """One control page. Calls that change files below `folder` are counted, and failed as `arm` says."""

    def __init__(self, library, path, folder):
        self.library, self.path = library, path
        with open(path, "wb") as file:
            file.write(bytes(ctypes.sizeof(Page)))
        self.file = open(path, "r+b")
        self.memory = mmap.mmap(self.file.fileno(), ctypes.sizeof(Page))
        self.page = Page.from_buffer(self.memory)
        self.page.folder = os.path.realpath(folder).encode()

    @property
    def environment(self):
        return dict(os.environ, LD_PRELOAD=self.library, ROOST_FAULT_CONTROL=self.path)

    def arm(self, mode, target, error=0):
        """Fails the call of this number, counted from now on; with FROM those after it too."""
        self.page.mode = OFF
        self.page.seen = self.page.failed = 0
        self.page.error = error
        self.page.target = target
        self.page.mode = mode

    def heal(self):
        """Ends all faults and returns how many calls there were and how many of them failed."""
        self.page.mode = OFF
        return self.page.seen, self.page.failed

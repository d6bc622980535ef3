"""Mounts that no test can leave behind: in a mount namespace of this process and its children."""

import ctypes
import os
import subprocess

CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 0x4000, 0x40000

_entered = False


def enter_namespace():
    """OSError where it is refused. With the last process in it all its mounts end."""
    global _entered
    if _entered:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if (
        libc.unshare(CLONE_NEWNS) != 0
        or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0
    ):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _entered = True


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError("%s: %s" % (" ".join(map(str, command)), done.stderr.strip()))


def mount(*words):
    enter_namespace()
    run("mount", *words)


def unmount(path):
    run("umount", path)

"""A disk whose power can be cut: ext4 on a loop device, shut down without a flush of its journal.

What was written and not synced is gone then, as after a power failure. Needs root, loop devices and
mounts; `unavailable()` says what is lacking, or None.
"""

import fcntl
import os
import signal
import struct
import tempfile
from pathlib import Path

from support.engine import wait_for
from support.mounts import mount, run, unmount

EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32), linux/ext4.h
NO_LOG_FLUSH = 2
SIZE_BYTES = 512 << 20  # sparse


class Volume:
    """Lives in a private mount namespace, on a loop device that ends with its mount."""

    def __init__(self, folder):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.image, self.path = folder / "image", folder / "mount"
        self.path.mkdir(exist_ok=True)
        with self.image.open("wb") as image:
            image.truncate(SIZE_BYTES)
        run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,nodiscard", self.image)

    def mount(self):
        mount("-t", "ext4", "-o", "loop", self.image, self.path)
        return self

    def shut_down(self):
        root = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(root, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(root)

    def sync(self):
        """What is written so far will be there, as if the kernel had come to it by itself."""
        run("sync", "--file-system", self.path)

    def crash(self, engine):
        """The power goes while the engine runs, and comes back: the engine is gone."""
        os.kill(engine.pid, signal.SIGSTOP)
        try:
            self.shut_down()
        finally:
            engine.kill()
        wait_for(self.unmounted, 10, "unmounting", every_s=0.02)
        self.mount()

    def unmounted(self):
        """A process that is ending may still hold it."""
        try:
            unmount(self.path)
            return True
        except OSError:
            return False

    def close(self):
        if os.path.ismount(self.path):
            wait_for(self.unmounted, 10, "unmounting", every_s=0.02)
        self.image.unlink(missing_ok=True)


def unavailable():
    """Why a power loss can't be tried here, or None."""
    if os.geteuid() != 0:
        return "needs root, for loop devices and mounts"
    with tempfile.TemporaryDirectory() as folder:
        try:
            volume = Volume(folder)
            try:
                volume.mount()
                volume.shut_down()
            finally:
                volume.close()
        except OSError as error:
            return "ext4 on a loop device can't be shut down here: %s" % error
    return None

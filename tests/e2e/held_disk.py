"""
held_disk.py: stacks whose audit ("synced") is on a disk that a test can hold up or let fail (held_disk.c).
"""
import contextlib
import os

import harness

BINARY = os.environ.get("PGVIGIL_HELD_DISK") or harness.binary() + "-held-disk"


class Disk:
    """The disk that the audit is on, as pgvigil sees it."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()

    def syncs(self):
        count = self.folder / "count"
        return count.stat().st_size if count.exists() else 0

    @contextlib.contextmanager
    def held(self):
        (self.folder / "hold").touch()
        try:
            yield
        finally:
            (self.folder / "hold").unlink(missing_ok=True)

    def let_pass(self, number):
        """While held: as many syncs in all."""
        (self.folder / "next").write_text(str(number))
        (self.folder / "next").rename(self.folder / "hold")

    @contextlib.contextmanager
    def failing(self):
        (self.folder / "fail").touch()
        try:
            yield
        finally:
            (self.folder / "fail").unlink()


def make(make_stack, folder, serve=True, **kw):
    """A stack on such a disk, which is its `disk`; `folder` is made for it. Serve it again with harness.running(BINARY)."""
    disk = Disk(folder)
    with harness.running(BINARY):
        own = make_stack(serve=serve, durability="synced", env={"HELD_DISK": str(folder)}, **kw)
    own.disk = disk
    return own

"""The state that scenarios start from: a guest that has just booted, kept on disk between runs."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from .guest import Guest
from .image import Image, lab_directory, locked
from .requirements import qemu_version


def booted_disk(image: Image, run_directory: Path) -> Path:
    """A disk that holds the saved state `guest.BOOTED` of that image, from the cache or made now by booting it."""
    name = image.path.stem.partition("-")[0]
    with locked(f"booted-{name}"):
        maker = Guest.create(f"booted-{name}", image, run_directory / f"booting-{name}")
        ingredients = "\0".join([image.digest, qemu_version(), *maker.machine.hardware()])
        path = lab_directory() / f"booted-{name}-{hashlib.sha256(ingredients.encode()).hexdigest()[:16]}.qcow2"
        if not path.exists():
            for old in lab_directory().glob(f"booted-{name}-*.qcow2"):
                old.unlink()
            try:
                maker.power_on()
                maker.settle()
                maker.save()
            finally:
                maker.power_off_hard()
            maker.machine.disk.rename(path)
        shutil.rmtree(maker.directory)
        return path

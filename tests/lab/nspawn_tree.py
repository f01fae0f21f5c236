"""Root trees of containers: built once, kept between runs, built anew when their recipe changes.

As with the disk images, a tree is named by a hash of all that goes into it. Containers share it read-only.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from .image import BUILD_SECONDS, COMMON, lab_directory, locked, login_key, run_builder

HERE = Path(__file__).parent
BUILDER = HERE / "build-nspawn.sh"
UPDATE_GRUB = HERE.parents[1] / "sriov/simulation/stubs/update-grub.sh"
NOVA_SOURCES = (
    *(HERE / f"nspawn_{name}.py" for name in ("driver", "nova", "placement")),
    HERE.parent / "cloud/sysfs_driver.py",
)

PLAIN_PACKAGES = ("systemd-sysv", "dbus", "openssh-server", "iproute2", "python3-minimal")
NOVA_PACKAGES = (*PLAIN_PACKAGES, "nova-compute", "nova-scheduler", "nova-conductor", "rabbitmq-server")


@dataclass(frozen=True, slots=True)
class TreeRecipe:
    """What goes into a tree. `nova` is `standin` (nova's configuration files, units that sleep) or `nova`."""

    name: str
    suite: str
    packages: tuple[str, ...]
    nova: str


FLEET = TreeRecipe("fleet", "bookworm", PLAIN_PACKAGES, "standin")
BOOKWORM = TreeRecipe("nova26", "bookworm", NOVA_PACKAGES, "nova")
TRIXIE = TreeRecipe("nova31", "trixie", NOVA_PACKAGES, "nova")


@dataclass(frozen=True, slots=True)
class Tree:
    """A built tree. `host_keys` are lines `ssh-ed25519 AAAA...` of its SSH servers; `key` is what logs in."""

    path: Path
    key: Path
    host_keys: tuple[str, ...]


def build(recipe: TreeRecipe) -> Tree:
    """The tree of that recipe, from the cache or built now (one to four minutes). ImageError."""
    with locked(f"tree-{recipe.name}"):
        key = login_key()
        sources: tuple[Path, ...] = (BUILDER, COMMON, UPDATE_GRUB, key.with_suffix(".pub"))
        sources += NOVA_SOURCES if recipe.nova == "nova" else ()
        ingredients = (*(path.read_text() for path in sources), recipe.suite, *recipe.packages, recipe.nova)
        digest = hashlib.sha256("\0".join(ingredients).encode()).hexdigest()[:16]
        path = lab_directory() / f"tree-{recipe.name}-{digest}"
        host_keys = Path(f"{path}.hostkeys")
        if not host_keys.exists():  # it is written last
            _remove(recipe)
            arguments = [str(path), recipe.suite, str(key.with_suffix(".pub")), ",".join(recipe.packages), recipe.nova]
            run_builder(BUILDER, f"tree-{recipe.name}", arguments, BUILD_SECONDS)
        return Tree(path, key, tuple(" ".join(line.split()[:2]) for line in host_keys.read_text().splitlines()))


def _remove(recipe: TreeRecipe) -> None:
    """Delete trees of older recipes of that name, and what an interrupted build left."""
    for old in lab_directory().glob(f"tree-{recipe.name}-*"):
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink()

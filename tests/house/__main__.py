"""`python -m house`: what `make house` prints, a line per package and per folder."""

import sys

from house import packages


def main() -> int:
    """Print the structure; return the exit status."""
    for name in packages.PACKAGES:
        package = packages.read(name)
        print(
            f"{name}: {len(package.modules)} modules in {len(package.folders)} folders, "
            f"{len(package.imports)} imports, {len(package.streets())} between folders, "
            f"{len(packages.upward(package))} of the imports up"
        )
        for folder in sorted(package.folders):
            modules = package.modules_of(folder)
            print(f"  {folder.removeprefix(name).lstrip('.') or '.':28} {len(modules):2}  {' '.join(modules)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

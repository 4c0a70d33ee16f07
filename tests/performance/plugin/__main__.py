"""What the plugin's process takes, and which packages it imports: `python -m performance.plugin [--python FILE]`.

``--python`` is an interpreter with the packages of deviceplugin/requirements.txt: that of the image, for one.
"""

import argparse
import collections
import sys

from performance.plugin import measuring

_MIB = 2**20
_SHOWN = 12


def main() -> None:
    """Print a line of figures, and the packages with the most modules."""
    parser = argparse.ArgumentParser(prog="python -m performance.plugin", description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="interpreter that runs the plugin")
    parser.add_argument("--type", default="trn1.32xlarge", help="instance type of the node")
    options = parser.parse_args()
    found = measuring.measure(options.type, (options.python,))
    imported = measuring.modules(options.type, (options.python,))
    packages = collections.Counter(each.partition(".")[0] for each in imported)
    print(
        f"RSS {found.resident / _MIB:.1f} MiB, PSS {found.proportional / _MIB:.1f} MiB, "
        f"at most {found.peak / _MIB:.1f} MiB, {found.threads} threads, "
        f"registered after {found.registered_seconds:.2f} s, {len(imported)} modules"
    )
    print(", ".join(f"{name} {count}" for name, count in packages.most_common(_SHOWN)))


if __name__ == "__main__":
    main()

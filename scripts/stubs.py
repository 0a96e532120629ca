"""Writes `__init__.pyi` beside each package whose names load lazily, for editors and type checkers.

    python scripts/stubs.py [--check]
"""

import ast
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEAD = '"""Made by scripts/stubs.py from the table in __init__.py."""\n\n'


def stub(source):
    """The imports that a lazy package stands for, or `None` where it is not lazy."""
    calls = [
        node for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "attach"
    ]
    if not calls:
        return None
    renamed = []
    table = {k.arg: ast.literal_eval(k.value) for k in calls[0].keywords}
    package = ".".join(source.parent.relative_to(ROOT).parts)
    lines = [
        f"from {package} import {name} as {name}" for name in table.get("modules", "").split()
    ]
    for path, names in table.get("names", {}).items():
        for word in names.split():
            public, _, own = word.partition("=")
            own = own or public
            if own == public:
                lines.append(f"from {path} import {own} as {own}")
            else:  # an import under another name is not seen from outside of a stub
                lines.append(f"from {path} import {own} as _{own}")
                renamed.append(f"{public} = _{own}")
    if "__version__" in source.read_text():
        lines.append(f"from {package}._version import __version__ as __version__")
    return HEAD + "\n".join([*sorted(lines), *[""] * bool(renamed), *renamed]) + "\n"


def main():
    stale = []
    for source in sorted((ROOT / "kerasish").rglob("__init__.py")):
        text, target = stub(source), source.with_suffix(".pyi")
        if text is not None and (not target.exists() or target.read_text() != text):
            stale.append(str(target.relative_to(ROOT)))
            if "--check" not in sys.argv:
                target.write_text(text)
    if stale and "--check" in sys.argv:
        sys.exit(f"Stale: {stale}. Run python scripts/stubs.py.")


if __name__ == "__main__":
    main()

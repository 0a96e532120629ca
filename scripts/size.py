"""Code lines (no blanks, comments, docstrings) of each adapter, of ops and layers; primitives."""

import ast
import io
import pathlib
import tokenize

ROOT = pathlib.Path(__file__).resolve().parent.parent / "kerasish"


def code_lines(path):
    text = path.read_text()
    skipped = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                skipped.update(range(first.lineno, first.end_lineno + 1))
    blank = (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT,
             tokenize.ENDMARKER)
    found = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in blank
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(found - skipped)


def main():
    from kerasish.backends.contract import primitives
    from kerasish.core.op import OPS

    total = 0
    for folder in ("backends/numpy", "backends/torch", "backends/jax", "backends/tensorflow",
                   "backends/symbolic", "core", "ops", "random", "layers", "losses", "metrics",
                   "optimizers", "models", "training", "callbacks", "saving"):
        count = sum(code_lines(p) for p in (ROOT / folder).rglob("*.py"))
        total += count
        print(f"{folder:22}{count:7}")
    print(f"{'these together':22}{total:7}")
    names = primitives()
    print(f"{len(OPS)} ops, {len(names)} of them primitives")


if __name__ == "__main__":
    main()

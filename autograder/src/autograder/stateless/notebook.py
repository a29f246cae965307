"""What the names of a notebook stand for, and the proof that follows them."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Container, Iterable, Sequence

from autograder.forbidden import imported
from autograder.parsed import nodes, parse
from autograder.stateless.harmless import BASES, BUILTINS, FOREIGN, METHODS
from autograder.stateless.reader import Reader
from autograder.stateless.syntax import (
    Kept,
    chain,
    is_constant,
    is_pattern,
    is_table,
    own_attributes,
    see_names,
    see_python,
)

# IPython binds these to inputs and outputs.
REBOUND = re.compile(r"_\d*|_i+|_i\d+|_[dio]h")


class Notebook:
    """What the names outside of all functions stand for, gathered from every cell.

    Attributes:
        functions: the definitions of a name, which may have several.
        classes: likewise.
        imports: what imported names stand for, wherever the import stands.
        constants: names of values that cannot change.
        tables: names that a released cell binds to a dict or a list of numbers or texts.
        variables: names that are bound in any other way.
        delicate: an attribute is set, or keywords are spread, which is harmless as long as it
            cannot reach a library's function or class.
        passes_functions: some function is handed around as a value.
    """

    def __init__(self, cells: Sequence[str], ours: Collection[str]) -> None:
        self.functions: dict[str, list[ast.FunctionDef]] = {}
        self.classes: dict[str, list[ast.ClassDef]] = {}
        self.imports: dict[str, set[str]] = {}
        self.constants: set[str] = set()
        self.tables: set[str] = set()
        self.variables: set[str] = set()
        self.delicate = self.passes_functions = False
        self.students: list[ast.stmt] = []
        for source in cells:
            tree = parse(source)
            self._bind(tree, source in ours)
            for node in nodes(source):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    for name, path in imported(node).items():
                        self.imports.setdefault(name, set()).add(path)
            if source not in ours:
                see_python(source)
                self.students += tree.body

    def prove(self, called: Iterable[str]) -> None:
        """Raise `Kept` unless what is called, and all that a student wrote, keeps nothing."""
        todo = list(called)
        for statement in self.students:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                todo.append(statement.name)
            else:
                see_names(statement)
                self._see_inner_names(statement)
                Reader(self).visit(statement)
        read: set[str] = set()
        while todo:
            if (name := todo.pop()) in read:
                continue
            read.add(name)
            if len(kinds := self.kinds(name)) > 1 or kinds - {"function", "class"}:
                raise Kept(f"{name} is bound in another way than by one def or class")
            for function in self.functions.get(name, ()):
                see_names(function)
                todo += Reader(self, function).read()
            for each in self.classes.get(name, ()):
                see_names(each)
                todo += self._read_class(each)
        if self.delicate and self.passes_functions:
            raise Kept("attributes are set or keywords spread, and functions are handed around")

    def _see_inner_names(self, statement: ast.stmt) -> None:
        """Outside of functions, what a lambda or a comprehension binds must not hide anything."""
        for node in ast.walk(statement):
            names = [node.arg] if isinstance(node, ast.arg) else []
            if isinstance(node, ast.comprehension):
                names = [each.id for each in ast.walk(node.target) if isinstance(each, ast.Name)]
            for name in names:
                if name in BUILTINS | FOREIGN or self.kinds(name) - {"variable"}:
                    raise Kept(f"line {statement.lineno}: {name} stands for something else")

    def _read_class(self, node: ast.ClassDef) -> list[str]:
        """A class may have methods and constants; what changes belongs to an instance."""
        uses: list[str] = []
        own = own_attributes(node)
        bases = [self.path(*chain(base)) for base in node.bases]
        if node.decorator_list or node.keywords or set(bases) - BASES:
            raise Kept(f"class {node.name} is derived or decorated")
        if own & {"device", "dtype"}:
            raise Kept(f"class {node.name} has a device or a dtype, which might be any text")
        for each in node.body:
            match each:
                case ast.FunctionDef(name=name):
                    if name.startswith("__") and name not in METHODS:
                        raise Kept(f"class {node.name} has {name}")
                    uses += Reader(self, each, own).read()
                case ast.Expr(ast.Constant()) | ast.Pass():
                    pass
                case ast.AnnAssign(target=ast.Name(), annotation=annotation, value=None):
                    Reader(self).see_annotation(annotation)
                case ast.Assign(targets=[ast.Name()], value=value) if is_constant(value):
                    pass
                case _:
                    raise Kept(f"line {each.lineno}: something else in class {node.name}")
        return uses

    def path(self, root: ast.expr, attributes: list[str]) -> str:
        """The full name of what a chain of attributes stands for, if its root was imported."""
        meaning = self.meaning(root.id) if isinstance(root, ast.Name) else "?"
        return ".".join([meaning, *attributes])

    def meaning(self, name: str) -> str:
        """What a global name stands for: the path of an import, "function", "class", "constant",
        "table", "variable" or "builtin"."""
        if REBOUND.fullmatch(name) or name in FOREIGN:
            raise Kept(f"the name {name}, whatever binds it")
        kinds = self.kinds(name)
        paths = self.imports.get(name, set())
        if len(kinds) > 1 or len(paths) > 1:
            raise Kept(f"{name} is bound in more ways than one")
        if not kinds and name not in BUILTINS:
            raise Kept(f"the name {name}")
        return next(iter(paths or kinds), "builtin")

    def kinds(self, name: str) -> set[str]:
        kinds: dict[str, Container[str]] = {
            "function": self.functions,
            "class": self.classes,
            "import": self.imports,
            "constant": self.constants,
            "table": self.tables,
            "variable": self.variables,
        }
        return {kind for kind, names in kinds.items() if name in names}

    def _bind(self, node: ast.AST, ours: bool) -> None:
        """Take down what a node outside of all functions binds."""
        inside: Iterable[ast.AST] = ast.iter_child_nodes(node)
        match node:
            case ast.FunctionDef(name=name):
                self.functions.setdefault(name, []).append(node)
                inside = [*node.decorator_list, node.args, *filter(None, [node.returns])]
            case ast.ClassDef(name=name):
                self.classes.setdefault(name, []).append(node)
                inside = [*node.decorator_list, *node.bases, *node.keywords]
            case ast.AnnAssign(target=ast.Name(id=name)) if ours and is_table(node):
                self.tables.add(name)
                inside = ()
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.expr() as value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if is_constant(value) or (is_pattern(value) and not ours):
                self.constants.add(name)
                inside = [node.annotation] if isinstance(node, ast.AnnAssign) else ()
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                self.variables.add(name)
            case ast.Global(names=names):
                self.variables.update(names)
            case (
                ast.AsyncFunctionDef(name=str(name)) | ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name))
                | ast.MatchMapping(rest=str(name))
            ):  # fmt: skip
                self.variables.add(name)
        for each in inside:
            self._bind(each, ours)

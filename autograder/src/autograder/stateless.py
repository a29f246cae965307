"""Proves, from their text, that the functions of a notebook keep nothing from one call to the next.

What such a function answers does not depend on what was called before it: a test that it passes
after other tests, it passes alone. So its tests may share a fork of the notebook (grading.py).
This is a proof or nothing: what is not known to keep nothing counts as something that might.

State needs a place that outlives a call: a global variable, an attribute of a function, a class or
a module, a default value, a file, a setting of a library, memory that was never initialised. So a
function may read globals that never change, call functions that keep nothing, and change what it
made itself or was given. Arguments are new for every call (worker/wire.py), and random generators
are seeded before it (worker/session.py). Which names of libraries are allowed: `harmless.py`.
"""

from __future__ import annotations

import ast
import keyword
import re
import symtable
from collections.abc import Collection, Container, Iterable, Iterator, Sequence

import torch
from IPython.core.inputtransformer2 import TransformerManager

from autograder.harmless import (
    ATTRIBUTES,
    BASES,
    BUILTINS,
    CALLS,
    DIRECT,
    FOREIGN,
    HANDLED,
    KEYWORDS_REFUSED,
    KINDS,
    LIMITED,
    METHODS,
    MODULES,
    OF_MODULES,
    READERS,
    READING,
    SETTABLE,
    VALUES,
    WRAPPERS,
)

_PLAIN = (
    *(ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Delete, ast.For),
    *(ast.While, ast.If, ast.Raise, ast.Try, ast.ExceptHandler, ast.Assert, ast.Pass, ast.Break),
    *(ast.Continue, ast.Nonlocal, ast.Lambda, ast.arguments, ast.arg, ast.BoolOp, ast.NamedExpr),
    *(ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Dict, ast.Set, ast.ListComp, ast.SetComp),
    *(ast.DictComp, ast.GeneratorExp, ast.comprehension, ast.Compare, ast.keyword, ast.JoinedStr),
    *(ast.FormattedValue, ast.Constant, ast.Subscript, ast.Starred, ast.List, ast.Tuple),
    *(ast.Slice, ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop),
)
# Reading takes long where many scopes have many names.
MAX_CELL_CHARS, MAX_CHARS = 20_000, 100_000
_IMMUTABLE = {"bool", "bytes", "float", "int", "str"}
# IPython binds these to inputs and outputs.
_REBOUND = re.compile(r"_\d*|_i+|_i\d+|_[dio]h")
_OF_EVERY_MODULE = set(dir(torch.nn.Module())) - OF_MODULES


def state_kept(cells: Sequence[str], ours: Collection[str], called: Iterable[str]) -> str:
    """Why functions of a notebook might keep state; "" where it is proved that they do not.

    Args:
        cells: the sources of the code cells that run.
        ours: the sources of the released ones. What these do when they run is trusted; the
            functions that they define are not.
        called: the functions that tests will call.
    """
    students = [source for source in cells if source not in ours]
    longest = max(map(len, students), default=0)
    if longest > MAX_CELL_CHARS or sum(map(len, students)) > MAX_CHARS:
        return "it is too long to be read"
    try:
        _Notebook(cells, ours).prove(called)
    except _Kept as kept:
        return str(kept)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"it cannot be read ({type(error).__name__})"
    return ""


class _Kept(Exception):
    """This might keep state; the message says what."""


class _Notebook:
    """What the names outside of all functions stand for, gathered from every cell.

    Attributes:
        functions: the definitions of a name, which may have several.
        classes: likewise.
        imports: what imported names stand for.
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
            tree = ast.parse(source)
            self._bind(tree, source in ours)
            if source not in ours:
                _see_python(source)
                self.students += tree.body

    def prove(self, called: Iterable[str]) -> None:
        """Raise `_Kept` unless what is called, and all that a student wrote, keeps nothing."""
        todo = list(called)
        for statement in self.students:
            _see_names(statement)
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                todo.append(statement.name)
            else:
                self._see_inner_names(statement)
                _Reader(self).visit(statement)
        read: set[str] = set()
        while todo:
            if (name := todo.pop()) in read:
                continue
            read.add(name)
            if len(kinds := self.kinds(name)) > 1 or kinds - {"function", "class"}:
                raise _Kept(f"{name} is bound in another way than by one def or class")
            for function in self.functions.get(name, ()):
                _see_names(function)
                todo += _Reader(self, function).read()
            for each in self.classes.get(name, ()):
                _see_names(each)
                todo += self._read_class(each)
        if self.delicate and self.passes_functions:
            raise _Kept("attributes are set or keywords spread, and functions are handed around")

    def _see_inner_names(self, statement: ast.stmt) -> None:
        """Outside of functions, what a lambda or a comprehension binds must not hide anything."""
        for node in ast.walk(statement):
            names = [node.arg] if isinstance(node, ast.arg) else []
            if isinstance(node, ast.comprehension):
                names = [each.id for each in ast.walk(node.target) if isinstance(each, ast.Name)]
            for name in names:
                if name in BUILTINS | FOREIGN or self.kinds(name) - {"variable"}:
                    raise _Kept(f"line {statement.lineno}: {name} stands for something else")

    def _read_class(self, node: ast.ClassDef) -> list[str]:
        """A class may have methods and constants; what changes belongs to an instance."""
        uses: list[str] = []
        own = _own(node)
        bases = [self.path(*_chain(base)) for base in node.bases]
        if node.decorator_list or node.keywords or set(bases) - BASES:
            raise _Kept(f"class {node.name} is derived or decorated")
        for each in node.body:
            match each:
                case ast.FunctionDef(name=name):
                    if name.startswith("__") and name not in METHODS:
                        raise _Kept(f"class {node.name} has {name}")
                    uses += _Reader(self, each, own).read()
                case ast.Expr(ast.Constant()) | ast.Pass():
                    pass
                case ast.AnnAssign(target=ast.Name(), annotation=annotation, value=None):
                    _Reader(self).see_annotation(annotation)
                case ast.Assign(targets=[ast.Name()], value=value) if _is_constant(value):
                    pass
                case _:
                    raise _Kept(f"line {each.lineno}: something else in class {node.name}")
        return uses

    def path(self, root: ast.expr, attributes: list[str]) -> str:
        """The full name of what a chain of attributes stands for, if its root was imported."""
        meaning = self.meaning(root.id) if isinstance(root, ast.Name) else "?"
        return ".".join([meaning, *attributes])

    def meaning(self, name: str) -> str:
        """What a global name stands for: the path of an import, "function", "class", "constant",
        "table", "variable" or "builtin"."""
        if _REBOUND.fullmatch(name) or name in FOREIGN:
            raise _Kept(f"the name {name}, whatever binds it")
        kinds = self.kinds(name)
        paths = self.imports.get(name, set())
        if len(kinds) > 1 or len(paths) > 1:
            raise _Kept(f"{name} is bound in more ways than one")
        if not kinds and name not in BUILTINS:
            raise _Kept(f"the name {name}")
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
            case ast.AnnAssign(target=ast.Name(id=name)) if ours and _is_table(node):
                self.tables.add(name)
                inside = ()
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.expr() as value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if _is_constant(value):
                self.constants.add(name)
                inside = [node.annotation] if isinstance(node, ast.AnnAssign) else ()
            case ast.Import() | ast.ImportFrom():
                for name, path in _imported(node):
                    self.imports.setdefault(name, set()).add(path)
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


class _Reader(ast.NodeVisitor):
    """Reads one function or method, or statements outside of all functions, and objects to what
    might keep state there."""

    def __init__(
        self,
        notebook: _Notebook,
        function: ast.FunctionDef | None = None,
        own: Collection[str] | None = None,
    ) -> None:
        """`own`: for a method, the attributes that its class defines."""
        self.notebook, self.function, self.own = notebook, function, own
        self.globals = None if function is None else _globals(function)
        self.instance = "" if function is None or own is None else _instance(function)
        self.uses: list[str] = []

    def read(self) -> list[str]:
        """Read the whole function; returns the notebook's functions and classes in it."""
        assert self.function is not None
        arguments = self.function.args
        for decorator in self.function.decorator_list:
            if self.own is not None or not self._is_wrapper(decorator):
                raise _Kept(f"line {decorator.lineno}: the decorator {ast.unparse(decorator)}")
        for each in ast.walk(arguments):
            if isinstance(each, ast.arg) and each.annotation is not None:
                _Reader(self.notebook).see_annotation(each.annotation)
        if self.function.returns is not None:
            _Reader(self.notebook).see_annotation(self.function.returns)
        # Made once, when the function is defined, they live as long as it does.
        for default in filter(None, (*arguments.defaults, *arguments.kw_defaults)):
            text = isinstance(default, ast.Constant) and isinstance(default.value, str)
            sent = text and _device(self.function) is not None
            if sent or not self._lasts(default):
                raise _Kept(f"line {default.lineno}: a default value that might change")
        for statement in self.function.body:
            self.visit(statement)
        return self.uses

    def generic_visit(self, node: ast.AST) -> None:
        if not isinstance(node, _PLAIN):
            raise _Kept(f"line {getattr(node, 'lineno', 0)}: {type(node).__name__}")
        super().generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """A function inside another one is new in every call."""
        if self.function is None or node.decorator_list:
            raise _Kept(f"line {node.lineno}: a function inside a block, or decorated inside one")
        if node.returns is not None:
            self.see_annotation(node.returns)
        for each in (node.args, *node.body):
            self.visit(each)

    def visit_arg(self, node: ast.arg) -> None:
        """The annotations of a function inside another one are evaluated in every call."""
        if node.annotation is not None:
            self.see_annotation(node.annotation)

    def see_annotation(self, node: ast.expr) -> None:
        """Kinds of Python's and of libraries, classes of the notebook, and what is made of them."""
        match node:
            case ast.Constant():
                return
            case ast.Name("object" | "type") if self._is_python(node):
                return
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                parts = [left, right]
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                pass
            case ast.Subscript(value=value, slice=inside) if self._is_kind(value, of="library"):
                parts = [inside]
            case _ if self._is_kind(node):
                return
            case _:
                raise _Kept(f"line {node.lineno}: the annotation {ast.unparse(node)}")
        for each in parts:
            self.see_annotation(each)

    def _is_kind(self, node: ast.expr, of: str = "") -> bool:
        root, attributes = _chain(node)
        if not isinstance(root, ast.Name) or not self._is_global(root):
            return False
        path = self.notebook.path(root, attributes)
        return path in KINDS | CALLS | {"builtin"} or (path == "class" and of != "library")

    def visit_Try(self, node: ast.Try) -> None:
        """Not what an exhausted stack leads to: libraries may show there what they did before."""
        for handler in node.handlers:
            kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
            for kind in kinds:
                if kind is None or not self._is_python(kind) or ast.unparse(kind) not in HANDLED:
                    raise _Kept(f"line {handler.lineno}: what is caught")
        if node.finalbody:
            raise _Kept(f"line {node.lineno}: finally")
        for each in (*node.body, *node.orelse):
            self.visit(each)
        for handler in node.handlers:
            for statement in handler.body:
                self.visit(statement)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        """Imports bind names outside of functions, to harmless modules or what they offer."""
        if self.function is not None:
            raise _Kept(f"line {node.lineno}: an import inside a function")
        paths = [path for _, path in _imported(node)]
        if isinstance(node, ast.Import):
            paths = [each.name for each in node.names]
        for path in paths:
            if path not in MODULES | CALLS | LIMITED.keys() | KINDS | VALUES:
                raise _Kept(f"line {node.lineno}: an import of {path}")

    visit_ImportFrom = visit_Import

    def visit_With(self, node: ast.With) -> None:
        """Only what switches gradients off or on, which ends with the block."""
        for item in node.items:
            root, _ = _chain(getattr(item.context_expr, "func", item.context_expr))
            known = isinstance(root, ast.Name) and self._is_global(root)
            if not known or not self._is_wrapper(item.context_expr):
                raise _Kept(f"line {node.lineno}: with {ast.unparse(item.context_expr)}")
            if item.optional_vars is not None:
                self.visit(item.optional_vars)
        for statement in node.body:
            self.visit(statement)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """The annotation of a variable is not evaluated in a function."""
        if self.function is None:
            self.see_annotation(node.annotation)
        for each in filter(None, (node.target, node.value)):
            self.visit(each)

    def visit_For(self, node: ast.For) -> None:
        for each in (node.target, node.iter, *node.body, *node.orelse):
            if not (each is node.iter and self._is_table(each)):
                self.visit(each)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for each in (node.target, node.iter, *node.ifs):
            if not (each is node.iter and self._is_table(each)):
                self.visit(each)

    def visit_Call(self, node: ast.Call) -> None:
        for word in node.keywords:
            spread = word.arg is None and not self._is_own(node.func)
            sent = word.arg == "device" and not self._is_place(word.value)
            if word.arg in KEYWORDS_REFUSED or spread or sent:
                raise _Kept(f"line {node.lineno}: the argument {ast.unparse(word)}")
            self.notebook.delicate |= word.arg is None
        stars = any(isinstance(each, ast.Starred) for each in node.args)
        to = isinstance(node.func, ast.Attribute) and node.func.attr == "to"
        if to and (stars or not all(map(self._is_place, node.args))):
            raise _Kept(f"line {node.lineno}: {ast.unparse(node)}")
        for place in self._devices(node.func):
            if stars or not all(map(self._is_place, node.args[place : place + 1])):
                raise _Kept(f"line {node.lineno}: {ast.unparse(node)}")
        if stars:
            self._see(node.func, "call")
            return self._arguments(node)
        match node:
            case ast.Call(
                ast.Attribute(ast.Call(ast.Name("super") as super_, [], []), "__init__"), [], []
            ) if self._is_python(super_):
                return None  # of one of the bases that are allowed
            case ast.Call(
                ast.Name("getattr" | "hasattr") as get, [of, ast.Constant(str(name)), *default], []
            ) if self._is_python(get):
                self._see(ast.copy_location(ast.Attribute(of, name, ast.Load()), node))
                for each in default:
                    self.visit(each)
                return None
            case ast.Call(ast.Name("isinstance"), [of, kinds], []) if self._is_python(node.func):
                self.visit(of)
                for each in kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]:
                    self._see(each, "kind")
                return None
        root, attributes = _chain(node.func)
        if isinstance(root, ast.Name) and self._is_global(root):
            path = self.notebook.path(root, attributes)
            if len(node.args) <= LIMITED.get(path, -1):
                return self._arguments(node)
            reads = self._is_python(node.func) and root.id in READERS and not node.keywords
            if reads and len(node.args) == 1 and self._is_table(node.args[0]):
                return None
        self._see(node.func, "call")
        return self._arguments(node)

    def _arguments(self, node: ast.Call) -> None:
        for argument in (*node.args, *node.keywords):
            self.visit(argument)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not (isinstance(node.ctx, ast.Load) and self._is_table(node.value)):
            self.visit(node.value)
        self.visit(node.slice)

    def visit_Compare(self, node: ast.Compare) -> None:
        self.visit(node.left)
        for operator, each in zip(node.ops, node.comparators, strict=True):
            if not (isinstance(operator, ast.In | ast.NotIn) and self._is_table(each)):
                self.visit(each)

    def visit_Name(self, node: ast.Name) -> None:
        self._see(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._see(node)

    def _see(self, node: ast.expr, use: str = "value") -> None:
        """An expression, often a name or a chain of attributes.

        Args:
            use: "call" if it is called right away, "kind" if only an object is compared with it.
        """
        root, attributes = _chain(node)
        own = isinstance(root, ast.Name) and root.id == self.instance
        if not isinstance(root, ast.Name):
            self.visit(root)
        elif self._is_global(root):
            attributes = self._global(root, attributes, use)
        for place, attribute in enumerate(attributes):
            mine = own and place == 0 and attribute in (self.own or ())
            moves = attribute in DIRECT and use != "call"
            if moves or (attribute not in ATTRIBUTES and not mine):
                raise _Kept(f"line {node.lineno}: .{attribute}")
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            self._set_attribute(node, root, attributes)

    def _global(self, root: ast.Name, attributes: list[str], use: str) -> list[str]:
        """Look at a global name; returns the attributes that are not part of a library's path."""
        meaning = self.notebook.meaning(root.id)
        if meaning == "table" and use == "call" and attributes in READING:
            return []
        if meaning == "table" or (meaning == "variable" and self.function is not None):
            raise _Kept(f"line {root.lineno}: the global variable {root.id}")
        if meaning in ("function", "class"):
            self.uses.append(root.id)
            if attributes or (use == "value" and (meaning == "class" or self._devices(root))):
                raise _Kept(f"line {root.lineno}: {root.id} is not just called")
            self.notebook.passes_functions |= use == "value"
        if meaning in ("variable", "table", "function", "class", "constant", "builtin"):
            return attributes
        for length in range(len(attributes), -1, -1):
            path, rest = ".".join([meaning, *attributes[:length]]), attributes[length:]
            if path in KINDS and use == "kind" and not rest:
                return rest
            if path in CALLS:
                self.notebook.passes_functions |= bool(rest) or use == "value"
                return rest
            if path in VALUES:
                return rest
        raise _Kept(f"line {root.lineno}: {'.'.join([meaning, *attributes])}")

    def _set_attribute(self, node: ast.expr, root: ast.expr, attributes: list[str]) -> None:
        """Of an instance, in its class; else only what tensors have, and of nothing global."""
        if not isinstance(root, ast.Name) or self._is_global(root) or len(attributes) > 1:
            raise _Kept(f"line {node.lineno}: an attribute is set")
        if root.id != self.instance:
            if attributes[0] not in SETTABLE:
                raise _Kept(f"line {node.lineno}: .{attributes[0]} is set")
            self.notebook.delicate = True

    def _is_global(self, name: ast.Name) -> bool:
        return isinstance(name.ctx, ast.Load) and (self.globals is None or name.id in self.globals)

    def _lasts(self, value: ast.expr) -> bool:
        """Whether this value can never change; a class would look for a name in itself first."""
        root, _ = _chain(value)
        if self.own is not None or not isinstance(root, ast.Name):
            return _is_constant(value)
        return self.notebook.path(*_chain(value)) in VALUES | {"constant"}

    def _is_own(self, node: ast.expr) -> bool:
        """Whether this is an argument that stays one, or a function of the notebook."""
        if not isinstance(node, ast.Name) or self.function is None:
            return False
        bound = [
            isinstance(each, ast.arg)
            for each in ast.walk(self.function)
            if (isinstance(each, ast.arg) and each.arg == node.id)
            or (isinstance(each, ast.Name) and each.id == node.id and _stores(each))
        ]
        outer = ast.walk(self.function.args)
        stays = bound == [True] and any(getattr(each, "arg", None) == node.id for each in outer)
        return stays or (self._is_global(node) and self._kinds(node) == {"function"})

    def _is_place(self, node: ast.expr) -> bool:
        """Whether this is a dtype, or where some tensor lies."""
        if isinstance(node, ast.IfExp):
            return self._is_place(node.body) and self._is_place(node.orelse)
        root, attributes = _chain(node)
        if attributes and attributes[-1] in ("device", "dtype"):
            return True
        if isinstance(node, ast.Name) and node.id == "device" and self.own is None:
            return self._is_own(node)  # what is given for it has been looked at
        known = isinstance(root, ast.Name) and self._is_global(root)
        return known and self.notebook.path(root, attributes) in VALUES

    def _devices(self, node: ast.expr) -> list[int]:
        """Where a function of the notebook has an argument `device`, in each of its definitions."""
        if not isinstance(node, ast.Name) or not self._is_global(node):
            return []
        found = map(_device, self.notebook.functions.get(node.id, ()))
        return [place for place in found if place is not None]

    def _is_python(self, node: ast.AST) -> bool:
        """Whether this is a name that nothing in the notebook binds."""
        return isinstance(node, ast.Name) and self._is_global(node) and not self._kinds(node)

    def _is_table(self, node: ast.AST) -> bool:
        """Whether this is a released table, which has nothing in it that could be changed."""
        return (
            isinstance(node, ast.Name) and self._is_global(node) and self._kinds(node) == {"table"}
        )

    def _kinds(self, name: ast.Name) -> set[str]:
        return self.notebook.kinds(name.id)

    def _is_wrapper(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Call) and (node.args or node.keywords):
            return False
        chain = _chain(node.func if isinstance(node, ast.Call) else node)
        return self.notebook.path(*chain) in WRAPPERS


def _chain(node: ast.expr) -> tuple[ast.expr, list[str]]:
    """`a.b.c` as `a` and ["b", "c"]; any other expression as itself and nothing."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.insert(0, node.attr)
        node = node.value
    return node, attributes


def _stores(name: ast.Name) -> bool:
    return not isinstance(name.ctx, ast.Load)


def _device(function: ast.FunctionDef) -> int | None:
    """The place of an argument `device`; beyond all others if it is only a keyword."""
    arguments = function.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return names.index("device") if "device" in names else None


def _own(node: ast.ClassDef) -> set[str]:
    """The attributes that a class defines itself, but for those that every module has."""
    names = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    for each in ast.walk(node):
        match each:
            case ast.Assign(targets=[ast.Name(id=name)]) if each in node.body:
                names.add(name)
            case ast.Attribute(value=ast.Name(), attr=name, ctx=ast.Store()):
                names.add(name)
    taken = _OF_EVERY_MODULE if node.bases else set()
    return {name for name in names - taken if not name.startswith("__")} | OF_MODULES


def _instance(method: ast.FunctionDef) -> str:
    """The name of a method's first argument, which nothing else may be bound to."""
    arguments = [*method.args.posonlyargs, *method.args.args]
    if not arguments:
        raise _Kept(f"line {method.lineno}: a method without an instance")
    name = arguments[0].arg
    for each in ast.walk(method):
        match each:
            case ast.Name(id=bound, ctx=ast.Store() | ast.Del()):
                again = bound == name
            case ast.arg(arg=bound) | ast.ExceptHandler(name=bound) | ast.FunctionDef(name=bound):
                again = bound == name and each is not arguments[0] and each is not method
            case _:
                again = False
        if again:
            raise _Kept(f"line {method.lineno}: {name} is bound to something else")
    return name


def _globals(function: ast.FunctionDef) -> set[str]:
    """The names in a function, and in those inside it, that are not its own.

    Raises:
        _Kept: a name is global in one of these scopes and not in another.
    """
    table = symtable.symtable(ast.unparse(function), "function", "exec")
    scopes = [each for each in table.get_children() if each.get_name() == function.name]
    names: set[str] = set()
    own: set[str] = set()
    while scopes:
        scope = scopes.pop()
        for each in scope.get_symbols():
            (names if each.is_global() else own).add(each.get_name())
        scopes += scope.get_children()
    if both := names & own:
        raise _Kept(f"{min(both)} is global in one place and not in another")
    return names


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """The names that an import binds, with the path that each stands for."""
    for each in node.names:
        if isinstance(node, ast.ImportFrom):
            yield each.asname or each.name, f"{'.' * node.level}{node.module}.{each.name}"
        elif each.asname:
            yield each.asname, each.name
        else:
            yield each.name.partition(".")[0], each.name.partition(".")[0]


def _is_constant(node: ast.expr) -> bool:
    """Numbers, texts, None, and tuples and sums of them."""
    match node:
        case ast.Constant():
            return True
        case ast.UnaryOp(operand=operand):
            return _is_constant(operand)
        case ast.BinOp(left=left, right=right):
            return _is_constant(left) and _is_constant(right)
        case ast.Tuple(elts=elements):
            return all(map(_is_constant, elements))
    return False


def _is_table(node: ast.AnnAssign) -> bool:
    """`name: dict[int, str] = ...` and the like, with types that cannot change."""
    match node.annotation:
        case ast.Subscript(ast.Name("dict" | "list" | "tuple" | "set" | "frozenset"), types):
            kinds = types.elts if isinstance(types, ast.Tuple) else [types]
            return all(isinstance(each, ast.Name) and each.id in _IMMUTABLE for each in kinds)
    return False


def _see_python(source: str) -> None:
    """IPython changes some cells before Python sees them, and not only those with magic."""
    manager = TransformerManager()
    lines = source.splitlines(keepends=True)
    for transform in (*manager.cleanup_transforms, *manager.line_transforms):
        lines = transform(lines)
    if "".join(lines).strip() != source.strip() or manager.do_one_token_transform(lines)[0]:
        raise _Kept("IPython would run something else")


def _see_names(tree: ast.AST) -> None:
    """Names that a class would rename, or that only look like names."""
    for node in ast.walk(tree):
        for field in ("id", "arg", "name", "asname", "names"):
            found = getattr(node, field, None)
            for name in found if isinstance(found, list) else [found]:
                odd = isinstance(name, str) and ("__" in name or keyword.iskeyword(name))
                if odd and name not in METHODS:
                    raise _Kept(f"the name {name}")

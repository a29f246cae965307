"""Reads a function node by node, and objects to what might keep state."""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import TYPE_CHECKING

from autograder.forbidden import imported
from autograder.stateless.harmless import (
    ATTRIBUTES,
    CALLS,
    DIRECT,
    FLAGS,
    HANDLED,
    KEYWORDS_REFUSED,
    KINDS,
    LIMITED,
    MODULES,
    PATTERN_KEYWORDS,
    PATTERNS,
    READERS,
    READING,
    SETTABLE,
    UNLOADED,
    VALUES,
    WRAPPERS,
)
from autograder.stateless.syntax import (
    Kept,
    chain,
    device_place,
    global_names,
    instance_name,
    is_constant,
    stores,
    yields,
)

if TYPE_CHECKING:
    from autograder.stateless.notebook import Notebook

_PLAIN = (
    *(ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Delete, ast.For),
    *(ast.While, ast.If, ast.Raise, ast.Try, ast.ExceptHandler, ast.Assert, ast.Pass, ast.Break),
    *(ast.Continue, ast.Nonlocal, ast.Lambda, ast.arguments, ast.arg, ast.BoolOp, ast.NamedExpr),
    *(ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Dict, ast.Set, ast.ListComp, ast.SetComp),
    *(ast.DictComp, ast.GeneratorExp, ast.comprehension, ast.Compare, ast.keyword, ast.JoinedStr),
    *(ast.FormattedValue, ast.Constant, ast.Subscript, ast.Starred, ast.List, ast.Tuple),
    *(ast.Slice, ast.Yield, ast.YieldFrom),
    *(ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop),
)


class Reader(ast.NodeVisitor):
    """Reads one function or method, or statements outside of all functions, and objects to what
    might keep state there."""

    def __init__(
        self,
        notebook: Notebook,
        function: ast.FunctionDef | None = None,
        own: Collection[str] | None = None,
    ) -> None:
        """`own`: for a method, the attributes that its class defines."""
        self.notebook, self.function, self.own = notebook, function, own
        self.globals = None if function is None else global_names(function)
        self.instance = "" if function is None or own is None else instance_name(function)
        self.uses: list[str] = []

    def read(self) -> list[str]:
        """Read the whole function; returns the notebook's functions and classes in it."""
        assert self.function is not None
        arguments = self.function.args
        for decorator in self.function.decorator_list:
            known = self.own is None and self._is_wrapper(decorator)
            if not known or yields(self.function):
                raise Kept(f"line {decorator.lineno}: the decorator {ast.unparse(decorator)}")
        for each in ast.walk(arguments):
            if isinstance(each, ast.arg) and each.annotation is not None:
                Reader(self.notebook).see_annotation(each.annotation)
        if self.function.returns is not None:
            Reader(self.notebook).see_annotation(self.function.returns)
        # Made once, when the function is defined, they live as long as it does.
        for default in filter(None, (*arguments.defaults, *arguments.kw_defaults)):
            text = isinstance(default, ast.Constant) and isinstance(default.value, str)
            sent = text and device_place(self.function) is not None
            if sent or not self._lasts(default):
                raise Kept(f"line {default.lineno}: a default value that might change")
        for statement in self.function.body:
            self.visit(statement)
        return self.uses

    def generic_visit(self, node: ast.AST) -> None:
        if not isinstance(node, _PLAIN):
            raise Kept(f"line {getattr(node, 'lineno', 0)}: {type(node).__name__}")
        super().generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """A function inside another one is new in every call."""
        if self.function is None or node.decorator_list:
            raise Kept(f"line {node.lineno}: a function inside a block, or decorated inside one")
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
                raise Kept(f"line {node.lineno}: the annotation {ast.unparse(node)}")
        for each in parts:
            self.see_annotation(each)

    def _is_kind(self, node: ast.expr, of: str = "") -> bool:
        path = self._path(node)
        return path in KINDS | CALLS | {"builtin"} or (path == "class" and of != "library")

    def visit_Try(self, node: ast.Try) -> None:
        """Not what an exhausted stack leads to: libraries may show there what they did before."""
        for handler in node.handlers:
            kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
            for kind in kinds:
                if kind is None or not self._is_python(kind) or ast.unparse(kind) not in HANDLED:
                    raise Kept(f"line {handler.lineno}: what is caught")
        if node.finalbody:
            raise Kept(f"line {node.lineno}: finally")
        for each in (*node.body, *node.orelse):
            self.visit(each)
        for handler in node.handlers:
            for statement in handler.body:
                self.visit(statement)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        """Imports of harmless modules or what they offer; for a function, loaded before it runs."""
        paths = list(imported(node).values())
        if isinstance(node, ast.Import):
            paths = [each.name for each in node.names]
        elif node.level:
            raise Kept(f"line {node.lineno}: a relative import")
        for path in paths:
            loaded = self.function is None or path.split(".")[0] not in UNLOADED
            if not loaded or path not in MODULES | CALLS | LIMITED.keys() | KINDS | VALUES:
                raise Kept(f"line {node.lineno}: an import of {path}")

    visit_ImportFrom = visit_Import

    def visit_With(self, node: ast.With) -> None:
        """Only what switches gradients off or on, which ends with the block: there, a generator
        could wait, and never go on."""
        if yields(node):
            raise Kept(f"line {node.lineno}: yield inside with")
        for item in node.items:
            root, _ = chain(getattr(item.context_expr, "func", item.context_expr))
            known = isinstance(root, ast.Name) and self._is_global(root)
            if not known or not self._is_wrapper(item.context_expr):
                raise Kept(f"line {node.lineno}: with {ast.unparse(item.context_expr)}")
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
            spread = word.arg is None and (
                bool(self._devices(node.func)) or not self._is_own(node.func)
            )
            sent = word.arg == "device" and not self._is_place(word.value)
            if word.arg in KEYWORDS_REFUSED or spread or sent:
                raise Kept(f"line {node.lineno}: the argument {ast.unparse(word)}")
            self.notebook.delicate |= word.arg is None
        stars = any(isinstance(each, ast.Starred) for each in node.args)
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        sends = method == "to" and (stars or not all(map(self._is_place, node.args)))
        if sends or (method in PATTERNS and (stars or len(node.args) > 3)):
            raise Kept(f"line {node.lineno}: {ast.unparse(node)}")
        for place in self._devices(node.func):
            if stars or not all(map(self._is_place, node.args[place : place + 1])):
                raise Kept(f"line {node.lineno}: {ast.unparse(node)}")
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
            case ast.Call(ast.Call(made, [ast.Constant("utf-8" | "utf8")], [])) if (
                self._path(made) == "codecs.getincrementaldecoder"
            ):
                return self._arguments(node)  # of a decoder, which is new
            case ast.Call(compiles, [pattern, flag], []) if (
                self._path(compiles) in ("re.compile", "regex.compile")
                and self._path(flag) in FLAGS
            ):
                return self.visit(pattern)
            case ast.Call(ast.Name("isinstance"), [of, kinds], []) if self._is_python(node.func):
                self.visit(of)
                for each in kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]:
                    self._see(each, "kind")
                return None
        root, attributes = chain(node.func)
        if isinstance(root, ast.Name) and self._is_global(root):
            path = self.notebook.path(root, attributes)
            words = {word.arg for word in node.keywords}
            odd = path.startswith(("re.", "regex.")) and words - PATTERN_KEYWORDS
            if len(node.args) <= LIMITED.get(path, -1) and not odd:
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
        root, attributes = chain(node)
        own = isinstance(root, ast.Name) and root.id == self.instance
        if not isinstance(root, ast.Name):
            self.visit(root)
        elif self._is_global(root):
            attributes = self._global(root, attributes, use)
        for place, attribute in enumerate(attributes):
            mine = own and place == 0 and attribute in (self.own or ())
            moves = attribute in DIRECT and use != "call" and not self._is_python(root)
            if moves or (attribute not in ATTRIBUTES and not mine):
                raise Kept(f"line {node.lineno}: .{attribute}")
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            self._set_attribute(node, root, attributes)

    def _global(self, root: ast.Name, attributes: list[str], use: str) -> list[str]:
        """Look at a global name; returns the attributes that are not part of a library's path."""
        meaning = self.notebook.meaning(root.id)
        if meaning == "table" and use == "call" and attributes in READING:
            return []
        if meaning == "table" or (meaning == "variable" and self.function is not None):
            raise Kept(f"line {root.lineno}: the global variable {root.id}")
        if meaning in ("function", "class"):
            self.uses.append(root.id)
            if attributes or (use == "value" and (meaning == "class" or self._devices(root))):
                raise Kept(f"line {root.lineno}: {root.id} is not just called")
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
        raise Kept(f"line {root.lineno}: {'.'.join([meaning, *attributes])}")

    def _set_attribute(self, node: ast.expr, root: ast.expr, attributes: list[str]) -> None:
        """Of an instance, in its class; else only what tensors have, and of nothing global."""
        if not isinstance(root, ast.Name) or self._is_global(root) or len(attributes) > 1:
            raise Kept(f"line {node.lineno}: an attribute is set")
        if root.id != self.instance:
            if attributes[0] not in SETTABLE:
                raise Kept(f"line {node.lineno}: .{attributes[0]} is set")
            self.notebook.delicate = True

    def _is_global(self, name: ast.Name) -> bool:
        return isinstance(name.ctx, ast.Load) and (self.globals is None or name.id in self.globals)

    def _lasts(self, value: ast.expr) -> bool:
        """Whether this value can never change; a class would look for a name in itself first."""
        root, _ = chain(value)
        if self.own is not None or not isinstance(root, ast.Name):
            return is_constant(value)
        return self.notebook.path(*chain(value)) in VALUES | {"constant"}

    def _is_own(self, node: ast.expr) -> bool:
        """Whether this is an argument that stays one, or a function of the notebook."""
        if not isinstance(node, ast.Name) or self.function is None:
            return False
        bound = [
            isinstance(each, ast.arg)
            for each in ast.walk(self.function)
            if (isinstance(each, ast.arg) and each.arg == node.id)
            or (isinstance(each, ast.Name) and each.id == node.id and stores(each))
        ]
        outer = ast.walk(self.function.args)
        stays = bound == [True] and any(getattr(each, "arg", None) == node.id for each in outer)
        return stays or (self._is_global(node) and self._kinds(node) == {"function"})

    def _is_place(self, node: ast.expr) -> bool:
        """Whether this is a dtype, or where some tensor lies."""
        if isinstance(node, ast.IfExp):
            return self._is_place(node.body) and self._is_place(node.orelse)
        _, attributes = chain(node)
        if attributes and attributes[-1] in ("device", "dtype"):
            return True
        if isinstance(node, ast.Name) and node.id == "device" and self.own is None:
            return self._is_own(node)  # what is given for it has been looked at
        return self._path(node) in VALUES

    def _path(self, node: ast.expr) -> str:
        """What a global name and its attributes stand for; "" for anything else."""
        root, attributes = chain(node)
        known = isinstance(root, ast.Name) and self._is_global(root)
        return self.notebook.path(root, attributes) if known else ""

    def _devices(self, node: ast.expr) -> list[int]:
        """Where a function of the notebook has an argument `device`, in each of its definitions."""
        if not isinstance(node, ast.Name) or not self._is_global(node):
            return []
        found = map(device_place, self.notebook.functions.get(node.id, ()))
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
        root, attributes = chain(node.func if isinstance(node, ast.Call) else node)
        return self.notebook.path(root, attributes) in WRAPPERS

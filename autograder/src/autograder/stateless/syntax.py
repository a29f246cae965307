"""Questions to a piece of syntax that need to know nothing of the notebook around it."""

from __future__ import annotations

import ast
import keyword
import symtable

import torch

from autograder.stateless.harmless import BUILTINS, METHODS, OF_MODULES
from autograder.worker.transform import CellTransformer

_IMMUTABLE = {"bool", "bytes", "float", "int", "str"}
_OF_EVERY_MODULE = set(dir(torch.nn.Module())) - OF_MODULES


class Kept(Exception):
    """This might keep state; the message says what."""


def chain(node: ast.expr) -> tuple[ast.expr, list[str]]:
    """`a.b.c` as `a` and ["b", "c"]; any other expression as itself and nothing."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.insert(0, node.attr)
        node = node.value
    return node, attributes


def stores(name: ast.Name) -> bool:
    return not isinstance(name.ctx, ast.Load)


def yields(node: ast.AST) -> bool:
    """Whether something in it makes a generator of a function."""
    return any(isinstance(each, ast.Yield | ast.YieldFrom) for each in ast.walk(node))


def device_place(function: ast.FunctionDef) -> int | None:
    """The place of an argument `device`; beyond all others if it is only a keyword."""
    arguments = function.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return names.index("device") if "device" in names else None


def own_attributes(node: ast.ClassDef) -> set[str]:
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


def instance_name(method: ast.FunctionDef) -> str:
    """The name of a method's first argument, which nothing else may be bound to."""
    arguments = [*method.args.posonlyargs, *method.args.args]
    if not arguments:
        raise Kept(f"line {method.lineno}: a method without an instance")
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
            raise Kept(f"line {method.lineno}: {name} is bound to something else")
    return name


def global_names(function: ast.FunctionDef) -> set[str]:
    """The names in a function, and in those inside it, that are not its own, or that it imports.

    Raises:
        Kept: a name is global in one of these scopes and not in another, or what is imported is
            bound in another way, too.
    """
    table = symtable.symtable(ast.unparse(function), "function", "exec")
    scopes = [each for each in table.get_children() if each.get_name() == function.name]
    names: set[str] = set()
    own: set[str] = set()
    imports: set[str] = set()
    while scopes:
        scope = scopes.pop()
        for each in scope.get_symbols():
            (names if each.is_global() else own).add(each.get_name())
            if each.is_imported():
                imports.add(each.get_name())
        scopes += scope.get_children()
    if both := names & own:
        raise Kept(f"{min(both)} is global in one place and not in another")
    if imports and (taken := imports & (BUILTINS | _bound_otherwise(function))):
        raise Kept(f"{min(taken)} is imported and something else, too")
    return names | imports


def _bound_otherwise(function: ast.FunctionDef) -> set[str | None]:
    """The names in a function, and in those inside it, that something else than an import binds."""
    bound: set[str | None] = set()
    for node in ast.walk(function):
        match node:
            case ast.alias() | ast.Name(ctx=ast.Load()):
                pass
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                bound.update(names)
            case _:
                bound |= {getattr(node, field, None) for field in ("id", "arg", "name", "rest")}
    return bound


def is_constant(node: ast.expr) -> bool:
    """Numbers, texts, None, and tuples and sums of them."""
    match node:
        case ast.Constant():
            return True
        case ast.UnaryOp(operand=operand):
            return is_constant(operand)
        case ast.BinOp(left=left, right=right):
            return is_constant(left) and is_constant(right)
        case ast.Tuple(elts=elements):
            return all(map(is_constant, elements))
    return False


def is_pattern(node: ast.expr) -> bool:
    """`regex.compile("a+")`, if the proof accepts it: nothing else with this name is harmless."""
    match node:
        case ast.Call(ast.Attribute(ast.Name(), "compile"), [ast.Constant(), *flags], []):
            return all(isinstance(each, ast.Attribute) for each in flags)
    return False


def is_table(node: ast.AnnAssign) -> bool:
    """`name: dict[int, str] = ...` and the like, with types that cannot change."""
    match node.annotation:
        case ast.Subscript(ast.Name("dict" | "list" | "tuple" | "set" | "frozenset"), types):
            kinds = types.elts if isinstance(types, ast.Tuple) else [types]
            return all(isinstance(each, ast.Name) and each.id in _IMMUTABLE for each in kinds)
    return False


def see_python(source: str) -> None:
    """IPython changes some cells before Python sees them, and not only those with magic."""
    manager = CellTransformer()
    lines = source.splitlines(keepends=True)
    for transform in (*manager.cleanup_transforms, *manager.line_transforms):
        lines = transform(lines)
    if "".join(lines).strip() != source.strip() or manager.do_one_token_transform(lines)[0]:
        raise Kept("IPython would run something else")


def see_names(tree: ast.AST) -> None:
    """Names that a class would rename, that only look like names, or of type parameters."""
    for node in ast.walk(tree):
        if getattr(node, "type_params", None):
            raise Kept("type parameters, which live as long as what they belong to")
        for field in ("id", "arg", "name", "asname", "names"):
            found = getattr(node, field, None)
            for name in found if isinstance(found, list) else [found]:
                odd = isinstance(name, str) and ("__" in name or keyword.iskeyword(name))
                if odd and name not in METHODS:
                    raise Kept(f"the name {name}")

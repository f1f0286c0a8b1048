"""Finds, in source code, what can grow: containers kept on objects, caches, thread pools, and locals that a loop without an end fills.

Owns the reading of code alone; what is documented about each is compared in `test_bounds.py`.
"""

import ast
from collections.abc import Iterator
from itertools import chain

CONTAINERS = frozenset(
    [
        "list",
        "dict",
        "set",
        "deque",
        "OrderedDict",
        "defaultdict",
        "Counter",
        "ChainMap",
        "bytearray",
        "BytesIO",
        "StringIO",
        "SpooledTemporaryFile",
        "Queue",
        "PriorityQueue",
        "LifoQueue",
        "SimpleQueue",
        "WeakSet",
        "WeakValueDictionary",
        "WeakKeyDictionary",
        "ThreadPoolExecutor",
    ]
)
CACHES = ("cache", "lru_cache", "cached_property")
GROWING = frozenset(
    [
        "append",
        "appendleft",
        "extend",
        "extendleft",
        "add",
        "update",
        "setdefault",
        "insert",
        "put",
        "put_nowait",
        "write",
    ]
)

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def growing(source: str) -> set[str]:
    """Returns the names of all that can grow in one file: `Class.attribute`, `NAME` of a module, `function()` of a cache, and
    `function.local` or `Class.method.local`.
    """
    tree = ast.parse(source)
    return set(chain(_of_module(tree), _of_body(tree.body, "")))


def _of_body(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _of_class(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _of_function(node, prefix)


def _of_class(node: ast.ClassDef, prefix: str) -> Iterator[str]:
    for target, value in _assignments(node):
        if isinstance(target, ast.Attribute) and _is_self(target.value) and _makes_container(value):
            yield f"{prefix}{target.attr}"
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            made = statement.value
            if isinstance(made, ast.Call) and any(
                word.arg == "default_factory" and _name(word.value) in CONTAINERS for word in made.keywords
            ):
                yield f"{prefix}{statement.target.id}"
    yield from _of_body(node.body, prefix)


def _of_function(node: _Function, prefix: str) -> Iterator[str]:
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if _name(called) in CACHES:
            yield f"{prefix}{node.name}()"
    containers = {
        target.id
        for target, value in _assignments(node)
        if isinstance(target, ast.Name) and _makes_container(value)
    }
    for loop in ast.walk(node):
        if isinstance(loop, ast.While | ast.AsyncFor):
            for name in _grown(loop) & containers:
                yield f"{prefix}{node.name}.{name}"
        elif isinstance(loop, ast.ListComp | ast.SetComp | ast.DictComp) and any(
            generator.is_async for generator in loop.generators
        ):
            yield f"{prefix}{node.name}.[]"


def _of_module(tree: ast.Module) -> Iterator[str]:
    """A container of a module counts where something in the module changes it."""
    changed = _grown(tree)
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            for target, value in _assignments(statement):
                if isinstance(target, ast.Name) and target.id in changed and _makes_container(value):
                    yield target.id


def _assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yields each target with its value, those of `a, b = [], {}` one by one."""
    for one in ast.walk(node):
        if isinstance(one, ast.AnnAssign) and one.value is not None:
            yield one.target, one.value
        elif isinstance(one, ast.Assign):
            for target in one.targets:
                yield from _pairs(target, one.value)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    if not isinstance(target, ast.Tuple):
        yield target, value
    elif isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts):
        for inner, its in zip(target.elts, value.elts, strict=True):
            yield from _pairs(inner, its)
    else:
        for inner in target.elts:
            yield inner, value


def _makes_container(value: ast.expr) -> bool:
    match value:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Constant(value=constant):
            return constant == b""
        case ast.BoolOp(values=values):
            return any(map(_makes_container, values))
        case ast.IfExp(body=body, orelse=orelse):
            return _makes_container(body) or _makes_container(orelse)
        case ast.Call(func=func):
            return _name(func) in CONTAINERS
    return False


def _grown(node: ast.AST) -> set[str]:
    """Names that something in `node` adds to."""
    found = set()
    for one in ast.walk(node):
        match one:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if attr in GROWING:
                found.add(name)
            case ast.AugAssign(target=ast.Name(id=name)):
                found.add(name)
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name))]):
                found.add(name)
    return found


def _name(called: ast.expr) -> str:
    match called:
        case ast.Subscript(value=value):
            return _name(value)
        case ast.Attribute(attr=attr):
            return attr
        case ast.Name(id=name):
            return name
    return ""


def _is_self(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id == "self"

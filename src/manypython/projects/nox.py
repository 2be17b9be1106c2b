"""``noxfile.py``, read by ``ast`` and never run: what only running it tells is not known."""

from __future__ import annotations

import ast
import collections
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manypython.model.errors import UsageError
from manypython.projects.nox_project import load_toml, python_versions
from manypython.projects.reading import bytes_of
from manypython.projects.wish import UNKNOWN, Wish, wish

_MOST, _STEPS = 1000, 100_000
"""Items or characters of one value, and parts of expressions that are looked at."""
_CHANGING = {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"}


def noxfile(path: Path) -> list[Wish]:
    """``python=`` of each session, and ``parametrize("python", …)``."""
    with warnings.catch_warnings(action="ignore"):  # of a stranger's backslashes
        try:
            tree = ast.parse(bytes_of(path))
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 0
            raise UsageError(f"{path}: line {line}: no Python: {getattr(error, 'msg', error)}") from None
    values = _Values(tree, path.parent)
    return [
        made
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call)
        for made in _of_decorator(path, f"session {node.name}", decorator, values)
    ]


def _of_decorator(path: Path, where: str, call: ast.Call, values: _Values) -> Iterator[Wish]:
    kind = _name(call.func)
    if kind == "session":
        nodes = [keyword.value for keyword in call.keywords if keyword.arg in ("python", "py")]
    elif kind == "parametrize" and "python" in values.names(call):
        nodes = call.args[1:2]
    else:
        return
    for node in nodes:
        try:
            found = values.of(node)
            rows = found if isinstance(found, list) else [found]
            if kind == "parametrize":
                rows = _column(rows, values.names(call))
        except _NotKnownError:
            yield Wish(path, where, ast.unparse(node), "", UNKNOWN, node.lineno)
        else:
            yield from (wish(path, where, said, node.lineno) for said in rows if isinstance(said, str))


def _column(rows: list[Any], names: list[str]) -> list[Any]:
    """What rows of parameters say of ``python``."""
    number = names.index("python")
    if len(names) == 1:
        return [row[0] if isinstance(row, list) and row else row for row in rows]
    return [row[number] for row in rows if isinstance(row, list) and len(row) == len(names)]


class _NotKnownError(Exception):
    """Only running it would tell."""


class _Values:
    """What expressions of a module are, as far as its text tells."""

    def __init__(self, tree: ast.Module, folder: Path) -> None:
        self._folder = folder
        self._steps = 0
        self._constants: dict[str, Any] = {}
        changes = collections.Counter(filter(None, map(_changed, ast.walk(tree))))
        for node in tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if changes[name] == 1:
                    self._remember(name, value)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if changes[name] == 1:
                    self._remember(name, value)

    def _remember(self, name: str, value: ast.expr) -> None:
        try:
            self._constants[name] = self.of(value)
        except _NotKnownError:
            return

    def names(self, call: ast.Call) -> list[str]:
        """The parameters that ``parametrize`` names."""
        try:
            told = self.of(call.args[0]) if call.args else ""
        except _NotKnownError:
            return []
        return [str(each).strip() for each in (told if isinstance(told, list) else str(told).split(","))]

    def of(self, node: ast.expr, variables: dict[str, Any] | None = None) -> Any:  # noqa: ANN401  (as Python has it)
        """A string, a number, a list of such, or a table.

        Raises:
            _NotKnownError: only running it would tell.
        """
        self._steps += 1
        try:
            found = self._of(node, variables or {})
        except (AttributeError, IndexError, KeyError, TypeError, UsageError, ValueError):
            raise _NotKnownError from None
        if self._steps > _STEPS or (isinstance(found, str | list) and len(found) > _MOST):
            raise _NotKnownError
        return found

    def _of(self, node: ast.expr, variables: dict[str, Any]) -> Any:  # noqa: ANN401, PLR0911  (one for each kind)
        match node:
            case ast.Constant(value=str() | int() | None as value):
                return value
            case ast.Name(id=name):
                return variables[name] if name in variables else self._constants[name]
            case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
                return [each for part in parts for each in self._items(part, variables)]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.of(left, variables) + self.of(right, variables)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.of(operand, variables)
            case ast.Subscript(value=value, slice=index):
                return self.of(value, variables)[self._index(index, variables)]
            case ast.Call():
                return self._called(node, variables)
            case ast.ListComp(elt=part, generators=[one]) | ast.GeneratorExp(elt=part, generators=[one]):
                if one.ifs or not isinstance(one.target, ast.Name):
                    raise _NotKnownError
                items = self.of(one.iter, variables)
                return [self.of(part, {**variables, one.target.id: item}) for item in items]
        raise _NotKnownError

    def _called(self, node: ast.Call, variables: dict[str, Any]) -> Any:  # noqa: ANN401
        """What a call returns, of functions whose answer is known."""
        match node:
            case ast.Call(func=ast.Name(id="list" | "tuple" | "set"), args=[inner], keywords=[]):
                return [*self.of(inner, variables)]
            case ast.Call(func=func, args=args) if _name(func) == "param":
                return [self.of(arg, variables) for arg in args]
            case ast.Call(func=func, args=args, keywords=[]) if _name(func) == "load_toml":
                self._steps += _STEPS // 100  # it is read anew each time
                return load_toml(self._folder, *(self.of(arg, variables) for arg in args))
            case ast.Call(func=func, args=[inner], keywords=settings) if _name(func) == "python_versions":
                given = {str(each.arg): self.of(each.value, variables) for each in settings}
                return python_versions(self.of(inner, variables), **given)
            case ast.Call(func=func, args=[inner]) if _name(func) == "interpreter":  # ours
                return self.of(inner, variables)
        raise _NotKnownError

    def _index(self, node: ast.expr, variables: dict[str, Any]) -> Any:  # noqa: ANN401
        if not isinstance(node, ast.Slice):
            return self.of(node, variables)
        ends = (node.lower, node.upper, node.step)
        return slice(*(None if end is None else self.of(end, variables) for end in ends))

    def _items(self, part: ast.expr, variables: dict[str, Any]) -> list[Any]:
        if isinstance(part, ast.Starred):
            return list(self.of(part.value, variables))
        return [self.of(part, variables)]


def _changed(node: ast.AST) -> str:
    """The name that a part of a module sets or changes; or nothing."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()):
            return name
        case ast.Attribute(value=ast.Name(id=name), attr=attribute) if attribute in _CHANGING:
            return name
    return ""


def _name(function: ast.expr) -> str:
    """``session`` of ``nox.session``."""
    match function:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""

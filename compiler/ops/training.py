"""One step of an optimiser, by arithmetic: new parameters and moments from parameters, gradients and moments."""

from __future__ import annotations

from .elementwise import Cast, Elementwise
from .importing import OnnxNode, onnx_op

DOMAIN = "ai.onnx.preview.training"


def _op(n: OnnxNode, fn: str, *operands: str | float, like: str = "") -> str:
    """An element-wise function; numbers are constants in the type of the first operand that is a value."""
    like = like or next(v for v in operands if isinstance(v, str))
    return n.emit(Elementwise(fn), *(v if isinstance(v, str) else n.scalar(v, like) for v in operands))


def _rate(n: OnnxNode) -> tuple[str, str]:
    """The learning rate and, in its type, the number of steps so far."""
    rate = n.input(0)
    return rate, n.emit(Cast(n.type(rate).dtype), n.input(1))


def _groups(n: OnnxNode, size: int) -> list[tuple[str, ...]]:
    """The parameters, each with its gradient and moments: operands lie by kind, all parameters first."""
    count = (len(n) - 2) // size
    return [tuple(n.input(2 + kind * count + k) for kind in range(size)) for k in range(count)]


def _regularised(n: OnnxNode, x: str, gradient: str) -> str:
    factor = float(n.attr("norm_coefficient", 0.0))
    return _op(n, "add", _op(n, "mul", x, factor), gradient) if factor else gradient


def _mixed(n: OnnxNode, a: str, p: str | float, b: str, q: str | float) -> str:
    """p a + q b."""
    return _op(n, "add", _op(n, "mul", a, p), _op(n, "mul", b, q))


@onnx_op(f"{DOMAIN}::Momentum")
def onnx_momentum(n: OnnxNode) -> list[str]:
    """The first step takes the gradient as it is, later ones `beta` of it."""
    rate, step = _rate(n)
    alpha, nesterov = float(n.attr("alpha")), n.attr("mode") == "nesterov"
    beta = _op(n, "where", _op(n, "greater", step, 0.0), float(n.attr("beta")), 1.0, like=step)
    parameters, moments = [], []
    for x, gradient, v in _groups(n, 3):
        g = _regularised(n, x, gradient)
        moments.append(_mixed(n, v, alpha, g, beta))
        change = _op(n, "add", g, _op(n, "mul", moments[-1], alpha)) if nesterov else moments[-1]
        parameters.append(_op(n, "sub", x, _op(n, "mul", change, rate)))
    return [*parameters, *moments]


@onnx_op(f"{DOMAIN}::Adagrad")
def onnx_adagrad(n: OnnxNode) -> list[str]:
    rate, step = _rate(n)
    rate = _op(n, "div", rate, _op(n, "add", _op(n, "mul", step, float(n.attr("decay_factor", 0.0))), 1.0))
    parameters, moments = [], []
    for x, gradient, h in _groups(n, 3):
        g = _regularised(n, x, gradient)
        moments.append(_op(n, "add", h, _op(n, "square", g)))
        size = _op(n, "add", _op(n, "sqrt", moments[-1]), float(n.attr("epsilon", 1e-6)))
        parameters.append(_op(n, "sub", x, _op(n, "div", _op(n, "mul", g, rate), size)))
    return [*parameters, *moments]


@onnx_op(f"{DOMAIN}::Adam")
def onnx_adam(n: OnnxNode) -> list[str]:
    """The moments' bias towards zero is corrected in the rate, but not at step 0."""
    rate, step = _rate(n)
    alpha, beta = float(n.attr("alpha", 0.9)), float(n.attr("beta", 0.999))
    kept = [_op(n, "sub", 1.0, _op(n, "pow", factor, step, like=step), like=step) for factor in (alpha, beta)]
    corrected = _op(n, "div", _op(n, "mul", rate, _op(n, "sqrt", kept[1])), kept[0])
    rate = _op(n, "where", _op(n, "greater", step, 0.0), corrected, rate)
    decay = 1 - float(n.attr("norm_coefficient_post", 0.0))
    parameters, first, second = [], [], []
    for x, gradient, v, h in _groups(n, 4):
        g = _regularised(n, x, gradient)
        first.append(_mixed(n, v, alpha, g, 1 - alpha))
        second.append(_mixed(n, h, beta, _op(n, "square", g), 1 - beta))
        size = _op(n, "add", _op(n, "sqrt", second[-1]), float(n.attr("epsilon", 1e-6)))
        new = _op(n, "sub", x, _op(n, "div", _op(n, "mul", first[-1], rate), size))
        parameters.append(_op(n, "mul", new, decay) if decay != 1 else new)
    return [*parameters, *first, *second]

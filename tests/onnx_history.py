"""Nodes of every ONNX operator, in every version that is in force from operator set 7 on, with operands of every type.

A case holds what does not follow from the standard's schemas: shapes, attributes, and the operator sets for which they are right. An
operand of floats takes each type that the schema allows for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

RNG = np.random.default_rng(5)
F32, I32, I64 = np.float32, np.int32, np.int64


@dataclass(frozen=True)
class Constant:
    """An operand that is a constant of the model."""

    array: np.ndarray


@dataclass(frozen=True)
class Case:
    """One node.

    Attributes:
        operands: those that are fed, constants, and None for absent ones.
        since, before: the operator sets for which it is right.
        outputs: how many of them are asked for.
        fixed: its operands take no other types.
    """

    operands: tuple[np.ndarray | Constant | None, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    since: int = 1
    before: int = 99
    outputs: int = 1
    fixed: bool = False


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(0, 1.5, shape).astype(F32)


def unit(*shape: int) -> np.ndarray:
    """Within (-1, 1)."""
    return RNG.uniform(-0.9, 0.9, shape).astype(F32)


def above(*shape: int) -> np.ndarray:
    """From 1 to 4."""
    return RNG.uniform(1, 4, shape).astype(F32)


def ints(*numbers: int) -> Constant:
    return Constant(np.array(numbers, I64))


def number(value: int, dtype: Any = I64) -> Constant:
    return Constant(np.asarray(value, dtype))


def reals(*numbers: float) -> Constant:
    return Constant(np.array(numbers, F32))


def one(value: float) -> Constant:
    return Constant(np.asarray(value, F32))


def node(*operands: Any, since: int = 1, before: int = 99, outputs: int = 1, fixed: bool = False, **attributes: Any) -> Case:
    return Case(operands, attributes, since, before, outputs, fixed)


def graph(nodes: list[NodeProto], inputs: list[str], outputs: list[str]) -> GraphProto:
    """The body of a node; scalars named c… are truth values, and i… integers."""

    def info(name: str) -> Any:
        elem = {"c": TensorProto.BOOL, "i": TensorProto.INT64}.get(name[0])
        return helper.make_tensor_value_info(name, elem, []) if elem else helper.make_empty_tensor_value_info(name)

    return helper.make_graph(nodes, "body", [*map(info, inputs)], [*map(info, outputs)])


def tensor(array: Any) -> TensorProto:
    return numpy_helper.from_array(np.asarray(array))


X, IMAGE = normal(2, 3, 5), normal(2, 4, 7, 6)
Q8 = np.arange(-60, 60, dtype=np.int8).reshape(2, 3, 4, 5)
BODY = graph([helper.make_node("Add", ["s", "x"], ["t"]), helper.make_node("Mul", ["t", "x"], ["y"])], ["s", "x"], ["t", "y"])
SAME = graph([helper.make_node("Identity", [v], [w]) for v, w in (("s", "t"), ("x", "y"))], ["s", "x"], ["t", "y"])
LOOP = graph([helper.make_node("Add", ["x", "x"], ["y"]), helper.make_node("Identity", ["c"], ["c_out"]),
              helper.make_node("Identity", ["y"], ["z"])], ["i", "c", "x"], ["c_out", "y", "z"])
LOOP_SAME = graph([helper.make_node("Identity", [v], [w]) for v, w in (("c", "c_out"), ("x", "y"), ("x", "z"))], ["i", "c", "x"],
                  ["c_out", "y", "z"])
ONCE = [graph([helper.make_node("Constant", [], ["y"], value=tensor(F32([k, 7])))], [], ["y"]) for k in range(2)]

UNARY = {
    "Abs": normal, "Acos": unit, "Acosh": above, "Asin": unit, "Asinh": normal, "Atan": normal, "Atanh": unit, "BitwiseNot": above,
    "Ceil": normal, "Celu": normal, "Cos": normal, "Cosh": normal, "Elu": normal, "Erf": normal, "Exp": normal, "Floor": normal,
    "Gelu": normal, "HardSigmoid": normal, "HardSwish": normal, "Hardmax": normal, "Identity": normal, "IsInf": normal, "IsNaN": normal,
    "LeakyRelu": normal, "Log": above, "Mish": normal, "Neg": normal, "NonZero": normal, "Not": normal, "Reciprocal": above,
    "Relu": normal, "Round": normal, "Selu": normal, "Shape": normal, "Shrink": normal, "Sigmoid": normal, "Sign": normal,
    "Sin": normal, "Sinh": normal, "Size": normal, "Softplus": normal, "Softsign": normal, "Sqrt": above, "Swish": normal, "Tan": unit,
    "Tanh": normal, "ThresholdedRelu": normal,
}  # fmt: skip
BINARY = ("Add", "And", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual",
          "Mul", "Or", "Sub", "Xor")
VARIADIC = ("Max", "Mean", "Min", "Sum")
REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")


def _reduced(name: str) -> tuple[Case, ...]:
    """Axes are an attribute until operator set 18, 13 for sums."""
    x, new = RNG.uniform(0.5, 1.2, (2, 3, 4)).astype(F32), 13 if name == "Sum" else 18
    old = [node(x, before=new, **a) for a in ({"axes": [1]}, {"axes": [0, 2], "keepdims": 0}, {"axes": [1, 2]}, {})]
    old.append(node(x, axes=[-1], since=11, before=new))
    now = [node(x, a, since=new, **k) for a, k in ((ints(1), {}), (ints(0, -1), {"keepdims": 0}), (None, {}))]
    return (*old, *now, node(x, ints(), since=new, noop_with_empty_axes=1), node(x, ints(), since=new, keepdims=0))


def _gates(gates: int, **more: Any) -> tuple[Case, ...]:
    """Recurrent layers: one direction, both with all operands, and another order of axes."""
    x, h, size = unit(4, 3, 5), 2, 5

    def weights(d: int) -> tuple[np.ndarray, ...]:
        return unit(d, gates * h, size), unit(d, gates * h, h), unit(d, 2 * gates * h)

    lengths, states = np.array([4, 2, 3], I32), 2 if gates == 4 else 1
    peepholes = (unit(2, 3 * h),) if gates == 4 else ()
    return (
        node(x, *weights(1)[:2], hidden_size=h, outputs=1 + states),
        node(x, *weights(1), lengths, *(unit(1, 3, h),) * states, hidden_size=h, direction="reverse", outputs=1 + states, **more),
        node(x, *weights(2), None, *(unit(2, 3, h),) * states, *peepholes, hidden_size=h, direction="bidirectional", clip=0.7,
             outputs=1 + states),
        node(x.swapaxes(0, 1).copy(), *weights(2), None, *(unit(3, 2, h),) * states, hidden_size=h, direction="bidirectional", layout=1,
             since=14, outputs=1 + states),
    )  # fmt: skip


def _pooled(average: bool) -> tuple[Case, ...]:
    x, n = normal(2, 3, 8, 9), 1 if average else 2
    square = {"kernel_shape": [3, 3]}
    cases = [
        node(x, **square, strides=[2, 2]), node(x, **square, pads=[1, 0, 2, 1]), node(x, **square, auto_pad="SAME_UPPER"),
        node(x, **square, strides=[2, 2], auto_pad="SAME_LOWER"), node(x, **square, auto_pad="VALID"), node(X, kernel_shape=[2]),
        node(normal(1, 2, 4, 5, 6), kernel_shape=[2, 3, 2], strides=[1, 2, 2]),
        node(x, **square, strides=[2, 3], pads=[1, 1, 1, 1], ceil_mode=1, since=10, outputs=n),
    ]  # fmt: skip
    if average:
        cases += [node(x, **square, pads=[1, 1, 1, 2], count_include_pad=1), node(x, **square, dilations=[2, 1], since=19),
                  node(x, **square, strides=[2, 3], pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=1, since=10)]
    else:
        cases += [node(x, **square, storage_order=1, since=8, outputs=2), node(x, **square, dilations=[2, 1], since=10, outputs=2)]
    return tuple(cases)


def _moved(name: str) -> tuple[Case, ...]:
    new = {"Squeeze": ((), [0, 2]), "Unsqueeze": (None, [0, 2])}[name]
    x = normal(1, 3, 1, 5)
    cases = [node(x, before=13, axes=new[1]), node(x, ints(0, 2), since=13), node(x, ints(-2), since=13),
             node(x, axes=[-2], since=11, before=13)]
    return (*cases, *([node(x)] if name == "Squeeze" else []))


CASES: dict[str, tuple[Case, ...]] = {
    **{name: (node(make(3, 5)),) for name, make in UNARY.items()},
    **{name: (node(above(2, 3, 5), above(3, 1)),) for name in BINARY},
    **{name: (node(X, normal(3, 1), normal(2, 1, 5)), node(X), node(X, X)) for name in VARIADIC},
    **{f"Reduce{name}": _reduced(name) for name in REDUCTIONS},
    "AffineGrid": (node(unit(2, 2, 3), ints(2, 3, 4, 5)), node(unit(2, 3, 4), ints(2, 3, 3, 4, 5), align_corners=1)),
    **{name: (node(x := np.round(X), axis=1), node(x), node(x, axis=2, keepdims=0), node(x, axis=-1, since=11),
              node(x, axis=1, select_last_index=1, since=12)) for name in ("ArgMax", "ArgMin")},
    "Attention": (node(unit(2, 3, 4, 8), unit(2, 3, 6, 8), unit(2, 3, 6, 8)),
                  node(unit(2, 4, 24), unit(2, 6, 24), unit(2, 6, 30), q_num_heads=3, kv_num_heads=3, is_causal=1)),
    "AveragePool": _pooled(True),
    "BatchNormalization": (
        node(IMAGE, unit(4), unit(4), unit(4), above(4)), node(IMAGE, unit(4), unit(4), unit(4), above(4), epsilon=0.1),
        node(normal(5, 4), unit(4), unit(4), unit(4), above(4)),
        node(IMAGE, unit(4, 7, 6), unit(4, 7, 6), unit(4, 7, 6), above(4, 7, 6), spatial=0, before=9),
        node(IMAGE, unit(4), unit(4), unit(4), above(4), training_mode=1, momentum=0.8, since=14, outputs=3),
    ),
    "BitCast": tuple(node(normal(3, 4), to=to) for to in (TensorProto.UINT32, TensorProto.INT8, TensorProto.FLOAT16, TensorProto.DOUBLE)),
    "BitShift": (node(above(3, 5), above(5), direction="LEFT"), node(above(3, 5), above(5), direction="RIGHT")),
    **{f"{name}Window": (node(number(10)), node(number(9), periodic=0, output_datatype=TensorProto.DOUBLE))
       for name in ("Blackman", "Hamming", "Hann")},
    "Cast": tuple(node(X, to=to) for to in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT32, TensorProto.BOOL,
                                            TensorProto.INT64, TensorProto.UINT8)),
    "CastLike": tuple(node(X, Constant(np.zeros(1, d))) for d in (F32, np.float16, I32, bool)),
    "CausalConvWithState": (node(normal(2, 3, 8), normal(3, 1, 4), outputs=2),
                            node(normal(2, 3, 8), normal(3, 1, 4), normal(3), normal(2, 3, 3),
                                                                         activation="silu", outputs=2)),
    "CenterCropPad": (node(IMAGE, ints(3, 5, 5, 9)), node(IMAGE, ints(5, 9), axes=[1, -1])),
    "Clip": (node(X, min=-0.5, max=0.7, before=11), node(X, before=11), node(X, min=0.1, before=11), node(X, one(-0.5), one(1.2), since=11),
             node(X, None, one(1.2), since=11), node(X, one(1), since=11), node(X, since=11)),
    "Col2Im": (node(normal(2, 12, 20), ints(5, 6), ints(2, 2)), node(normal(1, 4, 9), ints(5, 5), ints(2, 2), pads=[1, 0, 1, 0],
                                                                    strides=[2, 1], dilations=[1, 2])),
    "Compress": (node(X, Constant(np.array([True, False, True])), axis=1), node(X, Constant(np.array([False, True, False, True]))),
                 node(X, Constant(np.array([True, False, True])), axis=-1, since=11)),
    "Concat": (node(X, normal(2, 1, 5), axis=1), node(X, axis=0), node(X, X, X, axis=-1, since=11)),
    "Constant": (node(value=tensor(X)), node(value_float=2.5, since=12), node(value_floats=[1.0, 2.5], since=12),
                 node(value_int=7, since=12),
                 node(value_ints=[3, 4], since=12)),
    "ConstantOfShape": (node(ints(2, 3)), node(ints(2, 0, 3), value=tensor(I64([7]))), node(ints(4), value=tensor(np.array([True])))),
    "Conv": (node(IMAGE, normal(5, 4, 3, 3), normal(5), pads=[1, 0, 1, 2], strides=[2, 1]), node(IMAGE, normal(6, 2, 3, 2), group=2),
             node(IMAGE, normal(5, 4, 3, 3), auto_pad="SAME_LOWER", strides=[2, 2]), node(normal(2, 3, 9), normal(4, 3, 3), dilations=[2]),
             node(normal(1, 2, 4, 5, 6), normal(3, 2, 2, 2, 2), auto_pad="SAME_UPPER")),
    "ConvInteger": (node(Q8.view(np.uint8), Constant(Q8[:, :, :2, :3].view(np.uint8).copy()), Constant(np.asarray(9, np.uint8)),
                         Constant(np.asarray(100, np.uint8)), pads=[1, 1, 0, 0]),),
    "ConvTranspose": (node(IMAGE, normal(4, 5, 3, 3), normal(5), strides=[2, 2], pads=[1, 0, 1, 2], output_padding=[1, 1]),
                      node(IMAGE, normal(4, 2, 3, 2), group=2), node(IMAGE, normal(4, 5, 3, 3), output_shape=[15, 12], strides=[2, 2]),
                      node(IMAGE, normal(4, 5, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2])),
    **{name: (node(unit(3, 5), number(1, I32)), node(unit(3, 5), number(-2, I32), reverse=1, exclusive=1)) for name in ("CumSum",
                                                                                                                        "CumProd")},
    "DFT": (node(normal(2, 9, 1), None, number(1), since=20), node(normal(2, 9, 2), number(8), number(-2), inverse=1, since=20),
            node(normal(2, 9, 1), None, number(1), onesided=1, since=20), node(normal(2, 9, 1), before=20),
            node(normal(2, 9, 4, 2), number(6), axis=2, before=20), node(normal(2, 9, 1), onesided=1, before=20)),
    "DeformConv": (node(normal(1, 2, 6, 5), normal(3, 2, 2, 2), unit(1, 8, 5, 4), normal(3), unit(1, 4, 5, 4), kernel_shape=[2, 2]),),
    "DepthToSpace": (node(normal(2, 8, 3, 5), blocksize=2), node(normal(2, 8, 3, 5), blocksize=2, mode="CRD", since=11)),
    "DequantizeLinear": (
        node(Q8, one(0.6), Constant(np.asarray(3, np.int8))), node(Q8, one(0.6)),
        node(Q8, Constant(above(3)), Constant(np.arange(3, dtype=np.int8)), since=13), node(Q8, Constant(above(4)), axis=-2, since=13),
        node(Q8, Constant(above(2, 3, 4, 3)), axis=3, block_size=2, since=21),
    ),
    "Det": (node(normal(4, 4)), node(normal(2, 3, 3, 3))),
    "Dropout": (node(X), node(X, ratio=0.3, before=12), node(X, one(0.3), since=12, outputs=2),
                node(X, one(0.3), number(False, bool), since=12)),
    "DynamicQuantizeLinear": (node(X, outputs=3),),
    "Einsum": (node(normal(2, 3, 4), normal(2, 4, 5), equation="bij,bjk->bik"), node(normal(4, 4), equation="ii->i"),
               node(normal(3, 4), normal(4), equation="...j,j")),
    "Expand": (node(normal(3, 1), ints(2, 1, 6)),),
    "EyeLike": (node(normal(3, 5)), node(normal(3, 5), k=1, dtype=TensorProto.FLOAT), node(normal(4, 3), k=-2, dtype=TensorProto.INT64)),
    "Flatten": (node(IMAGE), node(IMAGE, axis=3), node(IMAGE, axis=0), node(IMAGE, axis=-1, since=11)),
    "GRU": (*_gates(3, linear_before_reset=1), node(unit(4, 3, 5), unit(1, 6, 5), unit(1, 6, 2), hidden_size=2, outputs=2,
                                                    activations=["Relu", "HardSigmoid"])),
    "Gather": (node(X, np.array([[0, 2], [1, 1]]), axis=1), node(X, np.array(1)), node(X, np.array([-1, 0]), axis=-1, since=11)),
    "GatherElements": (node(X, RNG.integers(-5, 5, (2, 2, 4))[:, :, :3], axis=2), node(X, RNG.integers(-2, 2, (2, 3, 5)))),
    "GatherND": (node(X, np.array([[0, 1], [1, 2]])), node(X, np.array([[[0], [2]], [[1], [1]]]), batch_dims=1, since=12)),
    "Gemm": (node(normal(3, 4), normal(4, 5), normal(5)), node(normal(4, 3), normal(5, 4), normal(3, 1), transA=1, transB=1, alpha=0.5,
                                                               beta=2.0),
             node(normal(3, 4), normal(4, 5), since=11)),
    **{f"Global{kind}Pool": (node(IMAGE), node(X)) for kind in ("Average", "Max")},
    "GlobalLpPool": (node(IMAGE), node(IMAGE, p=3)),
    "GridSample": (*(node(IMAGE, unit(2, 3, 5, 2) * F32(1.3), mode=m, padding_mode=p, align_corners=a, before=20) for m, p, a in
                     (("bilinear", "zeros", 0), ("nearest", "border", 1), ("bicubic", "reflection", 0))),
                   *(node(IMAGE, unit(2, 3, 5, 2) * F32(1.3), mode=m, padding_mode=p, align_corners=a, since=20) for m, p, a in
                     (("linear", "zeros", 0), ("nearest", "border", 1), ("cubic", "reflection", 0)))),
    "GroupNormalization": (node(IMAGE, unit(2), unit(2), num_groups=2, before=21), node(IMAGE, unit(4), unit(4), num_groups=2, since=21)),
    **{name: (node(IMAGE), node(IMAGE, axis=2), node(IMAGE, axis=-1, since=11), node(IMAGE, axis=0))
       for name in ("Softmax", "LogSoftmax", "Hardmax")},
    "Identity": (node(X),),
    "If": tuple(node(c, then_branch=ONCE[0], else_branch=ONCE[1]) for c in (np.array(True), Constant(np.array(False)))),
    "InstanceNormalization": (node(IMAGE, unit(4), unit(4)),),
    "IsInf": (node(F32([np.inf, -np.inf, np.nan, 1])), node(F32([np.inf, -np.inf, np.nan, 1]), detect_negative=0)),
    "IsNaN": (node(F32([np.inf, -np.inf, np.nan, 1])),),
    "LRN": (node(IMAGE, size=3, alpha=0.5, beta=0.6, bias=1.5), node(IMAGE, size=3)),
    "LSTM": (*_gates(4), node(unit(4, 3, 5), unit(1, 8, 5), unit(1, 8, 2), hidden_size=2, outputs=3, input_forget=1)),
    "LayerNormalization": (node(IMAGE, unit(7, 6), unit(7, 6), axis=2, outputs=3), node(IMAGE, unit(6))),
    "LinearAttention": (node(unit(2, 5, 6), unit(2, 5, 6), unit(2, 5, 8), q_num_heads=2, kv_num_heads=2, update_rule="linear", outputs=2),),
    "Loop": tuple(node(number(3), Constant(np.array(True)), F32([1, 2]), body=body, outputs=2, fixed=body is LOOP) for body in (LOOP,
                                                                                                                                LOOP_SAME)),
    "LpNormalization": (node(X), node(X, axis=1, p=1)),
    "LpPool": (node(IMAGE, kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1]),
               node(IMAGE, kernel_shape=[2, 2], p=3, auto_pad="SAME_UPPER"),
               node(IMAGE, kernel_shape=[2, 2], dilations=[2, 2], strides=[3, 2], ceil_mode=1, since=18)),
    "MatMul": (node(normal(2, 3, 4), normal(4, 5)), node(normal(4), normal(2, 4, 3))),
    "MatMulInteger": (node(Q8, Constant(Q8[0, 0, 0].reshape(5, 1)), Constant(np.asarray(3, np.int8))),),
    "MaxPool": _pooled(False),
    "MaxRoiPool": (node(IMAGE, Constant(F32([[0, 0, 0, 4, 5], [1, 1, 2, 5, 6]])), pooled_shape=[2, 2]),),
    "MaxUnpool": (node(above(1, 1, 2, 2), np.array([[[[5, 7], [13, 15]]]]), kernel_shape=[2, 2], strides=[2, 2]),),
    "MeanVarianceNormalization": (node(IMAGE), node(IMAGE, axes=[1, 2])),
    "MelWeightMatrix": (node(number(8), number(16), number(8192), one(0.0), one(4096.0)),),
    "Mod": (node(above(3, 5), above(5)), node(normal(3, 5), above(5), fmod=1)),
    "NegativeLogLikelihoodLoss": (node(unit(3, 4, 2), np.array([[0, 1], [3, 2], [1, 1]])),
                                  node(unit(3, 4), np.array([0, 3, 1]), above(4), reduction="sum", ignore_index=3)),
    "NonMaxSuppression": (node(F32([[[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, 2, 1, 3]]]), F32([[[0.9, 0.8, 0.7]]]), number(2), one(0.5),
                               one(0.1)),),
    "OneHot": (node(np.array([[0, 2], [4, 1]]), number(5), reals(2.0, 3.0)),
               node(np.array([[0, 2], [4, -1]]), number(5), reals(2.0, 3.0), axis=1, since=11)),
    "PRelu": (node(X, unit(5)), node(X, unit(3, 1)), node(X, unit(2, 3, 5))),
    "Pad": (
        *(node(X, mode=m, pads=[0, 1, 2, 1, 0, 1], before=11) for m in ("constant", "reflect", "edge")),
        node(X, pads=[0, 1, -1, 1, 0, 2], value=1.5, before=11), node(X, ints(0, 1, -1, 1, 0, 2), one(1.5), since=11),
        *(node(X, ints(0, 1, 2, 1, 0, 1), mode=m, since=11) for m in ("constant", "reflect", "edge")),
        node(X, ints(2, 1), None, ints(-1), since=18), node(X, ints(0, 1, 2, 1, 0, 1), mode="wrap", since=19),
    ),
    "Pow": (node(above(2, 3), np.asarray(above(3))), node(above(2, 3), np.float32(2))),
    "QLinearConv": (node(Q8.view(np.uint8), one(0.1), Constant(np.asarray(9, np.uint8)), Constant(Q8[:, :, :2, :3].view(np.uint8).copy()),
                         one(0.02),
                         Constant(np.asarray(100, np.uint8)), one(0.9), Constant(np.asarray(77, np.uint8))),),
    "QLinearMatMul": (node(Q8[0, 0], one(0.1), Constant(np.int8(3)), Constant(Q8[0, 0, :1].T.copy()), one(0.2), Constant(np.int8(1)),
                           one(3.0),
                           Constant(np.int8(4))),),
    "QuantizeLinear": (
        node(X, one(0.6), Constant(np.asarray(3, np.uint8))), node(X, one(0.6)),
        node(X, Constant(above(3)), Constant(np.arange(3, dtype=np.uint8)), since=13),
        node(X, Constant(above(5)), axis=-1, since=13), node(X, Constant(above(2, 3, 3)), axis=2, block_size=2, since=21),
        node(X, one(0.6), output_dtype=TensorProto.INT16, since=21), node(X, one(0.6), precision=TensorProto.FLOAT, since=23),
    ),
    "RMSNormalization": (node(IMAGE, unit(6)), node(IMAGE, unit(7, 6), axis=2, epsilon=0.1)),
    "RNN": (*_gates(1), node(unit(4, 3, 5), unit(1, 2, 5), unit(1, 2, 2), hidden_size=2, outputs=2, activations=["Relu"])),
    "Range": (node(one(1), one(9), one(2)), node(one(9), one(0), one(-2)), node(number(10), number(2), number(-3), fixed=True)),
    "Reshape": (node(IMAGE, ints(4, -1, 6)), node(IMAGE, ints(0, 0, -1)), node(IMAGE, ints(4, -1, 6), allowzero=1, since=14)),
    "Resize": (
        *(node(IMAGE, reals(1, 1, *s), mode=m, before=11) for m in ("nearest", "linear") for s in ((2, 1.5), (0.5, 0.7))),
        *(node(IMAGE, None, reals(1, 1, 1.6, 0.6), mode=m, coordinate_transformation_mode=c, since=13)
          for m in ("nearest", "linear", "cubic") for c in ("half_pixel", "asymmetric", "pytorch_half_pixel")),
        *(node(IMAGE, reals(), reals(1, 1, 1.6, 2), mode=m, since=11, before=13) for m in ("nearest", "linear", "cubic")),
        node(IMAGE, None, None, ints(2, 4, 9, 5), mode="linear", coordinate_transformation_mode="align_corners", since=13),
        node(IMAGE, reals(), reals(), ints(2, 4, 9, 5), nearest_mode="floor", since=11, before=13),
        node(IMAGE, None, reals(0.6, 0.7), antialias=1, mode="linear", axes=[2, 3], since=18, fixed=True),
        node(IMAGE, None, None, ints(9, 8), axes=[2, 3], keep_aspect_ratio_policy="not_larger", since=18),
    ),
    "ReverseSequence": (node(normal(4, 3, 2), Constant(np.array([4, 1, 2]))),
                        node(normal(4, 3, 2), Constant(np.array([3, 1, 2, 2])), batch_axis=0, time_axis=1)),
    "RoiAlign": (
        *(node(IMAGE, Constant(F32([[0.4, 0.2, 3, 5], [1, 2, 4.5, 6]])), Constant(np.array([1, 0])), output_height=3, output_width=2,
               mode=m,
               sampling_ratio=2) for m in ("avg", "max")),
        node(IMAGE, Constant(F32([[0.4, 0.2, 3, 5]])), Constant(np.array([1])), coordinate_transformation_mode="output_half_pixel",
             since=16),
    ),
    "RotaryEmbedding": (node(unit(2, 3, 4, 8), unit(10, 4), unit(10, 4), RNG.integers(0, 10, (2, 4))),
                        node(unit(2, 4, 24), unit(2, 4, 4), unit(2, 4, 4), num_heads=3, interleaved=1)),
    "STFT": (node(normal(1, 32, 1), number(8), Constant(above(16)), number(16)),
             node(normal(1, 32, 1), number(8), None, number(16), onesided=0)),
    "Scan": (
        *(node(None, normal(2, 3), normal(2, 4, 3), body=body, num_scan_inputs=1, outputs=2, before=9, fixed=body is BODY)
          for body in (BODY, SAME)),
        *(node(normal(3), normal(4, 3), body=body, num_scan_inputs=1, outputs=2, since=9, fixed=body is BODY) for body in (BODY, SAME)),
        node(normal(3), normal(3, 4), body=BODY, num_scan_inputs=1, outputs=2, since=9, scan_input_axes=[1], scan_output_axes=[1],
             scan_input_directions=[1], scan_output_directions=[1], fixed=True),
    ),
    "Scatter": (node(X, RNG.permuted(np.tile(np.arange(5), (2, 3, 1)), axis=2)[:, :, :2], normal(2, 3, 2), axis=2),),
    "ScatterElements": (
        node(X, np.array([[[0, 1, 0], [1, 0, 1]]]), normal(1, 2, 3)), node(X, np.array([[[4, -5], [1, 0]]]), normal(1, 2, 2), axis=-1),
        *(node(X, np.array([[[4, 4], [1, 0]]]), above(1, 2, 2), axis=2, reduction=r, since=s) for r, s in
          (("add", 16), ("mul", 16), ("max", 18), ("min", 18))),
    ),
    "ScatterND": (
        node(X, np.array([[0, 1], [1, 2]]), normal(2, 5)),
        *(node(X, np.array([[0, 1], [0, 1]]), above(2, 5), reduction=r, since=s) for r,
          s in (("add", 16), ("mul", 16), ("max", 18), ("min", 18))),
    ),
    "Shape": (node(X), node(X, start=1, since=15), node(X, start=-2, end=-1, since=15)),
    "Shrink": (node(X), node(X, lambd=1.0, bias=0.5)),
    "Slice": (
        node(IMAGE, starts=[1, 0], ends=[3, -1], axes=[1, 3], before=10), node(IMAGE, starts=[0, 1], ends=[1, 99], before=10),
        node(IMAGE, ints(1, 0), ints(3, -1), ints(1, 3), since=10),
        node(IMAGE, ints(-1, 5), ints(-99, 0), ints(1, 3), ints(-1, -2), since=10),
        node(IMAGE, ints(0, 1), ints(1, 99), since=10), node(IMAGE, ints(1), ints(5), ints(-1), since=11),
    ),
    "SoftmaxCrossEntropyLoss": (node(unit(3, 4), np.array([0, 3, 1])), node(unit(3, 4, 2), np.array([[0, 1], [3, 2], [1, 1]]), above(4),
                                                                           reduction="sum", ignore_index=2, outputs=2)),
    "SpaceToDepth": (node(normal(2, 3, 4, 6), blocksize=2), node(normal(2, 3, 4, 6), blocksize=2, mode="CRD", since=28)),
    "Split": (
        node(IMAGE, axis=1, outputs=2, before=18), node(IMAGE, axis=2, split=[3, 4], outputs=2, before=13),
        node(IMAGE, outputs=2, before=18),
        node(IMAGE, ints(3, 4), axis=2, outputs=2, since=13), node(IMAGE, axis=-1, outputs=3, since=11, before=18),
        node(IMAGE, axis=2, num_outputs=3, outputs=3, since=18),
    ),
    "Squeeze": _moved("Squeeze"),
    "SwiGLU": (node(normal(3, 6), normal(3, 6)), node(normal(3, 6), normal(3, 6), alpha=1.7)),
    "TensorScatter": (node(normal(2, 6, 3), normal(2, 2, 3), np.array([1, 4])),
                      node(normal(2, 6, 3), normal(2, 2, 3), np.array([1, 5]), mode="circular")),
    "TfIdfVectorizer": (node(np.array([1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8], I32), max_gram_length=2, max_skip_count=0, min_gram_length=2,
                             mode="TF", ngram_counts=[0, 4], ngram_indexes=list(range(7)), pool_int64s=[2, 3, 5, 4, 5, 6, 7, 8, 6, 7]),),
    "Tile": (node(normal(2, 3), ints(2, 3)),),
    "TopK": (
        node(X, k=2, before=10, outputs=2), node(X, k=2, axis=1, before=10, outputs=2), node(X, ints(3), axis=1, since=10, outputs=2),
        node(X, ints(3), axis=-1, largest=0, since=11, outputs=2),
    ),
    "Transpose": (node(IMAGE), node(IMAGE, perm=[0, 2, 3, 1])),
    "Trilu": (node(normal(2, 4, 5)), node(normal(4, 5), number(-1), upper=0), node(normal(4, 5), number(2))),
    "Unique": (node(np.round(normal(9)), outputs=4), node(np.round(normal(6)).repeat(2), sorted=0, outputs=4),
               node(np.round(unit(6, 2)), axis=0, outputs=4)),
    "Unsqueeze": _moved("Unsqueeze"),
    "Upsample": (node(IMAGE, scales=[1.0, 1.0, 2.0, 3.0], before=9), node(IMAGE, scales=[1.0, 1.0, 2.0, 2.0], mode="linear", before=9),
                 node(IMAGE, reals(1, 1, 2, 3), since=9), node(IMAGE, reals(1, 1, 2, 2), mode="linear", since=9)),
    "Where": (node(RNG.random((3, 5)) < 0.5, normal(2, 3, 5), normal(3, 1)),),
}  # fmt: skip

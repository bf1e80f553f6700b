"""Layouts: where elements lie, and the buffers that hold them."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planish.compiler.layout import Layout

NHWC = (2, 3, 4, 17)
LAYOUTS = [
    (NHWC, Layout.linear(NHWC)),
    (NHWC, Layout.linear(NHWC).shifted(5)),
    (NHWC, Layout.blocked(NHWC, 4)),
    (NHWC, Layout.blocked(NHWC, 16).shifted(32)),
    (NHWC, Layout((204, 4, 1, 12))),  # NHWC, as NCHW has it
    ((2, 3, 4, 16), Layout((768, 256, 64, 16), 16, 3, 16)),  # part of a larger image
    ((3, 5, 16), Layout.blocked((3, 5, 16), 8)),
    ((5,), Layout.blocked((5,), 4)),
    ((7, 1, 9), Layout((18, 0, 2))),
    ((), Layout.linear(())),
    ((2, 0, 3, 4), Layout.blocked((2, 0, 3, 4), 4)),
]


@pytest.mark.parametrize(("shape", "layout"), LAYOUTS, ids=str)
def test_packing(shape: tuple[int, ...], layout: Layout) -> None:
    """Every element lies where its index says, zeros lie elsewhere, and the array comes back."""
    array = np.random.default_rng(0).random(shape).astype(np.float32)
    expected = np.zeros(layout.span(shape), np.float32)
    expected[layout.indices(shape)] = array
    buffer = layout.pack(array)
    np.testing.assert_array_equal(buffer, expected)
    back = layout.unpack(buffer, shape)
    np.testing.assert_array_equal(back, array)
    assert not np.shares_memory(back, buffer)


def test_indices() -> None:
    assert Layout.blocked((1, 2, 2, 3), 2).indices((1, 2, 2, 3)).tolist() == [[[[0, 1, 8], [2, 3, 10]], [[4, 5, 12], [6, 7, 14]]]]
    assert Layout((6, 1, 3), 4).indices((1, 2, 2)).tolist() == [[[4, 7], [5, 8]]]


def test_text() -> None:
    assert str(Layout.linear((2, 3))) == "[3,1]" and str(Layout.blocked((1, 2, 2, 5), 4).shifted(8)) == "[32,8,4,16]/4@3+8"


SHAPES = st.lists(st.integers(1, 6), max_size=5).map(tuple)
PROPERTY = settings(max_examples=150, deadline=None, derandomize=True, database=None)


@st.composite
def layouts(draw: st.DrawFn, shapes: st.SearchStrategy[tuple[int, ...]] = SHAPES) -> tuple[tuple[int, ...], Layout]:
    """A shape, and a layout of it or of a part of something larger."""
    shape = draw(shapes)
    whole = tuple(e * draw(st.sampled_from([1, 1, 2])) for e in shape)
    blocked = shape and draw(st.booleans())
    layout = Layout.blocked(whole, draw(st.sampled_from([1, 2, 4]))) if blocked else Layout.linear(whole)
    return shape, layout.shifted(draw(st.sampled_from([0, 3])))


@given(layouts())
@PROPERTY
def test_every_element_has_a_place_of_its_own(drawn: tuple[tuple[int, ...], Layout]) -> None:
    shape, layout = drawn
    indices = layout.indices(shape)
    assert len(np.unique(indices)) == prod(shape)
    assert layout.offset <= indices.min() and indices.max() < layout.span(shape)
    array = np.arange(1, prod(shape) + 1).reshape(shape)
    buffer = layout.pack(array)
    np.testing.assert_array_equal(layout.unpack(buffer, shape), array)
    assert np.count_nonzero(buffer) == prod(shape)


@given(layouts())
@PROPERTY
def test_row_major_means_consecutive(drawn: tuple[tuple[int, ...], Layout]) -> None:
    shape, layout = drawn
    consecutive = np.array_equal(layout.indices(shape).ravel() - layout.offset, np.arange(prod(shape)))
    if layout.row_major(shape):
        assert consecutive
    elif layout.axis is None:
        assert not consecutive


@given(layouts(), st.integers(0, 4), st.integers(1, 99))
@PROPERTY
def test_matching_layouts_place_alike(drawn: tuple[tuple[int, ...], Layout], axis: int, stride: int) -> None:
    shape, layout = drawn
    strides = list(layout.strides)
    if axis < len(shape):
        strides[axis] = stride
    other = Layout(tuple(strides), layout.offset, layout.axis, layout.lanes)
    assert layout.matches(other, shape) == np.array_equal(layout.indices(shape), other.indices(shape))
    assert not layout.matches(layout.shifted(1), shape)

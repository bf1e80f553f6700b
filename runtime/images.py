"""Weights that kernels read as an image: four neighbours are a pixel of it."""

from __future__ import annotations

import pyopencl as cl

from .checks import PIXEL
from .errors import DeviceError

FORMATS = {"float32": cl.channel_type.FLOAT, "float16": cl.channel_type.HALF_FLOAT}
"""What the numbers may be, by numpy's names; the kernel sees float32."""


class Images:
    """Images over a buffer, from its first byte to its last whole pixel: nothing is copied."""

    def __init__(self, context: cl.Context, device: cl.Device, buffer: cl.Buffer):
        self._context, self._device, self._buffer = context, device, buffer
        self._made: dict[str, cl.Image] = {}

    def of(self, numbers: str) -> cl.Image:
        """The image whose pixels are four such numbers, the same each time.

        Raises:
            DeviceError: the device has none so large.
        """
        if numbers not in self._made:
            self._made[numbers] = self._image(numbers)
        return self._made[numbers]

    def _image(self, numbers: str) -> cl.Image:
        name, count = self._device.name.strip(), self._buffer.size // PIXEL[numbers]
        most = self._device.image_max_buffer_size
        if count > most:
            raise DeviceError(f"{name} has images of up to {most} pixels; the plan's weights have {count}: "
                              f"compile the model with another --target, as generic")
        descriptor = cl.ImageDescriptor()
        descriptor.image_type, descriptor.shape, descriptor.buffer = cl.mem_object_type.IMAGE1D_BUFFER, (count, 0, 0), self._buffer
        descriptor.array_size = descriptor.num_mip_levels = descriptor.num_samples = 0
        descriptor.pitches = (0, 0)
        form = cl.ImageFormat(cl.channel_order.RGBA, FORMATS[numbers])
        return cl.Image(self._context, cl.mem_flags.READ_ONLY, form, desc=descriptor)

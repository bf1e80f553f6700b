"""A run that goes on while the caller does something else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyopencl as cl

from .devices import refusals


class Run:
    """A run that has been enqueued. Several threads may wait for it. Who drops it waits as well: nothing that it uses may go before."""

    def __init__(self, device: cl.Device, results: dict[str, np.ndarray], events: Sequence[cl.Event], used: object):
        """Args: the outputs; events of its transfers and, the last, of its end; what has to live until then."""
        self._device, self._results, self._end = device, results, events[-1]
        self._needed: object = (events, used)

    def done(self) -> bool:
        """Whether it has ended, in success or failure."""
        with refusals(self._device):
            return self._end.command_execution_status <= cl.command_execution_status.COMPLETE

    def wait(self) -> None:
        """Returns when it has ended.

        Raises:
            DeviceError: the device failed.
        """
        with refusals(self._device):
            self._end.wait()
        self._needed = None

    def result(self) -> dict[str, np.ndarray]:
        """Waits, and gives the outputs, as `Session.run` returns them; the same objects each time.

        Raises:
            DeviceError: the device failed.
        """
        self.wait()
        return self._results

    def __del__(self) -> None:
        if self._needed:
            self.wait()

"""Kernels for notebooks, of this interpreter, forked from a process that has loaded the libraries.

Every kernel is a process of its own, as any other is; but libraries take longer to load than most
notebooks to run, and are loaded once.
"""

import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import default

_LOADED = [  # in this order: numerics are set before NumPy is loaded
    "mgsl",
    "mgsl.reporting.site.kernels",
    "mgsl.reporting.draw.figures",
    "mgsl.reporting.draw.tables",
    "mgsl.reporting.read.results",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "matplotlib.backends.backend_svg",
]


class LocalKernel(AsyncKernelManager):
    """A kernel of this interpreter, spoken to through files of this user's, not the network."""

    transport = "ipc"

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.provisioner = _Forked(
            kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
        )

    @property
    def kernel_spec(self) -> KernelSpec:
        """This interpreter, whatever kernels are registered under the name of a notebook's."""
        return KernelSpec(**get_kernel_dict())

    @default("ip")
    def _ip_default(self) -> str:
        """In the folder of this run alone: kernels that start together must not share a name."""
        return str(Path(os.environ["IPYTHONDIR"], "kernel"))


class _Forked(LocalProvisioner):
    """Starts a kernel where others start a program."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel; of `cmd` what follows the module's name is the kernel's."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_LOADED)
        options = cmd[cmd.index("ipykernel_launcher") + 1 :]
        self.cwd = Path(kwargs.get("cwd") or Path.cwd())
        process = context.Process(
            target=_serve, args=(options, kwargs["env"], self.cwd), daemon=True
        )
        process.start()
        self.process = _Process(process)  # type: ignore[assignment]
        self.pid = self.pgid = process.pid  # of a session of its own
        return self.connection_info


class _Process:
    """A forked process with what a provisioner asks of `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, process: BaseProcess) -> None:
        self._process = process
        assert process.pid is not None, "started"
        self.pid = process.pid

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.exitcode

    def wait(self) -> int | None:
        """Wait for its end; its exit code."""
        self._process.join()
        return self.poll()

    def send_signal(self, number: int) -> None:
        """Send a signal to it alone."""
        os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it."""
        self._process.kill()


def _serve(options: list[str], environment: dict[str, str], folder: Path) -> None:
    """Be a kernel until it is shut down, or the process that it was forked from has ended."""
    os.setsid()  # so that Ctrl-C reaches the stage alone
    os.environ.clear()
    os.environ |= {**environment, "JPY_PARENT_PID": str(os.getppid())}
    os.chdir(folder)
    sys.argv = [IPKernelApp.name, *options]
    IPKernelApp.launch_instance(options)

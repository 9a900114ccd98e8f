"""A line between two servers on this machine that can be cut and mended."""

import contextlib
import socket
import threading


class Line:
    """Listens on a port of its own and carries every byte to another, while it is whole."""

    def __init__(self, to: int) -> None:
        """Be whole from the start."""
        self._to, self._whole = to, True
        self._open: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cut it: nobody is told, what is on its way is gone."""
        self._whole = False
        for held in list(self._open):
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)
            held.close()
        self._open.clear()

    def mend(self) -> None:
        """Make it whole again."""
        self._whole = True

    def close(self) -> None:
        """Take it down."""
        self.cut()
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                if not self._whole:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._to))
                self._open |= {near, far}
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        for held in (one, other):
            self._open.discard(held)
            with contextlib.suppress(OSError):
                held.close()

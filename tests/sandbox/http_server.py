"""The loopback HTTP servers of the sandbox: HTTP/1.1, quiet, on a free port."""

import socket
import socketserver
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class InThread(socketserver.TCPServer):
    """To be mixed in: serves in a thread of its own, which sleeps until something comes; connections end with it."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, *arguments: Any) -> None:
        self._connections: set[socket.socket] = set()
        self._is_ending = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        super().__init__(*arguments)

    @property
    def address(self) -> str:
        host, port = self.server_address[:2]
        return f"{host!s}:{port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End all connections; of a request that is on its way nothing is read any more."""
        self._is_ending = True
        if self._thread.is_alive():
            # The thread waits for a connection.
            with socket.create_connection(self.socket.getsockname()):
                self._thread.join()
        self.server_close()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            self.shutdown_request(connection)

    def _serve(self) -> None:
        while not self._is_ending:
            self.handle_request()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over a client that has gone; anything else is printed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Server(InThread, ThreadingHTTPServer):
    """An HTTP server in a thread of its own."""

    def __init__(self, handler: type[BaseHTTPRequestHandler], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)


class Handler(BaseHTTPRequestHandler):
    """Reads and answers requests with whole bodies."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave in one packet
    # Else a body waits until its headers are acknowledged, which a warm connection takes 40 ms to do.
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Write no line per request."""

    def read_body(self) -> bytes:
        """Return the body. Raises ConnectionError, which the server passes over, where it ends in the middle."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self._read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self._read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    def _read(self, length: int) -> bytes:
        read = self.rfile.read(length)
        if len(read) < length:
            raise ConnectionError("the request ends in the middle")
        return read

    def answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

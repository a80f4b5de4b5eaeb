"""A small HTTP client that sends exactly what a case says: no redirects, no path cleaning, keep-alive."""

import http.client
import socket


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # lower-case name -> list of values, in order
        self.body = body


class Client:
    """One keep-alive connection. It is opened again when the server closed it between two requests."""

    def __init__(self, port, timeout=30):
        self.port = port
        self.timeout = timeout
        self.connection = None

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def send(self, method, target, headers=(), body=None):
        """Sends a request and returns its Response; raises OSError when the server cannot be reached."""
        fresh = self.connection is None
        try:
            return self._send(method, target, headers, body)
        except (http.client.HTTPException, ConnectionError, socket.timeout) as error:
            self.close()
            if fresh or isinstance(error, socket.timeout):
                raise OSError("%s: %s" % (type(error).__name__, error))
        try:
            return self._send(method, target, headers, body)
        except (http.client.HTTPException, ConnectionError) as error:
            self.close()
            raise OSError("%s: %s" % (type(error).__name__, error))

    def _send(self, method, target, headers, body):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = self.connection
        connection.putrequest(method, target, skip_accept_encoding=True)
        names = {name.lower() for name, _ in headers}
        for name, value in headers:
            connection.putheader(name, value)
        if "content-length" not in names and (body is not None or method in ("POST", "PUT", "PATCH")):
            connection.putheader("Content-Length", str(len(body or b"")))
        try:
            connection.endheaders(body)
        except (BrokenPipeError, ConnectionResetError):
            # A server may refuse a large body before it read all of it; its answer is still there to be read.
            if not body:
                raise
        answer = connection.getresponse()
        data = answer.read()
        collected = {}
        for name, value in answer.getheaders():
            collected.setdefault(name.lower(), []).append(value)
        if answer.will_close:
            self.close()
        return Response(answer.status, collected, data)

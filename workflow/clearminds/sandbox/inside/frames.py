"""Messages on a socket: a length, then JSON. Whoever reads takes them for an enemy's."""

import json
import os

MOST_BYTES = 8 * 2**20
_LENGTH = 4  # bytes, the highest first


class BadMessage(Exception):
    """What came is no message, or none that may be sent."""


class Closed(Exception):
    """The other side has gone."""


class Channel:
    """One end of a connection. Args: descriptor: of a connected stream socket."""

    def __init__(self, descriptor: int):
        self._descriptor = descriptor

    def send(self, message: object) -> None:
        """Sends one message.

        Raises:
            BadMessage: it is too large, or too deeply nested.
            Closed: nobody reads any more.
        """
        try:
            body = json.dumps(message).encode("ascii")
        except (RecursionError, ValueError) as error:
            raise BadMessage(f"nested too deeply to be sent: {type(error).__name__}") from None
        if len(body) > MOST_BYTES:
            raise BadMessage(f"too large to be sent: {len(body)} bytes, at most {MOST_BYTES}")
        rest = memoryview(len(body).to_bytes(_LENGTH, "big") + body)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            raise Closed from None

    def receive(self) -> object:
        """The next message.

        Raises:
            BadMessage: what came is none.
            Closed: nothing more comes.
        """
        length = int.from_bytes(self._read(_LENGTH), "big")
        if length > MOST_BYTES:
            raise BadMessage(f"a message of {length} bytes, more than {MOST_BYTES}")
        try:
            return json.loads(self._read(length))
        except (ValueError, RecursionError) as error:
            raise BadMessage(f"not JSON: {type(error).__name__}") from None

    def _read(self, count: int) -> bytes:
        parts = []
        while count:
            try:
                part = os.read(self._descriptor, min(count, 2**16))
            except OSError:
                raise Closed from None
            if not part:
                raise Closed
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

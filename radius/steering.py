"""Several sockets on one UDP port: the kernel deals packets out by their Identifier, by a filter that we attach.

So a packet that is sent again meets the process that has its answer in the duplicate cache, and one NAS that sends all from
one port keeps all processes busy. By the kernel's own choice, a hash of addresses and ports, it would keep one.
"""

import ctypes
import socket
import struct

# linux/filter.h, asm-generic/socket.h; Python has no names for them.
_SO_ATTACH_REUSEPORT_CBPF = 51
_LOAD_OCTET = 0x30
_MODULO = 0x94
_RETURN_ACCUMULATOR = 0x16
_INSTRUCTION = struct.Struct("HBBI")
_IDENTIFIER_OFFSET = 1


def can_steer() -> bool:
    """Whether this kernel can deal packets out."""
    return hasattr(socket, "SO_REUSEPORT") and _steers_for_us()


def steer(bound: socket.socket, count: int) -> None:
    """Have the group of sockets on this one's port take packets by Identifier modulo `count`. OSError where it cannot be.

    A socket's place in the group is the order of binding, as long as none of them is closed.
    """
    instructions = b"".join(
        (
            _INSTRUCTION.pack(_LOAD_OCTET, 0, 0, _IDENTIFIER_OFFSET),
            _INSTRUCTION.pack(_MODULO, 0, 0, count),
            _INSTRUCTION.pack(_RETURN_ACCUMULATOR, 0, 0, 0),
        )
    )
    buffer = ctypes.create_string_buffer(instructions, len(instructions))
    program = struct.pack("HP", len(instructions) // _INSTRUCTION.size, ctypes.addressof(buffer))
    bound.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, program)


def _steers_for_us() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            probe.bind(("127.0.0.1", 0))
            steer(probe, 1)
        except OSError:
            return False
    return True

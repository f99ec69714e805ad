"""A filter of system calls (seccomp), as the kernel takes it: what no honest program needs and namespaces do not cover.

Namespaces hide files, processes and networks. Left open are sockets of a virtual machine's host (vsock), keyrings,
memory outside of any limit (memfd, System V), tracing, and namespaces of one's own.
"""

import errno
import platform
import struct

_NUMBERS = {  # name: number on x86_64, on aarch64
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "io_uring_setup": (425, 425),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
}
_SOCKET, _CLONE, _CLONE3 = (41, 198), (56, 220), (435, 435)
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6, in a network of their own
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEW...
_X32 = 0x40000000

# instructions of the kernel's packet filter: load a word, compare, return
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in what a filter is shown (little-endian)
_ALLOW, _FAIL, _KILL = 0x7FFF0000, 0x00050000, 0x80000000


def system_call_filter(machine: str | None = None) -> bytes | None:
    """The filter's program; None where this machine's calls are not known.

    Args:
        machine: as `platform.machine` names it; None: this one.
    """
    known = _MACHINES.get(machine or platform.machine())
    if known is None:
        return None
    column, architecture = known
    program = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, architecture, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
        _step(_AT_LEAST, _X32, 0, 1),  # the same calls under other numbers
        _step(_RETURN, _FAIL | errno.ENOSYS),
    ]
    for number in (numbers[column] for numbers in _NUMBERS.values()):
        program += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _FAIL | errno.EPERM)]
    # its flags lie in memory that no filter sees; libc then takes clone
    program += [_step(_EQUAL, _CLONE3[column], 0, 1), _step(_RETURN, _FAIL | errno.ENOSYS)]
    program += [_step(_EQUAL, _CLONE[column], 0, 4), _step(_LOAD, _FIRST_ARGUMENT)]
    program += [_step(_ANY_BIT, _NEW_NAMESPACES, 0, 1), _step(_RETURN, _FAIL | errno.EPERM), _step(_RETURN, _ALLOW)]
    program += [_step(_EQUAL, _SOCKET[column], 1, 0), _step(_RETURN, _ALLOW), _step(_LOAD, _FIRST_ARGUMENT)]
    for family in _FAMILIES:
        program += [_step(_EQUAL, family, 0, 1), _step(_RETURN, _ALLOW)]
    return b"".join([*program, _step(_RETURN, _FAIL | errno.EAFNOSUPPORT)])


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)

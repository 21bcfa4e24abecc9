"""Getting out of the process: signals, other processes' memory, programs, files, the network, native code."""

from attacks.attack import Attack
from attacks.resource import MMAP

ATTACKS = (
    Attack("signal_a_process", "killed", "world", "landlock + seccomp", """
import os
def attack(p, d):
    os.kill($victim, 10)
    return told(p, False)
""", reason="forbidden system call"),
    Attack("signal_the_zygote", "killed", "order", "landlock + seccomp", """
import os
def attack(p, d): return told(p, os.kill($zygote, 0) is None)
""", reason="forbidden system call"),
    Attack("trace", "killed", "order", "landlock + seccomp + capabilities", """
import ctypes
def attack(p, d): return told(p, ctypes.CDLL(None).ptrace(0x4206, $victim, 0, 0) == 0)
""", reason="forbidden system call"),
    Attack("be_traced", "killed", "order", "seccomp", """
import ctypes
def attack(p, d): return told(p, ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0)
""", reason="forbidden system call"),
    Attack("other_memory", "killed", "order", "seccomp", """
import ctypes
def attack(p, d):
    data, into = ctypes.create_string_buffer(b"mine", 8), ctypes.create_string_buffer(8)
    a = (ctypes.c_size_t * 2)(ctypes.addressof(into), 8)
    b = (ctypes.c_size_t * 2)(ctypes.addressof(data), 8)
    got = ctypes.CDLL(None).process_vm_readv($self, a, 1, b, 1, 0)
    return told(p, got == 8)
""".replace("$self", "__import__('posix').getpid()"), reason="forbidden system call"),
    Attack("exec", "killed error", "world", "landlock + seccomp", """
import posix
def attack(p, d): posix.execv("/bin/sh", ["sh", "-c", "echo > $beacon"])
"""),
    Attack("subprocess", "error killed", "world", "rlimits + landlock + seccomp", """
import posix
def attack(p, d):
    if posix.fork() == 0:
        try: posix.execv("/bin/sh", ["sh", "-c", "echo > $beacon"])
        finally: posix._exit(1)
    posix.wait()
    return told(p, False)
""", reason="PermissionError"),
    Attack("libc_system", "killed error scored", "world", "rlimits + landlock + seccomp", """
import ctypes
def attack(p, d):
    ctypes.CDLL(None).system(b"echo > $beacon")
    return told(p, False)
"""),
    Attack("subclasses_chain", "error killed", "world", "landlock + seccomp", """
def attack(p, d):
    for found in ().__class__.__base__.__subclasses__():
        spaces = getattr(found.__init__, "__globals__", {})
        if "sys" in spaces and hasattr(spaces["sys"], "modules"):
            spaces["sys"].modules["posix"].open("$beacon", 0o101)
            return told(p, False)
    raise PermissionError
""", reason="PermissionError"),
    Attack("kernel_call", "killed", "order", "seccomp", """
import ctypes
def attack(p, d): return told(p, ctypes.CDLL(None, use_errno=True).syscall($bpf, 99, 0, 0) or ctypes.get_errno() != 1)
""", reason="forbidden system call"),
    Attack("ring_of_calls", "killed", "order", "seccomp", """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def attack(p, d): return told(p, libc.syscall($io_uring_setup, 1, 0) and ctypes.get_errno() == 14)
""", reason="forbidden system call"),
    Attack("new_namespace", "killed", "order", "seccomp", """
import ctypes
def attack(p, d): return told(p, ctypes.CDLL(None).unshare(0x10000000) == 0 or ctypes.CDLL(None).unshare(0x400) == 0)
""", reason="forbidden system call"),
    Attack("other_architecture", "killed", "order", "seccomp", """
import ctypes
def attack(p, d): return told(p, ctypes.CDLL(None).syscall(0x40000000 + 39) >= -1)
""", reason="forbidden system call"),
    Attack("executable_memory", "error", "order", "seccomp", MMAP + """
def attack(p, d): return told(p, mmap(4096, 7, 0x22))
""", reason="OSError: 13"),
    Attack("executable_later", "error", "order", "seccomp", MMAP + """
def attack(p, d): return told(p, call(libc.mprotect, mmap(4096, 3, 0x22), 4096, 5) == 0)
""", reason="OSError: 13"),
    Attack("segfault", "killed", "crash", "own process", """
import ctypes
def attack(p, d): ctypes.string_at(0)
""", reason="SIGSEGV"),
    Attack("abort", "killed", "crash", "own process", """
import posix
def attack(p, d): posix.abort()
"""),
    Attack("read_passwd", "error", "order", "landlock", """
import posix
def attack(p, d): return told(p, posix.read(posix.open("/etc/passwd", 0), 9))
""", reason="PermissionError"),
    Attack("read_home", "error", "order", "landlock + seccomp", """
import os
def attack(p, d): return told(p, os.listdir("$home") is not None)
""", reason="PermissionError"),
    Attack("write_file", "error", "world", "landlock + seccomp", """
import posix
def attack(p, d):
    posix.open("$beacon", 0o101)
    return told(p, False)
""", reason="PermissionError"),
    Attack("make_folder", "killed error", "world", "landlock + seccomp", """
import os
def attack(p, d):
    os.mkdir("$beacon")
    return told(p, False)
"""),
    Attack("link_file", "killed error", "world", "landlock + seccomp", """
import os
def attack(p, d):
    os.symlink("/etc/passwd", "$beacon")
    return told(p, False)
"""),
    Attack("delete_file", "killed error", "world", "landlock + seccomp", """
import os
def attack(p, d):
    os.unlink("$precious")
    return told(p, False)
"""),
    Attack("path_handle", "error", "order", "seccomp", """
import posix
def attack(p, d): return told(p, posix.open("/etc/passwd", 0o10000000) > 0)
""", reason="PermissionError"),
    Attack("file_metadata", "error", "order", "seccomp", """
import os
def attack(p, d): return told(p, os.stat("$secret").st_size > 0)
""", reason="PermissionError"),
    Attack("net_tcp", "killed", "world", "landlock + seccomp", """
import _socket
def attack(p, d):
    s = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    s.connect(("127.0.0.1", $tcp))
    return told(p, False)
""", reason="forbidden system call"),
    Attack("net_udp", "killed", "world", "seccomp", """
import _socket
def attack(p, d):
    s = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    s.sendto(b"key", ("127.0.0.1", $udp))
    return told(p, False)
""", reason="forbidden system call"),
    Attack("net_unix", "killed", "world", "seccomp", """
import _socket
def attack(p, d):
    s = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    s.connect("$unix")
    return told(p, False)
""", reason="forbidden system call"),
    Attack("net_abstract", "killed", "world", "landlock + seccomp", """
import _socket
def attack(p, d):
    s = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    s.connect(chr(0) + "$abstract")
    return told(p, False)
""", reason="forbidden system call"),
    Attack("net_netlink", "killed", "order", "seccomp", """
import _socket
def attack(p, d): return told(p, _socket.socket(16, _socket.SOCK_RAW, 0).fileno() > 0)
""", reason="forbidden system call"),
    Attack("net_bind", "killed", "order", "landlock + seccomp", """
import _socket
def attack(p, d):
    s = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    s.bind(("127.0.0.1", 0))
    return told(p, True)
""", reason="forbidden system call"),
)  # fmt: skip

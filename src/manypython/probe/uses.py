"""One real use of every extension module that a CPython of ours has: an import proves little.

Each entry is an expression that must be true; the modules it names are imported for it.
What no expression can say is a function.
"""

import contextlib
import importlib
import io
import os
import sys
import types
from collections.abc import Callable

USES: dict[str, str] = {
    "_asyncio": "asyncio.run(asyncio.sleep(0, 'x')) == 'x' and asyncio.Future is _asyncio.Future",
    "_bisect": "_bisect.bisect_left([1, 3, 5], 4) == 2",
    "_blake2": "_blake2.blake2b(b'abc').hexdigest()[:8] == 'ba80a53f'",
    "_bz2": "bz2.decompress(bz2.compress(b'x' * 999)) == b'x' * 999",
    "_codecs_cn": "'\\u4e2d'.encode('gb18030') == b'\\xd6\\xd0'",
    "_codecs_hk": "'\\u4e2d'.encode('big5hkscs') == b'\\xa4\\xa4'",
    "_codecs_iso2022": "'\\u3042'.encode('iso2022_jp').decode('iso2022_jp') == '\\u3042'",
    "_codecs_jp": "'\\u3042'.encode('euc_jp') == b'\\xa4\\xa2'",
    "_codecs_kr": "'\\uac00'.encode('euc_kr') == b'\\xb0\\xa1'",
    "_codecs_tw": "'\\u4e2d'.encode('big5') == b'\\xa4\\xa4'",
    "_contextvars": "contextvars.copy_context().run(len, 'abc') == 3",
    "_crypt": "_crypt.crypt('x', '$6$ab$')[:6] == '$6$ab$'",
    "_csv": "list(csv.reader(['a,\"b,c\"'])) == [['a', 'b,c']]",
    "_ctypes": "ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(abs)(-2) == 2",
    "_curses": "curses.setupterm('xterm', os.open(os.devnull, 1)) is None and curses.tigetnum('cols') == 80",
    "_datetime": "datetime.datetime(1970, 1, 2, tzinfo=datetime.timezone.utc).timestamp() == 86400",
    "_decimal": "str(decimal.Decimal(1) / 7)[:8] == '0.142857' and decimal.Decimal is _decimal.Decimal",
    "_elementtree": "_elementtree.XMLParser().feed('<a/>') is None",
    "_hashlib": "_hashlib.openssl_sha256(b'abc').hexdigest()[:8] == 'ba7816bf'",
    "_heapq": "_heapq.heappushpop([2, 3], 1) == 1",
    "_hmac": "len(_hmac.compute_sha256(b'key', b'message')) == 32",
    "_interpchannels": "_interpchannels.list_all() == []",
    "_interpqueues": "_interpqueues.list_all() == []",
    "_json": "_json.scanstring('a\"', 0) == ('a', 2)",
    "_lsprof": "cProfile.Profile().runcall(len, 'abc') == 3",
    "_lzma": "lzma.decompress(lzma.compress(b'x' * 999)) == b'x' * 999",
    "_md5": "_md5.md5(b'abc').hexdigest()[:8] == '90015098'",
    "_multibytecodec": "codecs.getincrementaldecoder('euc_jp')().decode(b'\\xa4\\xa2') == '\\u3042'",
    "_opcode": "_opcode.stack_effect(dis.opmap['NOP'], None) == 0",
    "_pickle": "_pickle.loads(_pickle.dumps({1: [2]})) == {1: [2]}",
    "_queue": "(q := _queue.SimpleQueue()).put(1) or q.get() == 1",
    "_random": "_random.Random(1).random() == random.Random(1).random()",
    "_sha1": "_sha1.sha1(b'abc').hexdigest()[:8] == 'a9993e36'",
    "_sha2": "_sha2.sha512(b'abc').hexdigest()[:8] == 'ddaf35a1'",
    "_sha256": "_sha256.sha256(b'abc').hexdigest()[:8] == 'ba7816bf'",
    "_sha3": "_sha3.sha3_256(b'abc').hexdigest()[:8] == '3a985da7'",
    "_sha512": "_sha512.sha512(b'abc').hexdigest()[:8] == 'ddaf35a1'",
    "_socket": "(pair := socket.socketpair())[0].send(b'x') == 1 and pair[1].recv(1) == b'x'",
    "_sqlite3": "sqlite3.connect(':memory:').execute('select 6 * 7').fetchone() == (42,)",
    "_ssl": "len(ssl.RAND_bytes(9)) == 9 and ssl.create_default_context().verify_mode == ssl.CERT_REQUIRED",
    "_statistics": "_statistics._normal_dist_inv_cdf(0.5, 3.0, 1.0) == 3.0",
    "_struct": "_struct.pack('>I', 1) == b'\\0\\0\\0\\1'",
    "_typing": "_typing._idfunc(3) == 3",
    "_uuid": "len(_uuid.generate_time_safe()[0]) == 16",
    "_zstd": "(z := importlib.import_module('compression.zstd')).decompress(z.compress(b'x')) == b'x'",
    "array": "array.array('i', [1, 2]).tobytes() == struct.pack('2i', 1, 2)",
    "audioop": "audioop.reverse(b'\\1\\2', 1) == b'\\2\\1'",
    "binascii": "binascii.crc32(b'abc') == 0x352441C2",
    "cmath": "abs(cmath.exp(cmath.pi * 1j) + 1) < 1e-12",
    "fcntl": "fcntl.fcntl(os.pipe()[0], fcntl.F_GETFD) == fcntl.FD_CLOEXEC",
    "math": "math.fsum([0.1] * 10) == 1.0",
    "mmap": "(m := mmap.mmap(-1, 10)).write(b'x') == 1 and m[0] == 120",
    "ossaudiodev": "ossaudiodev.AFMT_S16_LE == 16",
    "pyexpat": "pyexpat.ParserCreate().Parse(b'<a/>', True) == 1",
    "readline": "readline.add_history('x') is None and readline.get_history_item(1) == 'x'",
    "resource": "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 1000",
    "select": "select.select([], [], [], 0) == ([], [], []) and select.epoll().poll(0) == []",
    "spwd": "callable(spwd.getspall)",
    "syslog": "syslog.LOG_UPTO(3) == 15 and syslog.syslog('portable') is None",
    "termios": "len(termios.tcgetattr(pty.openpty()[0])) == 7",
    "unicodedata": "unicodedata.lookup('SNOWMAN') == '\\u2603'",
    "zlib": "zlib.decompress(zlib.compress(b'x' * 999)) == b'x' * 999",
}


def _curses_panel() -> bool:
    """A panel on a screen of a pseudo-terminal."""
    import pty

    child, terminal = pty.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(Exception):
            import curses
            import curses.panel

            os.environ["TERM"] = "xterm"
            panel = curses.panel.new_panel(curses.initscr())
            panel.hide()
            curses.endwin()
            code = 7 if panel.hidden() else 2
        os._exit(code)
    with contextlib.suppress(OSError):
        while os.read(terminal, 1024):
            pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def _grp() -> bool:
    """Root's group, where there is a list of groups.

    Not all groups: for these the C library loads modules of this machine (nsswitch.conf(5)), and glibc
    2.17, run by its loader beside a newer one, ends over them.
    """
    import grp

    try:
        return grp.getgrgid(0).gr_gid == 0
    except KeyError:
        return True


def _interpreters() -> bool:
    """A second interpreter runs a line and goes."""
    module = importlib.import_module("_interpreters")
    other = module.create()
    failed = module.run_string(other, "import math; assert math.sqrt(4) == 2")
    module.destroy(other)
    return failed is None


def _posixsubprocess() -> bool:
    """A child of this interpreter says something."""
    import subprocess

    argv = (sys.executable, "-I", "-S", "-c", "print(7)")
    return subprocess.run(argv, capture_output=True, check=True).stdout == b"7\n"


def _shared_memory() -> bool:
    """shm_open(3) and sem_open(3), which need /dev/shm."""
    import multiprocessing
    from multiprocessing import shared_memory

    with contextlib.closing(shared_memory.SharedMemory(create=True, size=9)) as block:
        again = shared_memory.SharedMemory(block.name)
        again.close()
        block.unlink()
    return again.size >= 9 and multiprocessing.Semaphore(1).acquire()


def _xxsubinterpreters() -> bool:
    module = importlib.import_module("_xxsubinterpreters")
    other = module.create()
    module.run_string(other, "import math; assert math.sqrt(4) == 2")
    module.destroy(other)
    return True


def _zoneinfo() -> bool:
    """A zone one hour east, written here: a host may have no zones at all (RFC 8536)."""
    import datetime as dt
    import zoneinfo

    counts = b"".join(number.to_bytes(4, "big") for number in (0, 0, 0, 0, 1, 4))
    data = b"TZif" + bytes(16) + counts + (3600).to_bytes(4, "big") + b"\0\0ABC\0"
    zone = zoneinfo.ZoneInfo.from_file(io.BytesIO(data))
    return zone.utcoffset(dt.datetime(2026, 1, 1)) == dt.timedelta(hours=1)  # noqa: DTZ001


FUNCTIONS: dict[str, Callable[[], bool]] = {
    "_curses_panel": _curses_panel,
    "_interpreters": _interpreters,
    "_multiprocessing": _shared_memory,
    "_posixshmem": _shared_memory,
    "_posixsubprocess": _posixsubprocess,
    "_xxsubinterpreters": _xxsubinterpreters,
    "_zoneinfo": _zoneinfo,
    "grp": _grp,
}


def use(module: str) -> bool:
    """Import a module and use it; whether what came out is right.

    Raises:
        KeyError: no use of this module is known.
    """
    importlib.import_module(module)
    if module in FUNCTIONS:
        return FUNCTIONS[module]()
    code = compile(USES[module], module, "eval")
    return eval(code, {name: importlib.import_module(name) for name in _modules(code)}) is True  # noqa: S307


def _modules(code: types.CodeType) -> list[str]:
    """The names in an expression that are modules; attributes that happen to be one do no harm."""
    return [name for name in code.co_names if name in sys.stdlib_module_names]

"""What an interpreter is trained with besides CPython's own tests: the standard library at everyday work.

Run by the instrumented interpreter, ``python workload.py [NAME ...]``; it imports nothing of ours. CPython's
training (``-m test --pgo``) visits each module by its tests, which are mostly about odd cases; here each module
written in C does what programs want of it most, on data of everyday shapes. Each function is one such job, all
take about the same time (``--times`` shows it), because counts of a job that takes ten times as long would drown those of
the others. None is a program that speed is measured with.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice

JOBS: dict[str, tuple[Callable[[], object], int]] = {}
SEED = 20261126


def job(times: int) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Register a job, and how many times it is done so that it takes as long as the others."""

    def register(function: Callable[[], object]) -> Callable[[], object]:
        JOBS[function.__name__] = (function, times)
        return function

    return register


def people(count: int) -> Iterator[dict[str, object]]:
    """Records as a web service has them: mixed types, nested, with some text outside ASCII."""
    towns = ("Oslo", "Łódź", "Kyōto", "Bern", "São Paulo", "Quito", "Addis Abeba")
    for number in range(count):
        yield {
            "id": number,
            "name": f"person {number * 7919 % 100_003}",
            "town": towns[number % len(towns)],
            "score": number * 1.37 / 11,
            "active": number % 3 == 0,
            "parent": None if number % 5 else number // 2,
            "tags": [f"t{number % 17}", "common", f"g{number % 4}"],
            "address": {"street": f"Long Street {number % 211}", "zip": f"{10_000 + number % 9999}"},
        }


def words() -> list[str]:
    """A vocabulary with the usual spread of lengths."""
    syllables = ("ka", "lo", "min", "ter", "o", "us", "pre", "sta", "ve", "ri", "en", "con")
    return [
        "".join(syllables[(number * step) % len(syllables)] for step in range(1, 2 + number % 5))
        for number in range(1, 600)
    ]


@job(7)
def json_documents() -> None:
    """Dump and load: small messages, a long list, pretty text, escapes, floats."""
    import json

    small = [json.dumps(person) for person in people(60)]
    large = json.dumps(list(people(800)))
    escaped = json.dumps(['line\nbreak "quoted" \\ \u2028 ü \U0001f600' * 4] * 50)
    numbers = json.dumps([[n, -n * 3, n / 7, 1e300 / (n + 1)] for n in range(2000)])
    for _ in range(6):
        for text in small:
            json.loads(text)
        for text in (large, escaped, numbers):
            value = json.loads(text)
            json.dumps(value)
        json.dumps(value, ensure_ascii=False)
        json.loads(numbers.encode())
    for person in people(600):
        json.dumps(person)
        json.dumps(person, sort_keys=True, separators=(",", ":"))
    json.dumps(list(people(40)), indent=2)


class Point:
    """An ordinary class, to be pickled and copied."""

    def __init__(self, x: float, y: float, label: str) -> None:
        self.x, self.y, self.label = x, y, label


class Slotted:
    """A class with slots."""

    __slots__ = ("left", "right")

    def __init__(self, left: object, right: object) -> None:
        self.left, self.right = left, right


@job(60)
def pickles() -> None:
    """Pickle and unpickle: records, instances, shared and recursive objects, each protocol."""
    import copy
    import datetime
    import io
    import pickle

    records = list(people(250))
    points = [Point(n, n / 3, f"p{n}") for n in range(500)]
    dates = [datetime.datetime(2000 + n % 30, 1 + n % 12, 1 + n % 28, n % 24) for n in range(300)]
    numbers = [list(range(3000)), [n / 9 for n in range(2000)], {n: str(n) for n in range(1500)}]
    ring: list[object] = [1]
    ring.append(ring)
    texts = [
        b"bytes " * 20,
        bytearray(300),
        "text ü " * 30,
        frozenset(range(50)),
        1 << 200,
        (1, 2, (3, 4)),
        {5, 6},
        ring,
    ]
    for protocol in (2, 4, 5, 5):
        for value in (records, points, dates, numbers, texts):
            pickle.loads(pickle.dumps(value, protocol))
    for point in points:
        pickle.loads(pickle.dumps(point))
    for person in records:
        pickle.loads(pickle.dumps(person))
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, 5)
    for person in records[:100]:
        pickler.dump(person)
    copy.deepcopy(records[:60])
    copy.copy(points[0])


@job(26)
def structs() -> None:
    """Pack and unpack binary records of many formats."""
    import struct

    header = struct.Struct("<4sHHIQ")
    point = struct.Struct(">3d2f")
    mixed = struct.Struct("!bBhHiIlLqQ?")
    native = struct.Struct("@ihqd")
    buffer = bytearray(4096)
    for number in range(9000):
        data = header.pack(b"RIFF", number & 0xFFFF, 7, number, number << 20)
        header.unpack(data)
        point.unpack(point.pack(number, 1.5, -number / 3, 0.25, number))
        values = mixed.unpack(
            mixed.pack(-1, 255, -300, 65000, -number, number, 1, 2, -(1 << 40), 1 << 60, True)
        )
        native.pack_into(buffer, number % 4000 // 8 * 8, number, 2, 3, 4.5)
        struct.unpack("<I", struct.pack("<I", number))
        struct.unpack_from(">HB", data, 2)
        struct.pack("10s5p", b"name", b"pas")
        struct.calcsize("<IIHB")
    sum(item for item, _ in struct.iter_unpack("<HH", bytes(40_000)))
    assert values


@job(22)
def decimals() -> None:
    """Sums of money: parse, add, multiply, round, format; a few long ones."""
    from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

    cent, rate, tax = Decimal("0.01"), Decimal("0.0675"), Decimal("1.19")
    total = Decimal(0)
    for number in range(12_000):
        price = Decimal(number * 37 % 100_000).scaleb(-2)
        fee = (price * rate).quantize(cent, rounding=ROUND_HALF_EVEN)
        total += price + fee
        if number % 3 == 0:
            str(total), f"{price:,.2f}", price > fee, hash(price), -price, abs(fee)
        if number % 5 == 0:
            total -= Decimal(f"{number}.{number % 100:02}") / tax
            int(price), float(price), divmod(price + 1, cent), price == number
    with localcontext(Context(prec=120)):
        root = Decimal(2).sqrt()
        for number in range(1, 160):
            root = root * (1 + 1 / Decimal(number)) / (Decimal(number) ** 2 + 1).ln()
        root.exp()


@job(34)
def regular_expressions() -> None:
    """Log lines, templates, tokens: search, match, findall, sub, split; str and bytes; each kind of pattern."""
    import re

    lines = [
        f'10.0.{n % 256}.{n * 7 % 256} - user{n % 30} [26/Nov/2026:10:{n % 60:02}:01 +0000] "GET /a/{n}.html?q={n}&r=ü HTTP/1.1" '
        f"{(200, 304, 404)[n % 3]} {n * 31}"
        for n in range(260)
    ]
    text = "\n".join(lines)
    log = re.compile(
        r'(?P<host>\S+) - (?P<user>\S+) \[(?P<when>[^\]]+)\] "(\w+) ([^ "]*) HTTP/[\d.]+" (\d{3}) (\d+|-)'
    )
    for _ in range(4):
        for line in lines:
            match = log.match(line)
            assert match
            match.groupdict(), match.group(4, 6), match.span()
            re.sub(r"\d+", "#", line)
    re.findall(r"[a-z]+\d+", text)
    re.findall(r"(?i)user\d+|GET|POST", text)
    re.split(r"[\s,;]+", text)
    re.sub(r"(\w+)/(\w+)", r"\2/\1", text)
    re.sub(r"\b(\d)(\d)\b", lambda found: found[2] + found[1], text)
    re.search(r"(?:(a+)b?)*?nothing-of-it", text)
    re.findall(rb"\d{1,3}(?:\.\d{1,3}){3}", text.encode())
    re.findall(r'"(?:[^"\\]|\\.)*"', text)
    re.findall(r"(?m)^(\S+).*?(\d+)$", text)
    re.findall(r"(?<=user)\d+(?= )", text)
    token = re.compile(
        r"(?P<name>[A-Za-z_]\w*)|(?P<number>\d+(?:\.\d*)?)|(?P<sign>[-+*/=<>()]+)|(?P<blank>\s+)|(?P<other>.)"
    )
    [match.lastgroup for match in token.finditer(text[:20_000])]
    for pattern in ("a.c", r"[^/]+/(\d+)", "(x|y)z*", r"\w+@\w+\.\w+"):
        re.purge()
        re.compile(pattern)


@job(17)
def dates() -> None:
    """Parse, add, compare, format and convert; time zones."""
    from datetime import UTC, date, datetime, timedelta, timezone
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    start, zone = datetime(2024, 2, 28, 12, 30), timezone(timedelta(hours=5, minutes=30))
    try:
        berlin: timezone | ZoneInfo = ZoneInfo("Europe/Berlin")
    except ZoneInfoNotFoundError:
        berlin = zone
    for number in range(6500):
        when = start + timedelta(days=number % 900, seconds=number * 17)
        text = when.isoformat()
        again = datetime.fromisoformat(text)
        again == when, again < start, hash(when), when - start, when.weekday(), when.replace(hour=3)
        if number % 4 == 0:
            aware = when.replace(tzinfo=UTC)
            aware.astimezone(zone).isoformat(), aware.astimezone(berlin).utcoffset(), aware.timestamp()
            when.strftime("%Y-%m-%d %H:%M:%S")
            datetime.fromtimestamp(number * 1000, tz=UTC)
            date(2026, 1 + number % 12, 1).isocalendar(), date.fromordinal(730_000 + number).toordinal()
            str(timedelta(seconds=number)), timedelta(hours=1) * 3 / 2, (when - start).total_seconds()
        if number % 20 == 0:
            datetime.strptime(text, "%Y-%m-%dT%H:%M:%S")


@job(42)
def databases() -> None:
    """SQLite in memory: insert, index, join, aggregate, a function of Python's."""
    import contextlib
    import sqlite3

    with contextlib.closing(sqlite3.connect(":memory:")) as base, base:
        base.row_factory = sqlite3.Row
        base.execute("create table people (id integer primary key, name text, town text, score real)")
        rows = [(p["id"], p["name"], p["town"], p["score"]) for p in people(2500)]
        base.executemany("insert into people values (?, ?, ?, ?)", rows)
        base.execute("create index towns on people (town)")
        base.create_function("half", 1, lambda value: value / 2)
        for number in range(700):
            base.execute("select * from people where id = ?", (number,)).fetchone()["name"]
        base.execute("select town, count(*), avg(score) from people group by town order by 2").fetchall()
        base.execute(
            "select a.name from people a join people b on a.id = b.id + 1 where a.town = b.town"
        ).fetchall()
        base.execute("select half(score) from people").fetchall()
        base.execute("update people set score = score + 1 where town = 'Oslo'")
        for row in base.execute("select * from people"):
            tuple(row)


@job(60)
def xml_trees() -> None:
    """Parse, search, change and write XML."""
    import io
    from xml.etree import ElementTree
    from xml.parsers import expat

    root = ElementTree.Element("people", version="1")
    for person in people(400):
        node = ElementTree.SubElement(root, "person", id=str(person["id"]), town=str(person["town"]))
        ElementTree.SubElement(node, "name").text = str(person["name"])
        node.tail = "\n"
    data = ElementTree.tostring(root, encoding="utf-8")
    for _ in range(4):
        tree = ElementTree.fromstring(data)
        [node.get("town") for node in tree.iter("person")]
        tree.findall("person/name"), tree.find(".//person[@id='7']"), tree.findtext("person/name")
        for _, node in ElementTree.iterparse(io.BytesIO(data), ("start", "end")):
            node.attrib
    for node in list(tree)[::2]:
        tree.remove(node)
    ElementTree.tostring(tree)
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: None
    parser.CharacterDataHandler = lambda text: None
    parser.Parse(data, True)


@job(60)
def compressors() -> None:
    """Deflate, gzip, bzip2, xz; checksums; a zip file."""
    import bz2
    import gzip
    import io
    import lzma
    import zipfile
    import zlib

    text = " ".join(words() * 40).encode()
    for level in (1, 6, 9):
        zlib.decompress(zlib.compress(text, level))
    gzip.decompress(gzip.compress(text[:30_000]))
    bz2.decompress(bz2.compress(text[:30_000]))
    lzma.decompress(lzma.compress(text[:20_000], preset=1))
    packer = zlib.compressobj()
    [packer.compress(text[start : start + 1000]) for start in range(0, 60_000, 1000)]
    for start in range(0, len(text), 100):
        zlib.crc32(text[start : start + 100]), zlib.adler32(text[start : start + 100])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(30):
            archive.writestr(f"f{number}", text[:2000])
    with zipfile.ZipFile(stream) as archive:
        [archive.read(name) for name in archive.namelist()]


@job(80)
def digests() -> None:
    """Hashes with and without OpenSSL, HMAC."""
    import hashlib
    import hmac

    block = bytes(range(256)) * 64
    for name in ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b", "blake2s"):
        for number in range(120):
            hashlib.new(name, b"key %d" % number).hexdigest()
            getattr(hashlib, name)(block[:3000]).digest()
        getattr(hashlib, name)(block * 4).digest()
    for name in ("_md5", "_sha1", "_sha2", "_sha3", "_blake2"):
        try:
            module = __import__(name)
        except ImportError:
            continue
        for function in ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b", "blake2s"):
            if hasattr(module, function):
                [getattr(module, function)(block[:2000]).hexdigest() for _ in range(80)]
    for number in range(400):
        hmac.new(b"secret", b"message %d" % number, "sha256").hexdigest()
        hmac.compare_digest(b"a" * 32, b"b" * 32)


@job(22)
def binary_texts() -> None:
    """Base64, hexadecimal, quoted-printable, percent-encoding."""
    import base64
    import binascii
    import quopri
    import uuid
    from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

    block = bytes(range(256)) * 40
    for number in range(500):
        base64.b64decode(base64.b64encode(block))
        short = block[number % 200 : number % 200 + 48]
        base64.b64decode(base64.b64encode(short), validate=True)
        base64.urlsafe_b64decode(base64.urlsafe_b64encode(short))
        binascii.unhexlify(binascii.hexlify(short)), bytes.fromhex(short.hex()), binascii.crc32(short)
    base64.b32decode(base64.b32encode(block[:500])), base64.b85decode(base64.b85encode(block[:500]))
    quopri.decodestring(quopri.encodestring("Grüße, Jürgen = 3\n".encode() * 20))
    for number in range(500):
        address = f"https://user@example.org:8443/p/{number}?{urlencode({'q': 'ü b', 'n': number})}#top"
        parts = urlsplit(address)
        parse_qs(parts.query), unquote(quote(f"/a b/ü{number}"))
        uuid.UUID(int=number << 64).hex, str(uuid.uuid4())


@job(50)
def tables() -> None:
    """Read and write CSV; arrays; memory views."""
    import array
    import csv
    import io
    import mmap

    rows = [
        [p["id"], p["name"], p["town"], f"{p['score']:.3f}", 'with "quotes", commas'] for p in people(1500)
    ]
    stream = io.StringIO()
    csv.writer(stream).writerows(rows)
    text = stream.getvalue()
    for _ in range(4):
        list(csv.reader(io.StringIO(text)))
    list(csv.DictReader(io.StringIO(text), fieldnames=["id", "name", "town", "score", "note"]))
    numbers = array.array("d", (n / 3 for n in range(20_000)))
    integers = array.array("i", range(20_000))
    (
        sum(numbers),
        max(integers),
        numbers[10:5000:3].tolist(),
        integers.tobytes(),
        array.array("i", integers.tobytes()),
    )
    for number in range(3000):
        integers[number] = integers[number + 1] + 1
        numbers.append(numbers[number] * 2)
    view = memoryview(bytearray(100_000))
    for start in range(0, 90_000, 300):
        view[start : start + 10] = b"0123456789"
        view[start : start + 100].cast("I").tolist()
    with mmap.mmap(-1, 65_536) as mapped:
        mapped.write(b"line\n" * 3000)
        mapped.seek(0)
        [mapped.readline() for _ in range(2000)]
        mapped.find(b"nothing")


@job(36)
def collections_and_iterators() -> None:
    """Deques, counters, default and ordered dictionaries, named tuples, heaps, bisect, itertools, functools."""
    import bisect
    import functools
    import heapq
    import itertools
    import operator
    from collections import ChainMap, Counter, OrderedDict, defaultdict, deque, namedtuple

    vocabulary = words() * 6
    Counter(vocabulary).most_common(10)
    by_length: defaultdict[int, list[str]] = defaultdict(list)
    for word in vocabulary:
        by_length[len(word)].append(word)
    queue: deque[int] = deque(maxlen=500)
    for number in range(12_000):
        queue.append(number)
        if number % 3 == 0:
            queue.popleft()
        if number % 50 == 1:
            queue.rotate(2), queue[-1], 7 in queue
    heap: list[tuple[int, int]] = []
    for number in range(5000):
        heapq.heappush(heap, (number * 7919 % 10_007, number))
    ordered = [heapq.heappop(heap) for _ in range(5000)]
    heapq.nsmallest(20, ordered), list(heapq.merge(ordered[:500], ordered[500:900]))
    for number in range(4000):
        bisect.bisect_left(ordered, (number, 0))
        bisect.insort(ordered, (number, number), 0, 300)
    pair = namedtuple("pair", "left right")
    pairs = [pair(number, -number) for number in range(4000)]
    (
        sorted(pairs, key=operator.attrgetter("right")),
        sorted(pairs, key=operator.itemgetter(1)),
        [p.left for p in pairs],
    )
    cache: OrderedDict[int, int] = OrderedDict()
    for number in range(4000):
        cache[number % 300] = number
        cache.move_to_end(number % 300)
    ChainMap({1: 2}, {3: 4})[3]

    @functools.lru_cache(maxsize=200)
    def twice(value: int) -> int:
        return value * 2

    [twice(number % 250) for number in range(12_000)]
    functools.reduce(operator.add, range(8000))
    part = functools.partial(max, 3)
    [part(number) for number in range(6000)]
    list(itertools.chain.from_iterable([[1, 2], [3]] * 1500)), list(itertools.accumulate(range(5000)))
    [(key, len(list(group))) for key, group in itertools.groupby(sorted(vocabulary), key=len)]
    list(itertools.product("abc", range(30), repeat=1)), list(itertools.combinations(range(25), 3))
    list(itertools.permutations(range(6), 4)), list(itertools.zip_longest("abc" * 500, range(900)))
    (
        list(islice(itertools.count(), 100, 6000, 3)),
        list(itertools.takewhile(lambda n: n < 4000, itertools.count())),
    )
    (
        list(itertools.starmap(pow, [(2, 5)] * 2000)),
        list(itertools.pairwise(range(4000))),
        list(itertools.repeat(1, 3000)),
    )
    left, right = itertools.tee(iter(range(3000)))
    list(zip(left, right, strict=True)), list(itertools.compress(range(3000), itertools.cycle((0, 1))))


@job(56)
def numbers() -> None:
    """math, cmath, random, statistics, fractions."""
    import cmath
    import math
    import random
    import statistics
    from fractions import Fraction

    source = random.Random(SEED)
    values = [source.random() for _ in range(12_000)]
    for value in values:
        (
            math.sqrt(value),
            math.sin(value),
            math.exp(value),
            math.log(value + 1),
            math.floor(value * 9),
            math.hypot(value, 1),
        )
        math.isclose(value, 0.5), math.atan2(value, 2), math.pow(value, 3)
    math.fsum(values), math.prod(values[:60]), math.dist((1, 2, 3), (4, 5, 6))
    for number in range(1, 3000):
        (
            math.gcd(number * 12, 180),
            math.isqrt(number),
            math.comb(20, number % 20),
            math.factorial(number % 25),
        )
        cmath.sqrt(-number), cmath.exp(1j / number), cmath.phase(1 + 2j)
        source.randint(1, 100), source.choice("abc"), source.gauss(0, 1), source.getrandbits(40)
    source.shuffle(values), source.sample(values, 400)
    statistics.mean(values[:1000]), statistics.median(values), statistics.stdev(values[:600])
    statistics.NormalDist(0, 1).inv_cdf(0.3)
    sum((Fraction(1, number) for number in range(1, 150)), Fraction(0))


@job(22)
def files_and_streams() -> None:
    """Text and binary files, StringIO, BytesIO, paths, folders."""
    import io
    import os
    import pathlib
    import shutil
    import tempfile

    folder = pathlib.Path(tempfile.mkdtemp())
    try:
        text = "".join(f"line {number} mit Umlaut ü\n" for number in range(4000))
        for number in range(12):
            path = folder / f"sub{number % 3}" / f"{number}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            with path.open(encoding="utf-8") as file:
                sum(len(line.split()) for line in file)
            with path.open("rb") as binary:
                while binary.read(4000):
                    pass
                binary.seek(0)
                binary.readlines()
        for place, _, names in os.walk(folder):
            for name in names:
                os.stat(os.path.join(place, name)), os.path.splitext(name), os.path.exists(name)
        [entry.is_file() for entry in os.scandir(folder)], sorted(folder.rglob("*.txt")), os.listdir(folder)
        with open(folder / "written", "w", encoding="utf-8", newline="") as file:
            for number in range(4000):
                file.write(f"{number},")
    finally:
        shutil.rmtree(folder)
    stream, block = io.StringIO(), io.BytesIO()
    for number in range(6000):
        stream.write(f"{number} ")
        block.write(b"%d " % number)
        print(number, "x", file=stream)
    stream.getvalue().splitlines(), block.getvalue()
    stream.seek(0)
    [line for line in stream]
    io.TextIOWrapper(io.BytesIO(text.encode("latin-1")), "latin-1").read()
    for number in range(1500):
        path = pathlib.PurePosixPath("/usr/lib") / f"python{number}" / "site.py"
        path.name, path.suffix, path.parent, str(path), path.with_suffix(".pyc")


@job(50)
def texts() -> None:
    """Methods of strings, formatting, codecs, Unicode data, templates."""
    import codecs
    import string
    import textwrap
    import unicodedata

    sentence = " ".join(words()[:200])
    for number in range(200):
        sentence.upper().lower().title(), sentence.replace("ka", "ki"), sentence.split(), sentence.count("lo")
        (
            sentence.find("zzz"),
            sentence.partition(" "),
            sentence.strip("k"),
            sentence.startswith("k"),
            sentence.encode(),
        )
        (
            ",".join(sentence.split(" ")),
            sentence.splitlines(),
            sentence.rfind("us"),
            sentence.isascii(),
            sentence.casefold(),
        )
    for number in range(5000):
        f"{number:>8} {number / 7:.3f} {number:x} {'a'!r:<5}", "%s=%d (%5.2f)" % ("k", number, number / 3)
        "{} {name}".format(number, name="n"), str(number), repr(number / 3), int(str(number)), float("1.25e3")
    mixed = "Grüße aus Łódź, 東京, Ελλάδα и Москва \U0001f600 " * 30
    for name in ("utf-8", "utf-16", "utf-32", "utf-7"):
        for _ in range(6):
            mixed.encode(name).decode(name)
    for name in ("latin-1", "cp1252", "ascii", "cp437", "iso8859-15"):
        mixed.encode(name, "replace").decode(name)
    for name, sample in (
        ("shift_jis", "日本語のテキスト"), ("euc_jp", "日本語"), ("gb18030", "中文文本"), ("big5", "繁體中文"), ("euc_kr", "한국어"),
        ("iso2022_jp", "日本語"),
    ):  # fmt: skip
        for _ in range(40):
            (sample * 20).encode(name).decode(name)
    for form in ("NFC", "NFD", "NFKC"):
        for _ in range(8):
            unicodedata.normalize(form, mixed)
    [unicodedata.category(letter) + unicodedata.name(letter, "") for letter in mixed[:400]]
    decoder = codecs.getincrementaldecoder("utf-8")()
    data = mixed.encode()
    [decoder.decode(data[start : start + 7]) for start in range(0, 1400, 7)]
    textwrap.fill(sentence, 60), string.Template("$a ${b}").substitute(a=1, b=2), mixed.translate({0x20: "_"})
    sorted(words() * 3, key=str.lower)


@job(70)
def classes_and_calls() -> None:
    """Objects as programs use them: properties, dataclasses, enums, abstract classes, generators, closures, errors."""
    import abc
    import contextlib
    import dataclasses
    import enum
    import typing
    import weakref

    class Shape(abc.ABC):
        @abc.abstractmethod
        def area(self) -> float: ...

        @property
        def double(self) -> float:
            return self.area() * 2

    @dataclasses.dataclass(order=True)
    class Square(Shape):
        side: float
        name: str = "square"
        notes: list[str] = dataclasses.field(default_factory=list, compare=False)

        def area(self) -> float:
            return self.side * self.side

    class Circle(Shape):
        __slots__ = ("radius",)

        def __init__(self, radius: float) -> None:
            super().__init__()
            self.radius = radius

        def area(self) -> float:
            return 3.14159 * self.radius**2

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Circle) and other.radius == self.radius

        def __hash__(self) -> int:
            return hash(self.radius)

    class Colour(enum.Enum):
        RED = 1
        BLUE = 2

    class Mode(enum.IntFlag):
        READ = 1
        WRITE = 2

    def evens(limit: int) -> Iterator[int]:
        for number in range(limit):
            if number % 2 == 0:
                yield number

    def delegating(limit: int) -> Iterator[int]:
        yield from evens(limit)

    @contextlib.contextmanager
    def scope() -> Iterator[int]:
        yield 1

    def keyed(first: int, *rest: int, key: int = 3, **others: int) -> int:
        return first + len(rest) + key + len(others)

    shapes: list[Shape] = []
    for number in range(2500):
        shapes.append(Square(number) if number % 2 else Circle(number))
        shape = shapes[-1]
        shape.double, isinstance(shape, Square), hasattr(shape, "radius"), getattr(shape, "name", None)
        keyed(1, 2, 3, key=number), keyed(*(1, 2), **{"a": 1}), Slotted(number, shape).left
        Colour(1 + number % 2).name, Mode.READ | Mode.WRITE, Colour.RED is Colour["RED"]
        with scope():
            pass
        try:
            if number % 3 == 0:
                raise KeyError(number)
            [][number]
        except (KeyError, IndexError) as error:
            str(error)
        finally:
            number += 1
    sorted(shape for shape in shapes if isinstance(shape, Square))
    sum(delegating(12_000)), {shape for shape in shapes if isinstance(shape, Circle)}
    [dataclasses.replace(shape, side=2) for shape in shapes[1:300:2] if isinstance(shape, Square)]
    references = [weakref.ref(shape) for shape in shapes]
    [reference() for reference in references]
    typing.get_type_hints(keyed), typing.Optional[list[int]]
    for number in range(1500):
        match {"kind": "a", "value": [number, 2]}:
            case {"kind": "b"}:
                pass
            case {"kind": str(kind), "value": [first, *_]}:
                kind, first


@job(14)
def event_loops() -> None:
    """asyncio: tasks, queues, locks, timeouts, streams over a socket; context variables."""
    import asyncio
    import contextvars

    request: contextvars.ContextVar[int] = contextvars.ContextVar("request", default=0)

    ended: asyncio.Future[None]

    async def worker(queue: asyncio.Queue[int], lock: asyncio.Lock) -> int:
        total = 0
        while (number := await queue.get()) >= 0:
            request.set(number)
            async with lock:
                total += request.get()
            await asyncio.sleep(0)
        return total

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
        writer.close()
        await writer.wait_closed()
        ended.set_result(None)

    async def run() -> None:
        nonlocal ended
        ended = asyncio.get_running_loop().create_future()
        queue: asyncio.Queue[int] = asyncio.Queue(50)
        lock = asyncio.Lock()
        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(worker(queue, lock))
            for number in range(1600):
                await queue.put(number)
            for _ in range(8):
                await queue.put(-1)
        await asyncio.gather(*(asyncio.sleep(0, number) for number in range(1200)))
        async with asyncio.timeout(30):
            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            for number in range(400):
                writer.write(b"message %d\n" % number)
                await reader.readline()
            writer.close()
            await writer.wait_closed()
            await ended
            server.close()

    asyncio.run(run())


@job(14)
def threads_and_processes() -> None:
    """Threads, queues, executors, sockets, select, pipes, a child process."""
    import os
    import queue
    import select
    import selectors
    import socket
    import subprocess
    import threading
    from concurrent.futures import ThreadPoolExecutor

    work: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    done: queue.Queue[int] = queue.Queue()

    def serve() -> None:
        while (item := work.get()) is not None:
            done.put(item * 2)

    threads = [threading.Thread(target=serve) for _ in range(3)]
    [thread.start() for thread in threads]
    [work.put(number) for number in range(4000)]
    [done.get() for _ in range(4000)]
    [work.put(None) for _ in threads]
    [thread.join() for thread in threads]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(len, ["abc"] * 600))
    lock, event = threading.RLock(), threading.Event()
    for _ in range(6000):
        with lock:
            event.is_set()
    left, right = socket.socketpair()
    with left, right, selectors.DefaultSelector() as selector:
        selector.register(right, selectors.EVENT_READ)
        for number in range(1200):
            left.sendall(b"ping %d" % number)
            selector.select(1)
            right.recv(100)
            select.select([], [left], [], 0)
    out, into = os.pipe()
    for _ in range(800):
        os.write(into, b"x" * 100)
        os.read(out, 100)
    os.close(out), os.close(into)
    subprocess.run([sys.executable, "-S", "-c", "pass"], check=True)


@job(22)
def sources() -> None:
    """What a tool for Python does: tokenize, parse, compile, disassemble, inspect; arguments; logging; messages."""
    import argparse
    import ast
    import configparser
    import dis
    import email
    import inspect
    import io
    import logging
    import shlex
    import tokenize
    import tomllib

    with open(inspect.getfile(textwrap_module()), encoding="utf-8") as file:
        source = file.read()
    list(tokenize.generate_tokens(io.StringIO(source).readline))
    tree = ast.parse(source)
    [node for node in ast.walk(tree)]
    ast.unparse(tree)
    code = compile(source, "source", "exec")
    list(dis.get_instructions(code))
    inspect.signature(textwrap_module().fill)
    parser = argparse.ArgumentParser()
    parser.add_argument("--number", type=int, default=1)
    parser.add_argument("names", nargs="*")
    for number in range(20):
        parser.parse_args(["--number", str(number), "a", "b"])
    logger = logging.getLogger("training")
    logger.propagate = False
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    for number in range(1800):
        logger.warning("message %d of %s", number, "training")
        logger.debug("not written %d", number)
    settings = configparser.ConfigParser()
    settings.read_string(
        "[one]\na = 1\nb = %(a)s2\n" * 1 + "".join(f"[s{n}]\nkey = value {n}\n" for n in range(80))
    )
    [dict(settings[name]) for name in settings.sections()]
    tomllib.loads("".join(f"[t{n}]\nname = 'x{n}'\nlist = [1, 2.5, 'three']\n" for n in range(40)))
    message = email.message_from_string(
        "From: a@b.example\nTo: c@d.example\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\nbody\n" * 3
    )
    message.as_string(), message["subject"], [shlex.split('a "b c" d') for _ in range(60)]


def textwrap_module() -> object:
    """A module of middling size, as a sample of source text."""
    import textwrap

    return textwrap


@job(120)
def foreign_functions() -> None:
    """ctypes: calls, structures, arrays, callbacks."""
    import ctypes

    library = ctypes.CDLL(None)
    library.strlen.argtypes, library.strlen.restype = [ctypes.c_char_p], ctypes.c_size_t

    class Pair(ctypes.Structure):
        _fields_ = [("left", ctypes.c_int), ("right", ctypes.c_double)]

    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
    for number in range(4000):
        library.strlen(b"some text")
        pair = Pair(number, 1.5)
        pair.left += 1
        ctypes.byref(pair), ctypes.sizeof(pair)
    values = (ctypes.c_int * 400)(*range(400, 0, -1))
    library.qsort(values, len(values), 4, compare(lambda a, b: a[0] - b[0]))
    list(values)


def main(arguments: list[str]) -> None:
    """Do all jobs, or those that are named; ``--times`` prints the seconds of each."""
    names = [word for word in arguments if not word.startswith("-")] or list(JOBS)
    for name in names:
        (function, times), start = JOBS[name], time.perf_counter()
        for _ in range(times):
            function()
        if "--times" in arguments:
            print(f"{time.perf_counter() - start:6.2f} s  {name}")


if __name__ == "__main__":
    main(sys.argv[1:])
